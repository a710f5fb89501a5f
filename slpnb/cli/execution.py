"""Running notebooks from the command line: what ``slpnb run`` and ``slpnb destroy`` end in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from slpnb.cli import interruption

if TYPE_CHECKING:
    from slpnb.runner import RunOptions


def execute(options: RunOptions, open_report: bool) -> None:
    """Execute a run, print where its report is and how it came out, and exit with its code."""
    from rich.console import Console

    from slpnb import runner
    from slpnb.runner.progress import Progressing

    interruption.take()  # a cancelled CI job leaves nothing running
    console = Console(highlight=False)
    with Progressing(console, len(options.notebooks) * (1 + options.again)) as watcher:
        folder, record = runner.run(options, watcher)
    report = folder / "report.html"
    if open_report:
        click.launch(str(report))
    click.echo(f"report: {runner.shown(report)}")
    click.echo(record.verdict)
    sys.exit(record.exit_code)
