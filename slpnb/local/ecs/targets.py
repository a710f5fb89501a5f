"""Targets of the services' tasks: registered as they start, drained as they stop, healthy as their checks pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slpnb.ecs.scheduler.state import Task
from slpnb.local.corrections.elbv2 import TargetGroup
from slpnb.local.ecs.definitions import Document, TaskDefinitions
from slpnb.local.ecs.region import Region

Target = tuple[str, str, int]  # target group ARN, instance id or address, port
INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
UNHEALTHY = "Target.FailedHealthChecks"
# ALB user guide, "Target health reason codes"
CODES = (
    ("Health checks failed with these codes", "Target.ResponseCodeMismatch"),
    ("Request timed out", "Target.Timeout"),
)


class Targets:
    """The targets of one account's tasks in one Region; ``registered`` are those that it has registered itself."""

    def __init__(self, region: Region, definitions: TaskDefinitions) -> None:
        self.region, self.definitions = region, definitions
        self.registered: dict[Target, Task] = {}

    def follow(self) -> None:
        """Bring the target groups to what the scheduler's tasks are now."""
        after = {target: task for task in self.region.state.tasks.values() for target in self._of(task)}
        _settle(self.region.elbv2.target_groups, self.registered, after)
        self.registered = after

    def _of(self, task: Task) -> Iterator[Target]:
        """Where a task answers that is to be reached now: one of a service with load balancers, once it starts."""
        instance = self.region.state.instances.get(task.instance)
        if instance is None or not task.targets or not task.active or task.status not in ("ACTIVATING", "RUNNING"):
            return
        document, address = self.definitions.document(task.definition), self.region.task_record(task).address
        for balancer in self.region.services[task.service].request.get("loadBalancers") or ():
            yield _place(task, balancer, document, address or instance.ec2_id)


def _place(task: Task, balancer: Mapping[str, Any], definition: Document, id: str) -> Target:
    """The address and container port in awsvpc mode, else the instance and host port; ``id`` is either of the two."""
    port = int(balancer["containerPort"])
    if definition["networkMode"] != "awsvpc":
        port = host_port(task, definition, balancer["containerName"], port)
    return balancer["targetGroupArn"], id, port


def host_port(task: Task, definition: Document, container: str, port: int) -> int:
    """The host port behind a container port: its own in host mode, the fixed one, or the dynamic one it got."""
    if definition["networkMode"] == "host":
        return port
    dynamic = iter(task.ports)
    for one in definition["containerDefinitions"]:
        for mapping in one.get("portMappings", ()):
            host = mapping.get("hostPort") or next(dynamic, 0)
            if one["name"] == container and mapping.get("containerPort") == port:
                return int(host)
    return port


def _settle(groups: Mapping[str, TargetGroup], before: Mapping[Target, Task], after: Mapping[Target, Task]) -> None:
    """Bring the target groups from what was registered to what is wanted, with the health of each."""
    for arn, id, port in before.keys() - after.keys():
        group = groups.get(arn)
        if group is not None and f"{id}:{port}" in group.targets:
            group.deregister([{"Id": id, "Port": port}])
    for arn, id, port in sorted(after.keys() - before.keys()):
        if arn in groups:
            groups[arn].register([{"Id": id, "Port": port}])
    for (arn, id, port), task in after.items():
        if arn in groups:
            _set_health(groups[arn], (id, port), task)


def _set_health(group: TargetGroup, key: tuple[str, int], task: Task) -> None:
    if task.health == "HEALTHY":
        group.health.pop(key, None)
    elif task.health == "UNHEALTHY":
        reason = task.definition.outcome.unhealthy_reason
        code = next((code for words, code in CODES if reason.startswith(words)), UNHEALTHY)
        group.health[key] = ("unhealthy", code, reason)
    else:
        group.health[key] = INITIAL
