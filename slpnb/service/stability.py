"""Waiting until the requested revision is the one that runs: not until the service is "stable".

AWS's own waiter calls a service stable after the circuit breaker has rolled it back. Here a
deployment has succeeded only when the PRIMARY deployment runs the requested task definition, its
rollout is COMPLETED, the counts agree and the targets are healthy. Source: docs/ecs-facts.md, "Success of a release",
"Success is the requested revision" and "Messages and their causes"; Amazon ECS Developer Guide,
"How the Amazon ECS deployment circuit breaker detects failures".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from slpnb import cluster, task
from slpnb.aws import Aws, batches
from slpnb.errors import VerificationError
from slpnb.words import counted

POLL_SECONDS = 15
EVENTS_SHOWN = 3
TASKS_AT_ONCE = 100  # DescribeTasks takes no more

# What ECS writes, and what it means ("Messages and their causes"); the first match is reported.
CAUSES: tuple[tuple[str, str], ...] = (
    ("insufficient memory", "no instance has enough unclaimed memory; 60_sizing says by how much it is short"),
    ("insufficient CPU", "no instance has enough unclaimed CPU units; 60_sizing says by how many it is short"),
    ("already using a port", "the host port is taken: with a static port, each instance takes one task"),
    ('"AGENT"', "the instance's ECS agent is disconnected"),
    ("missing an attribute", "no instance has what the task requires, such as its CPU architecture"),
    ("No Container Instances were found", "no instance has registered with the cluster"),
    ("RESOURCE:GPU", "no instance has a GPU"),
    ("RESOURCE:ENI", "no instance has a network interface left for the task"),
    (
        "service deployment configuration",
        "the minimum rounds up and the maximum rounds down: no task may be stopped and none started",
    ),
    ("exec format error", "the image was built for a CPU architecture other than the instance's"),
    ("does not contain descriptor matching platform", "the image has no variant for the instance's architecture"),
    ("CannotPullContainerError", "the image cannot be pulled: name, tag, route to the registry, disk or permission"),
    ("OutOfMemoryError", "the container reached its hard memory limit and was killed"),
    ("ResourceInitializationError", "the execution role, or the route to Secrets Manager"),
    ("mounting volume failed", "the uploads cannot be mounted: mount target, port 2049 or policy of the file system"),
    ("failed ELB health checks", "the load balancer's health check fails: path, port, security group, or slow start"),
    ("is unhealthy in", "the load balancer's health check fails: path, port, security group, or slow start"),
    ("unable to consistently start tasks", "tasks stop before they are RUNNING, and ECS tries less and less often"),
    ("tasks failed to start", "as many tasks failed as the circuit breaker's threshold"),
    ("Essential container in task exited", "the container's own process ended: its log says why"),
)
PROVISIONING = (
    "tasks wait in PROVISIONING: a task larger than the smallest instance type, a group at its maximum, "
    "an instance that never registered, or its warm-up"
)

Outcome = Literal["completed", "waiting", "failed"]


@dataclass(frozen=True)
class Look:
    """The result of checking the service once: done, not yet, or never; ``seen`` has the numbers."""

    outcome: Outcome
    seen: str
    rollout: str
    running: int
    desired: int
    pending: int
    healthy: int


def judge(service: Mapping[str, Any], task_definition: str, healthy: int = 0) -> Look:
    """Whether one answer of DescribeServices shows the requested revision running. Pure.

    ``task_definition`` is family:revision, ``healthy`` how many targets of the service are.
    """
    primaries = [one for one in service["deployments"] if one["status"] == "PRIMARY"]
    primary: Mapping[str, Any] = primaries[0] if primaries else {}
    outcome, why = _outcome(service, primary, task_definition, healthy)
    running, desired, pending = (service[f"{name}Count"] for name in ("running", "desired", "pending"))
    rollout = primary.get("rolloutState", "IN_PROGRESS")
    return Look(outcome, why, rollout, running, desired, pending, healthy)


def _outcome(service: Mapping[str, Any], primary: Mapping[str, Any], wanted: str, healthy: int) -> tuple[Outcome, str]:
    runs = _revision(primary.get("taskDefinition", "nothing"))
    if runs != wanted:
        return "failed", _superseded(service, primary, wanted, runs)
    if primary.get("rolloutState") == "FAILED":
        reason = primary.get("rolloutStateReason", "").rstrip(".")
        return "failed", f"the deployment of {wanted} failed after {_failed(primary)} ({reason})"
    return _progress(service, primary, wanted, healthy)


def _superseded(service: Mapping[str, Any], primary: Mapping[str, Any], wanted: str, runs: str) -> str:
    """Another revision is the primary one: by a rollback, by someone else, or because the update never happened."""
    broken = [one for one in service["deployments"] if _revision(one["taskDefinition"]) == wanted]
    failed = [one for one in broken if one.get("rolloutState") == "FAILED"]
    if failed or _rolled_back(service, primary):
        tasks = f" after {_failed(failed[0])}" if failed else ""
        return f"rolled back from {wanted} to {runs} by the circuit breaker{tasks}"
    return f"the primary deployment runs {runs}, not {wanted}"


def _rolled_back(service: Mapping[str, Any], primary: Mapping[str, Any]) -> bool:
    """Whether the primary deployment took over again: ECS says so in its reason, and once it is done in an event."""
    if "rolling back" in primary.get("rolloutStateReason", ""):
        return True
    events = [event for event in service.get("events", []) if "rolling back" in event["message"]]
    return any("createdAt" in primary and event["createdAt"] >= primary["createdAt"] for event in events)


def _failed(deployment: Mapping[str, Any]) -> str:
    return counted(deployment.get("failedTasks", 0), "failed task")


def _progress(service: Mapping[str, Any], primary: Mapping[str, Any], wanted: str, healthy: int) -> tuple[Outcome, str]:
    """The requested revision is on its way: what is still missing, in ECS's own order."""
    running, desired = service["runningCount"], service["desiredCount"]
    old = sum(one["runningCount"] for one in service["deployments"] if one is not primary)
    if primary["runningCount"] < desired:
        return "waiting", f"{primary['runningCount']} of {desired} run {wanted}, {service['pendingCount']} pending"
    if old or {running, primary["runningCount"]} != {desired} or service["pendingCount"]:
        more = f", {old} of an older revision" if old else ""
        return "waiting", f"{running} run{more}, {service['pendingCount']} pending, {desired} wanted"
    if healthy < desired:
        return "waiting", f"{running} of {desired} run {wanted}, {healthy} healthy behind the load balancer"
    if primary.get("rolloutState") != "COMPLETED":
        return "waiting", f"{running} of {desired} run {wanted}, {healthy} healthy, the rollout is not yet COMPLETED"
    return "completed", f"{running} of {desired} run {wanted}, {healthy} healthy, the rollout is COMPLETED"


def as_rolled_back(service: Mapping[str, Any], to: str) -> dict[str, Any]:
    """The same answer as if the circuit breaker had gone back to the revision ``to``: what a waiter calls stable. Pure.

    For a notebook that shows what `judge` makes of it.
    """
    primary = next(one for one in service["deployments"] if one["status"] == "PRIMARY")
    reason = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0."
    back = {**primary, "taskDefinition": to, "rolloutState": "COMPLETED", "rolloutStateReason": reason}
    broken = {**primary, "status": "ACTIVE", "rolloutState": "FAILED", "runningCount": 0, "failedTasks": 3}
    return {**service, "taskDefinition": to, "deployments": [back, broken]}


def _revision(arn: str) -> str:
    return arn.rpartition("/")[2]


@dataclass(frozen=True)
class Watched:
    """What `watch` saw, one row per change of state; the last one is the requested revision running."""

    service: str
    task_definition: str
    looks: tuple[Look, ...]

    def __repr__(self) -> str:
        lines = [f"service {self.service}, waiting for {self.task_definition}"]
        return "\n".join([*lines, *(f"  {look.outcome:9}  {look.seen}" for look in self.looks)])

    def _repr_html_(self) -> str:
        names = ("rollout", "running", "desired", "pending", "healthy", "seen")
        head = "".join(f"<th>{name}</th>" for name in names)
        cells = [[str(getattr(look, name)) for name in names] for look in self.looks]
        rows = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>"
            for row in cells
        )
        title = f"service {self.service}, waiting for {self.task_definition}"
        return f"<p>{escape(title)}</p><table>{head}{rows}</table>"


def watch(aws: Aws, task_definition: str = "", tell: Callable[[str], None] | None = None) -> Watched:
    """Wait until the service in the parameters runs ``task_definition`` (family:revision; the newest by default).

    ``tell`` gets one line whenever the state changes; by default they go to stderr on the real
    AWS and nowhere on the embedded one, where waiting takes no time. Raises `VerificationError`
    when the deployment failed, was rolled back, or is not done after
    service.stable_timeout_minutes: with ECS's own last events, their cause, and the numbers.
    """
    wanted = task_definition or _newest(aws)
    tell = tell or (_quiet if aws.simulated else _to_stderr)
    looks: list[Look] = []
    waited, limit = 0, aws.config.service.stable_timeout_minutes * 60
    while True:
        service = describe(aws)
        look = judge(service, wanted, healthy_targets(aws, service))
        if not looks or looks[-1] != look:
            looks.append(look)
            tell(f"{aws.config.service.name}: {look.seen}")
        if look.outcome == "completed":
            return Watched(aws.config.service.name, wanted, tuple(looks))
        if look.outcome == "failed" or waited >= limit:
            late = "" if look.outcome == "failed" else f"after {limit // 60} minutes "
            raise VerificationError(_why_not(aws, service, wanted, late + look.seen))
        aws.wait(POLL_SECONDS)
        waited += POLL_SECONDS


def _quiet(_line: str) -> None:
    pass


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _newest(aws: Aws) -> str:
    found = task.find_definitions(aws).get("task-definition")
    if found is None:
        raise VerificationError(f"no revision of {aws.config.task.family} is registered: run 70_task first")
    return str(found.facts["revision"])


def describe(aws: Aws) -> dict[str, Any]:
    """The service in the parameters as DescribeServices returns it. Raises `VerificationError` when it is absent."""
    config = aws.config
    question = {"cluster": config.cluster.name, "services": [config.service.name]}
    absent = ("ClusterNotFoundException",)
    for service in aws.pages("ecs", "describe_services", "services", absent=absent, **question):
        if service["status"] == "ACTIVE":
            return dict(service)
    raise VerificationError(f"service {config.service.name} is not active in cluster {config.cluster.name}")


def healthy_targets(aws: Aws, service: Mapping[str, Any]) -> int:
    """How many targets of the service's target groups are healthy."""
    return sum(
        one["TargetHealth"]["State"] == "healthy"
        for balancer in service.get("loadBalancers", [])
        for one in targets(aws, balancer["targetGroupArn"])
    )


def targets(aws: Aws, target_group: str) -> list[dict[str, Any]]:
    """The targets of a group with their health, as DescribeTargetHealth answers."""
    absent = ("TargetGroupNotFound",)
    path = "TargetHealthDescriptions"
    return aws.pages("elbv2", "describe_target_health", path, TargetGroupArn=target_group, absent=absent)


# --- why not ------------------------------------------------------------------------------------------------


def _why_not(aws: Aws, service: Mapping[str, Any], wanted: str, seen: str) -> str:
    events, reasons = list(_events(service, wanted)), list(_stopped_reasons(aws))
    parts = [f"service {service['serviceName']} does not run {wanted}: {seen}"]
    parts += [f'ECS says: "{text}"' for text in events[:EVENTS_SHOWN]]
    parts += [f'a task stopped: "{text}"' for text in reasons[:1]]
    return "; ".join([*parts, f"cause: {cause([*reasons, *events])}", _remaining(aws)])


def _events(service: Mapping[str, Any], wanted: str) -> Iterator[str]:
    """The warnings among the events since the deployment began, newest first, each once, without ids."""
    began = [one["createdAt"] for one in service["deployments"] if _revision(one["taskDefinition"]) == wanted]
    texts = [
        without_ids(event["message"])
        for event in service.get("events", [])
        if not began or event["createdAt"] >= min(began)
    ]
    telling = [text for text in texts if any(pattern in text for pattern, _ in CAUSES)]
    yield from dict.fromkeys(telling or texts)


def stopped(aws: Aws, **asked: str) -> Iterator[dict[str, Any]]:
    """The stopped tasks that ECS still knows (about an hour), as DescribeTasks answers; ``asked`` says of what."""
    own = {"cluster": aws.config.cluster.name}
    known = aws.pages("ecs", "list_tasks", "taskArns", desiredStatus="STOPPED", **own, **asked)
    for arns in batches(known, TASKS_AT_ONCE):
        yield from aws.pages("ecs", "describe_tasks", "tasks", tasks=arns, **own)


def _stopped_reasons(aws: Aws) -> Iterator[str]:
    """Why tasks of the service stopped."""
    reasons = (reason for one in stopped(aws, serviceName=aws.config.service.name) for reason in _reasons(one))
    yield from dict.fromkeys(without_ids(reason) for reason in reasons if not reason.startswith("Scaling activity"))


def _reasons(stopped: Mapping[str, Any]) -> Iterator[str]:
    yield from (container["reason"] for container in stopped.get("containers", []) if container.get("reason"))
    if stopped.get("stoppedReason"):
        yield stopped["stoppedReason"]


def without_ids(message: str) -> str:
    """A message of ECS's without what differs from run to run: ARNs and ids."""
    message = re.sub(r"arn:aws[\w:/.-]+", "<arn>", message)
    message = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b", "<id>", message)
    return re.sub(r"\b(i-|ecs-svc/)[0-9a-f]+\b", r"\1<id>", message)


def cause(messages: Iterable[str]) -> str:
    """The cause of the first message that the catalogue knows. Pure."""
    every = list(messages)
    known = (meaning for text in every for pattern, meaning in CAUSES if pattern in text)
    return next(known, PROVISIONING if not every else "not among the known messages; the task's log may say more")


def _remaining(aws: Aws) -> str:
    """What one task asks for, against the most that any instance of the cluster has left."""
    needed = aws.config.task
    asked = f"one task asks for {needed.memory_mib} MiB and {needed.cpu_units} CPU units"
    instances = cluster.instances.described(aws, aws.config.cluster.name)
    left = [cluster.instances.amounts(one["remainingResources"]) for one in instances]
    if not left:
        return f"{asked}, and the cluster has no instance"
    memory, cpu = max(one["MEMORY"] for one in left), max(one["CPU"] for one in left)
    return (
        f"{asked}; of {counted(len(left), 'instance')} the one with the most has {memory} MiB and {cpu} CPU units left"
    )
