"""What the API returns of a service or a task and the scheduler does not use: request, tags, network interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slpnb.ecs.scheduler.state import Task

if TYPE_CHECKING:
    from moto.ec2.models.elastic_network_interfaces import NetworkInterface


@dataclass(frozen=True)
class Ended:
    """A container's exit code, None if it never ran, and the reason that ECS gives for its end."""

    exit_code: int | None
    reason: str = ""


@dataclass
class ServiceRecord:
    """A service's request as it stands, its tags, and what moto's tagging asks for."""

    name: str
    cluster_name: str
    arn: str
    request: dict[str, Any]
    tags: list[dict[str, str]] = field(default_factory=list)
    task_sets: tuple[()] = ()

    @property
    def physical_resource_id(self) -> str:
        """The ARN: what moto's tagging API lists."""
        return self.arn

    @property
    def key(self) -> str:
        """How the scheduler's state holds it."""
        return f"{self.cluster_name}/{self.name}"

    def task_request(self, task: Task, definition_tags: list[dict[str, str]]) -> dict[str, Any]:
        """What stands for RunTask's request where the service starts a task: its own, with the tags to propagate."""
        propagated = {"SERVICE": self.tags, "TASK_DEFINITION": definition_tags}
        tags = list(propagated.get(self.request.get("propagateTags") or "", ()))
        if self.request.get("enableECSManagedTags"):
            managed = {"aws:ecs:clusterName": self.cluster_name, "aws:ecs:serviceName": self.name}
            tags += [{"key": key, "value": value} for key, value in managed.items()]
        return {**self.request, "startedBy": task.deployment, "tags": tags}


@dataclass
class TaskRecord:
    """What RunTask said of a task. ``interface`` is its own, in awsvpc mode; ``ends`` are those of real containers."""

    task_arn: str
    tags: list[dict[str, str]] = field(default_factory=list)
    started_by: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    launch_type: str = ""
    network: dict[str, Any] = field(default_factory=dict)
    execute_command: bool = False
    interface: NetworkInterface | None = None
    ends: dict[str, Ended] = field(default_factory=dict)

    @classmethod
    def of(cls, arn: str, request: dict[str, Any], launch_type: str) -> TaskRecord:
        """The record of a task that this request of RunTask or StartTask began."""
        return cls(
            arn, list(request.get("tags") or ()), request.get("startedBy") or "", request.get("overrides") or {},
            launch_type, request.get("networkConfiguration") or {}, bool(request.get("enableExecuteCommand")),
        )  # fmt: skip

    @property
    def address(self) -> str:
        """The private address of an awsvpc task; empty otherwise."""
        return str(self.interface.private_ip_address) if self.interface is not None else ""
