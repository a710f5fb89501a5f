"""The command line: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slpnb import local
from slpnb.cli.main import main
from slpnb.errors import EXIT_CODES
from slpnb.repository import ROOT
from slpnb.runner import kernels, sequence
from tests import generated


@pytest.fixture
def aws_here(embedded: local.Embedded, monkeypatch) -> local.Embedded:
    """Commands find the tests' embedded AWS, freshly seeded."""
    local.reset(embedded.endpoint_url)
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    return embedded


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    started = kernels.Nursery(tmp_path_factory.mktemp("nursery") / "log") if kernels.FORKS else None
    yield started
    if started:
        started.close()


@pytest.fixture
def places(tmp_path, aws_here, nursery, monkeypatch) -> list[str]:
    assert aws_here.endpoint_url
    monkeypatch.setattr(sequence, "Kernels", partial(kernels.Kernels, nursery=nursery))
    source = generated.fine(tmp_path / "notebooks", "00_start")
    generated.refusing(source, "10_image")
    generated.fine(source, "99_destroy", "print(config.destroy.confirm, config.confirm, config.destroy.delete_data)")
    return ["--notebooks", str(source), "--runs", str(tmp_path / "runs")]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class TestRun:
    def test_the_last_lines_are_the_report_and_the_verdict(self, places):
        done = call("run", "staging", "--to", "start", *places)
        assert done.exit_code == 0
        *lines, report, verdict = done.output.splitlines()
        assert lines[-1].startswith(" 1/1 00_start     1 OK  (")
        assert Path(report.removeprefix("report: ")).exists()
        assert verdict == "staging: 1 of 1 notebooks finished, nothing changed"

    def test_a_refusal_is_its_sentence_and_exit_code_3(self, places):
        done = call("run", "staging", "--to", "image", *places)
        assert done.exit_code == 3
        assert " 2/2 10_image     refused: short by 28 MiB" in done.output
        assert "Traceback" not in done.output

    def test_settings_reach_the_record_nested(self, places, tmp_path):
        settings = ["--set", "task.memory_mib=3584", "--set", "service.health_check.path=/ok", "--plan"]
        assert call("run", "staging", "--only", "start", *settings, *places).exit_code == 0
        written = json.loads((tmp_path / "runs" / "staging" / "latest" / "run.json").read_text())
        assert written["given"] == {
            "task": {"memory_mib": 3584},
            "service": {"health_check": {"path": "/ok"}},
            "apply": False,
        }
        assert written["parameters"]["apply"] is False

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--set", "task.memory_mb=1"], "task.memory_mb is not a parameter; did you mean memory_mib?"),
            (["--set", "task.memory_mib=3 GiB"], "task.memory_mib is '3 GiB', must be a whole number of MiB"),
            (["--set", "memory"], "must be section.key=value"),
            (["--set", "service.desired_tasks=9"], "outside service.min_tasks 1 to service.max_tasks 5"),
            (["--from", "80", "--to", "20"], "no notebook lies between them"),
            (["--only", "sizzing"], "sizzing is not a notebook; did you mean 60_sizing?"),
            (["--resume", "--from", "20"], "leave out --from, --to and --only"),
            (["--resume"], "no run of staging"),
        ],
    )
    def test_a_mistake_is_one_sentence_and_starts_nothing(self, places, tmp_path, arguments, sentence):
        done = call("run", "staging", *arguments, *places)
        assert done.exit_code == 2
        assert sentence in done.output
        assert "Traceback" not in done.output
        assert not (tmp_path / "runs").exists()

    def test_an_account_that_is_not_named_stops_with_exit_code_4(self, places):
        source = generated.fine(Path(places[1]), "00_start")
        done = call("run", "staging", "--only", "start", "--backend", "aws", "--notebooks", str(source), *places[2:])
        assert done.exit_code == 4
        assert "aws.account_id is empty" in done.output


class TestDestroy:
    def test_without_a_terminal_the_words_must_be_given(self, places):
        done = call("destroy", "staging", *places)
        assert done.exit_code == 2
        assert 'give --confirm "destroy staging"' in done.output

    def test_the_words_of_another_environment_are_not_enough(self, places):
        assert call("destroy", "production", "--confirm", "destroy staging", *places).exit_code == 2

    @pytest.mark.parametrize(
        ("environment", "seen"),
        [("staging", "destroy staging  True"), ("production", "destroy production production True")],
    )
    def test_confirmed_it_runs_the_last_notebook(self, places, tmp_path, environment, seen):
        words = ["--confirm", f"destroy {environment}", "--delete-data"]
        done = call("destroy", environment, *words, *places)
        assert done.exit_code == 0, done.output
        assert seen in (tmp_path / "runs" / environment / "latest" / "99_destroy.ipynb").read_text()


class TestReading:
    @pytest.mark.usefixtures("aws_here")
    def test_status_compares_what_exists_with_the_parameters(self):
        done = call("status", "staging")
        assert done.exit_code == 0, done.output
        assert "20_network" in done.output
        assert "to create" in done.output

    @pytest.mark.usefixtures("aws_here")
    def test_commands_are_those_of_the_plan(self):
        done = call("commands", "network", "staging")
        assert done.exit_code == 0, done.output
        assert "aws ec2 create-security-group" in done.output
        subprocess.run(["bash", "-n"], input=done.output, text=True, check=True)

    @pytest.mark.usefixtures("aws_here")
    def test_installing_is_shown_and_refused_where_no_task_would_ever_end(self):
        shown = call("install", "staging", "--plan")
        assert (shown.exit_code, "+ one-off task slp-saas-test" in shown.output) == (0, True)
        assert shown.output.endswith("not run: apply is false\n")
        refused = call("install", "staging")
        assert (refused.exit_code, "the tasks are simulated" in refused.output) == (3, True)

    def test_a_notebook_that_writes_nothing_has_no_commands(self):
        done = call("commands", "sizing", "staging")
        assert done.exit_code == 2
        assert "60_sizing writes nothing" in done.output

    def test_params_say_where_each_value_comes_from(self):
        done = call("params", "production", "--section", "cluster", "--set", "cluster.max_instances=8")
        lines = {line.split()[0]: line for line in done.output.splitlines() if line.startswith("cluster.")}
        assert "c6g.2xlarge" in lines["cluster.instance_type"]
        assert call("params", "production", "--section", "clutser").exit_code == 2
        assert call("params", "production").output.count("network.vpc_name") >= 1

    def test_the_schema_knows_every_section(self):
        document = json.loads(call("schema").output)
        assert {"task", "service", "efs"} <= document["properties"].keys()


class TestHelp:
    def test_every_exit_code_is_documented(self):
        for arguments in (("--help",), ("run", "--help"), ("destroy", "--help")):
            text = call(*arguments).output
            for code in {0, 1, 130, *EXIT_CODES.values()}:
                assert f"\n  {code:>5}  " in text or f"\n{code:>7}  " in text, (arguments, code)

    def test_examples_are_commands_that_exist(self):
        for command in ("run", "destroy", "commands", "install"):
            examples = [
                line.split() for line in call(command, "--help").output.splitlines() if line.startswith("  slpnb ")
            ]
            assert len(examples) >= 2
            assert {example[1] for example in examples} == {command}

    def test_it_answers_without_loading_what_it_does_not_need(self):
        code = (
            "import sys, slpnb.cli.main; print(sorted({'boto3', 'pandas', 'papermill', 'pydantic'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_the_package_is_a_command_too(self):
        done = subprocess.run(
            [sys.executable, "-m", "slpnb", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "slpnb run staging" in done.stdout
