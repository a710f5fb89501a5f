"""What managed scaling, a deployment, or the loss of a zone does to a fleet, as the scheduler model simulates it.

Every answer is read from one replay (`slpnb.fleet.replay`): the service starts on the group at its smallest,
managed scaling settles the group's size, then the deployment begins or the zone fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from slpnb.ecs import resources
from slpnb.ecs.percents import Limits, limits
from slpnb.ecs.placement import Failure
from slpnb.ecs.resources import TaskNeeds
from slpnb.ecs.scheduler.state import Breaker, TargetGroup
from slpnb.fleet import replay
from slpnb.fleet.group import Fleet, fleet
from slpnb.fleet.replay import Counts, Replay
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

KEPT = 64  # replays that are remembered: several questions are asked of each


@dataclass(frozen=True)
class Setting:
    """All that decides what becomes of a service on a group: ``fleet`` is the group at its smallest.

    ``target_percent`` and ``warmup_seconds`` are managed scaling's, ``check_seconds`` is the interval of the
    container health check (0 without one), ``breaker`` means the circuit breaker with rollback; the rest is as
    in `slpnb.ecs.scheduler.state.Service`.
    """

    needs: TaskNeeds
    fleet: Fleet
    desired: int = 1
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    target_percent: int = 100
    warmup_seconds: float = 300
    check_seconds: float = 0
    grace_seconds: float = 0
    breaker: bool = False
    targets: tuple[TargetGroup, ...] = ()
    name: str = "web"

    @property
    def limits(self) -> Limits:
        """How many tasks the percentages allow."""
        return limits(self.desired, self.minimum_healthy_percent, self.maximum_percent)


def setting(config: Config, tasks: int | None = None) -> Setting:
    """The parameters' service on their group, by default at its desired count."""
    own, cluster = config.service, config.cluster
    return Setting(
        resources.needs(config),
        fleet(config),
        desired=own.desired_tasks if tasks is None else tasks,
        minimum_healthy_percent=own.minimum_healthy_percent,
        maximum_percent=own.maximum_percent,
        target_percent=cluster.target_capacity_percent,
        warmup_seconds=cluster.instance_warmup_seconds,
        check_seconds=config.task.health_check.interval_seconds,
        grace_seconds=own.health_check_grace_seconds,
        breaker=own.circuit_breaker,
        targets=replay.targets(config),
        name=own.name,
    )


@lru_cache(KEPT)
def begun(setting: Setting) -> Replay:
    """The service's start, and after it the size at which managed scaling keeps the group."""
    state = replay.cluster(setting.fleet, target_percent=setting.target_percent, warmup_seconds=setting.warmup_seconds)
    names = ("desired", "minimum_healthy_percent", "maximum_percent", "grace_seconds", "targets")
    made = replay.service(
        replay.definition(setting.needs, check_seconds=setting.check_seconds),
        setting.name,
        template=setting.fleet.template,
        breaker=Breaker(setting.breaker, setting.breaker),
        **{name: getattr(setting, name) for name in names},
    )
    played = replay.start(state, made)
    return replay.settled(played) if played.steady else played


# Managed scaling


def kept(setting: Setting) -> Fleet:
    """The fleet that managed scaling keeps: at its smallest where not even one task fits."""
    return replace(setting.fleet, instances=len(begun(setting).state.instances))


def running(config: Config, tasks: int | None = None) -> Fleet:
    """The fleet that managed scaling keeps for that many tasks (by default the desired count)."""
    return kept(setting(config, tasks))


# A deployment


@dataclass(frozen=True)
class Stage:
    """One stage of a rolling update, with the counts after it.

    ``old`` and ``new`` tasks have an instance and are not stopping, ``healthy`` ones of both count towards
    the minimum. ``free_mib`` is the most memory that any one instance has left, ``stuck`` why it goes no further.
    """

    number: int
    second: int
    action: str
    old: int
    new: int
    healthy: int
    instances: int
    free_mib: int
    stuck: str = ""

    def __str__(self) -> str:
        counts = f"{self.old} old, {self.new} new, {self.healthy} healthy"
        on = f"{counted(self.instances, 'instance')}, {self.free_mib} MiB free on one"
        outcome = f"\n        stuck: {self.stuck}" if self.stuck else ""
        return f"stage {self.number:<2} {self.second:5} s  {self.action:28} {counts}; {on}{outcome}"


@dataclass(frozen=True, repr=False)
class Rollout:
    """A rolling update, stage by stage; ``played`` is the replay behind it."""

    setting: Setting
    played: Replay
    stages: tuple[Stage, ...]

    def __bool__(self) -> bool:
        return self.played.steady

    @property
    def stuck(self) -> str:
        """Why it stops short, with the numbers; empty when it finishes."""
        return self.played.why

    @property
    def failure(self) -> Failure | None:
        """ECS's own reason for the task that no instance takes; None where none waits."""
        return self.played.failure

    @property
    def desired(self) -> int:
        """Tasks to be replaced."""
        return self.setting.desired

    @property
    def least(self) -> int:
        """The fewest healthy tasks that the percentages allow."""
        return self.setting.limits.lower

    @property
    def most(self) -> int:
        """The most tasks that the percentages allow."""
        return self.setting.limits.upper

    @property
    def incomplete(self) -> bool:
        """Whether not even the tasks to be replaced were all placed: what was played is their start."""
        return self.played.first

    @property
    def started_with(self) -> int:
        """The instances before it."""
        return self.played.moments[0].instances

    @property
    def instances(self) -> int:
        """The most instances that it runs on at once."""
        return self.played.instances

    @property
    def waits(self) -> bool:
        """Whether a task has to wait until the group has started another instance."""
        return bool(self.played.waited)

    @property
    def lowest(self) -> int:
        """The fewest healthy tasks at any time."""
        return self.played.lowest

    def table(self) -> pd.DataFrame:
        """One row per stage (index), with the counts after it."""
        names = [field.name for field in fields(Stage)]
        return pd.DataFrame([astuple(one) for one in self.stages], columns=names).set_index("number")

    def __repr__(self) -> str:
        return "\n".join(map(str, self.stages)) or "nothing to replace"


def rollout(
    needs: TaskNeeds,
    fleet: Fleet,
    *,
    desired: int = 1,
    minimum_healthy_percent: int = 100,
    maximum_percent: int = 200,
) -> Rollout:
    """Replace ``desired`` running tasks by as many of the same size, as a rolling update does.

    Every new task becomes healthy: the question is whether they fit. ``fleet`` is the group at its
    smallest; it grows to ``fleet.max_instances`` when a task finds none.
    """
    return played(Setting(needs, fleet, desired, minimum_healthy_percent, maximum_percent))


def deployment(config: Config, tasks: int | None = None) -> Rollout:
    """A rolling update of the parameters' service (by default at its desired count)."""
    return played(setting(config, tasks))


@lru_cache(KEPT)
def played(setting: Setting) -> Rollout:
    """A rolling update of a service that runs; where it never starts, its start."""
    found = begun(setting)
    found = replay.update(found) if found.steady else found
    stages = [] if found.first else list(_stages(found.moments[: 1 + _last(found)], setting))
    if not found.steady:
        stages.append(_end(found, stages))
    return Rollout(setting, found, tuple(stages))


def _last(found: Replay) -> int:
    """Which moment brought the last stage."""
    return next(number for number, one in enumerate(found.moments) if one.second == found.moved)


def _stages(moments: Sequence[Counts], setting: Setting) -> Iterator[Stage]:
    first = replace(moments[0], old=setting.desired, new=0, healthy=setting.desired, waiting=0)
    changes = ((_action(before, after), after) for before, after in pairwise((first, *moments)))
    for number, (action, after) in enumerate((change for change in changes if change[0]), 1):
        yield _stage(number, action, after)


def _stage(number: int, action: str, at: Counts, stuck: str = "") -> Stage:
    return Stage(number, at.second, action, at.old, at.new, at.healthy, at.instances, at.free_mib, stuck)


def _action(before: Counts, after: Counts) -> str:
    """What happened between two moments, in the order in which ECS does it."""
    counts = {
        "new healthy": (after.healthy - after.old) - (before.healthy - before.old),
        "new started": after.new - before.new,
        "old stopped": before.old - after.old,
        "new waiting": after.waiting - before.waiting,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count > 0)


def _end(found: Replay, stages: list[Stage]) -> Stage:
    """The stage that is not reached; it replaces one that only began to wait."""
    later = [one for one in found.moments if one.second >= found.moved]
    at = next((one for one in later if one.waiting), later[0])
    if stages and stages[-1].second == at.second:
        return replace(stages.pop(), stuck=found.why)
    at = replace(at, old=at.new, new=0) if found.first else at
    return _stage(len(stages) + 1, f"{at.waiting} waiting" if at.waiting else "none may start", at, found.why)


# A zone lost


def losing_a_zone(config: Config) -> pd.DataFrame:
    """What losing each zone leaves of the desired tasks; see `lost`."""
    return lost(setting(config))


def lost(setting: Setting) -> pd.DataFrame:
    """What is left after losing each zone: one row per zone (index).

    ``tasks`` ran on the fleet, ``survive`` it, ``placed`` are placed at once on the other zones'
    instances, ``wait`` until the Auto Scaling group has launched instances there.
    """
    zones = setting.fleet.zones
    rows = [_lose(begun(setting), zone, setting.desired) for zone in zones]
    return pd.DataFrame(rows, index=pd.Index(zones, name="zone"))


def _lose(found: Replay, zone: str, desired: int) -> dict[str, int]:
    hosts = found.state.instances.values()
    before = {task.id for task in found.state.of_service(found.key) if task.counted}
    left = [task for task in replay.without(found.state, zone).of_service(found.key) if task.active and task.instance]
    survive = sum(task.id in before for task in left)
    return {
        "instances": len(hosts),
        "lost": sum(one.registered.zone == zone for one in hosts),
        "tasks": len(before),
        "survive": survive,
        "placed": len(left) - survive,
        "wait": desired - len(left),
    }
