"""Container instances in the shapes of the ECS API."""

from __future__ import annotations

from typing import Any

from slpnb.ecs.resources import Instance
from slpnb.ecs.scheduler.state import ContainerInstance
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.shapes.counts import pending, running

AGENT_VERSION = {"agentVersion": "1.98.0", "agentHash": "simulated", "dockerVersion": "DockerVersion: simulated"}


def container_instance(region: Region, one: ContainerInstance) -> dict[str, Any]:
    """A container instance: what it registered, what is left, and its attributes."""
    tasks = region.state.on_instance(one.id)
    provider = next(
        (known.name for known in region.state.providers.values() if one.group and known.group == one.group), None
    )
    return {
        "containerInstanceArn": region.arn("container-instance", f"{one.cluster}/{one.id}"),
        "ec2InstanceId": one.ec2_id,
        "capacityProviderName": provider,
        "version": 1,
        "versionInfo": AGENT_VERSION,
        "registeredResources": _resources(one.registered),
        "remainingResources": _resources(one.remaining),
        "status": one.status,
        "agentConnected": True,
        "runningTasksCount": running(tasks),
        "pendingTasksCount": pending(tasks),
        "attributes": [_attribute(name, value) for name, value in sorted(one.registered.attributes.items())],
        "registeredAt": region.time(one.registered_at),
        "attachments": [],
        "tags": [],
        "healthStatus": {"overallStatus": "OK"},
    }


def attributes(region: Region, one: ContainerInstance) -> list[dict[str, str]]:
    """Its attributes as ListAttributes shows them: with the instance that they are of."""
    arn = region.arn("container-instance", f"{one.cluster}/{one.id}")
    return [
        {"name": name, "value": value, "targetId": arn} for name, value in sorted(one.registered.attributes.items())
    ]


def _attribute(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value} if value else {"name": name}


def _resources(space: Instance) -> list[dict[str, Any]]:
    """An instance as the API shows resources: CPU, MEMORY, PORTS (those in use), PORTS_UDP, and GPU where there are."""
    items = [_integer("CPU", space.cpu_units), _integer("MEMORY", space.memory_mib)]
    items.append(_set("PORTS", space.tcp_ports))
    items.append(_set("PORTS_UDP", space.udp_ports))
    return items + ([_integer("GPU", space.gpus)] if space.gpus else [])


def _integer(name: str, value: int) -> dict[str, Any]:
    return {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}


def _set(name: str, ports: frozenset[int]) -> dict[str, Any]:
    values = [str(port) for port in sorted(ports)]
    return {**_integer(name, 0), "type": "STRINGSET", "stringSetValue": values}
