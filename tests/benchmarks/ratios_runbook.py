"""How a run by slpnb compares with bare papermill, one notebook after another, on this machine now.

Both sides execute the same notebooks on an embedded AWS of their own, whose start counts for
both; slpnb's side also writes the record, the report and a page for each notebook. No side runs containers.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from slpnb import local, runner
from slpnb.repository import ROOT
from slpnb.runner.records import last

TURNS = 3


def measured(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def bare(names: list[str], folder: Path) -> list[float]:
    """Seconds of starting the embedded AWS, then of papermill's command for each notebook."""
    began = time.monotonic()
    with local.start() as embedded:
        environ = {**os.environ, "SLPNB_LOCAL_ENDPOINT": embedded.endpoint_url}
        start = time.monotonic() - began
        return [start, *(measured(partial(papermill, name, folder, environ)) for name in names)]


def papermill(name: str, folder: Path, environ: dict[str, str]) -> None:
    """One notebook by papermill's own command."""
    command = [sys.executable, "-m", "papermill", f"{name}.ipynb", str(folder / f"{name}.ipynb")]
    quiet = ["--no-progress-bar", "--no-log-output", "--log-level", "ERROR"]
    subprocess.run([*command, *quiet], check=True, cwd=ROOT / "notebooks", env=environ, stderr=subprocess.DEVNULL)


def with_slpnb(folder: Path) -> float:
    """Seconds of slpnb's command, from the shell and back to it."""
    command = [sys.executable, "-m", "slpnb", "run", "staging", "--simulate", "--runs", str(folder)]
    return measured(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def kernels(folder: Path) -> list[float]:
    """Seconds that each notebook took within slpnb's run."""
    return [entry.seconds for entry in last(folder, "staging")[1].notebooks]


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means. Measured in turns, so that what else the machine does falls on both sides."""
    names, whole, parts = runner.choose(), list[float](), list[float]()
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            slow, fast = bare(names, folder), with_slpnb(folder)
            whole.append(sum(slow) / fast)
            parts.append(statistics.median(a / b for a, b in zip(slow[1:], kernels(folder), strict=True)))
    turns = f"{len(names)} notebooks, {TURNS} turns, {min(whole):.2f} to {max(whole):.2f}"
    yield "bare papermill / slpnb run", statistics.median(whole), f"times as long, the whole run ({turns})"
    yield "bare papermill / slpnb run, a notebook", statistics.median(parts), "times as long, the median notebook"
