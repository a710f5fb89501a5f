"""What the scheduler model knows: tasks, services, instances and groups as plain data.

`slpnb.ecs.scheduler.machine` advances it by the rules of `slpnb.ecs.scheduler.lifecycle` (one task),
`slpnb.ecs.scheduler.deployment` (one service) and `slpnb.ecs.scheduler.capacity` (instances). Every record is
frozen; a `State` holds them by id, and every public function of the model copies the state before it changes
it.

Times are seconds of the model's own clock, memory is MiB, CPU is units of 1/1024 vCPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal

from slpnb.ecs.resources import Instance, TaskNeeds

Status = Literal[
    "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"
]  # fmt: skip
RELEASED = ("STOPPING", "DEPROVISIONING")  # still there, but what they take is free for the next task
EVENTS_KEPT = 100  # a service keeps its newest 100 events (DescribeServices, events)
REPEAT_SECONDS = 6 * 3600  # and suppresses the same warning for up to six hours (docs/ecs-facts.md)
STOPPED_KEPT_SECONDS = 3600  # stopped tasks can be described for about an hour (docs/ecs-facts.md)
TABLES = ("tasks", "due", "ended", "services", "instances", "groups", "providers", "trackings")  # of a State


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tasks of a task definition fare: an input of the model, since it runs no container.

    The default is a healthy start after a few seconds. ``fails`` is the stopped reason of a
    task that never reaches RUNNING (CannotPullContainerError: ...). ``exits_after`` are the
    seconds in RUNNING until its essential container exits with ``exit_code``. ``healthy``
    false: its health checks fail, for ``unhealthy_reason``. ``healthy_seconds`` are the seconds
    in RUNNING until they pass; None takes the rule of `slpnb.ecs.scheduler.lifecycle.healthy_seconds`.
    """

    pull_seconds: float = 2
    start_seconds: float = 1
    fails: str = ""
    exits_after: float | None = None
    exit_code: int = 0
    healthy: bool = True
    healthy_seconds: float | None = None
    unhealthy_reason: str = "Health checks failed"
    stop_seconds: float = 2


@dataclass(frozen=True, slots=True)
class Definition:
    """What the scheduler must know of a task definition: its ARN, what a task takes, how it fares.

    ``check_seconds`` is the interval of a container health check, 0 without one.
    """

    arn: str
    needs: TaskNeeds
    outcome: Outcome = Outcome()
    check_seconds: float = 0

    @property
    def family(self) -> str:
        """The family: the ARN's name without the revision."""
        return self.arn.rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Placement:
    """Constraints (binding) and strategy (best effort) of a service or of RunTask, as in the ECS API."""

    constraints: tuple[Mapping[str, str], ...] = ()
    strategy: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """What the scheduler must know of a target group: delays in seconds, counts of health checks."""

    arn: str
    deregistration_seconds: float = 300
    interval_seconds: float = 30
    unhealthy_count: int = 2


@dataclass(frozen=True, slots=True)
class Task:
    """One task. When its next change comes by itself is in `State.due`.

    ``group`` is "service:name" or "family:name", ``service`` the key of its service or empty.
    ``moving`` means that another one takes its place in another zone, ``held`` that it could start but
    waits for what a stopping task still has.
    """

    id: str
    cluster: str
    definition: Definition
    group: str
    created_at: float = 0
    service: str = ""
    deployment: str = ""
    provider: str = ""
    placement: Placement = Placement()
    targets: tuple[TargetGroup, ...] = ()
    status: Status = "PROVISIONING"
    desired_status: Literal["RUNNING", "STOPPED"] = "RUNNING"
    instance: str = ""
    ports: tuple[int, ...] = ()
    health: Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"] = "UNKNOWN"
    moving: bool = False
    held: bool = False
    placed_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None

    @property
    def active(self) -> bool:
        """ECS wants it to run, whatever its status."""
        return self.desired_status == "RUNNING" and self.status != "STOPPED"

    @property
    def counted(self) -> bool:
        """It counts towards minimumHealthyPercent: RUNNING, and its checks pass."""
        return self.active and self.status == "RUNNING" and self.health == "HEALTHY"


@dataclass(frozen=True, slots=True)
class Breaker:
    """deploymentCircuitBreaker: ``value`` per cent of the desired count, or a COUNT of tasks."""

    enable: bool = False
    rollback: bool = False
    reset_on_healthy: bool = True
    type: Literal["BOUNDED_PERCENT", "UNBOUNDED_PERCENT", "COUNT"] = "BOUNDED_PERCENT"
    value: int = 50


@dataclass(frozen=True, slots=True)
class Share:
    """One item of a capacity provider strategy."""

    provider: str
    weight: int = 1
    base: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A service event: ECS's own words."""

    id: str
    at: float
    message: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a service; ``rollback_of`` is the id of the failed one that brought it back."""

    id: str
    definition: Definition
    created_at: float
    updated_at: float
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"] = "PRIMARY"
    rollout: Literal["IN_PROGRESS", "COMPLETED", "FAILED"] = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    finished_at: float | None = None
    rollback_of: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service (REPLICA, rolling update). Percents as in deploymentConfiguration.

    ``strategy`` empty means launch type EC2. ``completed`` is the last deployment that
    completed, where a rollback goes to; ``past`` are the deployments that are over.
    ``failures`` counts consecutive failures to start, ``retry_at`` is when the next try is due,
    ``unplaced`` says that what failed last was placement,
    ``steady_at`` since when it is steady, ``uneven_since`` since when its zones are being evened out.
    """

    cluster: str
    name: str
    desired: int
    definition: Definition
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    breaker: Breaker = Breaker()
    strategy: tuple[Share, ...] = ()
    placement: Placement = Placement()
    targets: tuple[TargetGroup, ...] = ()
    grace_seconds: float = 0
    rebalancing: bool = False
    status: Literal["ACTIVE", "DRAINING", "INACTIVE"] = "ACTIVE"
    created_at: float = 0
    deployments: tuple[Deployment, ...] = ()
    completed: Deployment | None = None
    past: tuple[Deployment, ...] = ()
    events: tuple[Event, ...] = ()
    failures: int = 0
    retry_at: float = 0
    unplaced: bool = False
    steady_at: float | None = None
    uneven_since: float | None = None

    @property
    def key(self) -> str:
        """cluster/name: how a `State` holds it."""
        return f"{self.cluster}/{self.name}"

    @property
    def primary(self) -> Deployment:
        """The newest deployment."""
        return next(deployment for deployment in self.deployments if deployment.status == "PRIMARY")


@dataclass(frozen=True, slots=True)
class ContainerInstance:
    """A container instance, or one that will be: it registers at ``registers_at``.

    ``registered`` is what its agent registers, ``remaining`` what its tasks leave of that. ``launched_at`` starts
    its warm-up. ``id`` is the container instance's, ``ec2_id`` the EC2 instance's.
    """

    id: str
    cluster: str
    registered: Instance
    remaining: Instance
    ec2_id: str = ""
    group: str = ""
    status: Literal["REGISTERING", "ACTIVE", "DRAINING"] = "REGISTERING"
    launched_at: float = 0
    registers_at: float = 0
    registered_at: float | None = None
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group. ``empty`` has an empty instance of each of its types, the smallest first.

    ``launches`` false: something else (the embedded AWS) starts and stops its instances; the
    model only sets ``desired``.
    """

    name: str
    cluster: str
    minimum: int
    maximum: int
    desired: int
    empty: tuple[Instance, ...]
    zones: tuple[str, ...] = ()
    boot_seconds: float = 60
    launches: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """An Auto Scaling group capacity provider and its managed scaling.

    ``low_since`` is since when its metric is below the target, ``reservation`` the metric itself,
    ``scaled_out_at`` when it last asked for more instances.
    """

    name: str
    cluster: str
    group: str
    managed_scaling: bool = True
    target_percent: int = 100
    minimum_step: int = 1
    maximum_step: int = 10_000
    warmup_seconds: float = 300
    low_since: float | None = None
    reservation: float = 100
    scaled_out_at: float = -inf

    def going_on(self, known: Provider) -> Provider:
        """This configuration where the managed scaling of ``known`` stands."""
        return replace(
            self, low_since=known.low_since, reservation=known.reservation, scaled_out_at=known.scaled_out_at
        )


@dataclass(frozen=True, slots=True)
class Tracking:
    """Target tracking of a service's average CPU.

    ``trace`` is the load to come: (second, CPU units asked of all tasks together), None for a gap.
    """

    service: str
    minimum: int
    maximum: int
    target_percent: float = 70
    out_cooldown_seconds: float = 300
    in_cooldown_seconds: float = 300
    trace: tuple[tuple[float, float | None], ...] = ()
    scaled_at: float = -inf
    seen: tuple[float, ...] = ()


@dataclass(slots=True)
class State:
    """Everything, at one moment. Treat it as a value: the model's public functions copy before they change.

    ``wake`` is when something happens next, if nothing is asked for before. ``due`` says when
    a task changes by itself, ``ended`` when a STOPPED one is forgotten, in that order. ``placed`` holds
    the tasks of each instance, ``members`` those of each service that have not stopped, ``news``
    the tasks that started, became healthy or ended since the services were last looked at.
    """

    clock: float = 0
    wake: float = inf
    ids: int = 0
    changed: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    instances: dict[str, ContainerInstance] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    trackings: dict[str, Tracking] = field(default_factory=dict)
    placed: dict[str, dict[str, None]] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)
    news: list[Task] = field(default_factory=list)

    def at(self, clock: float) -> State:
        """The same at a later moment: nothing is copied, since nothing may change until ``wake``."""
        return State(
            clock, self.wake, self.ids, self.changed, self.tasks, self.due, self.ended, self.services, self.instances,
            self.groups, self.providers, self.trackings, self.placed, self.members, self.news,
        )  # fmt: skip

    def copy(self) -> State:
        """A state of its own: the records are shared, they never change."""
        new = self.at(self.clock)
        for name in TABLES:
            setattr(new, name, dict(getattr(self, name)))
        new.placed = {instance: dict(tasks) for instance, tasks in self.placed.items()}
        new.members = {service: dict(tasks) for service, tasks in self.members.items()}
        new.news = list(self.news)
        return new

    def new_id(self) -> str:
        """A number not used before, as 32 hexadecimal digits: the form of a task id."""
        self.ids += 1
        return f"{self.ids:032x}"

    def put(self, task: Task, due: float = inf) -> Task:
        """Record a task and when it changes next by itself."""
        self.tasks[task.id] = task
        self.changed = True
        if due == inf:
            self.due.pop(task.id, None)
        else:
            self.due[task.id] = due
        if task.status == "STOPPED":
            self.ended[task.id] = self.clock + STOPPED_KEPT_SECONDS
            self.members.get(task.service, {}).pop(task.id, None)
        elif task.service:
            self.members.setdefault(task.service, {})[task.id] = None
        return task

    def set(self, task: Task, due: float = inf, **changes: Any) -> Task:
        """Change a task; see `put`."""
        return self.put(replace(task, **changes), due)

    def say(self, key: str, text: str, *, task_set: str = "", warning: bool = False) -> None:
        """Add an event to a service, newest first; a warning is not repeated within six hours."""
        service = self.services[key]
        message = f"(service {service.name}{f', taskSet {task_set}' if task_set else ''}) {text}"
        if warning and _said(service.events, message, self.clock):
            return
        self.ids += 1
        event = Event(f"{self.ids:08x}-0000-4000-8000-{self.ids:012x}", self.clock, message)
        self.services[key] = replace(service, events=(event, *service.events)[:EVENTS_KEPT])

    def of_service(self, key: str) -> list[Task]:
        """The tasks of a service that are not STOPPED."""
        return [self.tasks[task] for task in self.members.get(key, ())]

    def on_instance(self, instance: str) -> list[Task]:
        """The tasks that hold something of an instance: placed there, and not STOPPED."""
        return [self.tasks[task] for task in self.placed.get(instance, ())]


def _said(events: Iterable[Event], message: str, now: float) -> bool:
    return any(event.message == message and now - event.at < REPEAT_SECONDS for event in events)
