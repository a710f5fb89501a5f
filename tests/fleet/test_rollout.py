"""What managed scaling keeps, what a deployment does and what a lost zone leaves, against the scheduler model."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from slpnb import config
from slpnb.ecs import placement, scheduler
from slpnb.ecs.resources import TaskNeeds
from slpnb.fleet import Fleet, monthly, replay, running
from slpnb.fleet.rollout import Setting, deployment, kept, lost

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
HOUR = 3600  # long enough for fifteen minutes of a low metric, and for halves

fleets = st.tuples(
    st.integers(1, 4), st.integers(0, 5), st.integers(1, 3), st.sampled_from(sorted(placement.TEMPLATES))
).map(lambda drawn: Fleet("c6g.xlarge", drawn[0], drawn[0] + drawn[1], ZONES[: drawn[2]], template=drawn[3]))


def an_hour_later(fleet: Fleet, needs: TaskNeeds, desired: int, target_percent: int) -> int | None:
    """The instances that the scheduler model still has an hour after a service became steady; None if it never did."""
    state = replay.cluster(fleet, target_percent=target_percent)
    made = replay.service(replay.definition(needs), template=fleet.template, desired=desired)
    played = replay.start(state, made)
    if not played.steady:
        return None
    return len(scheduler.advance(played.state, HOUR).instances)


@example(Fleet("c6g.xlarge", 3, 6, ZONES[:1], template="az_balanced_binpack"), 7000, 5, 100)
@settings(max_examples=100, deadline=None)
@given(fleets, st.sampled_from([1000, 2560, 3584, 7000]), st.integers(0, 9), st.sampled_from([100, 90, 75, 50]))
def test_what_is_kept_is_what_the_scheduler_keeps(fleet, memory_mib, desired, target_percent):
    needs = TaskNeeds(memory_mib, cpu_units=512)
    played = an_hour_later(fleet, needs, desired, target_percent)
    if played is not None:
        assert kept(Setting(needs, fleet, desired, target_percent=target_percent)).instances == played


def test_a_service_that_is_spread_keeps_more_than_its_memory_needs():
    """Three tasks of production would fit one instance; on three of them, 90 % of the capacity asks for a fourth."""
    group = running(config.load("production"))
    assert (group.instances, monthly(group.type_name, group.instances)) == (4, 794.24)


@pytest.mark.parametrize("smallest", [1, 2])
def test_a_task_that_fits_nowhere_costs_the_smallest_group(smallest):
    assert kept(Setting(TaskNeeds(99_999), Fleet("c6g.xlarge", smallest, 9), 3)).instances == smallest


def test_a_group_grows_to_its_target_capacity_although_no_task_waits():
    update = deployment(config.load("production"))
    assert (update.started_with, update.instances, update.waits) == (4, 5, False)


def test_an_update_that_the_circuit_breaker_ends_says_what_stopped_it():
    small = {"cluster": {"instance_type": "c6g.large", "max_instances": 1}, "service": {"max_tasks": 1}}
    update = deployment(config.load(given=small))
    assert update.played.failed
    assert not update.played.steady
    assert update.stuck == "short by 2048 CPU units and 1573 MiB, and the group is limited to 1 instance (RESOURCE:CPU)"
    assert update.stages[-1].stuck == update.stuck


@settings(max_examples=60, deadline=None)
@given(fleets, st.sampled_from([1000, 2560, 3584, 7000]), st.integers(1, 9))
def test_a_lost_zone_takes_its_tasks_and_no_others(fleet, memory_mib, desired):
    table = lost(Setting(TaskNeeds(memory_mib), fleet, desired))
    assert (table[["survive", "placed", "wait"]] >= 0).all(axis=None)
    assert table["lost"].sum() == table["instances"].iloc[0]
    assert (table["tasks"] - table["survive"]).sum() == table["tasks"].iloc[0]
    assert (table[["survive", "placed", "wait"]].sum(axis=1) == desired).all()
