"""The notebooks themselves: how they are written, their outputs under nbval, and every way to pass parameters."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import nbformat
import pytest
from click.testing import CliRunner
from papermill.cli import papermill
from papermill.engines import NBClientEngine, papermill_engines
from papermill.inspection import inspect_notebook

from slpnb import local
from slpnb.config.parameters import Parameters
from slpnb.repository import ROOT
from slpnb.runner.kernels import Kernels
from slpnb.steps import NOTEBOOKS

FOLDER = ROOT / "notebooks"
IDS = re.compile(r"\b(vpc|subnet|sg|fs|fsap|fsmt|lt|i|ami|eni|rtb|igw)-[0-9a-f]{8,17}\b|\b(?!123456789012\b)\d{12}\b")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def test_every_notebook_is_listed_in_order():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
class TestHowItIsWritten:
    def test_one_title_comes_first_with_a_purpose(self, name):
        cells = read(name).cells
        assert cells[0].cell_type == "markdown"
        title, _, purpose = cells[0].source.partition("\n")
        assert title.startswith("# ")
        assert len(purpose.split()) >= 10
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1

    def test_the_parameters_cell_holds_literals_only(self, name):
        (cell,) = (cell for cell in code_cells(name) if "parameters" in cell.metadata.get("tags", []))
        values = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
        sections: dict[str, Any] = {key: {} for key in list(Parameters.model_fields)[4:]}
        assert values == {"environment": "staging", "backend": "local", "apply": "local", "confirm": "", **sections}
        assert list(values) == list(Parameters.model_fields)

    def test_papermill_knows_every_parameter_so_that_it_warns_of_misspelt_ones_only(self, name):
        assert list(inspect_notebook(str(FOLDER / f"{name}.ipynb"))) == list(Parameters.model_fields)

    def test_cells_are_short_and_define_nothing(self, name):
        for cell in code_cells(name):
            parameters = "parameters" in cell.metadata.get("tags", [])
            assert parameters or len(cell.source.splitlines()) <= 10, cell.source
            assert not re.search(r"^\s*(def|class|import boto3)\b", cell.source, re.MULTILINE)

    def test_prose_comes_before_code(self, name):
        cells = read(name).cells
        code = sum(cell.cell_type == "code" for cell in cells)
        introduced = sum(
            cell.cell_type == "code" and before.cell_type == "markdown" for before, cell in pairwise(cells)
        )
        assert introduced / code >= 0.5

    def test_it_was_saved_after_a_clean_run(self, name):
        cells = code_cells(name)
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
        assert not any("execution" in cell.metadata for cell in cells), "timing metadata: save with make notebooks"

    def test_its_outputs_hold_no_ids(self, name):
        for cell in code_cells(name):
            for output in cell.outputs:
                text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
                if "nbval-ignore-output" not in cell.metadata.get("tags", []):
                    assert not IDS.search(text), IDS.search(text)


def environment(folder: Path) -> dict[str, str]:
    """An environment with an embedded AWS of its own, started by the first notebook and ended with the last."""
    return {**os.environ, "SLPNB_STATE": str(folder), "PYTHONHASHSEED": "0"}


def run_nbval(names: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    files = [str(FOLDER / f"{name}.ipynb") for name in names]
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-q", *files]
    return subprocess.run(command, cwd=ROOT, env=environment(folder), capture_output=True, text=True)


def test_the_committed_outputs_are_what_a_run_gives(tmp_path):
    done = run_nbval(NOTEBOOKS, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("name", ["60_sizing", "80_service"])
def test_a_notebook_run_alone_gives_the_same_outputs(name, tmp_path):
    done = run_nbval((name,), tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]


WAYS = {
    "-f params/production.yaml": (["-f", str(ROOT / "params" / "production.yaml")], "production", 3584),
    "-p environment production": (["-p", "environment", "production"], "production", 3584),
    "-y a section": (["-y", "{task: {memory_mib: 3000}}"], "staging", 3000),
}


@pytest.fixture
def session(embedded, nursery, tmp_path, monkeypatch) -> Iterator[None]:
    """An embedded AWS, freshly seeded, that notebooks find, and papermill's engine "warm".

    Both are there for many tests: an embedded AWS takes 0.2 GB, and a kernel that imports everything 2 s.
    """
    local.reset(embedded.endpoint_url)
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    papermill_engines.register("warm", Warm)
    with Kernels(FOLDER, tmp_path / "kernels.log", nursery) as kernels:
        monkeypatch.setattr(Warm, "kernels", kernels, raising=False)
        yield


class Warm(NBClientEngine):
    """papermill's own engine on a kernel that has imported everything already."""

    kernels: ClassVar[Kernels]

    @classmethod
    def execute_managed_notebook(cls, *arguments: Any, **options: Any) -> Any:
        return super().execute_managed_notebook(*arguments, km=cls.kernels.take(more=False), **options)


def run_papermill(name: str, arguments: list[str], folder: Path) -> tuple[int, str]:
    output = folder / f"{name}.ipynb"
    options = ["--no-progress-bar", "--engine", "warm", "--cwd", str(FOLDER)]
    arguments = [str(FOLDER / f"{name}.ipynb"), str(output), *options, *arguments]
    result = CliRunner().invoke(papermill, arguments)
    cells = nbformat.read(output, as_version=4).cells
    outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    error = "".join(f"{out.ename}: {out.evalue}" for out in outputs if out.output_type == "error")
    opened = "".join(out.text for out in outputs if out.output_type == "stream")
    return result.exit_code, error or opened


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_way_of_passing_parameters_works_on_every_notebook(name, way, tmp_path, caplog):
    arguments, env, _ = WAYS[way]
    confirm = ["-p", "apply", "False"] if env == "production" else []
    if name == "99_destroy" and env == "production":
        confirm += ["-y", "{destroy: {confirm: destroy production}}"]
    code, seen = run_papermill(name, [*arguments, *confirm], tmp_path)
    assert code == 0, seen
    assert "unknown parameter" not in caplog.text
    assert f"{name}, {env}, us-east-1" in seen


MISTAKES = {
    "an unknown key": ("10_image", "{tsak: {memory_mib: 1}}", "tsak is not a parameter; did you mean task"),
    "an unknown key of its section": ("30_efs", "{efs: {throughput: elastic}}", "efs.throughput is not a parameter"),
    "a wrong unit": ("60_sizing", "{task: {memory_mib: 2.5 GiB}}", "must be a whole number of MiB"),
    "a contradiction": ("80_service", "{service: {desired_tasks: 9}}", "above service.max_tasks 5"),
    "another notebook's section, wrong": ("20_network", "{efs: {uid: www-data}}", "efs.uid is 'www-data'"),
}


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_one_sentence(mistake, tmp_path):
    name, given, sentence = MISTAKES[mistake]
    code, seen = run_papermill(name, ["-y", given], tmp_path)
    assert code != 0
    assert seen.startswith("ParameterError: ")
    assert sentence in seen


REFUSED = {
    "8 GiB on c6i.large": (
        "{task: {memory_mib: 8192, architecture: x86_64}, cluster: {instance_type: c6i.large}}",
        "8192",
    ),
    "x86_64 on arm64": ("{task: {architecture: x86_64}}", "arm64"),
    "port 2049 closed": ("{network: {nfs_from: nobody}}", "2049"),
}


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_created(case, tmp_path):
    given, number = REFUSED[case]
    code, seen = run_papermill("00_start", ["-y", given], tmp_path)
    assert code != 0
    assert seen.startswith("Refusal: ")
    assert number in seen
