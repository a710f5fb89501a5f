"""Sizing: the research notebook's attempts as they happened, refusals with their numbers, updates within limits."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog, config, sizing
from slpnb.ecs import placement
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import monthly, remedies, running
from slpnb.fleet.rollout import Setting, kept, lost
from slpnb.sizing import prose as sizing_words
from slpnb.sizing.widgets import numbers
from tests.conftest import CASES as ALL_CASES

CASES = ALL_CASES / "sizing"


def cases(name):
    rows = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["why"]) for row in rows]


def needs_of(case):
    fields = ("memory_mib", "cpu_units", "enis", "gpus")
    return TaskNeeds(
        **{field: case[field] for field in fields if field in case}, tcp_ports=tuple(case.get("tcp_ports", ()))
    )


def rollout_of(case):
    fleet = sizing.Fleet(
        case["type"],
        instances=case.get("instances_now", 1),
        max_instances=case.get("max_instances", 1),
        zones=tuple(case.get("zones", ["us-east-1a"])),
        reserved_mib=case.get("reserved_mib", 0),
        trunking=case.get("trunking", False),
        template=case.get("template", "az_balanced_spread"),
    )
    percents = {key: case[key] for key in ("minimum_healthy_percent", "maximum_percent") if key in case}
    return sizing.rollout(needs_of(case), fleet, desired=case.get("desired", 1), **percents)


@pytest.mark.parametrize("case", cases("rollouts"))
def test_rolling_updates(case):
    found = rollout_of(case)
    assert (found.least, found.most) == (case["least"], case["most"])
    assert found.stuck == case.get("stuck", "")
    assert bool(found) == ("stuck" not in case)
    steps = [f"{'stuck ' * bool(one.stuck)}{one.old}+{one.new}, {one.healthy} healthy" for one in found.stages]
    assert steps == case["steps"]
    for key in {"instances", "lowest"} & case.keys():
        assert getattr(found, key) == case[key]


@pytest.mark.parametrize("case", cases("refusals"))
def test_refusals(case):
    found = sizing.refusals(config_of(case))
    assert [item.subject for item in found.failed] == case["failed"]
    if "warned" in case:
        assert [item.subject for item in found if item.status == "WARN"] == case["warned"]
    for words in case.get("said", ()):
        assert words in repr(found)


def config_of(case):
    """The parameters of a case; ``zones`` replace the environment's, which ``given`` would only add to."""
    loaded = config.load(case.get("environment", "staging"), case["given"])
    if "zones" not in case:
        return loaded
    network = loaded.network.model_copy(update={"subnets": {zone: zone for zone in case["zones"]}})
    aws = loaded.aws.model_copy(update={"region": case["zones"][0][:-1]})
    return loaded.model_copy(update={"network": network, "aws": aws})


def test_a_refusal_is_raised_with_its_numbers():
    attempt = config.load(given={"cluster": {"instance_type": "c6i.large"}, "task": {"memory_mib": 8192}})
    with pytest.raises(Refusal, match="short by 4636 MiB; the largest task that fits is 3556 MiB"):
        sizing.refusals(attempt).demand()


def test_the_rollout_prints_its_stages():
    fleet = sizing.Fleet("c6i.large", reserved_mib=0)
    assert repr(sizing.rollout(TaskNeeds(3584), fleet)) == (
        "stage 1      0 s  1 new waiting                1 old, 0 new, 1 healthy; 1 instance, 228 MiB free on one\n"
        "        stuck: short by 3356 MiB, and the group is limited to 1 instance (RESOURCE:MEMORY)"
    )
    table = sizing.rollout(TaskNeeds(1024), fleet).table()
    assert table[["action", "old", "new", "healthy"]].values.tolist() == [
        ["1 new started", 1, 1, 1],
        ["1 new healthy, 1 old stopped", 0, 1, 1],
    ]


def test_nothing_desired_is_nothing_to_replace():
    found = sizing.rollout(TaskNeeds(512), sizing.Fleet("c6i.large"), desired=0)
    assert repr(found) == "nothing to replace"
    assert found.table().empty


def test_the_budget_of_the_first_attempt():
    table = sizing.memory_budget("c6i.large", [8192, 3584, 2560])
    assert table["kernel"].tolist() == [284] * 3
    assert table["left"].tolist() == [3812, 228, 1252]
    assert table["short"].tolist() == [4380, 0, 0]


@given(
    st.sampled_from(["c6i.large", "c6g.xlarge", "m7g.large", "t3.nano"]),
    st.lists(st.integers(6, 20_000), min_size=1, max_size=5, unique=True),
    st.integers(0, 5_000),
    st.none() | st.integers(0, 4),
)
def test_a_budget_adds_up_to_what_the_type_is_sold_with(name, sizes, reserve, most):
    table = sizing.memory_budget(name, sizes, reserved_mib=reserve, most=most)
    assert (table[["kernel", "reserve", "tasks", "left"]].sum(axis=1) == table["nominal"]).all()
    assert (table[["kernel", "reserve", "tasks", "left", "short"]] >= 0).all(axis=None)


def test_capacity_of_staging():
    table = sizing.capacity(config.load())
    assert table["tasks"].to_dict() == {"one instance": 2, "min_instances": 2, "max_instances": 6}
    assert table.loc["max_instances", "usd_month"] == pytest.approx(0.136 * 730 * 3)


def test_the_comparison_covers_every_candidate_and_size():
    staging = config.load()
    table = sizing.compare(staging)
    assert len(table) == len(staging.sizing.candidates) * len(staging.sizing.memory_sizes_mib)
    assert table.loc[("c6i.large", 3584), "tasks"] == 0
    assert pd.isna(table.loc[("c6i.large", 3584), "usd_task_month"])
    assert table.loc[("c6g.xlarge", 2560), ["tasks", "limited_by", "left_mib"]].tolist() == [2, "CPU and memory", 2383]


def test_prices_list_only_types_that_take_the_task():
    table = sizing.prices(config.load(given={"task": {"memory_mib": 3584}}))
    assert list(table.index) == ["c6g.xlarge", "c7g.xlarge", "m7g.large"]
    assert table["usd_task_month"].is_monotonic_increasing


def test_the_cheapest_type_is_the_cheapest_of_those_that_take_it():
    needs = TaskNeeds(3584, cpu_units=2048, attributes=(("ecs.cpu-architecture", "x86_64"),))
    found = remedies.cheapest(needs, reserved_mib=256, zones=["us-east-1a", "us-east-1b"], rows=1)
    (name,) = found.index
    assert placement.fit(needs, name, reserved_mib=256)
    for other, facts in catalog.types().items():
        cheaper = facts.usd_per_hour is not None and facts.usd_per_hour < found.loc[name, "usd_per_hour"]
        if (
            cheaper
            and facts.current_generation
            and not facts.burstable
            and {"us-east-1a", "us-east-1b"} <= {*facts.zones}
        ):
            assert not placement.fit(needs, other, reserved_mib=256)


@pytest.mark.parametrize("trunking", [False, True])
def test_the_cheapest_type_has_interfaces_enough(trunking):
    needs = TaskNeeds(64, enis=1)
    for name in remedies.cheapest(needs, tasks=5, rows=20, trunking=trunking).index:
        assert placement.fit(needs, name, trunking=trunking).count >= 5


def test_ways_out_of_the_first_attempt():
    attempt = {"cluster": {"instance_type": "c6i.large"}, "task": {"memory_mib": 3584, "architecture": "x86_64"}}
    ways = sizing.ways_out(config.load(given=attempt))
    assert ways.loc["a task of 3556 MiB", "update"] == "finishes"
    assert ways.loc["a reserve of 228 MiB", "holds"] == 1
    assert ways.loc["as in the parameters", "update"] == "stuck"
    assert ways.index[-1] == "as in the parameters"


def test_ways_out_of_percentages_that_block():
    ways = sizing.ways_out(config.load(given={"service": {"maximum_percent": 100}}))
    assert ways.loc["minimum 100 %, maximum 200 %", "update"] == "finishes"
    assert ways.loc["stop before start: minimum 0 %, maximum 100 %", "update"] == "finishes, with downtime"


def test_a_zone_lost():
    three = sizing.Fleet("c6g.xlarge", 3, 3, ("us-east-1a", "us-east-1b", "us-east-1c"))
    table = lost(Setting(TaskNeeds(3584), three, 6))
    assert table.loc["us-east-1b"].to_dict() == {
        "instances": 3, "lost": 1, "tasks": 6, "survive": 4, "placed": 0, "wait": 2,
    }  # fmt: skip
    assert lost(Setting(TaskNeeds(3584), three, 3)).loc["us-east-1a", ["survive", "placed"]].tolist() == [2, 1]


def test_the_target_capacity_keeps_instances_in_reserve():
    needs, fleet = TaskNeeds(3584), sizing.Fleet("c6i.large", 1, 9)
    assert kept(Setting(needs, fleet, 4)).instances == 4
    assert kept(Setting(needs, fleet, 4, target_percent=80)).instances == 5


@pytest.mark.parametrize("values", [{"instances": 2}, {"zones": ()}, {"instances": -1}])
def test_a_fleet_that_cannot_be_is_refused(values):
    with pytest.raises(ParameterError, match="is impossible"):
        sizing.Fleet("c6i.large", **values)


def test_the_inputs_name_their_source():
    table = sizing.inputs(config.load())
    assert table.loc["task.memory_mib", "from"] == "params/staging.yaml"
    assert {"cluster.instance_type", "service.maximum_percent", "sizing.candidates"} <= set(table.index)


@pytest.mark.parametrize(
    ("changed", "fits", "updates", "loses"),
    [
        ({}, "2 tasks of 2560 MiB fit on one c6g.xlarge.", "The update finishes on 1 instance,", "The one task stops"),
        (
            {"task": {"memory_mib": 8192}},
            "Not one task can be placed on a c6g.xlarge: 8192 MiB are asked and 7503 are left, short by 689 MiB.",
            "There is nothing to update",
            "No task is running",
        ),
        (
            {"service": {"placement": "one_per_instance", "desired_tasks": 3}},
            "the placement is one task per instance",
            "The update hangs at stage 1",
            "In the worst case 1 of 3 tasks keeps running, 2 wait",
        ),
        ({"service": {"desired_tasks": 0, "min_tasks": 0}}, "2 tasks", "The desired count is 0", "No task is running"),
        ({"cluster": {"instance_type": "c6g.large"}}, "1 task of 2560 MiB fits on", "1 more than run otherwise", ""),
    ],
)
def test_the_notebooks_sentences_follow_the_parameters(changed, fits, updates, loses):
    values = config.load(given=changed)
    assert fits in sizing_words.fits(values)
    assert updates in sizing_words.updates(values)
    assert loses in sizing_words.loses(sizing.losing_a_zone(values))


AGREE = [
    {},
    {"minimum_healthy_percent": 0},
    {"minimum_healthy_percent": 0, "maximum_percent": 100},
    {"minimum_healthy_percent": 50},
]


@pytest.mark.parametrize("service", AGREE, ids=str)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_notebooks_statements_about_an_update_agree(environment, service):
    values = config.load(environment, {"service": service})
    update, desired = sizing.deployment(values), values.service.desired_tasks
    table, low = update.table(), update.played.lowest
    assert table.iloc[-1][["old", "new", "healthy"]].tolist() == [0, desired, desired]
    assert table["healthy"].min() == low >= update.least
    fewest = f"never fewer than {low} task" if low else "at times none"
    assert fewest in sizing_words.updates(values)
    assert fewest in sizing_words.replayed(update.played)
    on = f"finishes on {update.instances} instance"
    assert on in sizing_words.updates(values)
    assert sizing.verdict(values).seen.count(on) == 1
    assert numbers(values).loc["update", "answer"] == f"finishes on {update.instances}"
    assert sizing.ways_out(values).loc["as in the parameters", "instances"] == update.instances
    (check,) = [one for one in sizing.refusals(values) if one.subject == "rolling update"]
    assert ("downtime" in check.seen) == (not low)
    assert check.status == ("WARN" if update.waits or not low else "OK")
    assert ("had to wait" in sizing_words.replayed(update.played)) == update.waits


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_notebooks_statements_about_what_runs_agree(environment):
    values = config.load(environment)
    group, lost = running(values), sizing.losing_a_zone(values)
    assert set(lost["instances"]) == {group.instances} == {sizing.deployment(values).started_with}
    assert (lost["survive"] + lost["placed"] + lost["wait"] == values.service.desired_tasks).all()
    dollars = monthly(group.type_name, group.instances)
    assert numbers(values).loc["US dollars per month at the desired count", "answer"] == f"{dollars:,.2f}"


def test_the_choice_is_named_against_the_cheapest():
    staging = config.load()
    assert "no candidate is cheaper" in sizing_words.choice(staging, sizing.prices(staging))
    dear = config.load(given={"cluster": {"instance_type": "m7g.large"}})
    assert "9.93 more than c6g.large, the cheapest" in sizing_words.choice(dear, sizing.prices(dear))
    small = config.load(given={"cluster": {"instance_type": "t4g.nano"}})
    assert "does not take the task" in sizing_words.choice(small, sizing.prices(small))


def test_the_verdict_is_the_first_failure_or_the_answer():
    assert sizing.verdict(config.load()).seen == (
        "1 task of 2560 MiB on c6g.xlarge, 2 per instance; an update finishes on 1 instance"
    )
    refused = sizing.verdict(config.load(given={"task": {"gpus": 1}}))
    assert (refused.status, refused.seen) == (
        "NG",
        "GPU: 1 asked, c6g.xlarge has 0: ECS can never place the task there",
    )


@settings(deadline=None, max_examples=60)
@given(
    memory_mib=st.integers(64, 4000),
    desired=st.integers(0, 7),
    instances=st.integers(1, 3),
    more=st.integers(0, 3),
    least=st.integers(0, 100),
    most=st.integers(100, 300),
    template=st.sampled_from(sorted(placement.TEMPLATES)),
)
def test_an_update_keeps_its_limits_and_finishes_or_says_why(
    memory_mib, desired, instances, more, least, most, template
):
    zones = ("us-east-1a", "us-east-1b")
    fleet = sizing.Fleet("c6g.large", instances, instances + more, zones, template=template)
    found = sizing.rollout(
        TaskNeeds(memory_mib), fleet, desired=desired, minimum_healthy_percent=least, maximum_percent=most
    )
    if found.incomplete:
        assert fleet.per_instance(TaskNeeds(memory_mib)) * fleet.max_instances < desired
        return
    assert found.lowest >= found.least
    assert all(one.old + one.new <= max(found.most, desired) for one in found.stages)
    assert all(one.instances <= fleet.max_instances for one in found.stages)
    assert found.stuck or not found.stages or (found.stages[-1].old, found.stages[-1].new) == (0, desired)
