"""Targets of the services' tasks: registered as they start, drained as they stop, healthy as their checks pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slpnb.ecs.scheduler.state import State, Task

Target = tuple[str, str, int]  # target group ARN, instance id or address, port
INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
UNHEALTHY = "Target.FailedHealthChecks"
# ALB user guide, "Target health reason codes"
CODES = (
    ("Health checks failed with these codes", "Target.ResponseCodeMismatch"),
    ("Request timed out", "Target.Timeout"),
)


def wanted(state: State, places: Mapping[str, list[tuple[str, str, int]]]) -> dict[Target, Task]:
    """Every target that tasks have now; ``places`` says where each task answers (see `place`)."""
    return {
        target: task
        for task in state.tasks.values()
        if task.active and task.status in ("ACTIVATING", "RUNNING")
        for target in places.get(task.id, ())
    }


def place(
    task: Task, ec2_id: str, address: str, balancers: list[Mapping[str, Any]], definition: Mapping[str, Any]
) -> Iterator[Target]:
    """Where a task answers: the address and container port in awsvpc mode, else the instance and host port."""
    for balancer in balancers:
        port = int(balancer["containerPort"])
        if definition["networkMode"] == "awsvpc":
            yield balancer["targetGroupArn"], address, port
        else:
            yield balancer["targetGroupArn"], ec2_id, host_port(task, definition, balancer["containerName"], port)


def host_port(task: Task, definition: Mapping[str, Any], container: str, port: int) -> int:
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


def settle(groups: Mapping[str, Any], before: Mapping[Target, Task], after: Mapping[Target, Task]) -> None:
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


def _set_health(group: Any, key: tuple[str, int], task: Task) -> None:
    if task.health == "HEALTHY":
        group.health.pop(key, None)
    elif task.health == "UNHEALTHY":
        reason = task.definition.outcome.unhealthy_reason
        code = next((code for words, code in CODES if reason.startswith(words)), UNHEALTHY)
        group.health[key] = ("unhealthy", code, reason)
    else:
        group.health[key] = INITIAL
