"""Which container instance a task goes to, or why none; and how many times a task fits a type.

ECS filters instances by resources, then by constraints (binding), and orders what remains by
the strategies (best effort): "How Amazon ECS places tasks on container instances". Pure and
deterministic: ties go to the lower id, and the random strategy is seeded by the caller.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from slpnb import catalog
from slpnb.ecs import cluster_query
from slpnb.ecs.resources import (
    Instance,
    Resource,
    Shortfall,
    TaskNeeds,
    instance,
    shortfalls,
)
from slpnb.errors import ParameterError

Rule = Mapping[str, str]  # a placement strategy or constraint as CreateService takes it

SPREAD_ZONES: Rule = {"type": "spread", "field": "attribute:ecs.availability-zone"}
# Service placement templates, by the console's names ("Amazon ECS task placement").
TEMPLATES: Mapping[str, tuple[tuple[Rule, ...], tuple[Rule, ...]]] = {
    "az_balanced_spread": ((SPREAD_ZONES, {"type": "spread", "field": "instanceId"}), ()),
    "az_balanced_binpack": ((SPREAD_ZONES, {"type": "binpack", "field": "memory"}), ()),
    "binpack": (({"type": "binpack", "field": "memory"},), ()),
    "one_per_instance": ((), ({"type": "distinctInstance"},)),
}

# RunTask's failure reason ("API failures messages") and the words of the service event
# ("Service event messages", "was unable to place a task"), by resource.
REASONS: Mapping[Resource, tuple[str, str]] = {
    "cpu": ("RESOURCE:CPU", "has insufficient CPU units available"),
    "memory": ("RESOURCE:MEMORY", "has insufficient memory available"),
    "ports": ("RESOURCE:PORTS", "is already using a port required by your task"),
    "attribute": ("ATTRIBUTE", "is missing an attribute required by your task"),
    "gpus": ("RESOURCE:GPU", 'encountered error "RESOURCE:GPU"'),
    "enis": ("RESOURCE:ENI", 'encountered error "RESOURCE:ENI"'),
}
UNSATISFIED = {
    "memberOf": "MemberOf placement constraint unsatisfied.",
    "distinctInstance": "DistinctInstance placement constraint unsatisfied.",
}


@dataclass(frozen=True)
class Failure:
    """No instance takes the task.

    ``reason`` is RunTask's, such as RESOURCE:MEMORY; ``closest`` the id of the closest matching
    instance ("" when there is none at all); ``short`` what it lacks, in ECS's order.
    """

    reason: str
    closest: str
    words: str
    short: tuple[Shortfall, ...] = ()

    def event(self, service: str) -> str:
        """The message among the service's events, word for word as ECS writes it."""
        matching = f"The closest matching (container-instance {self.closest}) {self.words}."
        return (
            f"(service {service}) was unable to place a task because no container instance met all of its "
            f"requirements. {matching if self.closest else f'Reason: {self.words}.'} For more information, "
            "see the Troubleshooting section of the Amazon ECS Developer Guide."
        )


def place(
    needs: TaskNeeds,
    instances: Iterable[Instance],
    *,
    strategy: Sequence[Rule] = (),
    constraints: Sequence[Rule] = (),
    running: Mapping[str, int] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> Instance | Failure:
    """The instance for one more task, as it is before taking it, or why there is none.

    ``strategy`` and ``constraints`` are CreateService's ``placementStrategy`` and
    ``placementConstraints``; ``running`` counts the tasks of the same service on each instance
    id, for spread and distinctInstance; ``groups`` lists the task groups on each instance id,
    for ``task:group``; ``seed`` makes the random strategy repeatable.
    """
    every, running = sorted(instances, key=lambda one: one.id), running or {}
    if not every:
        return Failure("RESOURCE:MEMORY", "", "No Container Instances were found in your cluster")
    rules = [*constraints, *({"type": "memberOf", "expression": text} for text in needs.member_of)]
    seen = [_look(needs, one, rules, running, groups or {}) for one in every]
    fits = [one for one, short, broken in seen if not short and not broken]
    if not fits:
        return _closest(seen)
    return _choose(fits, every, strategy, running, random.Random(seed))  # noqa: S311


Seen = tuple[Instance, tuple[Shortfall, ...], str | None]  # with the constraint that it breaks


def _look(
    needs: TaskNeeds,
    one: Instance,
    rules: Iterable[Rule],
    running: Mapping[str, int],
    groups: Mapping[str, Sequence[str]],
) -> Seen:
    short = shortfalls(needs, one)
    return one, short, None if short else _broken(rules, one, running, groups)


def _closest(refused: Sequence[Seen]) -> Failure:
    """The instance that got furthest through ECS's filters, then the one that is short by the least."""

    def distance(one: Seen) -> tuple[int, float, str]:
        return len(one[1]), sum(item.short / max(1, item.asked) for item in one[1]), one[0].id

    closest, short, broken = min(refused, key=distance)
    if broken is not None:
        return Failure(UNSATISFIED[broken], closest.id, f'encountered error "{UNSATISFIED[broken]}"')
    reason, words = REASONS[short[0].resource]
    return Failure(reason, closest.id, words, short)


def _broken(
    rules: Iterable[Rule], one: Instance, running: Mapping[str, int], groups: Mapping[str, Sequence[str]]
) -> str | None:
    """The type of the first constraint that the instance breaks."""
    for rule in rules:
        if rule["type"] == "distinctInstance" and running.get(one.id):
            return "distinctInstance"
        if rule["type"] == "memberOf" and not _is_member(rule["expression"], one, running, groups):
            return "memberOf"
    return None


def _is_member(expression: str, one: Instance, running: Mapping[str, int], groups: Mapping[str, Sequence[str]]) -> bool:
    facts: dict[str, str | tuple[str, ...]] = {f"attribute:{name}": value for name, value in one.attributes.items()}
    facts |= {
        "ec2InstanceId": one.id,
        "agentConnected": "true",
        "runningTasksCount": str(max(running.get(one.id, 0), len(groups.get(one.id, ())))),
        "task:group": tuple(groups.get(one.id, ())),
    }
    return cluster_query.parse(expression)(facts)


def _choose(
    fits: Sequence[Instance],
    every: Sequence[Instance],
    strategy: Sequence[Rule],
    running: Mapping[str, int],
    rng: random.Random,
) -> Instance:
    """Narrow down the candidates strategy by strategy; what remains is a tie."""
    for rule in strategy:
        kind, name = rule["type"], rule.get("field", "")
        if kind == "random":
            return rng.choice(list(fits))
        keys = _spread(fits, every, name, running) if kind == "spread" else [packed_by(one, name) for one in fits]
        best = min(keys)
        fits = [one for one, key in zip(fits, keys, strict=True) if key == best]
    return fits[0]


def _spread(fits: Sequence[Instance], every: Sequence[Instance], name: str, running: Mapping[str, int]) -> list[int]:
    """How many tasks of the service each candidate's value of the field already has."""
    counts: Counter[str] = Counter()
    for one in every:
        counts[value_of(one, name)] += running.get(one.id, 0)
    return [counts[value_of(one, name)] for one in fits]


def packed_by(one: Instance, name: str) -> int:
    """What the binpack strategy orders by: the least left of the field, which is cpu or memory.

    Raises `ParameterError` for another field.
    """
    if name.lower() not in ("cpu", "memory"):
        raise ParameterError(f"placement strategy binpack of {name!r}: must be cpu or memory")
    return one.cpu_units if name.lower() == "cpu" else one.memory_mib


def value_of(one: Instance, name: str) -> str:
    """What the spread strategy counts tasks by: an instance's value of a field."""
    if name in ("instanceId", "host"):
        return one.id
    attribute = name.removeprefix("attribute:")
    return one.zone if attribute == "ecs.availability-zone" else one.attributes.get(attribute, "")


def how_many(needs: TaskNeeds, one: Instance) -> tuple[int, tuple[Resource, ...]]:
    """How many copies of a task an instance takes, and the resources that limit it."""
    short = shortfalls(needs, one)
    if short:
        return 0, tuple(dict.fromkeys(item.resource for item in short))
    asked_and_free: list[tuple[Resource, int, int]] = [
        ("cpu", needs.cpu_units, one.cpu_units),
        ("memory", needs.memory_mib, one.memory_mib),
        ("gpus", needs.gpus, one.gpus),
        ("enis", needs.enis, one.enis),
        ("ports", needs.dynamic_ports, one.dynamic_ports),
        # a static host port exists only once
        ("ports", len(needs.tcp_ports + needs.udp_ports), len(needs.tcp_ports + needs.udp_ports)),
    ]
    counts = [(free // asked, resource) for resource, asked, free in asked_and_free if asked]
    count = min(count for count, _ in counts)
    return count, tuple(dict.fromkeys(resource for number, resource in counts if number == count))


@dataclass(frozen=True, repr=False)
class Fit:
    """Whether one task fits an empty instance of a type, and by how much.

    Amounts are MiB against the safe lower bound of what the type registers, less the reserve and the
    daemons. ``count`` is how many of the task fit, ``limiting`` the resources that stop one more,
    ``spare`` what the instance has left next to ``count`` of them.
    """

    needs: TaskNeeds
    type_name: str
    registered: catalog.RegisteredMemory
    reserved_mib: int
    empty: Instance
    short: tuple[Shortfall, ...]
    count: int
    limiting: tuple[Resource, ...]
    spare: Instance = field(repr=False)

    def __bool__(self) -> bool:
        return not self.short

    @property
    def left_mib(self) -> int:
        """What an empty instance has for tasks: the largest that fits."""
        return self.empty.memory_mib

    @property
    def short_mib(self) -> int:
        """MiB that one task lacks; 0 when its memory fits."""
        return max(0, self.needs.memory_mib - self.left_mib)

    @property
    def limited_by(self) -> str:
        """The resources that rule out one more task, in words."""
        return in_words(self.limiting)

    def __repr__(self) -> str:
        after = " after the reserve" if self.reserved_mib else ""
        asked = f"{self.needs.memory_mib} MiB asked, {self.left_mib} MiB left{after}: "
        memory = (
            f"short by {self.short_mib} MiB"
            if self.short_mib
            else f"{self.left_mib - self.needs.memory_mib} MiB to spare"
        )
        lines = [asked + memory]
        lines += [str(item) for item in self.short if item.resource != "memory"]
        if self.short_mib:
            lines.append(f"largest task that fits: {self.left_mib} MiB")
        if not self.short:
            lines.append(f"tasks per instance: {self.count}; limited by: {self.limited_by}")
        return "\n".join(lines)


WORDS: Mapping[Resource, str] = {
    "cpu": "CPU",
    "memory": "memory",
    "gpus": "GPUs",
    "enis": "network interfaces",
    "ports": "host ports",
    "attribute": "attributes",
}


def in_words(limiting: Iterable[Resource]) -> str:
    """What limits the tasks of an instance: "CPU and memory"."""
    return " and ".join(WORDS[resource] for resource in limiting)


def fit(
    needs: TaskNeeds,
    type_name: str,
    *,
    reserved_mib: int = 0,
    trunking: bool = False,
    daemons: Sequence[TaskNeeds] = (),
) -> Fit:
    """Whether and how often a task fits an empty instance of a type.

    ``reserved_mib`` is ECS_RESERVED_MEMORY, ``trunking`` whether ENI trunking is on, ``daemons`` the tasks that
    run on every instance. Raises `ParameterError` for an unknown type.
    """
    registered = catalog.registered_memory(type_name)
    empty = instance(
        type_name,
        reserved_memory_mib=reserved_mib,
        zone="any",
        trunking=trunking,
        memory_mib=registered.at_least_mib,
        daemons=daemons,
    )
    count, limiting = how_many(needs, empty)
    spare = replace(
        empty,
        memory_mib=empty.memory_mib - count * needs.memory_mib,
        cpu_units=empty.cpu_units - count * needs.cpu_units,
        gpus=empty.gpus - count * needs.gpus,
        enis=empty.enis - count * needs.enis,
    )
    return Fit(needs, type_name, registered, reserved_mib, empty, shortfalls(needs, empty), count, limiting, spare)
