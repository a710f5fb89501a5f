"""The answer of ``slpnb size``: one task on some instance types, and what happens to its service there.

Pure: sizes and names in, records out. `update` and `zone_lost` are a closed form of `slpnb.fleet.rollout`, which
would take minutes for hundreds of types: with one type only the number of tasks per instance matters. A rule that
changes there changes here too; tests/fleet/test_size.py compares them.
Counts on the safe bound of what an instance registers (`catalog.registered_memory`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from slpnb import catalog
from slpnb.ecs import placement, resources
from slpnb.ecs.percents import Limits, limits
from slpnb.ecs.placement import Fit
from slpnb.ecs.resources import MINIMUM_MEMORY_MIB, RESERVED_TCP_PORTS, TaskNeeds
from slpnb.errors import ParameterError
from slpnb.fleet.group import monthly
from slpnb.words import counted

MOST_CPU_UNITS = 196_608  # RegisterTaskDefinition, "Task size": 192 vCPU for a task on EC2
MOST_TASKS = 5_000  # "Amazon ECS service quotas": tasks of one service
MOST_ZONES = 6
NETWORK_MODES = ("bridge", "awsvpc", "host", "none")


def task(
    memory_mib: int | None = None,
    *,
    cpu_units: int | None = None,
    container_memory_mib: int | None = None,
    container_reservation_mib: int | None = None,
    gpus: int = 0,
    network_mode: str = "bridge",
    host_port: int | None = None,
    architecture: str | None = None,
) -> TaskNeeds:
    """What a task of one container takes of an instance, from sizes as a task definition has them.

    The task's memory counts; without it the container's reservation (soft limit), else its memory
    (hard limit): amazon-ecs-agent, task.go, ``ToHostResources``. Raises `ParameterError` for sizes
    that RegisterTaskDefinition refuses or that no instance type has.
    """
    _check_memory(memory_mib, container_memory_mib, container_reservation_mib)
    _check_cpu(cpu_units)
    _check_port(host_port, network_mode)
    taken = memory_mib or container_reservation_mib or container_memory_mib or 0
    return TaskNeeds(
        memory_mib=taken,
        cpu_units=cpu_units or 0,
        tcp_ports=(host_port,) if host_port else (),
        dynamic_ports=int(network_mode == "bridge" and not host_port),
        enis=int(network_mode == "awsvpc"),
        gpus=gpus,
        attributes=resources.attributes(architecture, network_mode),
    )


def _check_memory(whole: int | None, hard: int | None, soft: int | None) -> None:
    named = {"memory": whole, "container memory": hard, "container reservation": soft}
    given = {name: value for name, value in named.items() if value is not None}
    if not given:
        raise ParameterError("the task has no memory: set the task's, or its container's")
    for name, value in given.items():
        if value < MINIMUM_MEMORY_MIB:
            raise ParameterError(f"{name} {value} MiB: ECS accepts no less than {MINIMUM_MEMORY_MIB} MiB")
    if hard and soft and hard < soft:
        raise ParameterError(
            f"container memory {hard} MiB is the hard limit, but below the soft limit: container reservation {soft} MiB"
        )
    largest = max(hard or 0, soft or 0)
    if whole and largest > whole:
        raise ParameterError(f"the container's {largest} MiB are more than the task's memory, {whole} MiB")


def _check_cpu(units: int | None) -> None:
    if units is None:
        return
    largest = max(catalog.types().values(), key=lambda one: (one.cpu_units, one.name))
    if units < 1:
        raise ParameterError(f"cpu {units}: must be above 0 (1024 units are one vCPU); leave it out to reserve none")
    if units > largest.cpu_units:
        raise ParameterError(
            f"cpu {units}: the largest type of the catalogue, {largest.name}, has {largest.cpu_units} CPU units"
        )
    if units > MOST_CPU_UNITS:
        raise ParameterError(f"cpu {units}: ECS accepts no more than {MOST_CPU_UNITS} CPU units (192 vCPU) per task")


def _check_port(port: int | None, network_mode: str) -> None:
    if network_mode not in NETWORK_MODES:
        raise ParameterError(f"network mode {network_mode!r}: must be {', '.join(NETWORK_MODES)}")
    if port is None:
        return
    if network_mode not in ("bridge", "host"):
        raise ParameterError(f"host port {port}: a task in network mode {network_mode} uses no host port")
    if not 1 <= port <= 65_535:
        raise ParameterError(f"host port {port}: must be 1 to 65535")
    if port in RESERVED_TCP_PORTS:
        taken = ", ".join(map(str, sorted(RESERVED_TCP_PORTS)))
        raise ParameterError(f"host port {port}: the ECS agent reserves {taken} on every instance")


def zones(text: str) -> tuple[str, ...]:
    """Zones from their names ("us-east-1a,us-east-1b"), or from their number ("2": no zone in particular).

    Raises `ParameterError` for a name that is none, or that a region of the catalogue does not have.
    """
    if text.strip().lstrip("+-").isdigit():
        number = int(text)
        if not 1 <= number <= MOST_ZONES:
            raise ParameterError(f"zones {number}: must be 1 to {MOST_ZONES}")
        return tuple(f"zone-{one}" for one in range(1, number + 1))
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        _check_zone(name)
    if len(set(names)) < len(names):
        raise ParameterError(f"zones {text}: list each only once")
    return names


def _check_zone(name: str) -> None:
    known = _known_zones()
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", name):
        raise ParameterError(f"zone {name!r} is not a zone: must be a name such as us-east-1a, or a number of zones")
    if name not in known and any(zone[:-1] == name[:-1] for zone in known):
        raise ParameterError(f"zone {name!r} is not in the catalogue, which has {', '.join(sorted(known))}")


def _known_zones() -> set[str]:
    return {zone for one in catalog.types().values() for zone in one.zones}


@dataclass(frozen=True)
class ServiceSettings:
    """The service around the task: how many, where, and how it is updated.

    Percents as in deploymentConfiguration; ``reserved_mib`` is ECS_RESERVED_MEMORY, ``trunking``
    whether ENI trunking is on, ``max_instances`` how far the group may grow (None: as far as needed).
    """

    tasks: int = 1
    zones: tuple[str, ...] = ("zone-1", "zone-2")
    reserved_mib: int = 0
    trunking: bool = False
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    max_instances: int | None = None

    def __post_init__(self) -> None:
        for wrong, sentence in self._mistakes():
            if wrong:
                raise ParameterError(sentence)

    def _mistakes(self) -> Iterator[tuple[bool, str]]:
        low, high = self.minimum_healthy_percent, self.maximum_percent
        yield not 1 <= self.tasks <= MOST_TASKS, f"tasks {self.tasks}: a service has 1 to {MOST_TASKS}"
        yield not self.zones, "zones: none given"
        yield self.reserved_mib < 0, f"reserve {self.reserved_mib} MiB: must not be negative"
        yield not 0 <= low <= 100, f"minimum healthy {low} %: must be 0 to 100"
        yield high < 100, f"maximum {high} %: must be 100 or more"
        most = self.max_instances
        yield most is not None and most < 1, f"max instances {most}: must be at least 1"

    @property
    def limits(self) -> Limits:
        """The fewest healthy and the most tasks during an update."""
        return limits(self.tasks, self.minimum_healthy_percent, self.maximum_percent)

    def instances(self, tasks: int, each: int) -> int:
        """How many instances that many tasks get, ``each`` on one, within the group's limit."""
        wanted = -(-tasks // each)
        return wanted if self.max_instances is None else min(wanted, self.max_instances)


@dataclass(frozen=True)
class Update:
    """A rolling update: on how many instances, with how few tasks at worst; ``stuck`` says why it stops short."""

    instances: int
    lowest: int
    stuck: str = ""


def update(service: ServiceSettings, each: int, limited_by: str = "") -> Update:
    """What a rolling update of a service does on instances that take ``each`` tasks.

    All its tasks run before it. ECS at once starts as many new tasks as the maximum allows and stops old ones
    down to the minimum ("Deploy Amazon ECS services by replacing tasks"); what fits nowhere waits for an instance.
    """
    least, most, tasks = service.limits.lower, service.limits.upper, service.tasks
    running = service.instances(tasks, each)
    fitting = most if service.max_instances is None else service.max_instances * each
    peak = min(most, fitting, least + tasks)
    if peak > tasks or least < tasks:
        return Update(max(running, service.instances(peak, each)), least)
    if most == tasks:
        why = f"at least {least} and at most {most} tasks may run, so none may stop and none may start"
    else:
        where = f"on at most {counted(running, 'instance')}"
        why = f"a new task does not fit next to the {tasks} {where} ({limited_by}), and none may stop before it runs"
    return Update(running, tasks, why)


@dataclass(frozen=True)
class Lost:
    """The worst zone lost: tasks that survive, that are placed at once elsewhere, that wait for an instance."""

    survive: int
    placed: int
    wait: int


def zone_lost(service: ServiceSettings, each: int) -> Lost:
    """What the loss of the worst zone leaves; instances and tasks are spread over the zones evenly."""
    count, instances = len(service.zones), service.instances(service.tasks, each)
    most = [each * (instances // count + (zone < instances % count)) for zone in range(count)]
    held = _spread(min(service.tasks, sum(most)), most)
    worst = min((_without(zone, service.tasks, held, most) for zone in range(count)), key=lambda one: one[:2])
    return Lost(*worst)


def _without(zone: int, tasks: int, held: list[int], most: list[int]) -> tuple[int, int, int]:
    survive = sum(held) - held[zone]
    free = sum(most) - most[zone] - survive
    placed = min(free, tasks - survive)
    return survive, placed, tasks - survive - placed


def _spread(tasks: int, most: list[int]) -> list[int]:
    """The tasks over the zones that take one more, as evenly as possible."""
    held = [0] * len(most)
    for _ in range(tasks):
        open_zones = (zone for zone in range(len(most)) if held[zone] < most[zone])
        held[min(open_zones, key=lambda zone: (held[zone], zone))] += 1
    return held


@dataclass(frozen=True)
class Answer:
    """One type: whether a task fits, and what happens to the service (None where not even one task fits)."""

    fit: Fit
    service: ServiceSettings
    missing_zones: tuple[str, ...] = ()
    instances: int = 0
    update: Update | None = None
    lost: Lost | None = None

    @property
    def fits(self) -> bool:
        """One task fits an empty instance, which is offered in the zones."""
        return bool(self.fit) and not self.missing_zones

    @property
    def holds(self) -> bool:
        """The instances that are allowed take all the tasks."""
        return self.fits and self.instances * self.fit.count >= self.service.tasks

    @property
    def ok(self) -> bool:
        """The task fits, all tasks are placed, and an update of them finishes."""
        return self.holds and self.update is not None and not self.update.stuck

    @property
    def usd_month(self) -> float | None:
        """US dollars of the instances for 730 hours, on demand; None without a price."""
        return monthly(self.fit.type_name, self.instances) if self.instances else None

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence each with its numbers; empty when nothing is."""
        found = [str(item) for item in self.fit.short]
        found += [f"not offered in {', '.join(self.missing_zones)}"] if self.missing_zones else []
        if self.fits and not self.holds:
            most = self.instances * self.fit.count
            found.append(f"{self.service.tasks} tasks asked, but a group of at most {self.instances} holds {most}")
        stuck = self.update.stuck if self.holds and self.update else ""
        return found + ([f"a rolling update hangs: {stuck}"] if stuck else [])


def answer(needs: TaskNeeds, type_name: str, service: ServiceSettings) -> Answer:
    """One task on one type, and the service on instances of it. Raises `ParameterError` for an unknown type."""
    found = placement.fit(needs, type_name, reserved_mib=service.reserved_mib, trunking=service.trunking)
    missing = _missing(type_name, service.zones)
    if not found or missing:
        return Answer(found, service, missing)
    instances = service.instances(service.tasks, found.count)
    holds = instances * found.count >= service.tasks
    after = update(service, found.count, found.limited_by) if holds else None
    return Answer(found, service, (), instances, after, zone_lost(service, found.count))


def _missing(type_name: str, wanted: Iterable[str]) -> tuple[str, ...]:
    """The zones, of those that the catalogue knows, where the type is not offered."""
    offered, known = catalog.instance_type(type_name).zones, _known_zones()
    return tuple(zone for zone in wanted if zone in known and zone not in offered)


def answers(needs: TaskNeeds, types: Iterable[str], service: ServiceSettings, *, rows: int = 10) -> list[Answer]:
    """Each named type once, in order; without names the ``rows`` cheapest that take the task.

    Those are of the current generation, not burstable, priced, and offered in the zones (in as many,
    where only their number is asked); none at all when no type takes the task. Raises `ParameterError`
    for an unknown type.
    """
    names = list(dict.fromkeys(name.strip() for name in types))
    if names:
        return [answer(needs, name, service) for name in names]
    return list(islice(_cheapest(needs, service), rows))


def _cheapest(needs: TaskNeeds, service: ServiceSettings) -> Iterator[Answer]:
    from slpnb.fleet.remedies import cheapest  # with pandas, which named types do without

    table = cheapest(needs, reserved_mib=service.reserved_mib, rows=len(catalog.types()), trunking=service.trunking)
    for name in map(str, table.index):
        found = answer(needs, name, service)
        if found.fits and len(catalog.instance_type(name).zones) >= len(service.zones):
            yield found


def nothing_fits(needs: TaskNeeds, service: ServiceSettings) -> str:
    """Why `answers` is empty, with the type that comes closest."""
    from slpnb.fleet import packing

    empty = packing.empties(packing.candidates(), service.reserved_mib, service.trunking)
    if isinstance(placement.place(needs, empty), resources.Instance):
        return f"no type that takes a task of {described(needs)} is offered in {', '.join(service.zones)}"
    return f"no type of the catalogue takes a task of {described(needs)}: {packing.nearest(needs, empty)}"


def described(needs: TaskNeeds) -> str:
    """A task in words: "2560 MiB and 2048 CPU units"."""
    parts = [f"{needs.memory_mib} MiB", f"{needs.cpu_units} CPU units" if needs.cpu_units else ""]
    parts += [counted(needs.gpus, "GPU") if needs.gpus else ""]
    parts += ["a network interface" if needs.enis else "", needs.architecture]
    parts += [f"host port {port}" for port in needs.tcp_ports]
    *most, last = [part for part in parts if part]
    return f"{', '.join(most)} and {last}" if most else last


def record(one: Answer) -> dict[str, Any]:
    """An answer as plain values, flat, for JSON and CSV: MiB, CPU units, US dollars; None where it has no meaning."""
    facts = catalog.instance_type(one.fit.type_name)
    short = {item.resource: item.short for item in one.fit.short}
    return {
        "type": facts.name,
        "ok": one.ok,
        "fits": one.fits,
        "problems": one.problems,
        "architecture": facts.architecture,
        "vcpus": facts.vcpus,
        "nominal_mib": facts.nominal_mib,
        "at_least_mib": one.fit.registered.at_least_mib,
        "registered_source": one.fit.registered.source,
        "reserved_mib": one.fit.reserved_mib,
        "left_mib": one.fit.left_mib,
        "short_mib": short.get("memory", 0),
        "short_cpu_units": short.get("cpu", 0),
        "short_gpus": short.get("gpus", 0),
        "short_enis": short.get("enis", 0),
        "largest_mib": one.fit.left_mib,
        "largest_cpu_units": facts.cpu_units,
        "tasks_per_instance": one.fit.count,
        "limited_by": list(one.fit.limiting),
        **_service_record(one),
    }


def _service_record(one: Answer) -> dict[str, Any]:
    after, lost = one.update, one.lost
    return {
        "instances": one.instances or None,
        "holds": one.holds,
        "update_finishes": None if after is None else not after.stuck,
        "update_instances": None if after is None or after.stuck else after.instances,
        "update_lowest_tasks": None if after is None or after.stuck else after.lowest,
        "zone_lost_survive": None if lost is None else lost.survive,
        "zone_lost_placed": None if lost is None else lost.placed,
        "zone_lost_wait": None if lost is None else lost.wait,
        "usd_per_hour": catalog.instance_type(one.fit.type_name).usd_per_hour,
        "usd_month": one.usd_month,
    }
