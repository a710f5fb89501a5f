"""What RegisterTaskDefinition refuses. Pure: a request in, ECS's sentence out.

Sources: Amazon ECS API reference, RegisterTaskDefinition, ContainerDefinition, HealthCheck, EFSVolumeConfiguration;
docs/ecs-facts.md, "RegisterTaskDefinition". The sentences are ECS's own where issues of public tools quote them
(named there), else the rule in the API reference's words.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from slpnb.config.allowed import ECS_NAME
from slpnb.ecs import resources
from slpnb.local.base.refusal import Refusal

Document = Mapping[str, Any]
Sentences = Iterator[str]
SIZES = {"memory": range(resources.MINIMUM_MEMORY_MIB, sys.maxsize), "cpu": range(128, 196608 + 1)}
PORTS = range(65536)
HEALTH_CHECK = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}
LOG_OPTIONS = {"awslogs": ("awslogs-region", "awslogs-group")}


def check(request: Document) -> None:
    """Refuse a task definition, as RegisterTaskDefinition's own JSON, by the first rule that it breaks."""
    for rule in (_names, _sizes, _fargate, _network, _memory, _cpu, _order, _volumes, _roles, _logs, _health_checks):
        for sentence in rule(request):
            raise Refusal("ClientException", sentence)


def _containers(request: Document) -> Iterable[Document]:
    return request.get("containerDefinitions") or ()


def _names(request: Document) -> Sentences:
    if not ECS_NAME.allows(request.get("family") or ""):
        yield "Family contains invalid characters."
    if not _containers(request):
        yield "Container list cannot be empty."
    yield from _members("Container", _containers(request), "name", "image")
    yield from _members("Volume", request.get("volumes") or (), "name")
    if not any(one.get("essential", True) for one in _containers(request)):
        yield "A task definition must have at least one essential container."


def _members(kind: str, items: Iterable[Document], *required: str) -> Sentences:
    for one in items:
        yield from (f"{kind}.{member} should not be null or empty." for member in required if not one.get(member))
        if not ECS_NAME.allows(one["name"]):
            yield f"{kind}.name contains invalid characters."
    yield from (f"{kind} name '{name}' is used more than once." for name in _twice(one["name"] for one in items))


def _twice(items: Iterable[Any]) -> Iterator[Any]:
    return (item for item, count in Counter(items).items() if count > 1)


def _sizes(request: Document) -> Sentences:
    for resource, allowed in SIZES.items():
        try:
            right = resources.task_size(request, resource) in allowed or not request.get(resource)
        except ValueError:
            right = False
        if not right:
            yield f"Invalid '{resource}' setting for task."


def _fargate(request: Document) -> Sentences:
    if "FARGATE" not in (request.get("requiresCompatibilities") or ()):
        return
    if request.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode ‘awsvpc’."
    yield from (
        f"Fargate requires that '{resource}' be defined at the task level."
        for resource in ("cpu", "memory")
        if not request.get(resource)
    )


def _network(request: Document) -> Sentences:
    mode = request.get("networkMode") or "bridge"
    mappings = [(one["name"], port) for one in _containers(request) for port in one.get("portMappings") or ()]
    for name, port in mappings:
        yield from _port(mode, name, port)
    # In bridge mode a container's ports are its own, and host port 0 is any; else all are the host's or the task's.
    used = ((port.get("protocol") or "tcp", _host_port(mode, port)) for _, port in mappings)
    for protocol, number in _twice(one for one in used if one[1]):
        yield f"Host port {number}/{protocol} is mapped more than once."
    if mode != "bridge" and any(one.get("links") for one in _containers(request)):
        yield f"Links are not supported when networkMode={mode}."


def _host_port(mode: str, port: Document) -> int:
    return int(port.get("hostPort") or (port.get("containerPort") if mode != "bridge" else 0) or 0)


def _port(mode: str, name: str, port: Document) -> Sentences:
    if mode == "none":
        yield f"Port mappings are not supported when networkMode={mode}."
    if not port.get("containerPortRange") and port.get("containerPort") not in PORTS[1:]:
        yield f"Invalid 'containerPort' setting for container '{name}'."
    if (port.get("hostPort") or 0) not in PORTS:
        yield f"Invalid 'hostPort' setting for container '{name}'."
    if mode in ("awsvpc", "host") and port.get("hostPort") not in (None, 0, port.get("containerPort")):
        yield f"When networkMode={mode}, the host ports and container ports in port mappings must match."


def _memory(request: Document) -> Sentences:
    task = resources.task_size(request, "memory")
    for one in _containers(request):
        yield from _container_memory(one, task)
    if task and sum(one.get("memoryReservation") or one.get("memory") or 0 for one in _containers(request)) > task:
        yield (
            "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'."
        )


def _container_memory(one: Document, task: int) -> Sentences:
    setting = f"setting for container '{one['name']}'"
    given = [one[name] for name in ("memory", "memoryReservation") if one.get(name) is not None]
    if not given and not task:
        yield f"Invalid {setting}. At least one of 'memory' or 'memoryReservation' must be specified."
    if any(mib < resources.MINIMUM_MEMORY_MIB for mib in given):
        yield f"Invalid 'memory' {setting}: the minimum is {resources.MINIMUM_MEMORY_MIB} MiB."
    if len(given) == 2 and given[1] > given[0]:
        yield f"Invalid {setting}. 'memory' must be greater than or equal to 'memoryReservation'."
    if task and any(mib > task for mib in given):
        yield f"The 'memory' {setting} is greater than for the task."


def _cpu(request: Document) -> Sentences:
    task = resources.task_size(request, "cpu")
    if task and sum(one.get("cpu") or 0 for one in _containers(request)) > task:
        yield "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."


def _order(request: Document) -> Sentences:
    containers = {one["name"]: one for one in _containers(request)}
    for one in containers.values():
        for other in one.get("dependsOn") or ():
            name, condition = other.get("containerName"), other.get("condition")
            if name not in containers:
                yield f"Cannot depend on container + '{name}' because it does not exist"
            elif condition in ("SUCCESS", "COMPLETE") and containers[name].get("essential", True):
                yield "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
    after = {name: [other["containerName"] for other in one.get("dependsOn") or ()] for name, one in containers.items()}
    links = {name: [link.partition(":")[0] for link in one.get("links") or ()] for name, one in containers.items()}
    for kind, graph in (("dependencies", after), ("links", links)):
        if _cyclic(graph):
            yield f"Container {kind} should not have a cycle"


def _cyclic(graph: Mapping[str, Iterable[str]]) -> bool:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def _volumes(request: Document) -> Sentences:
    volumes = request.get("volumes") or ()
    known = {one["name"] for one in volumes}
    mounted = [mount.get("sourceVolume") for one in _containers(request) for mount in one.get("mountPoints") or ()]
    yield from (f"Unknown volume '{name or 'null'}'." for name in mounted if name not in known)
    for efs in (one.get("efsVolumeConfiguration") or {} for one in volumes):
        authorization = efs.get("authorizationConfig") or {}
        point, iam = authorization.get("accessPointId"), authorization.get("iam") == "ENABLED"
        if point and efs.get("rootDirectory") not in (None, "", "/"):
            yield 'When using an EFS access point, the root directory must either be set to "/" or be omitted.'
        if (point or iam) and efs.get("transitEncryption") != "ENABLED":
            yield f"Transit encryption must be ENABLED when using {'an EFS access point' if point else 'EFS with IAM'}."


def _roles(request: Document) -> Sentences:
    if request.get("executionRoleArn"):
        return
    for one in _containers(request):
        if one.get("secrets") is not None or (one.get("logConfiguration") or {}).get("secretOptions"):
            yield "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        if one.get("repositoryCredentials"):
            yield (
                "Private repository authentication requires that the task definition specify a value for "
                "executionRoleArn."
            )


def _logs(request: Document) -> Sentences:
    for log in (one.get("logConfiguration") or {} for one in _containers(request)):
        driver, options = log.get("logDriver", ""), log.get("options") or {}
        missing = [name for name in LOG_OPTIONS.get(driver, ()) if not options.get(name)]
        if missing:
            yield f"Log driver {driver} requires options: {', '.join(missing)}"


def _health_checks(request: Document) -> Sentences:
    for one in _containers(request):
        check = one.get("healthCheck") or {}
        setting = f"setting for container '{one['name']}'"
        if check and (check.get("command") or [""])[0] not in ("CMD", "CMD-SHELL"):
            yield f"Invalid 'healthCheck.command' {setting}: it must begin with CMD or CMD-SHELL."
        for name, (low, high) in HEALTH_CHECK.items():
            if not low <= (low if check.get(name) is None else check[name]) <= high:
                yield f"Invalid 'healthCheck.{name}' {setting}: it must be between {low} and {high}."
