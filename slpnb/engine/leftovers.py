"""What a run creates in a container engine, and how it is removed: at its end, or when it is found dead.

Everything carries the label `slpnb.engine.LABEL` with the run's id, which names the process it
belongs to. Whoever starts next removes what runs of dead processes left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from slpnb.engine.client import LABEL, Engine

PREFIX = "slpnb-run-"


def run_id(pid: int | None = None) -> str:
    """The id of a process's runs: its pid and start time, so that no later process is taken for it."""
    process = psutil.Process(pid or os.getpid())
    return f"{process.pid}-{int(process.create_time() * 100)}"


def is_dead(run: str) -> bool:
    """Whether the process of a run is gone. Anything that is not a run's id belongs to someone else, and is alive."""
    number, _, since = run.partition("-")
    if not (number.isdigit() and since.isdigit()):
        return False
    try:
        process = psutil.Process(int(number))
        return bool(process.status() == psutil.STATUS_ZOMBIE or run_id(process.pid) != run)
    except psutil.NoSuchProcess:
        return True


def folder(run: str) -> Path:
    """Where a run keeps its files: private to this user, and removed with the run."""
    made = path(run)
    made.mkdir(mode=0o711, exist_ok=True)  # passed through by a container's user, listed by no one else
    return made


def path(run: str) -> Path:
    """Where that is, whether it is there or not."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{run}"


def remove(engine: Engine, run: str) -> None:
    """Remove a run's containers, networks and volumes, and its folder. What is already gone is not an error."""
    everything = {"filters": {"label": f"{LABEL}={run}"}}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(remove_container, engine.client.containers.list(all=True, sparse=True, **everything)))
    for kind in (engine.client.networks, engine.client.volumes):
        for one in kind.list(**everything):
            with suppress(*engine_errors()):
                one.remove()
    shutil.rmtree(path(run), ignore_errors=True)


def remove_container(container: Any) -> None:
    """Remove a container, killed if it runs, with its volumes.

    Not killed first: Podman waits 20 s to hear from a monitor that died with the earlier process.
    """
    with suppress(*engine_errors()):
        container.remove(force=True, v=True)


def runs(engine: Engine) -> set[str]:
    """The ids of all runs that have something in the engine, or a folder."""
    client, labelled = engine.client, {"filters": {"label": LABEL}}
    containers = client.containers.list(all=True, sparse=True, **labelled)
    attributes = [one.attrs for one in (*containers, *client.networks.list(**labelled), *client.volumes.list())]
    found = {(one.get("Labels") or {}).get(LABEL, "") for one in attributes}
    return (found | set(_folders())) - {""}


def sweep(engine: Engine) -> None:
    """Remove what runs of dead processes left."""
    for run in runs(engine):
        if is_dead(run):
            remove(engine, run)


def _folders() -> Iterable[str]:
    return (one.name.removeprefix(PREFIX) for one in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def engine_errors() -> tuple[type[Exception], ...]:
    """Whatever speaking to an engine can raise."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    return (DockerException, RequestException, HTTPError, OSError, ValueError)
