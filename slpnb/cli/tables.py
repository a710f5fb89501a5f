"""Tables on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable
from typing import Any

WIDTH = 200  # of a table that goes to a file or a pipe


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], numbers: Container[str] = ()) -> None:
    """Print rows under their columns; the columns named in ``numbers`` are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=not at, justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False).print(table)
