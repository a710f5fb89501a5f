"""A service simulated by the scheduler model: what each task does from second to second, and what ECS says.

The model is `slpnb.ecs.scheduler.machine`. Here its states become tables that a notebook shows: one row for
the tasks with the same timeline, one line for each of ECS's service events, in ECS's own words. Seconds
count from the beginning of what is replayed; ids are replaced by numbers in order of appearance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any

import pandas as pd

from slpnb.ecs import placement, scheduler
from slpnb.ecs.placement import Failure
from slpnb.ecs.resources import TaskNeeds
from slpnb.ecs.scheduler import capacity, managed_scaling
from slpnb.ecs.scheduler.state import (
    Definition,
    Group,
    Outcome,
    Placement,
    Provider,
    Service,
    Share,
    State,
    TargetGroup,
    Task,
)
from slpnb.fleet.group import Fleet

if TYPE_CHECKING:
    from slpnb.config import Config

LIMIT_SECONDS = 7200  # a task waits for capacity for half an hour; three of those trip the circuit breaker
BOOT_SECONDS = 60  # until the agent of a new instance has registered; AWS promises no figure
GROUP = "the group"
PHASES: Mapping[str, str] = {
    "waiting": "PROVISIONING: no instance takes the task yet",
    "starting": "PENDING, ACTIVATING, or RUNNING without a passed check",
    "healthy": "RUNNING, and its checks pass",
    "unhealthy": "RUNNING, and its checks fail",
    "draining": "DEACTIVATING: the load balancer lets its requests finish",
    "stopping": "STOPPING or DEPROVISIONING",
    "stopped": "STOPPED",
}
STATUSES = {"PROVISIONING": "waiting", "DEACTIVATING": "draining", "STOPPED": "stopped"}


@dataclass(frozen=True)
class Events:
    """Service events, oldest first: the second, and ECS's words."""

    lines: tuple[tuple[int, str], ...]

    def __repr__(self) -> str:
        return "\n".join(f"{second:5} s  {words}" for second, words in self.lines) or "no events"

    def _repr_html_(self) -> str:
        cell = '<td style="text-align:{}">{}</td>'
        rows = (f"<tr>{cell.format('right', at)}{cell.format('left', escape(words))}</tr>" for at, words in self.lines)
        return f"<table><tr><th>second</th><th>event</th></tr>{''.join(rows)}</table>"


@dataclass(frozen=True)
class Counts:
    """How a service stood after a second: tasks of the old and of the new revision that have an instance.

    ``healthy`` of them count towards the minimum; ``waiting`` ones have no instance yet. ``instances`` are the
    group's, and ``free_mib`` is the most memory that any one has left of those that are registered.
    """

    second: int
    old: int
    new: int
    healthy: int
    waiting: int
    instances: int
    free_mib: int


@dataclass(frozen=True, repr=False)
class Replay:
    """What happened to a service: the last state, and when each task changed.

    ``state`` is the last one, ``key`` the service's key in it, ``begun`` its clock when the replay
    began, ``first`` whether the service starts, rather than is updated. ``lives`` has the seconds at
    which each task (by id) entered its phases, ``revisions`` whether it is old or new, ``moments`` how
    things stood whenever something changed, ``moved`` the second of the last progress, ``standing`` the last
    state with a task of the requested revision in PROVISIONING (the final state, if all were placed),
    ``names`` what ids are called here, ``earlier`` the ids of the events from before.
    """

    state: State
    key: str
    begun: float
    first: bool
    lives: Mapping[str, Mapping[str, int]]
    revisions: Mapping[str, str]
    moments: Sequence[Counts]
    moved: int
    standing: State
    names: Mapping[str, str]
    earlier: frozenset[str]

    @property
    def steady(self) -> bool:
        """Whether the service reached its steady state, with the revision that was asked for."""
        primary = self.state.services[self.key].primary
        return self.state.services[self.key].steady_at is not None and not primary.rollback_of

    @property
    def failed(self) -> bool:
        """Whether ECS gave the deployment up: the circuit breaker's threshold is met."""
        primary = self.state.services[self.key].primary
        return primary.rollout == "FAILED" or bool(primary.rollback_of)

    @property
    def seconds(self) -> int:
        """How long it took, or how long it was observed."""
        return round(self.state.clock - self.begun)

    @property
    def why(self) -> str:
        """Which limit keeps it from its steady state, with the numbers; empty when it is steady."""
        state = self.standing if self.failed else self.state
        return _renamed(scheduler.why_not_steady(state, self.key), self.names)

    @property
    def failure(self) -> Failure | None:
        """ECS's reason for the task that no instance takes; None where none waits."""
        waiting = [task for task in self.standing.of_service(self.key) if task.status == "PROVISIONING"]
        found = capacity.find(self.standing, waiting[0]) if waiting else None
        return found if isinstance(found, Failure) else None

    @property
    def lowest(self) -> int:
        """The fewest healthy tasks at any second."""
        return min(one.healthy for one in self.moments)

    @property
    def instances(self) -> int:
        """The most instances that the group had at once, those that were still booting included."""
        return max(one.instances for one in self.moments)

    @property
    def waited(self) -> int:
        """How many tasks had to wait for a new instance: theirs registered after they began to wait."""
        since = {id: self.begun + life["waiting"] for id, life in self.lives.items() if "waiting" in life}
        hosts = {id: self.state.instances.get(self.state.tasks[id].instance) for id in since if id in self.state.tasks}
        return sum(bool(host and (host.registered_at or 0) > since[id]) for id, host in hosts.items())

    @property
    def events(self) -> Events:
        """ECS's service events since the replay began."""
        told = [one for one in reversed(self.state.services[self.key].events) if one.id not in self.earlier]
        return Events(tuple((round(one.at - self.begun), _renamed(one.message, self.names)) for one in told))

    def table(self) -> pd.DataFrame:
        """One row for all tasks with the same timeline (index: task), with the second at which each phase began.

        ``tasks`` is how many they are; a phase that a task never enters is empty. Phases: PHASES.
        """
        alike: dict[tuple[str, tuple[tuple[str, int], ...]], int] = {}
        for id, life in self.lives.items():
            key = (self.revisions[id], tuple(life.items()))
            alike[key] = alike.get(key, 0) + 1
        phases = [name for name in PHASES if any(name in life for life in self.lives.values())]
        rows = [[count, *(dict(life).get(name, "") for name in phases)] for (_, life), count in alike.items()]
        index = pd.Index(list(_lanes(alike)), name="task")
        return pd.DataFrame(rows, index=index, columns=["tasks", *phases], dtype=object)

    def __repr__(self) -> str:
        after = f"{self.seconds} s"
        return f"steady after {after}" if self.steady else f"not steady after {after}: {self.why}"


def _lanes(alike: Mapping[tuple[str, Any], int]) -> Iterator[str]:
    """Names for groups of tasks: old 1, new 1 to 3."""
    used = Counter[str]()
    for (revision, _), count in alike.items():
        first, last = used[revision] + 1, used[revision] + count
        used[revision] = last
        yield f"{revision} {first}" if first == last else f"{revision} {first} to {last}"


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with ids replaced by what they are called here."""
    for id in sorted(names, key=len, reverse=True):
        text = text.replace(id, names[id])
    return text


# Building


def cluster(fleet: Fleet, *, target_percent: int = 100, warmup_seconds: float = 300) -> State:
    """A cluster whose Auto Scaling group runs a fleet behind one capacity provider, all instances registered.

    As many instances as run now are the group's minimum. ``target_percent`` and
    ``warmup_seconds`` are the capacity provider's targetCapacity and instanceWarmupPeriod.
    """
    group = Group(
        GROUP, "cluster", fleet.instances, fleet.max_instances, fleet.instances,
        (fleet.empty,), fleet.zones, BOOT_SECONDS,
    )  # fmt: skip
    state = scheduler.add_group(State(), group)
    provider = Provider(GROUP, "cluster", GROUP, target_percent=target_percent, warmup_seconds=warmup_seconds)
    return scheduler.advance(scheduler.add_provider(state, provider), BOOT_SECONDS)


def definition(needs: TaskNeeds, revision: int = 1, *, family: str = "web", check_seconds: float = 0) -> Definition:
    """A revision of a task definition whose tasks start healthily.

    ``check_seconds`` is the interval of its container health check, 0 without one.
    """
    return Definition(f"arn:aws:ecs:task-definition/{family}:{revision}", needs, Outcome(), check_seconds)


def service(first: Definition, name: str = "web", *, template: str = "az_balanced_spread", **fields: Any) -> Service:
    """A service on the cluster's capacity provider, one task unless ``fields`` of `Service` say otherwise."""
    strategy, constraints = placement.TEMPLATES[template]
    fields = {"desired": 1, "strategy": (Share(GROUP),), "placement": Placement(constraints, strategy), **fields}
    return Service("cluster", name, definition=first, **fields)


def beside(state: State, needs: TaskNeeds) -> State:
    """The cluster with someone else's task already running on it (RunTask)."""
    task = Task("", "cluster", definition(needs, family="other"), "family:other")
    return scheduler.advance(scheduler.run_tasks(state, [task])[0], BOOT_SECONDS)


# Playing


def start(state: State, service: Service, limit_seconds: float = LIMIT_SECONDS) -> Replay:
    """Create a service and let time pass until it is steady, has failed for good, or stands still for the limit."""
    return _Recorder(scheduler.create_service(state, service), service.key).follow(limit_seconds)


def update(before: Replay, new: Definition | None = None, limit_seconds: float = LIMIT_SECONDS) -> Replay:
    """Deploy another revision (by default one like the present) and follow it as `start` does."""
    current = before.state.services[before.key].definition
    if new is None:
        family, _, number = current.arn.rpartition(":")
        new = replace(current, arn=f"{family}:{int(number) + 1}")
    old = frozenset(task.id for task in before.state.of_service(before.key))
    told = frozenset(event.id for event in before.state.services[before.key].events)
    state = scheduler.update_service(before.state, before.key, definition=new)
    return _Recorder(state, before.key, old, told, first=False).follow(limit_seconds)


def settled(played: Replay) -> Replay:
    """A steady service once managed scaling keeps the group as it is, half a minute before it looks again.

    The first tasks of an update that begins then are still starting when managed scaling sees them.
    """
    state, size = played.state, -1
    while size != len(state.instances):
        size = len(state.instances)
        state = scheduler.advance(state, managed_scaling.LOW_SECONDS + state.providers[GROUP].warmup_seconds + 60)
    return replace(played, state=scheduler.advance(state, (30 - state.clock) % 60))


def without(state: State, zone: str) -> State:
    """The state as soon as a zone has failed: its instances are lost, and ECS has placed again what it could."""
    left = state.copy()
    for id in [one.id for one in state.instances.values() if one.registered.zone == zone]:
        managed_scaling.remove(left, id)
    zones = tuple(name for name in state.groups[GROUP].zones if name != zone)
    return scheduler.change_group(left, GROUP, zones=zones)


class _Recorder:
    """Goes from one change to the next and notes what each task does."""

    def __init__(
        self,
        state: State,
        key: str,
        old: frozenset[str] = frozenset(),
        told: frozenset[str] = frozenset(),
        first: bool = True,
    ) -> None:
        self.state, self.key, self.old, self.told, self.first = state, key, old, told, first
        self.begun = state.clock
        self.lives: dict[str, dict[str, int]] = {}
        self.moments: dict[int, Counts] = {}
        self.hosts: dict[str, str] = {}
        self.best, self.moved = -inf, 0
        self.standing: State | None = None

    def follow(self, limit_seconds: float) -> Replay:
        self._note()
        while not self._is_over() and self.state.wake <= self.begun + self.moved + limit_seconds:
            self.state = scheduler.advance(self.state, self.state.wake - self.state.clock)
            self._note()
        if not self._is_over():
            self.state = scheduler.advance(self.state, self.begun + self.moved + limit_seconds - self.state.clock)
        own = ("task", "task") if self.first else ("old", "new")
        revisions = {id: own[id not in self.old] for id in self.lives}
        return Replay(
            self.state, self.key, self.begun, self.first, self.lives, revisions, tuple(self.moments.values()),
            self.moved, self.standing or self.state, self._names(revisions), self.told,
        )  # fmt: skip

    def _is_over(self) -> bool:
        one = self.state.services[self.key]
        return one.steady_at is not None or (one.primary.rollout == "FAILED" and not self.state.of_service(self.key))

    def _note(self) -> None:
        second = round(self.state.clock - self.begun)
        for id, task in self.state.tasks.items():
            if task.service == self.key and (task.status != "STOPPED" or id in self.lives):
                self.lives.setdefault(id, {}).setdefault(_phase(task), second)
        self.hosts.update({id: one.ec2_id for id, one in self.state.instances.items()})
        self.moments[second] = moment = self._moment(second)
        ahead = moment.healthy - 2 * moment.old  # healthy new ones less the old ones that are left
        if ahead > self.best:
            self.best, self.moved = ahead, second
        primary = self.state.services[self.key].primary
        if primary.rollout == "IN_PROGRESS" and not primary.rollback_of and (moment.waiting or moment.new):
            self.standing = self.state if moment.waiting else None

    def _moment(self, second: int) -> Counts:
        tasks = [task for task in self.state.of_service(self.key) if task.active]
        placed = [task for task in tasks if task.instance]
        old = sum(task.id in self.old for task in placed)
        free = [one.remaining.memory_mib for one in self.state.instances.values() if one.status == "ACTIVE"]
        counts = old, len(placed) - old, sum(task.counted for task in placed), len(tasks) - len(placed)
        return Counts(second, *counts, len(self.state.instances), max(free, default=0))

    def _names(self, revisions: Mapping[str, str]) -> dict[str, str]:
        """Tasks as in the table, instances and deployments as numbers in order of their beginning."""
        names, used = {}, Counter[str]()
        for id, revision in revisions.items():
            used[revision] += 1
            names[id] = f"{used[revision]}" if self.first else f"{revision} {used[revision]}"
        for number, (id, ec2_id) in enumerate(self.hosts.items(), 1):
            names |= {id: str(number), ec2_id: str(number)}
        one = self.state.services[self.key]
        deployments = sorted((*one.deployments, *one.past), key=lambda item: item.id)
        return names | {item.id: str(number) for number, item in enumerate(deployments, 1)}


def _phase(task: Task) -> str:
    if task.status in ("PENDING", "ACTIVATING") or (task.status == "RUNNING" and task.health == "UNKNOWN"):
        return "starting"
    if task.status == "RUNNING":
        return "healthy" if task.health == "HEALTHY" else "unhealthy"
    return STATUSES.get(task.status, "stopping")


def targets(config: Config) -> tuple[TargetGroup, ...]:
    """The target group of the parameters' service, as the scheduler knows it."""
    own = config.service
    check = own.health_check
    seconds = own.deregistration_delay_seconds, check.interval_seconds
    return (TargetGroup(own.target_group, *seconds, check.unhealthy_count),)
