"""Which of the cells that a kernel has run are its notebook's parameters, and what they say. Pure.

A kernel is sent a cell's text, never its tags: papermill, nbclient and nbval send the code alone, and JupyterLab's
tags come too late for the cells that ran before the kit was imported (docs/decisions/parameters.md). So the two tagged
cells are known by what is in them: papermill begins the one that it injects with `INJECTED`, and the parameters
cell sets the names of `SIGNS`, which every notebook's does and nothing else in a notebook may.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from slpnb.config import lay_over
from slpnb.errors import ParameterError

INJECTED = "# Parameters"
SIGNS = frozenset({"environment", "backend", "apply", "confirm"})
BEGINNING = frozenset({"environment", "backend"})
ALLOWED = (
    "a cell that sets parameters holds lines such as apply = False or task = {} and nothing else, and a value is "
    "a number, a string, True, False, None, or a list or dict of these"
)


@dataclass(frozen=True)
class _Cell:
    number: int
    source: str

    @property
    def injected(self) -> bool:
        return self.source.lstrip().startswith(INJECTED)

    @property
    def names(self) -> frozenset[str]:
        """The names that it sets, in whatever way; of a cell that is no Python, those at the beginning of a line."""
        try:
            symbols = symtable.symtable(self.source, "cell", "exec").get_symbols()
        except SyntaxError:
            return frozenset(re.findall(r"^(\w+)\s*(?::|=(?!=))", self.source, re.MULTILINE))
        return frozenset(symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported())

    def values(self) -> dict[str, Any]:
        """What it sets. Raises `ParameterError`, by its line, unless every statement gives one name a literal."""
        try:
            return dict(self._assignment(statement) for statement in ast.parse(self.source).body)
        except SyntaxError as error:
            raise self._refused(error.lineno or 1, f"is not Python ({error.msg})") from None

    def _assignment(self, statement: ast.stmt) -> tuple[str, Any]:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if _is_literal(value):
                    return name, ast.literal_eval(value)
                raise self._refused(_culprit(value).lineno, "is computed")
        raise self._refused(statement.lineno, "does not give one name a value")

    def _refused(self, line: int, why: str) -> ParameterError:
        text = self.source.split("\n")[line - 1].strip()
        return ParameterError(f"parameters cell In [{self.number}], line {line}: {text!r} {why}; {ALLOWED}")


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):  # TypeError: a list as the key of a dict
        return False
    return True


def _culprit(value: ast.expr) -> ast.expr:
    """The innermost expression that is no literal: it may be lines below the name that it is for."""
    inner = (child for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr))
    return next((_culprit(child) for child in inner if not _is_literal(child)), value)


def parse_cells(cells: Iterable[str]) -> dict[str, Any]:
    """The parameters that a notebook's cells set, merged; ``cells`` are those run so far, as IPython's ``In``.

    Raises `ParameterError` for a parameters cell with anything else than literals: passing over it would pass over
    an ``apply = False`` in it.
    """
    merged: dict[str, Any] = {}
    for cell in _standing(_Cell(number, source) for number, source in enumerate(cells)):
        merged = lay_over(merged, cell.values())
    return merged


def _standing(cells: Iterable[_Cell]) -> list[_Cell]:
    """The cells that set parameters, each as it was last run: run again, the parameters cell begins a new set."""
    standing: list[_Cell] = []
    for cell in cells:
        if cell.injected:
            standing = [*(one for one in standing if not one.injected), cell]
        elif cell.names >= BEGINNING:
            standing = [cell]
        elif cell.names & SIGNS:
            standing = [*(one for one in standing if one.injected or not one.names <= cell.names), cell]
    return standing
