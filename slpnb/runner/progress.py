"""What the terminal shows of a run: a line for each finished notebook, and a progress bar below them.

Where standard output is not a terminal there is no bar, only the lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from slpnb.progress import MARK
from slpnb.runner.records import Entry

STYLES = {"finished": "green", "refused": "bold red", "failed": "bold red", "interrupted": "yellow"}


class Progressing:
    """Shows a run as it goes; ``total`` is the number of notebooks."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.ended = console, total, 0
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(
            *columns,
            TextColumn("cells"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, told="")

    def __enter__(self) -> Progressing:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, notebook: str, cells: int) -> None:
        """A notebook starts; it has that many code cells."""
        description = f"{self.ended + 1}/{self.total} {notebook}"
        self._progress.update(self._task, description=description, total=cells, completed=0)

    def cell(self) -> None:
        """One of its cells has ended."""
        self._progress.update(self._task, advance=1, told="")

    def tell(self, line: str) -> None:
        """What the running cell says of something that takes long."""
        self._progress.update(self._task, told=line)

    def end(self, entry: Entry) -> None:
        """The notebook has ended: its line stays."""
        self.ended += 1
        state = "" if entry.status == "finished" else f"{entry.status}: "
        first, newline, rest = entry.summary.partition("\n")
        line = f"{self.ended:2}/{self.total} {entry.notebook:12} {state}{first}  ({entry.seconds:.1f} s)"
        self.console.print(
            line + newline + rest,
            style=None if not state else STYLES[entry.status],
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def hear(tell: Callable[[str], None]) -> None:
    """Hand on to ``tell`` what running notebooks say. The rest of papermill's log is for no one."""
    log = logging.getLogger("papermill")
    log.handlers, log.propagate = [_Hearing(tell)], False
    log.setLevel(logging.INFO)


class _Hearing(logging.Handler):
    """Of all that papermill logs, only what a running cell says by `slpnb.progress`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Only the last line: the others are over."""
        said = [line for line in record.getMessage().splitlines() if line.startswith(MARK)]
        for line in said[-1:]:
            self._tell(line.removeprefix(MARK))
