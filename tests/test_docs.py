"""What the code cites exists."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from slpnb.repository import ROOT

FACTS = (ROOT / "docs" / "ecs-facts.md").read_text(encoding="utf-8")
CITING = [path for folder in ("slpnb", "tests/cases") for path in (ROOT / folder).rglob("*") if path.is_file()]
CITED = re.compile(r'docs/ecs-facts\.md,\s(?:#\s)?"?([A-Z][^",;.)]*)|docs/ecs-facts\.md,\s"(moto)"')


def citations() -> list[tuple[str, str]]:
    """Each heading of the facts that is cited, with the file that cites it."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in CITING if path.suffix in (".py", ".json")]
    found = {
        (" ".join((one or other).replace("#", "").split()), str(path.relative_to(ROOT)))
        for path, text in texts
        for one, other in CITED.findall(text)
    }
    return sorted(found)


@pytest.mark.parametrize(("heading", "file"), citations())
def test_a_cited_fact_has_its_heading(heading, file):
    assert re.search(rf"^## {re.escape(heading)}$", FACTS, re.MULTILINE), f"{file} cites {heading}"


def test_every_variable_that_the_code_reads_is_named_in_the_readme():
    code = [path.read_text(encoding="utf-8") for path in CITING if path.suffix == ".py"]
    read = {name for text in code for name in re.findall(r"\bSLPNB_[A-Z_]+\b", text)}
    assert read == set(re.findall(r"^\| `(SLPNB_[A-Z_]+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.M))


def test_nothing_is_cited_that_is_not_in_the_repository():
    texts = {path: path.read_text(encoding="utf-8") for path in CITING if path.suffix in (".py", ".json")}
    assert not [path for path, text in texts.items() if "field-notes" in text or "design.md" in text]


NAMED = re.compile(r"(?<!`)`(slpnb(?:\.\w+)+)`(?!`)")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "slpnb").rglob("*.py")]


@pytest.mark.parametrize("name", sorted({name for page in PAGES for name in NAMED.findall(page.read_text("utf-8"))}))
def test_what_a_text_names_can_be_imported(name):
    assert pkgutil.resolve_name(name)


def test_what_the_examples_of_the_readme_write_is_neither_linted_nor_tracked(tmp_path):
    written = set(re.findall(r"^papermill \S+ (\S+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert written
    assert {f"/{name}" for name in written} <= set((ROOT / ".gitignore").read_text(encoding="utf-8").splitlines())
    for name in written:
        nbformat.write(new_notebook(cells=[new_code_cell("import os\nx =   1;")]), tmp_path / name)
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", ROOT / "pyproject.toml", tmp_path]
        assert subprocess.run(command, capture_output=True, text=True).returncode == 0
