"""Tiny notebooks for the tests of the runner: one that ends well, one that refuses, one that crashes, a slow one."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'environment = "staging"\nbackend = "local"\napply = "local"\nconfirm = ""'
OPEN = "from slpnb import runbook\nconfig, aws = runbook.open({name!r})"
CONCLUDE = 'from slpnb.verdict import Verdicts, ok\nrunbook.conclude({name!r}, Verdicts((ok("sky", "blue"),)))'
SVG = (
    '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
    '<metadata><date>now</date></metadata><defs><path id="a" d="M0 0h9v9z"/></defs><use href="#a"/></svg>'
)


def write(folder: Path, name: str, *cells: str, heading: str = "A chart") -> Path:
    """A notebook whose parameters cell is followed by ``cells``; ``{name}`` in them is its name."""
    parameters = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    code = [new_code_cell(cell.replace("{name!r}", repr(name))) for cell in cells]
    notebook = new_notebook(
        cells=[new_markdown_cell(f"# {name}"), parameters, new_markdown_cell(f"## {heading}"), *code],
        metadata={"kernelspec": {"name": "python3", "display_name": "slpnb", "language": "python"}},
    )
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def fine(folder: Path, name: str, *more: str) -> Path:
    return write(folder, name, OPEN, *more, CONCLUDE)


def refusing(folder: Path, name: str) -> Path:
    return write(folder, name, OPEN, 'from slpnb.errors import Refusal\nraise Refusal("short by 28 MiB")', CONCLUDE)


def crashing(folder: Path, name: str) -> Path:
    return write(folder, name, OPEN, "1 / 0", CONCLUDE)


def interrupting(folder: Path, name: str) -> Path:
    """It sends its runner the signal of Ctrl-C, and would then go on."""
    signal = 'import os, signal, threading\nos.kill(int(os.environ["RUNNER"]), signal.SIGINT)\nthreading.Event().wait()'
    return write(folder, name, OPEN, signal, CONCLUDE)


def drawing(folder: Path, name: str) -> Path:
    figure = f'from IPython.display import SVG, display\ndisplay(SVG("""{SVG}"""))'
    return fine(folder, name, figure, figure)
