"""What every part of the embedded ECS builds on: the model's state, its clock, and moto's other services."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from moto.backends import get_backend
from moto.core.utils import utcnow
from moto.ecs.models import EC2ContainerServiceBackend

from slpnb.ecs.scheduler.state import State, Task
from slpnb.local.base.replace import Corrected
from slpnb.local.ecs.targets import Target


class Containers(Protocol):
    """Who runs tasks as containers (`slpnb.local.containers.edge.Edge`)."""

    def can_run(self, found: Any) -> bool:
        """Whether a task definition's images are there."""

    def follow(self, ecs: Any) -> None:
        """Bring the containers to what the model's tasks are now."""


class Base(Corrected, EC2ContainerServiceBackend):
    """ECS of one account and region. ``state`` is the model's, ``epoch`` its second 0 in real time.

    ``containers`` is None where no container runs: then tasks fare as their outcome says.
    """

    containers: ClassVar[Containers | None] = None

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.state = State()
        self.epoch: datetime = utcnow()
        self.gone: set[str] = set()  # container instances that somebody deregistered: their agents do not come back
        self.registered: dict[Target, Task] = {}

    def sync(self) -> None:
        """Tell the model what moto's other services hold now."""
        raise NotImplementedError

    def apply(self, state: State) -> None:
        """Take over a state, and carry out what it means outside ECS."""
        raise NotImplementedError

    def other(self, service: str) -> Any:
        """moto's backend of another service, same account and region."""
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        return backends[self.account_id][self.region_name]

    def group_of(self, provider: Any) -> Any:
        """moto's Auto Scaling group of a capacity provider; None when it is gone."""
        name = provider.auto_scaling_group_provider["autoScalingGroupArn"].rpartition("/")[2]
        return self.other("autoscaling").autoscaling_groups.get(name)

    def time(self, seconds: float | None) -> datetime | None:
        """A moment of the model as a timestamp of the API."""
        return None if seconds is None else self.epoch + timedelta(seconds=seconds)

    def arn(self, kind: str, name: str) -> str:
        """The ARN of something of ECS."""
        return f"arn:{self.partition}:ecs:{self.region_name}:{self.account_id}:{kind}/{name}"
