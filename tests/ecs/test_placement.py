"""Placement: the agent's rules as cases, ECS's reasons and events, and that no instance is ever overfilled."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from slpnb import config
from slpnb.ecs import cluster_query, placement, resources
from slpnb.ecs.placement import Failure
from slpnb.ecs.resources import TaskNeeds
from slpnb.errors import ParameterError
from tests.conftest import CASES as ALL_CASES

CASES = ALL_CASES / "placement"


def cases(name):
    rows = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row.get("why") or row.get("expression")) for row in rows]


def needs_of(values):
    tuples = {
        key: tuple(map(tuple, item)) if key == "attributes" else tuple(item)
        for key, item in values.items()
        if isinstance(item, list)
    }
    return TaskNeeds(**{**values, **tuples})


@pytest.mark.parametrize("case", cases("task_definitions"))
def test_what_a_task_definition_takes(case):
    assert resources.task_needs(case["definition"]) == needs_of(case["needs"])


@pytest.mark.parametrize("case", cases("fits"))
def test_fits(case):
    fields = ("memory_mib", "cpu_units", "tcp_ports", "dynamic_ports", "enis", "gpus", "attributes")
    needs = needs_of({field: case[field] for field in fields if field in case})
    options = {key: case[key] for key in ("reserved_mib", "trunking") if key in case}
    found = placement.fit(needs, case["type"], **options)
    assert found.count == case["count"]
    assert bool(found) == (case["count"] > 0)
    if found:
        assert (found.spare.memory_mib, list(found.limiting)) == (case["spare_mib"], case["binds"])
    else:
        assert {item.resource: item.short for item in found.short} == case["short"]
        assert found.left_mib == case["largest_mib"]


def test_the_parameters_and_their_task_definition_take_the_same():
    staging = config.load()
    definition = {
        "memory": "2560",
        "cpu": "2048",
        "networkMode": "bridge",
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "containerDefinitions": [{"memory": 2048, "portMappings": [{"containerPort": 80, "hostPort": 0}]}],
    }
    assert resources.needs(staging) == resources.task_needs(definition)


@pytest.mark.parametrize(
    ("mode", "port", "wanted"),
    [
        ("bridge", 8080, {"tcp_ports": (8080,)}),
        ("host", 0, {"tcp_ports": (80,)}),
        ("awsvpc", 0, {"enis": 1}),
        ("none", 0, {}),
    ],
)
def test_what_each_network_mode_takes(mode, port, wanted):
    found = resources.needs(config.load(given={"task": {"network_mode": mode, "host_port": port}}))
    blank = {"tcp_ports": (), "dynamic_ports": 0, "enis": 0}
    assert {key: getattr(found, key) for key in blank} == {**blank, **wanted}


def test_a_refused_fit_says_by_how_much_and_what_would_do():
    assert repr(placement.fit(TaskNeeds(3584), "c6i.large", reserved_mib=256)) == (
        "3584 MiB asked, 3556 MiB left after the reserve: short by 28 MiB\nlargest task that fits: 3556 MiB"
    )
    assert "1 GPU asked, 0 GPU left: short by 1 GPU" in repr(placement.fit(TaskNeeds(2560, gpus=1), "c6i.large"))


def test_daemons_take_their_share_of_every_instance():
    daemon = TaskNeeds(128, cpu_units=256)
    found = placement.fit(TaskNeeds(3584, cpu_units=1792), "c6i.large", daemons=[daemon])
    assert (found.left_mib, found.empty.cpu_units, found.count) == (3684, 1792, 1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"memory_mib": 5}, "a task of 5 MiB: ECS accepts no less than 6 MiB"),
        ({"memory_mib": 0}, "a task of 0 MiB"),
        ({"memory_mib": 512, "cpu_units": -1}, "cpu_units -1: must not be negative"),
        ({"memory_mib": 512, "gpus": -1}, "gpus -1: must not be negative"),
    ],
)
def test_sizes_that_ecs_refuses(values, sentence):
    with pytest.raises(ParameterError, match=sentence):
        TaskNeeds(**values)


def instances(*, free=(), kind="c6i.large"):
    """Instances in zones a, b, c in turn; ``free`` are the MiB that each has left."""
    return [
        resources.instance(kind, zone=f"us-east-1{'abc'[number % 3]}", id=f"i-{number}", memory_mib=mib)
        for number, mib in enumerate(free)
    ]


EVENTS = {
    "memory": (TaskNeeds(8192), "RESOURCE:MEMORY", "has insufficient memory available"),
    "cpu": (TaskNeeds(512, cpu_units=4096), "RESOURCE:CPU", "has insufficient CPU units available"),
    "port": (TaskNeeds(512, tcp_ports=(22,)), "RESOURCE:PORTS", "is already using a port required by your task"),
    "eni": (TaskNeeds(512, enis=3), "RESOURCE:ENI", 'encountered error "RESOURCE:ENI"'),
    "gpu": (TaskNeeds(512, gpus=1), "RESOURCE:GPU", 'encountered error "RESOURCE:GPU"'),
    "attribute": (
        TaskNeeds(512, attributes=(("ecs.cpu-architecture", "arm64"),)),
        "ATTRIBUTE",
        "is missing an attribute required by your task",
    ),
    "member of": (
        TaskNeeds(512, member_of=("attribute:ecs.instance-type == c6g.large",)),
        "MemberOf placement constraint unsatisfied.",
        'encountered error "MemberOf placement constraint unsatisfied."',
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_reasons_and_events_are_ecss_own(name):
    needs, reason, words = EVENTS[name]
    failure = placement.place(needs, instances(free=[3812]))
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert failure.event("web") == (
        "(service web) was unable to place a task because no container instance met all of its requirements. "
        f"The closest matching (container-instance i-0) {words}. For more information, see the Troubleshooting "
        "section of the Amazon ECS Developer Guide."
    )


def test_an_empty_cluster_has_an_event_of_its_own():
    failure = placement.place(TaskNeeds(512), [])
    assert isinstance(failure, Failure)
    assert "Reason: No Container Instances were found in your cluster." in failure.event("web")


def test_the_closest_instance_is_the_one_short_by_least():
    failure = placement.place(TaskNeeds(3000), instances(free=[100, 2900, 2000]))
    assert isinstance(failure, Failure)
    assert (failure.closest, failure.short[0].short) == ("i-1", 100)


def placed(tasks, found, **rules):
    """Where that many tasks go, one after the other; the count by instance."""
    by_id, running = {one.id: one for one in found}, {}
    for _ in range(tasks):
        chosen = placement.place(TaskNeeds(500), by_id.values(), running=running, **rules)
        assert not isinstance(chosen, Failure)
        by_id[chosen.id] = chosen.take(TaskNeeds(500))
        running[chosen.id] = running.get(chosen.id, 0) + 1
    return running


def test_strategies():
    strategy, _ = placement.TEMPLATES["az_balanced_spread"]
    four = instances(free=[3000, 3000, 3000, 3000])  # a, b, c, a
    assert placed(4, four, strategy=strategy) == {"i-0": 1, "i-1": 1, "i-2": 1, "i-3": 1}
    binpack, _ = placement.TEMPLATES["binpack"]
    assert placed(3, instances(free=[3000, 1600, 2000]), strategy=binpack) == {"i-1": 3}
    balanced, _ = placement.TEMPLATES["az_balanced_binpack"]
    assert placed(4, instances(free=[3000, 3000, 3000, 2000]), strategy=balanced) == {"i-3": 2, "i-1": 1, "i-2": 1}


def test_the_random_strategy_is_seeded():
    many, rule = instances(free=[3000] * 20), ({"type": "random"},)
    picks = [placement.place(TaskNeeds(500), many, strategy=rule, seed=seed) for seed in (1, 1, 2, 3, 4)]
    names = [one.id for one in picks if not isinstance(one, Failure)]
    assert names[0] == names[1]
    assert len(set(names)) > 1


def test_one_task_an_instance():
    _, constraints = placement.TEMPLATES["one_per_instance"]
    two = instances(free=[3000, 3000])
    assert placed(2, two, constraints=constraints) == {"i-0": 1, "i-1": 1}
    failure = placement.place(TaskNeeds(500), two, constraints=constraints, running={"i-0": 1, "i-1": 1})
    assert isinstance(failure, Failure)
    assert failure.reason == "DistinctInstance placement constraint unsatisfied."


def test_a_constraint_binds_and_a_strategy_does_not():
    two = instances(free=[3000, 3000])
    rule = {"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1b"}
    assert placed(3, two, constraints=(rule,), strategy=placement.TEMPLATES["az_balanced_spread"][0]) == {"i-1": 3}


def test_an_unknown_binpack_field_is_refused():
    with pytest.raises(ParameterError, match="binpack of 'disk': must be cpu or memory"):
        placement.place(TaskNeeds(500), instances(free=[3000]), strategy=({"type": "binpack", "field": "disk"},))


FACTS = {
    "attribute:ecs.instance-type": "c6g.xlarge",
    "attribute:ecs.availability-zone": "us-east-1a",
    "attribute:stack": "web tier",
    "attribute:generation": "10",
    "ec2InstanceId": "i-1",
    "agentConnected": "true",
    "runningTasksCount": "2",
    "task:group": ("service:production", "family:cron"),
}


@pytest.mark.parametrize("case", cases("queries"))
def test_the_cluster_query_language(case):
    if "refused" in case:
        with pytest.raises(ParameterError) as error:
            cluster_query.parse(case["expression"])
        assert case["refused"] in str(error.value)
    else:
        assert cluster_query.parse(case["expression"])(FACTS) is case["true"]


def test_no_more_than_a_hundred_static_ports_an_instance():
    one = resources.instance("c6g.xlarge")
    most = TaskNeeds(64, tcp_ports=tuple(range(8000, 8095)))
    full = one.take(most)
    (short,) = resources.shortfalls(TaskNeeds(64, udp_ports=(9000,)), full)
    assert str(short) == "1 host ports asked, 0 left of the 100 that an instance may reserve"


TYPES = st.sampled_from(["c6i.large", "c6g.xlarge", "t4g.medium", "m7g.large", "g4dn.xlarge"])
NEEDS = st.builds(
    TaskNeeds,
    memory_mib=st.integers(6, 9000),
    cpu_units=st.integers(0, 5000),
    tcp_ports=st.lists(st.integers(1, 70), max_size=3, unique=True).map(tuple),
    dynamic_ports=st.integers(0, 2),
    enis=st.integers(0, 1),
    gpus=st.integers(0, 1),
)


@given(st.lists(NEEDS, max_size=12), st.lists(TYPES, min_size=1, max_size=4))
def test_placing_never_exceeds_an_instance(tasks, types):
    fleet = {f"i-{number}": resources.instance(kind, zone="a", id=f"i-{number}") for number, kind in enumerate(types)}
    for needs in tasks:
        found = placement.place(needs, fleet.values())
        if isinstance(found, Failure):
            assert all(resources.shortfalls(needs, one) for one in fleet.values())
        else:
            fleet[found.id] = found.take(needs)
    for one in fleet.values():
        assert min(one.memory_mib, one.cpu_units, one.gpus, one.enis, one.dynamic_ports) >= 0
        assert one.tcp_ports >= resources.RESERVED_TCP_PORTS


@given(NEEDS, TYPES)
def test_taking_and_releasing_are_inverse(needs, kind):
    one = resources.instance(kind)
    if resources.shortfalls(needs, one):
        with pytest.raises(ValueError, match="cannot take the task"):
            one.take(needs)
    else:
        assert one.take(needs).release(needs) == one


@given(NEEDS, TYPES, st.integers(1, 2000))
def test_a_larger_task_never_fits_better(needs, kind, more):
    larger = resources.TaskNeeds(**{**vars(needs), "memory_mib": needs.memory_mib + more})
    assert placement.fit(larger, kind).count <= placement.fit(needs, kind).count
    assert placement.fit(needs, kind, reserved_mib=more).count <= placement.fit(needs, kind).count


@given(NEEDS, TYPES)
def test_as_many_fit_as_can_be_taken_one_by_one(needs, kind):
    one, taken = resources.instance(kind, zone="any"), 0
    while not resources.shortfalls(needs, one):
        one, taken = one.take(needs), taken + 1
    found = placement.fit(needs, kind)
    assert found.count == taken
    assert found.limiting
