"""``slpnb size``: the answers with their numbers, mistakes as one sentence, and the arithmetic equal to playing it."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.cli.main import main
from slpnb.ecs.resources import TaskNeeds
from slpnb.fleet import Fleet, rollout, size
from tests.conftest import CASES as ALL_CASES

CASES = ALL_CASES / "size"


def cases(name):
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


def call(options: str) -> Result:
    return CliRunner().invoke(main, ["size", *shlex.split(options)])


@pytest.mark.parametrize("case", cases("answers"), ids=lambda case: case["why"])
def test_answers(case):
    done = call(f"{case['options']} --json")
    assert done.exit_code == case["exit"], done.output
    document = json.loads(done.stdout)
    assert document["ok"] == (case["exit"] == 0)
    assert len(document["types"]) == len(case["types"])
    for found, expected in zip(document["types"], case["types"], strict=True):
        assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(("options", "sentence"), cases("mistakes"), ids=lambda value: value[:60])
def test_a_mistake_is_one_sentence_and_exit_code_2(options, sentence):
    done = call(options)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_csv_says_what_json_says():
    options = "--memory 3584 --cpu 2048 --type c6i.large,c6g.xlarge --reserve 256"
    rows = list(csv.DictReader(io.StringIO(call(f"{options} --csv").stdout)))
    for row, record in zip(rows, json.loads(call(f"{options} --json").stdout)["types"], strict=True):
        assert list(row) == list(record)
        assert (row["type"], row["fits"]) == (record["type"], str(record["fits"]).lower())
        assert row["usd_month"] == ("" if record["usd_month"] is None else str(record["usd_month"]))
        assert row["problems"] == "; ".join(record["problems"])


def test_tables_are_for_people():
    done = call("--memory 2560 --cpu 2048 --type c6i.large,c6g.xlarge --tasks 5")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "One task takes 2560 MiB and 2048 CPU units; per instance of each type:"
    rows = [line.split() for line in lines if line.startswith("c6g.xlarge")]
    assert rows[0][:6] == ["c6g.xlarge", "yes", "8192", "MiB", "7759", "MiB"]
    assert " ".join(rows[1]) == (
        "c6g.xlarge 3 297.84 finishes on 5 instances 5 tasks 2 keep running, 0 restart at once, 3 wait"
    )


def test_a_table_of_what_does_not_fit_says_what_is_short():
    done = call("--memory 8192 --cpu 2048 --type c6i.large")
    assert done.stdout.splitlines()[-1] == "c6i.large: 8192 MiB asked, 3812 MiB left: short by 4380 MiB"
    assert "over 2 zones" not in done.stdout


def test_nothing_that_fits_is_a_sentence_with_the_nearest():
    done = call("--memory 99999999")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the closest is u7in-32tb.224xlarge: 99999999 MiB asked" in done.stderr
    nowhere = size.nothing_fits(size.task(256, gpus=1), size.ServiceSettings(zones=size.zones("6")))
    assert nowhere == (
        "no type that takes a task of 256 MiB and 1 GPU is offered in zone-1, zone-2, zone-3, zone-4, zone-5, zone-6"
    )


def test_without_types_the_ten_cheapest_that_fit():
    rows = json.loads(call("--memory 2560 --cpu 2048 --tasks 3 --architecture arm64 --json").stdout)["types"]
    assert len(rows) == 10
    assert all(row["fits"] and row["architecture"] == "arm64" for row in rows)
    prices = [row["usd_per_hour"] for row in rows]
    assert prices == sorted(prices)
    left_out = {facts.name for facts in catalog.types().values() if facts.burstable or not facts.current_generation}
    assert not left_out & {row["type"] for row in rows}


def test_help_teaches_with_commands_that_work():
    text = call("--help").output
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("slpnb size ")]
    assert {memory for line in examples for memory in ("8192", "3584", "2560") if memory in line} == {
        "8192",
        "3584",
        "2560",
    }
    codes = [call(line.removeprefix("slpnb size ")).exit_code for line in examples]
    assert codes == [1, 0, 1, 1, 0, 1, 0, 0]
    for code in (0, 1, 2):
        assert f"\n      {code}  " in text


def test_named_types_are_answered_without_pandas():
    code = (
        "import sys; from slpnb.fleet import size;"
        "size.answers(size.task(2560), ['c6i.large'], size.ServiceSettings());"
        "print(sorted({'boto3', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The arithmetic is what playing it through gives.

services = st.builds(
    size.ServiceSettings,
    tasks=st.integers(1, 12),
    zones=st.integers(1, 4).map(lambda number: size.zones(str(number))),
    minimum_healthy_percent=st.sampled_from([0, 33, 50, 66, 100]),
    maximum_percent=st.sampled_from([100, 125, 150, 200, 300]),
    max_instances=st.none() | st.integers(1, 14),
)


@settings(max_examples=150, deadline=None)
@given(services, st.sampled_from([1, 2, 3, 4, 7]))
def test_updates_and_lost_zones_are_as_played(service, each):
    needs = TaskNeeds(7759 // each)
    answer = size.answer(needs, "c6g.xlarge", service)
    assert answer.fit.count == each
    fleet = Fleet("c6g.xlarge", answer.instances, service.max_instances or 50, service.zones)
    percents = service.minimum_healthy_percent, service.maximum_percent
    played = rollout.played(rollout.Setting(needs, fleet, service.tasks, *percents))
    assert played.started_with == answer.instances
    assert answer.holds == (not played.incomplete)
    if answer.update:
        assert bool(played) == (not answer.update.stuck)
        assert (played.instances, played.lowest) == (answer.update.instances, answer.update.lowest)
    lost = rollout.lost(rollout.Setting(needs, fleet, service.tasks))
    worst = lost.sort_values(["survive", "placed"], kind="stable").iloc[0]
    assert (answer.lost.survive, answer.lost.placed, answer.lost.wait) == tuple(worst[["survive", "placed", "wait"]])


@settings(deadline=None)
@given(services, st.sampled_from([1, 2, 3, 4, 7]))
def test_one_instance_fewer_would_not_hold_the_tasks(service, each):
    answer = size.answer(TaskNeeds(7759 // each), "c6g.xlarge", service)
    fewer = Fleet("c6g.xlarge", answer.instances - 1, answer.instances - 1, service.zones)
    assert rollout.rollout(TaskNeeds(7759 // each), fewer, desired=service.tasks).incomplete


@given(st.sampled_from(sorted(catalog.types())), st.integers(6, 200_000), st.integers(0, 65_536))
def test_what_is_short_is_what_would_do(name, memory, cpu):
    found = size.record(size.answer(TaskNeeds(memory, cpu), name, size.ServiceSettings()))
    assert found["fits"] == (found["short_mib"] == 0 and found["short_cpu_units"] == 0)
    enough = TaskNeeds(max(6, memory - found["short_mib"]), cpu - found["short_cpu_units"])
    assert size.answer(enough, name, size.ServiceSettings()).fits
    assert memory - found["short_mib"] <= found["largest_mib"]
    json.dumps(found)
