"""A task and its containers in the shapes of the ECS API."""

from __future__ import annotations

import hashlib
from typing import Any

from slpnb.ecs.scheduler.state import Task
from slpnb.local.ecs.definitions import Document
from slpnb.local.ecs.records import TaskRecord
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.targets import host_port


def task(region: Region, one: Task, document: Document, *, tags: bool = True) -> dict[str, Any]:
    """A task with its containers, which are those of ``document``, its task definition."""
    record, instance = region.task_record(one), region.state.instances.get(one.instance)
    return {
        "taskArn": record.task_arn,
        "clusterArn": region.arn("cluster", one.cluster),
        "taskDefinitionArn": one.definition.arn,
        "containerInstanceArn": region.arn("container-instance", f"{one.cluster}/{one.instance}")
        if one.instance
        else None,
        "availabilityZone": instance.registered.zone if instance else None,
        "lastStatus": one.status,
        "desiredStatus": one.desired_status,
        "launchType": record.launch_type or "EC2",
        "capacityProviderName": one.provider or None,
        "group": one.group,
        "startedBy": record.started_by or None,
        "version": 1,
        "cpu": str(one.definition.needs.cpu_units),
        "memory": str(one.definition.needs.memory_mib),
        "healthStatus": one.health if one.definition.check_seconds else "UNKNOWN",
        "containers": [_container(region, one, container, document) for container in document["containerDefinitions"]],
        "attachments": _attachments(record, one),
        "attributes": [{"name": name, "value": value} for name, value in one.definition.needs.attributes if value],
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **record.overrides},
        "enableExecuteCommand": record.execute_command,
        "connectivity": "CONNECTED" if one.instance and one.status != "STOPPED" else None,
        "tags": record.tags if tags else None,
        **_times(region, one),
    }


def _times(region: Region, one: Task) -> dict[str, Any]:
    stopped = {"stopCode": one.stop_code or None, "stoppedReason": one.stopped_reason or None}
    return stopped | {
        "createdAt": region.time(one.created_at),
        "connectivityAt": region.time(one.placed_at),
        "pullStartedAt": region.time(one.placed_at),
        "pullStoppedAt": region.time(one.started_at and one.started_at - one.definition.outcome.start_seconds),
        "startedAt": region.time(one.started_at),
        "stoppingAt": region.time(one.stopping_at),
        "executionStoppedAt": region.time(one.stopped_at if one.started_at is not None else None),
        "stoppedAt": region.time(one.stopped_at),
    }


def _container(region: Region, one: Task, container: dict[str, Any], document: Document) -> dict[str, Any]:
    record = region.task_record(one)
    up = one.started_at is not None
    last = "STOPPED" if one.status in ("DEPROVISIONING", "STOPPED") else "RUNNING" if up else "PENDING"
    name = hashlib.sha256(f"{one.id}/{container['name']}".encode()).hexdigest()
    id = f"{name[:8]}-{name[8:12]}-4000-8000-{name[12:24]}"
    return {
        "containerArn": region.arn("container", f"{one.cluster}/{one.id}/{id}"),
        "taskArn": record.task_arn,
        "name": container["name"],
        "image": container.get("image"),
        "imageDigest": container.get("image", "").partition("@")[2] or None,
        "runtimeId": name if up else None,
        "lastStatus": last,
        **_end(record, one, container["name"], last),
        "networkBindings": _bindings(one, container, document) if up and last == "RUNNING" else [],
        "networkInterfaces": _interfaces(record, one),
        "healthStatus": one.health if container.get("healthCheck") else "UNKNOWN",
        "cpu": str(container.get("cpu", 0)),
        "memory": _text(container.get("memory")),
        "memoryReservation": _text(container.get("memoryReservation")),
    }


def _end(record: TaskRecord, one: Task, name: str, last: str) -> dict[str, Any]:
    """Exit code and reason of a container: its own where it is a real one."""
    own = record.ends.get(name)
    if own is not None:
        return {"exitCode": own.exit_code if last == "STOPPED" else None, "reason": own.reason or None}
    return {
        "exitCode": one.exit_code if last == "STOPPED" else None,
        "reason": one.stopped_reason if one.stop_code == "TaskFailedToStart" and one.instance else None,
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _bindings(one: Task, container: dict[str, Any], document: Document) -> list[dict[str, Any]]:
    if document["networkMode"] not in ("bridge", "host"):
        return []
    return [
        {
            "bindIP": "0.0.0.0",  # noqa: S104  what Docker binds a published port to
            "containerPort": mapping["containerPort"],
            "hostPort": host_port(one, document, container["name"], mapping["containerPort"]),
            "protocol": mapping.get("protocol", "tcp"),
        }
        for mapping in container.get("portMappings", ())
    ]


def _interfaces(record: TaskRecord, one: Task) -> list[dict[str, Any]]:
    if record.interface is None:
        return []
    return [{"attachmentId": one.id, "privateIpv4Address": record.interface.private_ip_address}]


def _attachments(record: TaskRecord, one: Task) -> list[dict[str, Any]]:
    if record.interface is None:
        return []
    card = record.interface
    details = {
        "subnetId": card.subnet.id,
        "networkInterfaceId": card.id,
        "macAddress": card.mac_address,
        "privateDnsName": card.private_dns_name,
        "privateIPv4Address": card.private_ip_address,
    }
    return [
        {
            "id": one.id,
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if one.status == "STOPPED" else "ATTACHED",
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }
    ]
