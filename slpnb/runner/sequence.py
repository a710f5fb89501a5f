"""The runner: the notebooks in order with papermill, up to the first refusal, with a record and a report.

A run uses one embedded AWS of its own (or the account in the parameters), and one kernel per
notebook, made ready while the notebook before it runs (`slpnb.runner.kernels`).
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from slpnb import local
from slpnb.aws import Aws
from slpnb.config import Config, lay_over, load
from slpnb.engine import CHOICE_VARIABLE
from slpnb.errors import EXIT_CODES, ParameterError, SlpnbError
from slpnb.local import ENDPOINT_VARIABLE
from slpnb.repository import NOTEBOOKS_DIR, RUNS
from slpnb.runbook import RECORD_TYPE, connect_embedded
from slpnb.runner import live, records
from slpnb.runner.kernels import Kernels
from slpnb.runner.records import Entry, Record
from slpnb.runner.report import RunReport, read
from slpnb.sizing import measurements
from slpnb.steps import NOTEBOOKS
from slpnb.verdict import Verdicts, ng

if TYPE_CHECKING:
    from slpnb.runner.progress import Progressing

INTERRUPTED = 130  # as a shell counts Ctrl-C
TEARDOWN = "99_destroy"
LAST = "80_service"  # after it the service answers


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do: ``given`` are nested parameters that override the params files.

    ``again`` runs the notebooks a second time on the same AWS, where nothing may be left to do;
    ``containers`` runs the embedded ECS's tasks as containers where this machine has an engine.
    """

    environment: str
    notebooks: Sequence[str]
    given: Mapping[str, Any] = field(default_factory=dict)
    params: Path | None = None
    source: Path = NOTEBOOKS_DIR
    runs: Path = RUNS
    again: bool = False
    containers: bool = False
    finished: tuple[Path, tuple[Entry, ...]] | None = None  # of the run that this one resumes


def choose(first: str = "", to: str = "", only: Sequence[str] = ()) -> list[str]:
    """The notebooks to run, in order; the teardown runs only if it is named.

    Names may be whole (30_efs), the number or the word. Raises `ParameterError`.
    """
    if only:
        chosen = {find(name) for name in only}
        return [name for name in NOTEBOOKS if name in chosen]
    begin = find(first) if first else NOTEBOOKS[0]
    end = find(to) if to else NOTEBOOKS[NOTEBOOKS.index(TEARDOWN) - 1]
    names = [name for name in NOTEBOOKS if begin <= name <= end]
    if not names:
        raise ParameterError(
            f"--from {begin} --to {end}: no notebook lies between them; the order is {', '.join(NOTEBOOKS)}"
        )
    return names


def find(name: str) -> str:
    """The notebook that a name, a number or a word stands for. Raises `ParameterError`."""
    words = {word: notebook for notebook in NOTEBOOKS for word in (notebook, *notebook.split("_", 1))}
    if name in words:
        return words[name]
    near = difflib.get_close_matches(name, words, n=1)
    hint = f"did you mean {words[near[0]]}? " if near else ""
    raise ParameterError(f"{name} is not a notebook; {hint}the notebooks are {', '.join(NOTEBOOKS)}")


def resume(environment: str, given: Mapping[str, Any], **options: Any) -> RunOptions:
    """The options of a run that continues after the last finished notebook of the last run, with its parameters.

    On the embedded AWS that run's resources are gone with it. A notebook opened on a fresh one
    first applies the steps before it (`slpnb.runbook.prepare`), so what is skipped is only
    running their notebooks again. Raises `ParameterError` when there is nothing to continue from.
    """
    asked = RunOptions(environment, (), **options)
    folder, record = records.last(asked.runs, environment)
    if not record.left:
        raise ParameterError(f"--resume: the last run of {environment} finished all its notebooks; nothing is left")
    merged = lay_over(record.given, given)
    return RunOptions(environment, record.left, merged, finished=(folder, tuple(record.finished)), **options)


def run(options: RunOptions, watcher: Progressing) -> tuple[Path, Record]:
    """Run the notebooks; returns the run's folder and its record. Raises `ParameterError` before anything starts."""
    config = load(options.environment, options.given, options.params)
    _demand_notebooks(options)
    folder = records.new_folder(options.runs, options.environment)
    record = _begin(options, config, folder)
    try:
        _Run(options, config, record, folder, watcher).go()
    finally:
        record.save(folder)
    return folder, record


def _demand_notebooks(options: RunOptions) -> None:
    for name in options.notebooks:
        if not (options.source / f"{name}.ipynb").exists():
            raise ParameterError(f"{options.source.name}/{name}.ipynb: no such notebook")


def _begin(options: RunOptions, config: Config, folder: Path) -> Record:
    record = Record(
        environment=options.environment,
        started=folder.name,
        asked=list(options.notebooks),
        given=dict(options.given),
        parameters=config.model_dump(mode="json"),
        backend=config.backend,
        git=records.origin(),
        versions=dict(records.versions()),
    )
    if options.finished:
        _carry_over(record, folder, *options.finished)
    record.save(folder)
    return record


def _carry_over(record: Record, folder: Path, earlier: Path, finished: Sequence[Entry]) -> None:
    """Take the finished notebooks of the resumed run into this one, so that its report is whole."""
    for entry in finished:
        shutil.copy(earlier / f"{entry.notebook}.ipynb", folder)
        record.notebooks.append(replace(entry, run=entry.run or earlier.name))
    record.asked = [*(entry.notebook for entry in finished), *record.asked]


@dataclass
class _Run:
    """One run: its kernels, its AWS, its notebooks one after the other."""

    options: RunOptions
    config: Config
    record: Record
    folder: Path
    watcher: Progressing
    began: float = field(default_factory=time.monotonic)

    def go(self) -> None:
        """Run everything; an interruption between two notebooks is handled like one within."""
        record, options = self.record, self.options
        from slpnb.runner.progress import hear

        hear(self.watcher.tell)
        with RunReport(self.folder, record) as report:
            try:
                # papermill takes 2 s to import: they pass while the embedded AWS and the first kernels start
                Thread(target=import_module, args=("papermill.execute",), daemon=True).start()
                log, containers = self.folder / "kernels.log", options.containers
                with Kernels(options.source, log) as kernels, _backend(self.config, containers) as backend:
                    record.simulated, kernels.environ = backend.simulated, self._environ(backend)
                    self._pass(kernels, report, record.notebooks, self.folder)
                    self._look(backend, kernels)
                    if options.again and not record.stopped:
                        (self.folder / "again").mkdir()
                        self._pass(kernels, report, record.again, self.folder / "again")
            except KeyboardInterrupt:
                record.exit_code, record.verdict = INTERRUPTED, f"{options.environment}: interrupted"
            else:
                conclude(record)
            record.seconds = time.monotonic() - self.began

    def _look(self, backend: _Backend, kernels: Kernels) -> None:
        """With containers behind the service: install WordPress, visit it, and measure it."""
        if not backend.aws or self.record.stopped or LAST not in self.options.notebooks:
            return
        try:
            found = live.look(backend.aws, self.folder, backend.tasks)
        except SlpnbError as error:
            found = live.Visit(Verdicts((ng("WordPress", str(error)),)))
        self.record.live = [str(verdict) for verdict in found.verdicts]
        if found.measured:
            self.record.measured = found.measured.to_dict()
            path = self.folder / measurements.FILE
            measurements.write(found.measured, path)
            kernels.environ = {**kernels.environ, measurements.VARIABLE: str(path.resolve())}

    def _environ(self, backend: _Backend) -> dict[str, str]:
        params = {"SLPNB_PARAMS": str(self.options.params.resolve())} if self.options.params else {}
        engine = {} if self.options.containers else {CHOICE_VARIABLE: "none"}
        return {**backend.environ, **params, **engine}

    def _pass(self, kernels: Kernels, report: RunReport, entries: list[Entry], folder: Path) -> None:
        """Run the notebooks once, up to the first that does not finish."""
        names = self.options.notebooks
        for position, name in enumerate(names, start=1):
            more = position < len(names) or (self.options.again and entries is self.record.notebooks)
            entry = self._execute(name, folder, kernels, more)
            entries.append(entry)
            self.record.seconds = time.monotonic() - self.began
            self.watcher.end(entry)
            report.add(folder / f"{name}.ipynb")
            if entry.status != "finished":
                return

    def _execute(self, name: str, folder: Path, kernels: Kernels, more: bool) -> Entry:
        source, output = self.options.source / f"{name}.ipynb", folder / f"{name}.ipynb"
        self.watcher.begin(name, count_cells(source))
        began = time.monotonic()
        try:
            kernel = kernels.take(more)
            executed = self._papermill(source, output, km=kernel)
            kernels.close(kernel)
            entry = Entry(name, **conclusion(executed))
        except KeyboardInterrupt:
            error = {"type": "KeyboardInterrupt", "sentence": f"interrupted while {name} ran"}
            entry = Entry(name, "interrupted", error=error)
        except Exception as error:
            entry = failure(name, error)
        entry.seconds = time.monotonic() - began
        return entry

    def _papermill(self, source: Path, output: Path, **options: Any) -> Any:
        from papermill.execute import execute_notebook

        call: Any = execute_notebook
        done = {"progress_bar": False, "log_output": True, "on_cell_complete": lambda **_: self.watcher.cell()}
        return call(source, output, self._parameters(), **done, **options)

    def _parameters(self) -> dict[str, Any]:
        """What papermill injects: every section given, and the four that a parameters cell sets itself."""
        own = self.config.model_dump(include={"environment", "backend", "apply", "confirm"})
        return {**self.options.given, **own}


@dataclass(frozen=True)
class _Backend:
    """What the kernels' environment needs to find AWS, and what stands in for it (nothing for the real one)."""

    environ: dict[str, str] = field(default_factory=dict)
    simulated: str = ""
    aws: Aws | None = None  # of an embedded one that runs containers
    tasks: Callable[[], live.Tasks] = dict  # those containers


@contextmanager
def _backend(config: Config, containers: bool) -> Iterator[_Backend]:
    """The run's own embedded AWS, or the one that ``SLPNB_LOCAL_ENDPOINT`` names, which is not stopped."""
    if config.backend == "aws":
        yield _Backend()
        return
    own = local.start(local.PACE if containers else 0)
    with nullcontext(local.ensure()) if os.environ.get(ENDPOINT_VARIABLE) else own as embedded:
        aws = connect_embedded(config, embedded) if containers else None
        url = embedded.endpoint_url
        yield _Backend({ENDPOINT_VARIABLE: url}, embedded.describe, aws, lambda: local.real(url).get("tasks", {}))


def conclude(record: Record) -> None:
    """Give a run that came to its end, or to a refusal, its verdict and its exit code."""
    stopped = record.stopped
    count = f"{len(record.finished)} of {len(record.asked)} notebooks finished"
    if stopped:
        assert stopped.error  # noqa: S101 - only an error stops a notebook
        interrupted = stopped.status == "interrupted"
        record.exit_code = INTERRUPTED if interrupted else EXIT_CODES.get(stopped.error["type"], 1)
        record.verdict = f"{record.environment}: {stopped.status} at {stopped.notebook}, {count}"
        return
    changed = [entry.notebook for entry in record.again if entry.written]
    record.exit_code = EXIT_CODES["VerificationError"] if changed or record.broken else 0
    record.verdict = f"{record.environment}: {count}, {_changes(record.notebooks)}"
    if record.live:
        record.verdict += "; the service does not work" if record.broken else "; WordPress answers"
    if record.again:
        record.verdict += f"; second run: {f'{changed[0]} wrote again' if changed else 'nothing to do'}"


def _changes(entries: Sequence[Entry]) -> str:
    wrote = sum(entry.written for entry in entries)
    return f"{wrote} applied {'its plan' if wrote == 1 else 'their plans'}" if wrote else "nothing changed"


def count_cells(path: Path) -> int:
    """Code cells of a notebook."""
    return sum(cell["cell_type"] == "code" for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


def conclusion(executed: Any) -> dict[str, Any]:
    """What the notebook's `slpnb.runbook.conclude` recorded: line, plan, verdicts, written."""
    for cell in reversed(executed.cells):
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(RECORD_TYPE)
            if found:
                return {key: found[key] for key in ("line", "plan", "verdicts", "written")}
    return {}


def failure(name: str, error: Exception) -> Entry:
    """The entry of a notebook that raised: refused when the kit says so in a sentence, else failed."""
    kind = getattr(error, "ename", type(error).__name__)
    text = str(getattr(error, "evalue", error)).strip()
    if kind in EXIT_CODES:
        return Entry(name, "refused", error={"type": kind, "sentence": text})
    where = f" in {_last_line(error.source)!r}" if hasattr(error, "source") else ""
    sentence = f"{kind}{where}{': ' if text else ''}{text}"
    return Entry(name, "failed", error={"type": kind, "sentence": " ".join(sentence.split())})


def _last_line(source: str) -> str:
    return source.strip().splitlines()[-1].strip() if source.strip() else ""


def shown(path: Path) -> str:
    """A path as the user would type it: relative where it lies below the current folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def stories(source: Path = NOTEBOOKS_DIR) -> list[str]:
    """The notebooks under research/, which no run executes: they explain, and write nothing."""
    return sorted(f"research/{path.stem}" for path in source.glob("research/*.ipynb"))


def to_refresh(names: Sequence[str], source: Path = NOTEBOOKS_DIR) -> list[str]:
    """The notebooks that names stand for, stories included; without names all of them. Raises `ParameterError`."""
    told = {word: story for story in stories(source) for word in (story, story.removeprefix("research/"))}
    if not names:
        return [*NOTEBOOKS, *stories(source)]
    return [told.get(name) or find(name) for name in names]


def refresh(names: Sequence[str], echo: Callable[[str], None], source: Path = NOTEBOOKS_DIR) -> None:
    """Execute notebooks in place and in order, on one embedded AWS; outputs are kept, times are not."""
    os.environ[CHOICE_VARIABLE] = "none"  # alike on every machine; nbval's runs say so too (notebooks/conftest.py)
    with tempfile.TemporaryDirectory() as folder, local.start(local.PACE) as embedded:
        kernels = Kernels(source, Path(folder) / "kernels.log")
        kernels.environ = {ENDPOINT_VARIABLE: embedded.endpoint_url}
        with kernels:
            for position, name in enumerate(names, start=1):
                _execute_in_place(source / f"{name}.ipynb", kernels, position < len(names))
                echo(f"{name}: executed")


def _execute_in_place(path: Path, kernels: Kernels, more: bool) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook, kernel = read(path), kernels.take(more)
    NotebookClient(notebook, km=kernel, record_timing=False).execute()
    kernels.close(kernel)
    notebook.metadata["language_info"] = {"name": "python"}  # its version would differ from machine to machine
    records.write(path, nbformat.writes(notebook) + "\n")  # type: ignore[no-untyped-call]
