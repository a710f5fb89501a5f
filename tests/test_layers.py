"""Who may import whom is import-linter's (pyproject.toml, `make lint`); here is what it cannot see."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys

import pytest

from slpnb.repository import NOTEBOOKS_DIR, ROOT

FACES = sorted(path.parent for path in (ROOT / "slpnb").rglob("__init__.pyi"))


def names(face: str) -> set[str]:
    """What a face says it hands on."""
    return {
        alias.name for node in ast.walk(ast.parse(face)) if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_importing_the_package_and_its_faces_loads_nothing_heavy():
    rooms = ", ".join(".".join(face.relative_to(ROOT).parts) for face in FACES)
    code = f"import sys, {rooms}; print(sorted({{'boto3', 'pandas', 'moto', 'matplotlib'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_has_more_than_400_lines():
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in (ROOT / "slpnb").rglob("*.py")}
    assert [str(path.relative_to(ROOT)) for path, count in lines.items() if count > 400] == []


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_a_face_is_short_and_no_file_bears_a_name_that_it_hands_on(face):
    text = (face / "__init__.pyi").read_text(encoding="utf-8")
    handed_on = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module}
    assert len(text.splitlines()) < 40
    assert not handed_on & names(text)


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS_DIR.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_imports_four_names_or_fewer(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    assert sum(len(node.names) for node in imports) <= (3 if notebook.stem == "60_sizing" else 4)


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_a_face_has_every_name_that_it_hands_on(face):
    room = importlib.import_module(".".join(face.relative_to(ROOT).parts))
    assert all(getattr(room, name) is not None for name in names((face / "__init__.pyi").read_text(encoding="utf-8")))
