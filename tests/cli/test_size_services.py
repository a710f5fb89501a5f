"""``slpnb size --service``: a table for people, records for programs, a mistake as one sentence."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from slpnb.fleet.packing.answer import CAVEAT
from slpnb.repository import ROOT
from tests.cli.conftest import call

THREE = [word for service in ("web=2560,1024,6", "api=900,512,4", "cron=512,256,2") for word in ("--service", service)]
TYPES = ["--type", "c6g.xlarge,m6g.large"]


def test_the_table_says_what_each_instance_takes_and_how_near_that_is_to_the_least():
    done = call("size", *THREE, *TYPES)
    assert done.exit_code == 0
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "3 services, 12 tasks, on shared instances:",
        "",
        "type instances tasks on each left on each USD per month",
        "c6g.xlarge 1 3 web 79 MiB, 1024 CPU units 99.28",
        "m6g.large 1 2 web 2608 MiB, 0 CPU units 56.21",
        "m6g.large 1 1 web, 1 api, 2 cron 3244 MiB, 0 CPU units 56.21",
        "m6g.large 1 3 api 5028 MiB, 512 CPU units 56.21",
        "",
        "4 instances, 267.91 US dollars per month: at most 11.90 % above the least possible.",
        "No packing on the 2 types considered costs less than 239.44 US dollars per month.",
        CAVEAT,
    ]


def test_json_and_csv_hold_every_task():
    document = json.loads(call("size", *THREE, *TYPES, "--json").stdout)
    assert {name: document[name] for name in ("ok", "minimise", "instances", "types_considered")} == {
        "ok": True,
        "minimise": "cost",
        "instances": 4,
        "types_considered": 2,
    }
    rows = list(csv.DictReader(io.StringIO(call("size", *THREE, *TYPES, "--csv").stdout)))
    assert rows == [{name: str(value) for name, value in batch.items()} for batch in document["batches"]]
    for service in document["services"]:
        placed = sum(int(row["instances"]) * int(row[f"tasks_{service['name']}"]) for row in rows)
        assert placed == service["tasks"]


@pytest.mark.parametrize(("form", "begins"), [([], ""), (["--csv"], ""), (["--json"], '{\n  "ok": false,')])
def test_a_service_that_fits_no_type_is_exit_code_1_with_its_numbers(form, begins):
    done = call("size", "--service", "web=8192,1024,2", "--service", "api=900,512,4", "--type", "c6i.large", *form)
    assert done.exit_code == 1
    assert done.stderr == (
        "service web: no type considered takes a task of it: the closest is c6i.large: "
        "8192 MiB asked, 3812 MiB left: short by 4380 MiB\n"
    )
    assert done.stdout[: len(begins) or None] == begins


def test_the_other_options_count():
    def instances(*options: str) -> int:
        return json.loads(call("size", "--service", "web=200,128,6", "--json", *options).stdout)["instances"]

    assert instances("--type", "c6i.large") == 1
    assert instances("--type", "c6i.large", "--network-mode", "awsvpc") == 3
    assert instances("--type", "c6i.large", "--network-mode", "awsvpc", "--trunking") == 1
    assert instances("--type", "c6i.large", "--reserve", "3400") == 3
    assert instances("--type", "c6i.large,c6g.4xlarge", "--minimise", "instances", "--architecture", "x86_64") == 1
    assert call("size", "--service", "web=200,0,1", "--type", "c6i.large", "--architecture", "arm64").exit_code == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("web=12", "--service web=12: must be NAME=MEMORY,CPU,TASKS in MiB, CPU units and tasks, such as web="),
        ("=2560,1024,6", "--service =2560,1024,6: must be NAME=MEMORY,CPU,TASKS"),
        ("web=2560,1024,-6", "--service web=2560,1024,-6: must be NAME=MEMORY,CPU,TASKS"),
        ("web=2.5,1024,6", "--service web=2.5,1024,6: must be NAME=MEMORY,CPU,TASKS"),
        (f"web={5000 * '9'},1024,6", "must be NAME=MEMORY,CPU,TASKS"),
        ("wéb=2560,1024,6", "must be NAME=MEMORY,CPU,TASKS"),
        ("web=5,1024,6", "--service web=5,1024,6: memory 5 MiB: ECS accepts no less than 6 MiB"),
        ("web=2560,200000,6", "--service web=2560,200000,6: cpu 200000: ECS accepts no more than 196608 CPU units"),
        ("web=2560,1024,0", "--service web=2560,1024,0: tasks 0: a service has 1 to 5000"),
        ("web=2560,1024,5001", "--service web=2560,1024,5001: tasks 5001: a service has 1 to 5000"),
        ("web=2560,1024,6 --service web=900,512,4", "service web is given 2 times"),
        ("web=2560,1024,6 --type c6i.larg", "did you mean c6i.large"),
        ("web=2560,1024,6 --reserve -1", "reserve -1 MiB: must not be negative"),
        ("web=2560,1024,6 --minimise instances", "minimise instances: name the types, such as --type c6i.large"),
        ("web=2560,1024,6 --minimise dollars", "'dollars' is not one of 'cost', 'instances'"),
        ("web=2560,1024,6 --tasks 1", "--tasks describes a single task and cannot be used with --service"),
        ("web=2560,1024,6 --memory 256", "--memory describes a single task and cannot be used with --service"),
        ("web=2560,1024,6 --zones 2", "--zones describes a single task and cannot be used with --service"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(options, sentence):
    done = call("size", "--service", *options.split(" "))
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_what_to_minimise_is_asked_of_several_services_only():
    done = call("size", "--memory", "256", "--minimise", "cost")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--minimise is for several services: give them with --service" in done.stderr


def test_the_example_of_the_readme_prints_what_it_shows():
    command, shown = re.search(
        r"```\n\$ slpnb (size --service .*)\n([^`]*)```", (ROOT / "README.md").read_text()
    ).groups()
    assert call(*command.split()).stdout == shown
