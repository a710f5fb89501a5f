"""The runner: order, refusals, crashes, interruption, resuming, and what a notebook sees of its kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import psutil  # type: ignore[import-untyped]
import pytest
from papermill.execute import execute_notebook

from slpnb import local, runner
from slpnb.errors import EXIT_CODES, ParameterError
from slpnb.repository import ROOT
from slpnb.runner import RunOptions, choose, find, kernels, records, sequence
from slpnb.runner.records import Entry, Record
from slpnb.steps import NOTEBOOKS
from tests import generated


class Watch:
    """Remembers what the runner showed."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.cells = 0
        self.told: list[str] = []

    def begin(self, notebook: str, cells: int) -> None:
        self.seen.append(f"{notebook} of {cells}")

    def cell(self) -> None:
        self.cells += 1

    def tell(self, line: str) -> None:
        self.told.append(line)

    def end(self, entry: Entry) -> None:
        self.seen.append(entry.status)


@pytest.fixture
def here(tmp_path: Path, embedded, nursery, monkeypatch) -> Path:
    """A folder for notebooks and runs; runs share the tests' embedded AWS, freshly seeded, and their nursery."""
    monkeypatch.setattr(sequence, "Kernels", partial(kernels.Kernels, nursery=nursery))
    local.reset(embedded.endpoint_url)
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    return tmp_path


def order(here: Path, *names: str, **options) -> RunOptions:
    options = {"environment": "staging", "source": here / "notebooks", "runs": here / "runs", **options}
    return RunOptions(notebooks=names, **options)


def outputs(folder: Path, name: str) -> str:
    cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def process(kernel: kernels.Kernel) -> psutil.Process:
    provisioner: Any = kernel.provisioner
    return psutil.Process(provisioner.pid)


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


class TestChoosing:
    def test_a_whole_run_leaves_tearing_down_out(self):
        assert choose() == [name for name in NOTEBOOKS if name != "99_destroy"]

    def test_tearing_down_runs_only_where_it_is_named(self):
        assert choose("80", "99")[-1] == "99_destroy"
        assert choose(only=["destroy"]) == ["99_destroy"]
        with pytest.raises(ParameterError, match="no notebook lies between"):
            choose("99")

    def test_a_part_is_named_by_number_word_or_both(self):
        assert choose("efs", "50") == ["30_efs", "40_secrets", "50_cluster"]
        assert choose(only=["60_sizing", "efs"]) == ["30_efs", "60_sizing"]

    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_every_notebook_is_found_by_each_of_its_names(self, name):
        number, word = name.split("_")
        assert {find(name), find(number), find(word)} == {name}

    def test_a_wrong_name_is_told_the_nearest(self):
        with pytest.raises(ParameterError, match="clutser is not a notebook; did you mean 50_cluster"):
            find("clutser")


class TestARun:
    def test_shows_what_takes_long_as_it_goes_and_keeps_none_of_it(self, here):
        say = "from slpnb import progress\nwith progress.told() as tell:\n    tell('half-way')\nprint('there')"
        generated.fine(here / "notebooks", "30_efs", say)
        watch = Watch()
        folder, _ = runner.run(order(here, "30_efs"), watch)
        assert next(line for line in watch.told if line.startswith("first ")) == "first 10_image"
        assert watch.told[-1] == "half-way"
        kept = outputs(folder, "30_efs")
        assert kept.startswith("30_efs, staging, us-east-1: embedded AWS")
        assert kept.endswith("there\n")
        assert "half-way" not in kept
        assert "first" not in kept

    def test_leaves_notebooks_record_report_and_latest(self, here):
        for name in ("01_one", "02_two"):
            generated.fine(here / "notebooks", name)
        watch = Watch()
        folder, done = runner.run(order(here, "01_one", "02_two", given={"task": {"memory_mib": 3000}}), watch)
        assert done.exit_code == 0
        assert done.verdict == "staging: 2 of 2 notebooks finished, nothing changed"
        assert watch.seen == ["01_one of 3", "finished", "02_two of 3", "finished"]
        assert watch.cells >= 6
        written = json.loads((folder / "run.json").read_text())
        assert [entry["line"] for entry in written["notebooks"]] == ["01_one: 1 OK", "02_two: 1 OK"]
        assert written["notebooks"][0]["verdicts"] == ["[OK]   sky: blue"]
        assert written["parameters"]["task"]["memory_mib"] == 3000
        assert written["simulated"].startswith("embedded AWS")
        assert {"python", "slpnb", "papermill"} <= written["versions"].keys()
        assert {path.name for path in folder.iterdir()} == {
            *(f"{name}.{kind}" for name in ("01_one", "02_two") for kind in ("ipynb", "html")),
            *("kernels.log", "report.html", "run.json"),
        }
        assert (here / "runs" / "staging" / "latest").resolve() == folder

    def test_stops_at_the_first_refusal_with_its_sentence(self, here):
        generated.refusing(here / "notebooks", "01_refuses")
        generated.fine(here / "notebooks", "02_two")
        folder, done = runner.run(order(here, "01_refuses", "02_two"), Watch())
        assert done.exit_code == 3
        assert done.verdict == "staging: refused at 01_refuses, 0 of 2 notebooks finished"
        assert done.stopped
        assert done.stopped.error == {"type": "Refusal", "sentence": "short by 28 MiB"}
        assert done.left == ["01_refuses", "02_two"]
        assert not (folder / "02_two.ipynb").exists()

    @pytest.mark.parametrize("name", EXIT_CODES)
    def test_an_error_of_the_kit_is_its_sentence_and_its_own_exit_code(self, here, name):
        raising = f"from slpnb import errors\nraise errors.{name}('one sentence')"
        generated.write(here / "notebooks", "01_raises", raising)
        _, done = runner.run(order(here, "01_raises"), Watch())
        assert done.exit_code == EXIT_CODES[name]
        assert done.stopped
        assert done.stopped.error == {"type": name, "sentence": "one sentence"}

    def test_a_crash_is_exit_code_1_with_the_line_that_raised(self, here):
        generated.crashing(here / "notebooks", "01_crashes")
        _, done = runner.run(order(here, "01_crashes"), Watch())
        assert done.exit_code == 1
        assert done.stopped
        assert done.stopped.summary == "ZeroDivisionError in '1 / 0': division by zero"

    def test_a_kernel_that_dies_is_a_failure_of_its_notebook(self, here):
        generated.fine(here / "notebooks", "01_dies", "import os\nos._exit(1)")
        _, done = runner.run(order(here, "01_dies"), Watch())
        assert done.exit_code == 1
        assert done.stopped
        assert "Kernel died" in done.stopped.summary

    def test_a_wrong_parameter_starts_nothing(self, here):
        generated.fine(here / "notebooks", "01_one")
        with pytest.raises(ParameterError, match=r"task\.memory_mib is '3 GiB', must be a whole number of MiB"):
            runner.run(order(here, "01_one", given={"task": {"memory_mib": "3 GiB"}}), Watch())
        assert not (here / "runs").exists()

    def test_a_missing_notebook_starts_nothing(self, here):
        with pytest.raises(ParameterError, match=r"notebooks/01_one\.ipynb: no such notebook"):
            runner.run(order(here, "01_one"), Watch())
        assert not (here / "runs").exists()

    def test_params_of_another_folder_reach_the_notebooks(self, here):
        folder = here / "my params"
        folder.mkdir()
        for name in ("base", "staging"):
            text = (ROOT / "params" / f"{name}.yaml").read_text()
            (folder / f"{name}.yaml").write_text(text.replace("memory_mib: 2560", "memory_mib: 2561"))
        generated.fine(here / "notebooks", "01_one", "print(config.task.memory_mib)")
        done, _ = runner.run(order(here, "01_one", params=folder), Watch())
        assert "2561" in outputs(done, "01_one")

    def test_run_again_finds_nothing_to_do_or_says_who_wrote(self, here):
        generated.fine(here / "notebooks", "01_one")
        folder, done = runner.run(order(here, "01_one", again=True), Watch())
        assert done.verdict.endswith("second run: nothing to do")
        assert (folder / "again" / "01_one.html").exists()
        done.again[0].written = True
        runner.conclude(done)
        assert done.exit_code == 6
        assert done.verdict.endswith("second run: 01_one wrote again")

    def test_two_runs_in_one_second_have_a_folder_each(self, here):
        folders = {records.new_folder(here / "runs", "staging") for _ in range(3)}
        assert len(folders) == 3


class TestResuming:
    def test_goes_on_after_the_last_finished_notebook_with_its_parameters(self, here):
        generated.fine(here / "notebooks", "01_one")
        generated.refusing(here / "notebooks", "02_two")
        generated.fine(here / "notebooks", "03_three", "print(config.task.memory_mib, config.service.max_tasks)")
        given = {"task": {"memory_mib": 3000}}
        first, _ = runner.run(order(here, "01_one", "02_two", "03_three", given=given), Watch())
        generated.fine(here / "notebooks", "02_two")
        places = {"source": here / "notebooks", "runs": here / "runs"}
        resumed = runner.resume("staging", {"service": {"max_tasks": 7}}, **places)
        assert list(resumed.notebooks) == ["02_two", "03_three"]
        folder, done = runner.run(resumed, Watch())
        assert done.exit_code == 0
        assert [(entry.notebook, entry.run) for entry in done.notebooks] == [
            ("01_one", first.name),
            ("02_two", ""),
            ("03_three", ""),
        ]
        assert "3000 7" in outputs(folder, "03_three")
        assert (folder / "01_one.html").exists()
        with pytest.raises(ParameterError, match="finished all its notebooks"):
            runner.resume("staging", {}, **places)

    def test_a_later_start_finds_the_earlier_steps_applied_on_the_embedded_aws(self, here):
        see = "from slpnb import network\nprint(sorted(f.kind for f in network.observe(aws).values() if f.step))"
        generated.fine(here / "notebooks", "30_efs", see)
        folder, _ = runner.run(order(here, "30_efs"), Watch())
        assert "security group" in outputs(folder, "30_efs")

    def test_without_a_run_there_is_nothing_to_resume(self, here):
        with pytest.raises(ParameterError, match="no run of staging"):
            runner.resume("staging", {}, runs=here / "runs")


class TestNothingIsLeftBehind:
    def test_after_a_run(self, here):
        before = children()
        generated.refusing(here / "notebooks", "01_one")
        generated.fine(here / "notebooks", "02_two")
        runner.run(order(here, "01_one", "02_two"), Watch())
        assert children() == before

    @pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_after_an_interruption_of_a_run_with_its_own_embedded_aws(self, tmp_path, sent, code):
        source = generated.fine(tmp_path / "notebooks", "00_start")
        generated.write(
            source, "10_image", generated.OPEN, "print(flush=True)\nimport threading\nthreading.Event().wait()"
        )
        command = [sys.executable, "-m", "slpnb", "run", "staging", "--to", "image"]
        places = ["--notebooks", str(source), "--runs", str(tmp_path / "runs")]
        environ = {key: value for key, value in os.environ.items() if key != "SLPNB_LOCAL_ENDPOINT"}
        with subprocess.Popen([*command, *places], stdout=subprocess.PIPE, text=True, env=environ) as process:
            try:
                assert process.stdout
                assert "00_start" in process.stdout.readline()
                started = psutil.Process(process.pid).children(recursive=True)
                assert len(started) >= 3  # the embedded AWS, the process that kernels fork from, a kernel
                process.send_signal(sent)
                assert process.wait(120) == code
            finally:
                process.kill()
        _, alive = psutil.wait_procs(started, timeout=10)
        assert not alive
        written = Record(**json.loads((tmp_path / "runs" / "staging" / "latest" / "run.json").read_text()))
        assert written.notebooks[0]["status"] == "finished"  # type: ignore[index]


class TestRefreshing:
    def test_the_stories_come_after_the_runbook(self, tmp_path):
        generated.write(tmp_path / "research", "1_tale")
        generated.write(tmp_path / "research", "2_tale")
        assert runner.to_refresh((), tmp_path) == [*NOTEBOOKS, "research/1_tale", "research/2_tale"]

    def test_a_story_is_named_with_or_without_its_folder(self, tmp_path):
        generated.write(tmp_path / "research", "1_tale")
        assert runner.to_refresh(("1_tale", "efs", "research/1_tale"), tmp_path) == [
            "research/1_tale",
            "30_efs",
            "research/1_tale",
        ]
        with pytest.raises(ParameterError, match="2_tale is not a notebook"):
            runner.to_refresh(("2_tale",), tmp_path)

    def test_outputs_are_saved_in_place_for_notebook_and_story(self, tmp_path):
        generated.write(tmp_path, "30_efs", "print('a step')")
        generated.write(tmp_path / "research", "1_tale", "print('a tale')")
        said = []
        runner.refresh(["30_efs", "research/1_tale"], said.append, tmp_path)
        assert said == ["30_efs: executed", "research/1_tale: executed"]
        for name, text in (("30_efs", "a step\n"), ("research/1_tale", "a tale\n")):
            cell = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4).cells[-1]
            assert [output.text for output in cell.outputs] == [text]


class TestKernels:
    LOOK = (
        "print(list(In), Out, sorted(name for name in globals() if not name.startswith('_')))",
        "import os, sys\nprint(os.getcwd(), sys.path, __name__, type(sys.stdout).__name__)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        "import logging, warnings\nlogging.warning('said')\nprint(plt.get_backend(), sorted(os.environ))",
    )

    def test_a_notebook_sees_what_it_sees_under_bare_papermill(self, tmp_path, nursery, monkeypatch):
        source = generated.write(tmp_path / "notebooks", "01_look", *self.LOOK)
        with kernels.Kernels(source, tmp_path / "log", nursery) as started:
            forked = self.seen(source, tmp_path / "forked.ipynb", km=started.take(more=False))
        monkeypatch.setattr(kernels, "FORKS", False)
        with kernels.Kernels(source, tmp_path / "log") as started:
            launched = self.seen(source, tmp_path / "launched.ipynb", km=started.take(more=False))
        monkeypatch.chdir(source)
        bare = self.seen(source, tmp_path / "bare.ipynb")
        assert forked == bare
        assert launched == bare
        assert any("image/png" in data for data in bare)

    @staticmethod
    def seen(source: Path, output: Path, **options) -> list[str]:
        arguments = {"parameters": {"apply": False}, "progress_bar": False, **options}
        executed = execute_notebook(str(source / "01_look.ipynb"), str(output), **arguments)
        return [json.dumps(cell.outputs) for cell in executed.cells if cell.cell_type == "code"]

    def test_the_next_kernel_is_ready_while_a_notebook_runs_and_all_end(self, tmp_path, nursery):
        with kernels.Kernels(tmp_path, tmp_path / "log", nursery) as started:
            first = started.take()
            processes = [process(kernel) for kernel in started._started]
            assert len(processes) == 2
            started.close(first)
            assert not processes[0].is_running()
            assert processes[1].is_running()
            second = started.take(more=False)
            assert process(second) == processes[1]
        assert not processes[1].is_running()

    def test_random_numbers_differ_from_kernel_to_kernel(self, tmp_path, nursery):
        look = "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), uuid.uuid4())"
        source = generated.write(tmp_path / "notebooks", "01_look", look)
        with kernels.Kernels(source, tmp_path / "log", nursery) as started:
            drawn = []
            for more in (True, False):
                kernel = started.take(more)
                drawn += self.seen(source, tmp_path / "out.ipynb", km=kernel)[-1:]
                started.close(kernel)
        one, two = (json.loads(text)[0]["text"].split() for text in drawn)
        assert not set(one) & set(two)
