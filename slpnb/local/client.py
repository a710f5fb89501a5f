"""The client's side of the embedded AWS: find a running one, or start one, and control its clock.

Found in this order: ``SLPNB_LOCAL_ENDPOINT`` (the runner sets it for the kernels that it starts), then
the state file in ``SLPNB_STATE`` (by default runs/embedded/ of the repository): ``server.json``, or ``simulated.json``
for those who opt out of containers. The server exits by itself when none of the processes attached to it is alive any
more, however they died.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from slpnb import engine
from slpnb.errors import SlpnbError
from slpnb.progress import Tell
from slpnb.repository import RUNS

ENDPOINT_VARIABLE = "SLPNB_LOCAL_ENDPOINT"
STATE_VARIABLE = "SLPNB_STATE"
DEFAULT_STATE = RUNS / "embedded"
TIMEOUT_SECONDS = 60
PACE = 6.0  # embedded seconds for a real one: two health checks 30 s apart take ten real seconds
END_SECONDS = 60  # tasks stop within their own timeouts first
_DIRECT = build_opener(ProxyHandler({}))  # a proxy of the environment must never see 127.0.0.1


class EmbeddedError(SlpnbError):
    """The embedded AWS did not start, or does not answer."""


@dataclass(frozen=True)
class Embedded:
    """A running embedded AWS.

    ``fresh`` is true until the first write after seeding; ``describe`` says in one line what stands
    in for AWS, the same text wherever it runs; ``pid`` is the server's process.
    """

    endpoint_url: str
    fresh: bool
    describe: str
    pid: int


def ensure(tell: Tell = lambda _line: None) -> Embedded:
    """The embedded AWS of this session: the one that runs, or a new one that outlives this call.

    It lives as long as the process that opened the notebook: the Jupyter server, papermill or nbval
    where the kernel names it (``JPY_PARENT_PID``), else this process. Its tasks are containers where the
    machine has an engine, unless ``SLPNB_ENGINE`` is none. ``tell`` is told what takes long. Raises
    `EmbeddedError` when ``SLPNB_LOCAL_ENDPOINT`` names one that does not answer: going on with another
    one would lose what earlier steps made.
    """
    named = os.environ.get(ENDPOINT_VARIABLE)
    if named:
        return _embedded(named, health(named))
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        state = folder / ("simulated.json" if engine.opted_out() else "server.json")
        endpoint = _running(state)
        if not endpoint:
            tell("starting the embedded AWS")
            endpoint, _ = _launch(state.with_suffix(".log"), _owner(), PACE, "--state", str(state))
        return _embedded(endpoint, health(endpoint))


@contextmanager
def start(pace: float = 0) -> Iterator[Embedded]:
    """A separate embedded AWS, freshly seeded, stopped at the end of the ``with`` block.

    With a ``pace`` (`PACE` suits most) its tasks are containers where the machine has an engine and the image;
    ``describe`` says whether. It is how many seconds pass on the embedded clock for a real one while containers
    start, are first checked, or stop.
    """
    with tempfile.TemporaryDirectory(prefix="slpnb-embedded-") as folder:
        endpoint, process = _launch(Path(folder) / "server.log", os.getpid(), pace)
        try:
            yield _embedded(endpoint, health(endpoint))
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to stop, which removes its containers; if it does not, it is killed, and its reaper removes them."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def advance(endpoint_url: str, seconds: float) -> None:
    """Let ``seconds`` pass on the embedded AWS's clock, at once: what `slpnb.aws.Aws` waits with there."""
    _call(endpoint_url, "advance", "POST", seconds=seconds)


def reset(endpoint_url: str) -> None:
    """Return to the freshly seeded account: what tests call between cases."""
    _call(endpoint_url, "reset", "POST")


def writes(endpoint_url: str) -> int:
    """How many writing API calls the embedded AWS has received since it was seeded, refused ones included."""
    return int(_call(endpoint_url, "writes")["writes"])


def snapshot(endpoint_url: str) -> dict[str, list[str]]:
    """Everything that the account holds (`slpnb.local.account.snapshot`): the same before a run and after a destroy."""
    return _call(endpoint_url, "snapshot")


def real(endpoint_url: str) -> dict[str, Any]:
    """What runs for real: engine, run, front door, database, each task's loopback addresses; empty without."""
    return _call(endpoint_url, "containers")


def health(endpoint_url: str) -> dict[str, Any]:
    """pid, moto's version, ``untouched`` and ``describe`` of a running embedded AWS. Raises `EmbeddedError`."""
    return _call(endpoint_url, "health")


def state_folder() -> Path:
    """Where the session's embedded AWS leaves its state file and its log."""
    return Path(os.environ.get(STATE_VARIABLE) or DEFAULT_STATE)


def _embedded(endpoint: str, facts: dict[str, Any]) -> Embedded:
    return Embedded(endpoint, bool(facts["untouched"]), str(facts["describe"]), int(facts["pid"]))


def _owner() -> int:
    """Whoever keeps the session alive: the parent that Jupyter names, else this process."""
    named = os.environ.get("JPY_PARENT_PID", "")
    return int(named) if named.isdigit() else os.getpid()


def _running(state: Path) -> str | None:
    """The endpoint that the state file names, if it is ours and alive; attaches to it."""
    try:
        endpoint = str(json.loads(state.read_text(encoding="utf-8"))["endpoint"])
        attached = _call(endpoint, "attach", "POST", pid=_owner())["attached"]
    except (OSError, ValueError, KeyError, EmbeddedError):
        return None  # none was started, it is gone, or something else has its port
    return endpoint if attached else None


def _launch(log: Path, owner: int, pace: float, *more: str) -> tuple[str, subprocess.Popen[str]]:
    """Start the server; return when its seed is in and it listens."""
    options = ["--attach", str(owner), "--log", str(log), "--pace", str(pace), *more]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "slpnb.local.server.main", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
        start_new_session=True,  # Ctrl-C, and Jupyter's signals to the kernel's group, are not meant for it
    )
    assert process.stdout  # noqa: S101
    with process.stdout:
        endpoint = process.stdout.readline().strip()
    if not endpoint:
        process.wait()
        raise EmbeddedError(f"the embedded AWS did not start: {_last_line(log)}")
    return endpoint, process


def _environment() -> dict[str, str]:
    """Ours; but where bytecode is not to be written next to the sources, it is written to a place of its own.

    Containers often ask for that, and compiling moto each time would double the time to start.
    """
    own = dict(os.environ)
    if own.pop("PYTHONDONTWRITEBYTECODE", ""):
        own.setdefault("PYTHONPYCACHEPREFIX", str(DEFAULT_STATE / "pycache"))
    return own


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "it wrote no log")


def _call(endpoint: str, path: str, method: str = "GET", **query: Any) -> dict[str, Any]:
    url = f"{endpoint}/slpnb/{path}?{urlencode(query)}"
    try:
        with _DIRECT.open(Request(url, method=method), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            content = json.load(answer)
    except HTTPError as error:
        raise EmbeddedError(f"the embedded AWS at {endpoint} failed in {path}: {_reason(error)}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise EmbeddedError(f"the embedded AWS at {endpoint} does not answer: {error}") from error
    if not isinstance(content, dict):
        raise EmbeddedError(f"{endpoint} is not an embedded AWS")
    return content


def _reason(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return str(error)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Make two kernels that start at the same time share one embedded AWS."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
