"""``slpnb run``: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import generated
from tests.cli.conftest import call


def test_the_last_lines_are_the_report_and_the_verdict(places):
    done = call("run", "staging", "--to", "start", *places)
    assert done.exit_code == 0
    *lines, report, verdict = done.output.splitlines()
    assert lines[-1].startswith(" 1/1 00_start     1 OK  (")
    assert Path(report.removeprefix("report: ")).exists()
    assert verdict == "staging: 1 of 1 notebooks finished, nothing changed"


def test_a_refusal_is_its_sentence_and_exit_code_3(places):
    done = call("run", "staging", "--to", "image", *places)
    assert done.exit_code == 3
    assert " 2/2 10_image     refused: short by 28 MiB" in done.output
    assert "Traceback" not in done.output


def test_settings_reach_the_record_nested(places, tmp_path):
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
        (["--set", "service.desired_tasks=9"], "above service.max_tasks 5"),
        (["--from", "80", "--to", "20"], "no notebook lies between them"),
        (["--only", "sizzing"], "sizzing is not a notebook; did you mean 60_sizing?"),
        (["--resume", "--from", "20"], "leave out --from, --to and --only"),
        (["--resume"], "no run of staging"),
    ],
)
def test_a_mistake_is_one_sentence_and_starts_nothing(places, tmp_path, arguments, sentence):
    done = call("run", "staging", *arguments, *places)
    assert done.exit_code == 2
    assert sentence in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists()


def test_an_account_that_is_not_named_stops_with_exit_code_4(places):
    source = generated.fine(Path(places[1]), "00_start")
    done = call("run", "staging", "--only", "start", "--backend", "aws", "--notebooks", str(source), *places[2:])
    assert done.exit_code == 4
    assert "aws.account_id is empty" in done.output
