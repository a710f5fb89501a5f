"""What a run leaves for other programs: run.json, rewritten after each notebook, and `latest`.

It holds no secret, because no parameter may be one, and no notebook shows what AWS generates.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from slpnb.errors import ParameterError
from slpnb.repository import git

PACKAGES = ("slpnb", "boto3", "botocore", "ipykernel", "matplotlib", "moto", "nbclient", "pandas", "papermill")
Status = Literal["finished", "refused", "failed", "interrupted"]


@dataclass
class Entry:
    """One notebook of a run.

    ``line``, ``plan``, ``verdicts`` and ``written`` are what its `slpnb.runbook.conclude` said;
    ``error`` is the type and the sentence of what stopped it. ``run`` names the earlier run that
    finished it, when this run resumed that one.
    """

    notebook: str
    status: Status = "finished"
    seconds: float = 0.0
    line: str = ""
    plan: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    written: bool = False
    error: dict[str, str] | None = None
    run: str = ""

    @property
    def summary(self) -> str:
        """The verdict without the notebook's name, or the sentence that stopped it."""
        if self.error:
            return self.error["sentence"]
        return self.line.removeprefix(f"{self.notebook}: ") or "finished without a verdict"


@dataclass
class Record:
    """A run: what was asked for, with which versions, and how it ended; ``exit_code`` is None until it has ended.

    ``live`` is what a visitor saw, one verdict per line, ``measured`` what the container used and served
    (`slpnb.sizing.measure.Measured.to_dict`); both are empty where tasks were simulated.
    """

    environment: str
    started: str
    asked: list[str]
    given: dict[str, Any]
    parameters: dict[str, Any]
    backend: str
    simulated: str = ""
    git: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notebooks: list[Entry] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    again: list[Entry] = field(default_factory=list)
    seconds: float = 0.0
    exit_code: int | None = None
    verdict: str = "did not finish"

    @property
    def broken(self) -> list[str]:
        """What a visitor should have seen and did not."""
        return [line for line in self.live if line.startswith("[NG]")]

    @property
    def stopped(self) -> Entry | None:
        """The notebook at which the run stopped early."""
        return next((entry for entry in [*self.notebooks, *self.again] if entry.status != "finished"), None)

    @property
    def finished(self) -> list[Entry]:
        """The notebooks that ran to their end."""
        return [entry for entry in self.notebooks if entry.status == "finished"]

    @property
    def left(self) -> list[str]:
        """What a resumed run has still to do: the notebooks asked for that have not finished."""
        done = {entry.notebook for entry in self.finished}
        return [name for name in self.asked if name not in done]

    def save(self, folder: Path) -> None:
        """Write run.json into the run's folder."""
        write(folder / "run.json", json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def new_folder(runs: Path, environment: str) -> Path:
    """Make ``<runs>/<environment>/<UTC time>``, and point `latest` to it."""
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    (runs / environment).mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 100):
        folder = runs / environment / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:  # another run began in the same second
            continue
        break
    _point(runs / environment / "latest", folder.name)
    return folder


def _point(link: Path, target: str) -> None:
    partial = link.with_name(f".latest-{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)


def last(runs: Path, environment: str) -> tuple[Path, Record]:
    """The last run of an environment and its folder. Raises `ParameterError` when there is none to read."""
    folder = (runs / environment / "latest").resolve()
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"--resume: no run of {environment} under {runs.name}/{environment}/latest") from error
    known = {item.name for item in fields(Record)}
    record = Record(**{key: value for key, value in content.items() if key in known})
    record.notebooks = [Entry(**entry) for entry in content["notebooks"]]
    record.again = [Entry(**entry) for entry in content["again"]]
    return folder, record


def origin() -> dict[str, Any]:
    """Commit of the repository, and whether tracked files differ from it; empty outside a git repository."""
    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))} if commit else {}


def versions() -> Mapping[str, str]:
    """Python and the packages whose behaviour a run's result rests on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
