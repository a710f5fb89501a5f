"""ECS in one account and Region: the tables, the scheduler's state and the clock that its parts share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, TypeVar

from moto.autoscaling.models import autoscaling_backends
from moto.core.utils import utcnow
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ecr.models import ECRBackend, ecr_backends
from moto.ecs.models import CapacityProvider, Cluster, TaskDefinition
from moto.elbv2.models import elbv2_backends

from slpnb.ecs.scheduler.state import State, Task
from slpnb.local.corrections.autoscaling import AutoScaling
from slpnb.local.corrections.elbv2 import Balancing
from slpnb.local.ecs.records import ServiceRecord, TaskRecord
from slpnb.local.ecs.settings import Settings

Item = TypeVar("Item")


class ContainerRunner(Protocol):
    """What runs tasks as containers (`slpnb.local.containers.edge.Edge`)."""

    def can_run(self, images: Iterable[str]) -> bool:
        """Whether all these images are there."""

    def follow(self) -> None:
        """Bring the containers to what the scheduler's tasks are now."""


@dataclass
class Region:
    """What there is of ECS in one account and Region.

    The first three tables are moto's own. ``services`` are by the scheduler's key, ``tasks`` by cluster and
    ARN, as moto's tagging reads them. ``epoch`` is the state's second 0 in real time. ``followers`` carry out
    what a new state means outside the scheduler, in their order. ``containers`` is None where no container
    runs: then tasks fare as their outcome says. moto's other services are looked up each time: a reset makes
    them anew.
    """

    name: str
    account_id: str
    partition: str
    clusters: dict[str, Cluster]
    capacity_providers: dict[str, CapacityProvider]
    task_definitions: dict[str, dict[int, TaskDefinition]]
    settings: Settings = field(default_factory=Settings)
    services: dict[str, ServiceRecord] = field(default_factory=dict)
    tasks: dict[str, dict[str, TaskRecord]] = field(default_factory=dict)
    state: State = field(default_factory=State)
    epoch: datetime = field(default_factory=utcnow)
    followers: tuple[Callable[[], None], ...] = ()

    containers: ClassVar[ContainerRunner | None] = None

    @property
    def ec2(self) -> EC2Backend:
        """Instances, subnets and network interfaces."""
        return ec2_backends[self.account_id][self.name]

    @property
    def autoscaling(self) -> AutoScaling:
        """The groups behind capacity providers."""
        return autoscaling_backends[self.account_id][self.name]  # type: ignore[return-value]  # the corrected one

    @property
    def ecr(self) -> ECRBackend:
        """The account's own registry."""
        return ecr_backends[self.account_id][self.name]

    @property
    def elbv2(self) -> Balancing:
        """Load balancers with their listeners and target groups."""
        return elbv2_backends[self.account_id][self.name]  # type: ignore[return-value]  # the corrected one

    def apply(self, state: State) -> None:
        """Take over a state, and carry out what it means outside the scheduler."""
        self.state = state
        for follow in self.followers:
            follow()

    def time(self, seconds: float | None) -> datetime | None:
        """A moment of the scheduler as a timestamp of the API."""
        return None if seconds is None else self.epoch + timedelta(seconds=seconds)

    def arn(self, kind: str, name: str) -> str:
        """The ARN of something of ECS."""
        return f"arn:{self.partition}:ecs:{self.name}:{self.account_id}:{kind}/{name}"

    def look_up(
        self, kind: str, names: Iterable[str], known: Mapping[str, Item], cluster: str = ""
    ) -> tuple[list[Item], list[dict[str, str]]]:
        """Of ``known``, by id, those with these ids or ARNs; and a failure for each that is not there."""
        ids = [name.rpartition("/")[2] for name in names]
        path = f"{cluster}/" if cluster else ""
        missing = [{"arn": self.arn(kind, path + id), "reason": "MISSING"} for id in ids if id not in known]
        return [known[id] for id in ids if id in known], missing

    def task_arn(self, task: Task) -> str:
        """The long form: cluster and id."""
        return self.arn("task", f"{task.cluster}/{task.id}")

    def task_record(self, task: Task) -> TaskRecord:
        """The record of a task of the state; every task has one as soon as its state is applied."""
        return self.tasks[task.cluster][self.task_arn(task)]

    def zone_of(self, task: Task) -> str:
        """The Availability Zone of the task's instance; empty where it has none."""
        one = self.state.instances.get(task.instance)
        return one.registered.zone if one else ""
