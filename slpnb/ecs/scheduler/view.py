"""What the service scheduler sees when it looks at a service: its tasks, sorted out, against its limits."""

from __future__ import annotations

from dataclasses import dataclass

from slpnb.ecs.percents import Limits, limits
from slpnb.ecs.scheduler.state import RELEASED, Deployment, Service, State, Task


@dataclass(slots=True)
class View:
    """A service's tasks, sorted. ``staying`` are those of the primary deployment that may stay."""

    service: Service
    tasks: list[Task]
    staying: list[Task]
    leaving: list[Task]
    limits: Limits

    @classmethod
    def of(cls, state: State, key: str) -> View:
        """Sort a service's tasks."""
        service = state.services[key]
        tasks = state.of_service(key)
        primary = service.primary.id
        staying: list[Task] = []
        leaving: list[Task] = []
        for task in tasks:
            if task.active:
                fit = task.health != "UNHEALTHY" and not task.moving and not _is_draining(state, task)
                stays = task.deployment == primary and fit
                (staying if stays else leaving).append(task)
        allowed = limits(service.desired, service.minimum_healthy_percent, service.maximum_percent)
        return cls(service, tasks, staying, leaving, allowed)

    @property
    def healthy(self) -> int:
        """How many count towards minimumHealthyPercent."""
        return sum(task.counted for task in self.tasks)

    @property
    def missing(self) -> int:
        """How many tasks the primary deployment lacks."""
        return self.service.desired - len(self.staying)

    @property
    def existing(self) -> int:
        """How many count towards maximumPercent: those that are stopping no longer do, those that drain still do."""
        return sum(task.status not in RELEASED for task in self.tasks)

    @property
    def replaced(self) -> Deployment | None:
        """The last completed deployment, while another takes its place."""
        done = self.service.completed
        return next((one for one in self.service.deployments[1:] if done and one.id == done.id), None)

    @property
    def kept(self) -> int:
        """How many tasks the replaced deployment keeps: the healthy minimum less the primary's healthy tasks."""
        return max(0, self.limits.lower - sum(task.counted for task in self.staying)) if self.replaced else 0

    @property
    def keeping(self) -> list[Task]:
        """The replaced deployment's tasks that may be kept, those that count as healthy first."""
        old = self.replaced
        fit = [task for task in self.leaving if old and task.deployment == old.id and task.health != "UNHEALTHY"]
        return sorted(fit, key=lambda task: (not task.counted, task.created_at, task.id))

    @property
    def startable(self) -> int:
        """How many more tasks maximumPercent allows."""
        return self.limits.upper - self.existing


def _is_draining(state: State, task: Task) -> bool:
    return bool(task.instance) and state.instances[task.instance].status == "DRAINING"
