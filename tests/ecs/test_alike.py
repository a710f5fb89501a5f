"""Placing tasks of one kind one after another chooses as `placement.place` does for each alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from slpnb.ecs import placement, resources
from slpnb.ecs.alike import Alike, suits
from slpnb.ecs.placement import Failure, Rule
from slpnb.ecs.resources import Instance, TaskNeeds

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = st.sampled_from(["c6g.large", "c6g.xlarge", "c6i.large", "t3.micro"])
NEEDS = st.builds(
    TaskNeeds,
    memory_mib=st.integers(6, 3000),
    cpu_units=st.integers(0, 1024),
    dynamic_ports=st.integers(0, 1),
    tcp_ports=st.sampled_from([(), (80,)]),
    attributes=st.sampled_from([(), (("ecs.cpu-architecture", "arm64"),)]),
    member_of=st.sampled_from([(), ("attribute:ecs.availability-zone != us-east-1b",)]),
)
RULES: Sequence[Rule] = (
    {"type": "spread", "field": "attribute:ecs.availability-zone"},
    {"type": "spread", "field": "attribute:ecs.instance-type"},
    {"type": "spread", "field": "instanceId"},
    {"type": "binpack", "field": "memory"},
    {"type": "binpack", "field": "CPU"},
)
STRATEGIES = st.lists(st.sampled_from(RULES), max_size=4).map(tuple)
CONSTRAINTS = st.sampled_from([(), ({"type": "distinctInstance"},)])


def instances(types: Sequence[str]) -> list[Instance]:
    empty = [resources.instance(name, id=f"i{number:02}") for number, name in enumerate(types)]
    return [
        replace(one, zone=ZONES[number % 3], attributes={**one.attributes, "ecs.availability-zone": ZONES[number % 3]})
        for number, one in enumerate(empty)
    ]


def one_by_one(
    needs: TaskNeeds, rooms: Sequence[Instance], count: int, running: Mapping[str, int], **rules: Sequence[Rule]
) -> list[str]:
    free, used = {one.id: one for one in rooms}, Counter(dict(running))
    chosen = []
    for _ in range(count):
        found = placement.place(needs, free.values(), running=used, **rules)
        chosen.append(repr(found) if isinstance(found, Failure) else found.id)
        if isinstance(found, Instance):
            free[found.id] = found.take(needs)
            used[found.id] += 1
    return chosen


@given(
    NEEDS,
    st.lists(TYPES, max_size=7),
    STRATEGIES,
    CONSTRAINTS,
    st.dictionaries(st.sampled_from(["i00", "i03"]), st.integers(0, 2)),
)
def test_the_choices_are_those_of_place(needs, types, strategy, constraints, running):
    rooms = instances(types)
    alike = Alike(needs, rooms, strategy=strategy, constraints=constraints, running=running)
    found = [alike.place() for _ in range(12)]
    chosen = [repr(one) if isinstance(one, Failure) else one.id for one in found]
    assert chosen == one_by_one(needs, rooms, 12, running, strategy=strategy, constraints=constraints)


@pytest.mark.parametrize(
    ("strategy", "member_of", "wanted"),
    [
        (RULES, (), True),
        (({"type": "random"},), (), False),
        ((), ("task:group == service:web",), False),
        ((), ("attribute:ecs.instance-type == c6g.large",), True),
    ],
)
def test_what_others_change_is_left_to_place(strategy, member_of, wanted):
    assert suits(TaskNeeds(memory_mib=6, member_of=member_of), strategy, ()) is wanted
