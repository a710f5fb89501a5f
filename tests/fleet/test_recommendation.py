"""Recommended fleets against cases worked out by hand, and against playing every fleet through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from slpnb import catalog, config
from slpnb.ecs import placement, resources
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import HOURS_A_MONTH, recommendation
from slpnb.fleet.recommendation import GUARANTEES, Constraints
from slpnb.fleet.rollout import Setting, lost, rollout
from tests.conftest import cases

WORKED, REFUSED = (
    [case for case in cases("recommend") if ("refused" in case.values[0]) == refused] for refused in (False, True)
)
TYPES = ("c6i.large", "c6g.large", "c6g.xlarge", "m6g.large", "c7g.2xlarge")


def told(case):
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in case["constraints"].items()}
    sizes = {name: tuple(value) if isinstance(value, list) else value for name, value in case["needs"].items()}
    return recommendation.recommend(TaskNeeds(**sizes), Constraints(**lists))


def best(found):
    """The cheapest fleet that keeps every guarantee."""
    return str(found.fleets.index[0]), int(found.fleets["instances"].iloc[0])


@pytest.mark.parametrize("case", WORKED)
def test_cases_worked_out_by_hand(case):
    found = told(case)
    assert best(found) == tuple(case["best"]), case["why"]
    rows = {f"{tasks} {name}": count for (tasks, name), count in found.guarantees["instances"].items()}
    assert {name: rows[name] for name in case["rows"]} == case["rows"], case["why"]


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(case):
    with pytest.raises(Refusal if case["error"] == "Refusal" else ParameterError) as refused:
        told(case)
    assert str(refused.value) == case["refused"]


needed = st.builds(
    TaskNeeds,
    memory_mib=st.integers(100, 3600),
    cpu_units=st.sampled_from([0, 256, 1024, 2048]),
    dynamic_ports=st.integers(0, 1),
    tcp_ports=st.sampled_from([(), (), (80,)]),
    enis=st.integers(0, 1),
)
asked = st.builds(
    lambda low, more, zones, **rest: Constraints(
        low, low + more, zones=("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d")[:zones], **rest
    ),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(2, 4),
    minimum_healthy_percent=st.sampled_from([0, 50, 66, 100]),
    maximum_percent=st.sampled_from([100, 150, 200]),
    guarantees=st.sets(st.sampled_from(sorted(GUARANTEES)), min_size=1).map(tuple),
    types=st.just(TYPES),
    template=st.sampled_from(sorted(placement.TEMPLATES)),
)


def holds_up(needs, fleet, constraints):
    """Every guarantee at both levels, by the rolling update and the lost zone that the sizing notebook shows."""
    percents = constraints.minimum_healthy_percent, constraints.maximum_percent
    for tasks in (constraints.minimum_tasks, constraints.maximum_tasks):
        update = rollout(needs, fleet, desired=tasks, minimum_healthy_percent=percents[0], maximum_percent=percents[1])
        checks = {
            "run": not update.incomplete,
            "update": bool(update),
            "zone": lost(Setting(needs, fleet, tasks))["wait"].sum() == 0,
        }
        if not all(checks[name] for name in constraints.guarantees):
            return False
    return True


@given(needed, asked)
@settings(max_examples=25, deadline=None)
def test_no_fleet_that_holds_up_is_cheaper_and_each_recommended_one_holds_up(needs, constraints):
    try:
        found = recommendation.recommend(needs, constraints)
    except Refusal:
        assume(False)
        raise
    for name, count in found.fleets["instances"].items():
        assert holds_up(needs, constraints.fleet(str(name), int(count)), constraints)
    prices = {name: catalog.instance_type(name).usd_per_hour or 0 for name in TYPES}
    type_name, count = best(found)
    least = prices[type_name] * count
    assert found.fleets["usd_month"].iloc[0] == pytest.approx(least * HOURS_A_MONTH)
    for name, price in prices.items():
        cheaper = int(np.ceil(least / price - 1e-9)) - 1
        assert cheaper < 1 or not holds_up(needs, constraints.fleet(name, cheaper), constraints)


@given(needed, asked)
@settings(max_examples=15, deadline=None)
def test_guarantees_cost_no_less_than_none_and_the_frontier_rises(needs, constraints):
    try:
        found = recommendation.recommend(needs, constraints)
    except Refusal:
        assume(False)
        raise
    assert (found.guarantees["extra_usd_month"] >= -1e-9).all()
    together = found.guarantees["usd_month"].iloc[-1]
    assert (found.guarantees["usd_month"] <= together + 1e-9).all()
    assert together == pytest.approx(found.fleets["usd_month"].iloc[0])
    assert found.frontier["usd_month"].is_monotonic_increasing
    assert found.frontier["usd_month"].is_unique
    for spare, row in found.frontier.iterrows():
        more = replace(constraints, maximum_tasks=constraints.maximum_tasks + int(str(spare)))
        assert holds_up(needs, more.fleet(row["type"], row["instances"]), more)


@given(
    st.sampled_from([(7000, 1), (3500, 2), (2400, 3), (1800, 4)]),
    st.integers(1, 9),
    asked,
    st.sampled_from(sorted(GUARANTEES)),
)
@settings(max_examples=150, deadline=None)
def test_the_fewest_instances_of_a_guarantee_are_as_played(size, tasks, constraints, guarantee):
    memory_mib, each = size
    needs = TaskNeeds(memory_mib)
    assume(constraints.template != "one_per_instance" or each == 1)
    assume(not (guarantee == "update" and constraints.limits(tasks).forbid))
    least = int(recommendation.instances(np.array([each]), guarantee, tasks, constraints)[0])
    alone = replace(constraints, minimum_tasks=tasks, maximum_tasks=tasks, guarantees=(guarantee,))
    kept = [holds_up(needs, alone.fleet("c6g.xlarge", least - less), alone) for less in (0, 1)]
    assert kept == [True, False]


@given(needed, st.sampled_from(TYPES), st.integers(1, 6), asked)
@settings(max_examples=100, deadline=None)
def test_the_most_tasks_of_a_fleet_are_as_played(needs, type_name, instances, constraints):
    most = recommendation.covered(needs, type_name, instances, constraints)
    for tasks in (most, most + 1):
        level = replace(constraints, minimum_tasks=tasks, maximum_tasks=tasks)
        assert not tasks or holds_up(needs, level.fleet(type_name, instances), level) == (tasks == most)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_parameters_have_a_fleet(environment):
    parameters = config.load(environment)
    needs, constraints = resources.needs(parameters), recommendation.constraints(parameters)
    found = recommendation.recommend(needs, constraints)
    assert holds_up(needs, constraints.fleet(*best(found)), constraints)
