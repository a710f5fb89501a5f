"""What a deployment, or the loss of a zone, does to a fleet: ECS's rules simulated on a copy.

The rules are those of "Amazon ECS deployment types, Rolling update" (the healthy minimum rounds
up, the maximum rounds down) and of cluster auto scaling (a task that finds no room waits for one
more instance while the group may grow).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING

import pandas as pd

from slpnb.ecs import placement
from slpnb.ecs.percents import limits
from slpnb.ecs.placement import Instance, TaskNeeds
from slpnb.ecs.resources import UNITS
from slpnb.fleet.group import Fleet, running

if TYPE_CHECKING:
    from slpnb.config import Config


@dataclass
class Hosts:
    """The state of a fleet while tasks come and go; old and new are a deployment's two revisions."""

    fleet: Fleet
    needs: TaskNeeds
    instances: dict[str, Instance]
    old: Counter[str]
    new: Counter[str]

    @classmethod
    def of(cls, needs: TaskNeeds, fleet: Fleet) -> Hosts:
        """An empty fleet."""
        return cls(fleet, needs, {one.id: one for one in fleet.empty()}, Counter(), Counter())

    @property
    def tasks(self) -> Counter[str]:
        """Tasks of the service by instance id."""
        return self.old + self.new

    @property
    def free_mib(self) -> int:
        """The most memory free on any one instance."""
        return max((one.memory_mib for one in self.instances.values()), default=0)

    def start(self, revision: Counter[str]) -> placement.Failure | None:
        """Place one task, on one more instance if need be and the group may grow."""
        found = self._place()
        if isinstance(found, placement.Failure) and len(self.instances) < self.fleet.max_instances:
            fresh = self._next()
            if not placement.shortfalls(self.needs, fresh):
                self.instances[fresh.id] = fresh
                found = self._place()
        if isinstance(found, placement.Failure):
            return found
        self.instances[found.id] = found.take(self.needs)
        revision[found.id] += 1
        return None

    def stop_old(self) -> None:
        """Stop one old task where the zone, then the instance, is fullest: that keeps the spread."""
        zones, tasks = Counter[str](), self.tasks
        for name, count in tasks.items():
            zones[self.instances[name].zone] += count
        name = max(sorted(+self.old), key=lambda one: (zones[self.instances[one].zone], tasks[one]))
        self.instances[name] = self.instances[name].release(self.needs)
        self.old[name] -= 1

    def _place(self) -> Instance | placement.Failure:
        strategy, constraints = placement.TEMPLATES[self.fleet.template]
        return placement.place(
            self.needs, self.instances.values(), strategy=strategy, constraints=constraints, running=self.tasks
        )

    def _next(self) -> Instance:
        """One more instance, in the zone that has the fewest."""
        counts = Counter(one.zone for one in self.instances.values())
        zone = min(self.fleet.zones, key=lambda one: (counts[one], one))
        return replace(
            self.fleet.launch(len(self.instances)),
            zone=zone,
            attributes={**self.fleet.launch(0).attributes, "ecs.availability-zone": zone},
        )


@dataclass(frozen=True)
class Step:
    """One step of a rolling update, with the counts after it.

    ``free_mib`` is the most memory that any one instance had free before the step, ``stuck``
    why the step cannot be taken.
    """

    number: int
    action: str
    needs_mib: int
    free_mib: int
    old: int
    new: int
    instances: int
    stuck: str = ""

    def __str__(self) -> str:
        needs = f"needs {self.needs_mib} MiB, free {self.free_mib} MiB" if self.needs_mib else ""
        outcome = f"stuck\n        {self.stuck}" if self.stuck else f"{self.old} old, {self.new} new"
        return f"step {self.number:<2} {self.action:17} {needs:33} {outcome}".rstrip()


@dataclass(frozen=True, repr=False)
class Rollout:
    """A rolling update, step by step.

    ``least`` and ``most`` are how many tasks the percentages allow; ``stuck`` says why it stops
    short, with the numbers, and is empty when it finishes; ``failure`` is ECS's own reason;
    ``incomplete`` says that not even the tasks to be replaced all found room.
    """

    steps: tuple[Step, ...]
    desired: int
    least: int
    most: int
    started_with: int
    failure: placement.Failure | None = None
    incomplete: bool = False

    def __bool__(self) -> bool:
        return not self.stuck

    @property
    def stuck(self) -> str:
        """Why the update stops short; empty when it finishes."""
        return self.steps[-1].stuck if self.steps else ""

    @property
    def instances(self) -> int:
        """The most instances that it runs on."""
        return max((step.instances for step in self.steps), default=self.started_with)

    @property
    def lowest(self) -> int:
        """The fewest tasks that run at any time."""
        return min((step.old + step.new for step in self.steps), default=self.desired)

    def table(self) -> pd.DataFrame:
        """One row per step (index), with the counts of tasks after it and the memory that it looked for."""
        names = [field.name for field in fields(Step)]
        return pd.DataFrame([astuple(step) for step in self.steps], columns=names).set_index("number")

    def __repr__(self) -> str:
        return "\n".join(map(str, self.steps)) or "nothing to replace"


def rollout(
    needs: TaskNeeds,
    fleet: Fleet,
    *,
    desired: int = 1,
    minimum_healthy_percent: int = 100,
    maximum_percent: int = 200,
) -> Rollout:
    """Replace ``desired`` running tasks by as many of the same size, as a rolling update does.

    The healthy minimum rounds up, the maximum rounds down. Every new task is taken to become
    healthy: the question is whether there is room. The group grows to ``fleet.max_instances``
    when a task finds none.
    """
    allowed = limits(desired, minimum_healthy_percent, maximum_percent)
    least, most = allowed.lower, allowed.upper
    hosts = Hosts.of(needs, fleet)
    for _ in range(desired):
        failure = hosts.start(hosts.old)
        if failure is not None:
            step = _step(1, f"start task {hosts.old.total() + 1} of {desired}", hosts, why(hosts, failure))
            return Rollout((step,), desired, least, most, len(hosts.instances), failure, True)
    before = len(hosts.instances)
    steps, failure = _replace(hosts, desired, least, most)
    return Rollout(tuple(steps), desired, least, most, before, failure)


def _replace(hosts: Hosts, desired: int, least: int, most: int) -> tuple[list[Step], placement.Failure | None]:
    steps: list[Step] = []
    failure: placement.Failure | None = None
    while hosts.old.total() or hosts.new.total() < desired:
        before = len(steps)
        failure = _start_new(hosts, steps, desired, most)
        _stop_old(hosts, steps, least)
        if len(steps) == before:
            steps.append(_stuck(hosts, len(steps) + 1, failure, least, most))
            break
    return steps, failure


def _start_new(hosts: Hosts, steps: list[Step], desired: int, most: int) -> placement.Failure | None:
    while hosts.new.total() < desired and hosts.tasks.total() < most:
        free = hosts.free_mib
        failure = hosts.start(hosts.new)
        if failure is not None:
            return failure
        steps.append(replace(_step(len(steps) + 1, "start a new task", hosts), free_mib=free))
    return None


def _stop_old(hosts: Hosts, steps: list[Step], least: int) -> None:
    while hosts.old.total() and hosts.tasks.total() > least:
        hosts.stop_old()
        steps.append(replace(_step(len(steps) + 1, "stop an old task", hosts), needs_mib=0))


def _stuck(hosts: Hosts, number: int, failure: placement.Failure | None, least: int, most: int) -> Step:
    if failure is not None:
        return _step(number, "start a new task", hosts, why(hosts, failure))
    running = hosts.tasks.total()
    reason = f"{running} running, at least {least} and at most {most} allowed: none may stop and none may start"
    return replace(_step(number, "start a new task", hosts, reason), needs_mib=0)


def _step(number: int, action: str, hosts: Hosts, stuck: str = "") -> Step:
    counts = hosts.old.total(), hosts.new.total(), len(hosts.instances)
    return Step(number, action, hosts.needs.memory_mib, hosts.free_mib, *counts, stuck)


def why(hosts: Hosts, failure: placement.Failure) -> str:
    """The reason of a placement failure with its numbers, and why the group cannot help."""
    amounts = [f"{item.short}{UNITS[item.resource]}" for item in failure.short if item.resource in UNITS]
    others = [str(item) for item in failure.short if item.resource not in UNITS]
    short = [f"short by {' and '.join(amounts)}", *others] if amounts else others
    limit = hosts.fleet.max_instances
    if placement.shortfalls(hosts.needs, hosts.fleet.launch(0)):
        growth = "even on an empty instance"
    else:
        growth = f"and the group is limited to {limit} instance{'' if limit == 1 else 's'}"
    return f"{'; '.join(short) or failure.words}, {growth} ({failure.reason})"


def deployment(config: Config, tasks: int | None = None) -> Rollout:
    """A rolling update of the parameters' service (by default at its desired count)."""
    service = config.service
    return rollout(
        placement.needs(config),
        running(config, tasks),
        desired=service.desired_tasks if tasks is None else tasks,
        minimum_healthy_percent=service.minimum_healthy_percent,
        maximum_percent=service.maximum_percent,
    )


def zone_lost(needs: TaskNeeds, fleet: Fleet, desired: int) -> pd.DataFrame:
    """What is left after losing each zone: one row per zone (index).

    ``tasks`` ran on the fleet, ``survive`` it, ``placed`` find room at once on the other zones'
    instances, ``wait`` until the Auto Scaling group has launched instances there.
    """
    hosts = Hosts.of(needs, fleet)
    for _ in range(desired):
        hosts.start(hosts.old)
    rows = [_lose(hosts, zone, desired) for zone in fleet.zones]
    return pd.DataFrame(rows, index=pd.Index(fleet.zones, name="zone"))


def _lose(hosts: Hosts, zone: str, desired: int) -> Mapping[str, int]:
    left = {name: one for name, one in hosts.instances.items() if one.zone != zone}
    survive = sum(count for name, count in hosts.old.items() if name in left)
    rest = Hosts(
        replace(hosts.fleet, instances=len(left), max_instances=len(left)) if left else hosts.fleet,
        hosts.needs,
        dict(left),
        Counter({name: count for name, count in hosts.old.items() if name in left}),
        Counter(),
    )
    placed = sum(1 for _ in _fill(rest, desired - survive)) if left else 0
    return {
        "instances": len(hosts.instances),
        "lost": len(hosts.instances) - len(left),
        "tasks": hosts.old.total(),
        "survive": survive,
        "placed": placed,
        "wait": desired - survive - placed,
    }


def _fill(hosts: Hosts, tasks: int) -> Iterator[None]:
    for _ in range(tasks):
        if hosts.start(hosts.new) is not None:
            return
        yield None


def losing_a_zone(config: Config) -> pd.DataFrame:
    """What losing each zone leaves of the desired tasks; see `zone_lost`."""
    return zone_lost(placement.needs(config), running(config), config.service.desired_tasks)
