"""The image, built on this machine for the requested architecture, and inspected.

The architecture in an image's manifest is what the builder was told; the one in the ELF header of
its entry point is what the CPU will see. Both are read, and a disagreement is refused: it is
what ends in ``exec format error`` on an instance. Sources: OCI image specification 1.1 ("Image
Configuration"), elf(5), docker/README.md, docs/ecs-facts.md, "Stopped tasks and their reasons".
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slpnb.config import Config
from slpnb.engine import IMAGE, LABEL, Engine, leftovers
from slpnb.errors import Refusal, SlpnbError
from slpnb.image import emulation
from slpnb.repository import DOCKER, git
from slpnb.verdict import Verdict, ok

BASE = "localhost/slpnb-base:bookworm"
BASE_VARIABLE = "SLPNB_BASE"
WORDS = {"x86_64": "amd64", "arm64": "arm64"}  # the parameters' term, and an image's
MACHINES = {0x3E: "amd64", 0xB7: "arm64"}  # e_machine of an ELF header (elf(5): EM_X86_64, EM_AARCH64)
ELF_BYTES = 20
STEP = re.compile(r"^(?:\[\d+/\d+\] )?STEP \d+/\d+: .*|^#\d+ \[.*")  # Podman's, and BuildKit's plain progress
LINE = 100
SAID = 20  # last lines of a failed build that are kept


class BuildError(SlpnbError):
    """The image could not be built, or does not start and stop as it must."""


@dataclass(frozen=True)
class Image:
    """An image in an engine. ``manifest`` and ``entry_point`` are architectures in an image's terms."""

    name: str
    manifest: str
    entry_point: str
    mib: float


def image_name(version: str, architecture: str, own: str) -> str:
    """The image's name in an engine: the version, and the architecture when it is not the machine's ``own``. Pure."""
    return f"{IMAGE}:{version}" + ("" if architecture == own else f"-{architecture}")


def elf_architecture(header: bytes) -> str:
    """What an executable is for (amd64, arm64), by its first 20 bytes. Pure. Raises `Refusal` for anything else."""
    if len(header) < ELF_BYTES or header[:4] != b"\x7fELF":
        raise Refusal("the image's entry point is not an ELF executable, so nothing says which CPU it is for")
    bits, order = 32 * header[4], "little" if header[5] == 1 else "big"
    machine = int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")
    if (bits, order) != (64, "little") or machine not in MACHINES:
        raise Refusal(
            f"the image's entry point is a {bits}-bit executable for ELF machine {machine}: neither amd64 nor arm64"
        )
    return MACHINES[machine]


def demand_agreement(asked: str, image: Image) -> None:
    """Raise `Refusal` unless request, manifest and entry point agree. Pure."""
    if asked == image.manifest == image.entry_point:
        return
    raise Refusal(
        f"{asked} was requested, the image's manifest says {image.manifest}, and its entry point is for "
        f"{image.entry_point}: on an instance its container would die with `exec format error`; "
        f"build it again for {asked} (slpnb build --architecture {asked})"
    )


def arguments(
    engine: Engine,
    name: str,
    architecture: str,
    base: str,
    version: str,
    files: dict[str, Path],
    revision: str = "",
) -> list[str]:
    """The command that builds. Pure. ``files`` are the build's secrets by id: they leave no trace in the image."""
    own_network = ["--network=host"] if engine.name == "podman" else ["--progress=plain"]
    secrets = [f"--secret=id={key},src={path}" for key, path in sorted(files.items())]
    given = {"BASE": base, "VERSION": version, "REVISION": revision}
    values = [f"--build-arg={key}={value}" for key, value in given.items() if value]
    platform = f"--platform=linux/{architecture}"
    return [
        *engine.command,
        "build",
        platform,
        *own_network,
        *secrets,
        *values,
        f"--tag={name}",
        str(DOCKER / "wordpress"),
    ]


def build(
    engine: Engine,
    config: Config,
    architecture: str = "",
    version: str = "",
    report: Callable[[str], None] = lambda _line: None,
) -> Image:
    """Build the image for ``architecture`` (amd64, arm64; by default the parameters'), and inspect it.

    ``report`` gets one line per step. Raises `Refusal` when the machine cannot run that architecture, or the
    result is for another one; `BuildError` when the build fails.
    """
    architecture = architecture or WORDS[config.task.architecture]
    version = version or config.image.tag
    demand_runnable(engine, architecture)
    name = image_name(version, architecture, engine.architecture)
    with apt_files() as files:
        base = find_base(engine, architecture, report)
        _run(arguments(engine, name, architecture, base, version, files, revision()), report)
    image = look_into(engine, name)
    demand_agreement(architecture, image)
    return image


def revision(folder: Path = DOCKER / "wordpress") -> str:
    """The commit that is built, for the image's label; ``-dirty`` when its files differ; empty without git."""
    commit = git("rev-parse", "HEAD", folder=folder)
    changed = commit and git("status", "--porcelain", "--", ".", folder=folder)
    return f"{commit}-dirty" if changed else commit


def demand_runnable(engine: Engine, architecture: str) -> None:
    """Raise `Refusal` when a build's commands could not run here: another architecture, and no emulation.

    Only Podman is certain to use this very kernel; Docker Desktop and Finch have emulation in their virtual machine.
    """
    if architecture == engine.architecture or engine.name != "podman" or emulation.registered(architecture):
        return
    raise Refusal(
        f"the image is requested for {architecture}, this machine is {engine.architecture} without emulation: "
        f"build as root after apt-get install {emulation.PACKAGES}, or build for this machine with "
        f"--architecture {engine.architecture}"
    )


def find_base(engine: Engine, architecture: str, report: Callable[[str], None]) -> str:
    """The base: `SLPNB_BASE`, else the Dockerfile's own if its registry answers (""), else one made here."""
    chosen = os.environ.get(BASE_VARIABLE, "")
    if chosen or _pulled(engine, default_base(), architecture):
        return chosen
    report("no registry answers: making a base from the distribution's packages")
    _run(
        [str(DOCKER / "base" / "make"), "--engine", _client(engine), "--arch", architecture],
        report,
        _environment(engine),
    )
    return BASE if architecture == engine.architecture else f"{BASE}-{architecture}"


def default_base() -> str:
    """The base that the Dockerfile names, by digest."""
    found = re.search(r"^ARG BASE=(\S+)$", (DOCKER / "wordpress" / "Dockerfile").read_text(encoding="utf-8"), re.M)
    assert found  # noqa: S101
    return found[1]


def _pulled(engine: Engine, base: str, architecture: str) -> bool:
    command = [*engine.command, "pull", "--quiet", f"--platform=linux/{architecture}", base]
    try:
        return subprocess.run(command, capture_output=True, timeout=300).returncode == 0  # noqa: S603
    except subprocess.TimeoutExpired:
        return False


def _client(engine: Engine) -> str:
    return engine.command[-1] if engine.name != "docker" else "docker"


def _environment(engine: Engine) -> dict[str, str]:
    """What the engine's command line sets with ``env``, for a script that calls the engine itself."""
    settings = (word.partition("=") for word in engine.command if re.match(r"[A-Z_]+=", word))
    docker = {"DOCKER_HOST": engine.socket} if engine.name == "docker" else {}
    return {name: value for name, _, value in settings} | docker


@contextlib.contextmanager
def apt_files() -> Iterator[dict[str, Path]]:
    """How this machine reaches Debian's packages, where that needs settings: its proxy, as the build's secret files."""
    with tempfile.TemporaryDirectory(prefix="slpnb-apt-") as folder:
        proxy = Path(folder) / "proxy"
        proxy.write_text(apt_proxy(_apt_config()), encoding="utf-8")
        yield {"apt-proxy": proxy} if proxy.stat().st_size else {}


def _apt_config() -> str:
    try:
        return subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return ""


def apt_proxy(settings: str) -> str:
    """The lines of ``apt-config dump`` that name a proxy. Pure."""
    return "".join(line for line in settings.splitlines(True) if re.match(r"Acquire::https?::Proxy\b.*\S", line))


def _run(command: list[str], report: Callable[[str], None], environment: dict[str, str] | None = None) -> None:
    """Run a command, a line to ``report`` for each step it announces. Raises `BuildError` with its last lines."""
    process = subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
    )
    said: list[str] = []
    with process, _ended_with_us(process):
        for line in process.stdout or ():
            said = [*said, line.rstrip()][-SAID:]
            if STEP.match(line):
                report(shortened(line))
    if process.returncode:
        raise BuildError(f"{Path(command[0]).name} exited with code {process.returncode}:\n" + "\n".join(said))


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """Make sure that a build ends with its command when that is interrupted or terminated."""
    try:
        yield
    except BaseException:
        process.terminate()
        raise


def shortened(line: str) -> str:
    """A step as its builder announces it, in one line of a terminal. Pure."""
    text = " ".join(line.split())
    return text if len(text) <= LINE else text[: LINE - 1] + "…"


def built(config: Config, image: Image) -> Verdict:
    """The architecture of an image that was built, and whether the fleet has it too. Pure."""
    asked = WORDS[config.task.architecture]
    seen = f"{image.name} is linux/{image.manifest}, according to its manifest and its entry point's ELF header"
    if asked == image.manifest:
        return ok("image built", seen)
    return ok("image built", f"{seen}; the fleet is {asked}, so it must also be built for that (slpnb build)")


# --- inspecting it ------------------------------------------------------------------------------------------


def look_into(engine: Engine, name: str) -> Image:
    """The image's architecture by its manifest and by its entry point, and its size."""
    found = engine.client.images.get(name)
    (entry_point, *_) = found.attrs["Config"]["Entrypoint"]
    header = _first_bytes(engine, name, entry_point)
    mib = found.attrs["Size"] / 1024 / 1024
    return Image(name, found.attrs["Architecture"], elf_architecture(header), mib)


def _first_bytes(engine: Engine, name: str, path: str) -> bytes:
    """The beginning of a file in the image; links and the interpreter of a script are followed."""
    container = engine.client.containers.create(name, labels={LABEL: leftovers.run_id()})
    try:
        for _ in range(5):
            content, path = _read(container, path)
            if not path:
                return content[:ELF_BYTES]
        raise Refusal("the image's entry point is a dangling link")
    finally:
        container.remove(force=True)


def _read(container: Any, path: str) -> tuple[bytes, str]:
    """The file's content, or the path to follow next: a link's target, or the interpreter of a script."""
    chunks, facts = container.get_archive(path)
    archive = b"".join(chunks)
    if facts.get("linkTarget") and facts["linkTarget"] != path:
        return b"", os.path.normpath(os.path.join(os.path.dirname(path), facts["linkTarget"]))  # noqa: PTH118, PTH120
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        content = file.read(256) if file else b""
    if content.startswith(b"#!"):
        return b"", content[2:].split()[0].decode()
    return content, ""
