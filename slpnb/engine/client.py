"""The container engine of this machine: Docker, Podman or Finch, found and used through Docker's SDK.

``SLPNB_ENGINE`` names one (docker, podman, finch) or opts out (none); without it the first that answers is
taken. Docker and Finch run as services. Podman needs none: where its socket is not there, the kit runs ``podman
system service`` on a socket of its own, which ends with this process, however it dies. Sources: podman-system-
service(1), containers.conf(5), docs/ecs-facts.md, "Containers without a registry".
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slpnb.errors import ParameterError

CHOICE_VARIABLE = "SLPNB_ENGINE"
NAMES = ("docker", "podman", "finch")
IMAGE = "localhost/slpnb-wordpress"  # what the kit builds, tagged with its version
LABEL = "org.slpnb"  # on everything that the kit creates in an engine; its value is the run's id
TIMEOUT_SECONDS = 120  # of one request: a stop takes as long as the container's stop timeout
READY_SECONDS = 20.0
SOCKETS = {
    "docker": ("/var/run/docker.sock", "~/.docker/run/docker.sock"),
    "podman": ("/run/podman/podman.sock", "$XDG_RUNTIME_DIR/podman/podman.sock"),
    "finch": ("/var/run/finch.sock", "~/.finch/finch.sock"),
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's word and an image's
# As root without systemd: crun and the systemd cgroup manager do not work there, nor do Podman's default limits.
CONTAINERS_CONF = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 5
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
"""
LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
PLENTY = 16_384  # for a container; less where this process is allowed less
# The service ends when its pipe closes: with the process that holds the other end, killed or not.
# One that does not end when told to, with requests still open, is killed after a while.
UNTIL_LEFT = """\
trap "" INT; "$@" & pid=$!
cat >/dev/null
kill "$pid" 2>/dev/null; (sleep 10; kill -9 "$pid") >/dev/null 2>&1 & killer=$!
wait "$pid"; kill "$killer"; rm -rf "$0"
"""


@dataclass
class Engine:
    """A container engine that answers.

    ``name`` is docker, podman or finch; ``command`` begins a command line of its own client, for
    what the API does badly (builds); ``architecture`` is an image's word for this machine's (amd64,
    arm64); ``client`` is docker.DockerClient. Use it in a ``with`` block, or `close` it.
    """

    name: str
    version: str
    architecture: str
    command: tuple[str, ...]
    client: Any
    socket: str
    _closing: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the engine, and end the service if it was started for this one. Calling it twice does no harm."""
        self._closing.close()

    @property
    def described(self) -> str:
        """In one phrase, for outputs: "Podman 4.3.1 on amd64"."""
        return f"{self.name.capitalize()} {self.version} on {self.architecture}"

    @property
    def has_init(self) -> bool:
        """Whether it has an init process to add to a container; for Podman that is a separate package."""
        return self.name != "podman" or shutil.which("catatonit") is not None

    @property
    def most(self) -> dict[str, int]:
        """The resource limits that a container cannot exceed, by name: Podman grants no more than this process has."""
        return _most() if self.name == "podman" else {}


def find(choice: str | None = None) -> Engine | None:
    """The engine of this machine, or None; ``choice`` defaults to ``SLPNB_ENGINE``.

    Raises `ParameterError` for an unknown engine, and for a named one that does not answer:
    whoever asked for it must not silently get another one, or none.
    """
    asked = _chosen() if choice is None else choice
    if asked == "none":
        return None
    if asked and asked not in NAMES:
        raise ParameterError(f"{CHOICE_VARIABLE} is {asked}; it must be {', '.join(NAMES)} or none")
    found = next(filter(None, (_FIND[name]() for name in ([asked] if asked else NAMES))), None)
    if asked and found is None:
        raise ParameterError(f"{CHOICE_VARIABLE} is {asked}, which does not answer on this machine")
    return found


def why_none() -> str:
    """Why `find` found no engine, in one sentence."""
    if opted_out():
        return f"{CHOICE_VARIABLE} is none"
    return "no container engine responds: not Docker, Podman or Finch"


def opted_out() -> bool:
    """Whether ``SLPNB_ENGINE`` says that no engine is to be used."""
    return _chosen() == "none"


def _chosen() -> str:
    return os.environ.get(CHOICE_VARIABLE, "").strip().lower()


def _find_service(name: str) -> Engine | None:
    """An engine whose socket already exists: Docker's or Finch's own, or a Podman socket unit's."""
    named = os.environ.get("DOCKER_HOST", "") if name == "docker" else ""
    paths = [os.path.expandvars(os.path.expanduser(path)) for path in SOCKETS[name]]  # noqa: PTH111
    sockets = [named] if named else [f"unix://{path}" for path in paths if Path(path).is_socket()]
    found = (_connect(name, socket, _client_command(name, socket), ExitStack()) for socket in sockets)
    return next(filter(None, found), None)


def _find_podman() -> Engine | None:
    """Podman, by an existing socket or one of our own."""
    running = _find_service("podman")
    if running or shutil.which("podman") is None:
        return running
    closing = ExitStack()
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="slpnb-podman-")))
    command, socket = _podman_command(folder), f"unix://{folder}/podman.sock"
    closing.enter_context(_serve(folder, [*command, "system", "service", "--time=0", socket]))
    engine = _await(lambda: _connect("podman", socket, command, closing), folder / "podman.sock")
    if engine is None:
        closing.close()
    return engine


_FIND: dict[str, Callable[[], Engine | None]] = {
    "docker": lambda: _find_service("docker"),
    "podman": _find_podman,
    "finch": lambda: _find_service("finch"),
}


def _client_command(name: str, socket: str) -> tuple[str, ...]:
    """Docker's client is given the socket; Podman's and Finch's find it by themselves."""
    return ("docker", "--host", socket) if name == "docker" else (name,)


def _podman_command(folder: Path) -> tuple[str, ...]:
    """Podman; as root without systemd, with settings that work there, unless the user has chosen some."""
    plain = os.geteuid() != 0 or Path("/run/systemd/system").is_dir() or shutil.which("runc") is None
    if plain or os.environ.get("CONTAINERS_CONF"):
        return ("podman",)
    settings = folder / "containers.conf"
    settings.write_text(CONTAINERS_CONF.format(**_most()), encoding="utf-8")
    return ("env", f"CONTAINERS_CONF={settings}", "podman")


def _most() -> dict[str, int]:
    """The resource limits that a container may be given: plenty, but no more than this process has itself."""
    hard = {name: resource.getrlimit(kind)[1] for name, kind in LIMITS.items()}
    return {name: PLENTY if most == resource.RLIM_INFINITY else min(PLENTY, most) for name, most in hard.items()}


@contextmanager
def _serve(folder: Path, command: Sequence[str]) -> Iterator[None]:
    """A service that lives as long as this block, or this process, and so does its folder."""
    process = subprocess.Popen(  # noqa: S603
        ["sh", "-c", UNTIL_LEFT, str(folder), *command],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not meant for it
        cwd=folder,  # Podman's monitor leaves a file where it is when a container runs out of memory
    )
    try:
        yield
    finally:
        assert process.stdin  # noqa: S101
        process.stdin.close()
        process.wait()


def _await(connect: Callable[[], Engine | None], socket: Path) -> Engine | None:
    """Try until the service answers; give up after `READY_SECONDS`."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if socket.is_socket() and (engine := connect()):
            return engine
        time.sleep(0.05)
    return None


def _connect(name: str, socket: str, command: tuple[str, ...], closing: ExitStack) -> Engine | None:
    """The engine behind a socket, if one answers there."""
    import docker  # takes 0.2 s: only for those who look for an engine
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(base_url=socket, timeout=TIMEOUT_SECONDS, version="auto", max_pool_size=64)
        facts = client.version()
    except (DockerException, OSError):
        return None
    closing.callback(client.close)
    machine = str(facts.get("Arch") or platform.machine())
    return Engine(name, facts["Version"], ARCHITECTURES.get(machine, machine), command, client, socket, closing)
