"""What the ECS API answers: the model's records and the requests behind them, in the API's shapes.

Source: the service model that botocore ships (ecs, 2014-11-13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from slpnb.ecs.scheduler.deployment import threshold
from slpnb.ecs.scheduler.state import STARTING, Deployment, Instance, Service, State, Task
from slpnb.local.ecs import instances as ecs_instances
from slpnb.local.ecs.services import ServiceRecord
from slpnb.local.ecs.targets import host_port

if TYPE_CHECKING:
    from slpnb.local.ecs.model import Ecs

REQUESTED = (
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "availabilityZoneRebalancing",
)


def service(ecs: Ecs, record: ServiceRecord, *, tags: bool = True) -> dict[str, Any]:
    """A service, with its deployments and its newest events."""
    model = ecs.state.services[record.key]
    request = record.request
    tasks = ecs.state.of_service(record.key)
    lists = {name: request.get(name) or [] for name in ("loadBalancers", "serviceRegistries")}
    shown = {name: request[name] for name in REQUESTED if request.get(name) not in (None, [])} | lists
    return shown | {
        "serviceArn": record.arn,
        "serviceName": record.name,
        "clusterArn": ecs.arn("cluster", record.cluster_name),
        "status": model.status,
        "desiredCount": model.desired,
        "runningCount": sum(task.status == "RUNNING" for task in tasks),
        "pendingCount": sum(task.status in STARTING for task in tasks),
        "taskDefinition": model.definition.arn,
        "deployments": [deployment(ecs, record, one) for one in model.deployments],
        "events": [{"id": one.id, "createdAt": ecs.time(one.at), "message": one.message} for one in model.events],
        "createdAt": ecs.time(model.created_at),
        "createdBy": f"arn:{ecs.partition}:iam::{ecs.account_id}:root",
        "placementConstraints": request.get("placementConstraints") or [],
        "placementStrategy": request.get("placementStrategy") or [],
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": bool(request.get("enableECSManagedTags")),
        "propagateTags": request.get("propagateTags") or "NONE",
        "enableExecuteCommand": bool(request.get("enableExecuteCommand")),
        "roleArn": _role(ecs, request),
        "tags": record.tags if tags else None,
        **_current(ecs, record, model),
    }


def _role(ecs: Ecs, request: dict[str, Any]) -> str | None:
    """The service-linked role that registers targets."""
    name = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    return f"arn:{ecs.partition}:iam::{ecs.account_id}:{name}" if request.get("loadBalancers") else None


def _current(ecs: Ecs, record: ServiceRecord, model: Service) -> dict[str, Any]:
    running = next((one for one in model.deployments if one.rollout == "IN_PROGRESS" and one.status == "PRIMARY"), None)
    return {
        "currentServiceDeployment": deployment_arn(ecs, record, running) if running else None,
        "currentServiceRevisions": [
            {"arn": revision_arn(ecs, record, one), **_revision_counts(ecs.state, model, one)}
            for one in model.deployments
        ],
    }


def deployment(ecs: Ecs, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """One deployment of a service."""
    model, request = ecs.state.services[record.key], record.request
    tasks = [task for task in ecs.state.of_service(record.key) if task.deployment == one.id]
    return {
        "id": one.id,
        "status": one.status,
        "taskDefinition": one.definition.arn,
        "desiredCount": model.desired if one.status == "PRIMARY" and one.rollout != "FAILED" else 0,
        "pendingCount": sum(task.status in STARTING for task in tasks),
        "runningCount": sum(task.status == "RUNNING" for task in tasks),
        "failedTasks": one.failed,
        "createdAt": ecs.time(one.created_at),
        "updatedAt": ecs.time(one.updated_at),
        "launchType": request.get("launchType"),
        "capacityProviderStrategy": request.get("capacityProviderStrategy") or None,
        "networkConfiguration": request.get("networkConfiguration"),
        "rolloutState": one.rollout,
        "rolloutStateReason": one.reason,
    }


def deployment_arn(ecs: Ecs, record: ServiceRecord, one: Deployment) -> str:
    """The ARN of a service deployment."""
    return ecs.arn("service-deployment", f"{record.key}/{_name(one)}")


def revision_arn(ecs: Ecs, record: ServiceRecord, one: Deployment) -> str:
    """The ARN of a service revision: what a deployment deploys."""
    return ecs.arn("service-revision", f"{record.key}/{one.id.removeprefix('ecs-svc/')}")


def _name(one: Deployment) -> str:
    return hashlib.sha256(one.id.encode()).hexdigest()[:21]


def all_deployments(model: Service) -> list[Deployment]:
    """Those in progress and those that are over, newest first."""
    everyone = {one.id: one for one in (*model.past, *model.deployments)}
    return sorted(everyone.values(), key=lambda one: one.id, reverse=True)


def deployment_status(model: Service, one: Deployment) -> str:
    """ServiceDeploymentStatus: a rolled back deployment ends as the rollback does."""
    if one.rollout == "FAILED":
        back = next((other for other in all_deployments(model) if other.rollback_of == one.id), None)
        ends = {"IN_PROGRESS": "ROLLBACK_IN_PROGRESS", "COMPLETED": "ROLLBACK_SUCCESSFUL", "FAILED": "ROLLBACK_FAILED"}
        return ends[back.rollout] if back else "STOPPED"
    if one.rollout == "COMPLETED" or one.rollback_of:
        return "SUCCESSFUL"
    return "IN_PROGRESS" if one.status == "PRIMARY" else "STOPPED"


def service_deployment(ecs: Ecs, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """A service deployment as DescribeServiceDeployments shows it; ListServiceDeployments shows part of this."""
    model = ecs.state.services[record.key]
    target = {"arn": revision_arn(ecs, record, one), **_revision_counts(ecs.state, model, one)}
    before = next((other for other in all_deployments(model) if other.id < one.id), None)
    back = next((other for other in all_deployments(model) if other.rollback_of == one.id), None)
    return {
        "serviceDeploymentArn": deployment_arn(ecs, record, one),
        "serviceArn": record.arn,
        "clusterArn": ecs.arn("cluster", record.cluster_name),
        "createdAt": ecs.time(one.created_at),
        "startedAt": ecs.time(one.created_at),
        "updatedAt": ecs.time(one.updated_at),
        "finishedAt": ecs.time(one.finished_at),
        "sourceServiceRevisions": [_source(ecs, record, model, before)] if before else [],
        "targetServiceRevision": target,
        "targetServiceRevisionArn": target["arn"],
        "status": deployment_status(model, one),
        "statusReason": one.reason if one.rollout == "FAILED" else None,
        "deploymentConfiguration": record.request["deploymentConfiguration"],
        "rollback": _rollback(ecs, record, one, back),
        "deploymentCircuitBreaker": _breaker(model, one),
    }


def _source(ecs: Ecs, record: ServiceRecord, model: Service, before: Deployment) -> dict[str, Any]:
    return {"arn": revision_arn(ecs, record, before), **_revision_counts(ecs.state, model, before)}


def _rollback(ecs: Ecs, record: ServiceRecord, one: Deployment, back: Deployment | None) -> dict[str, Any] | None:
    if back is None:
        return None
    return {
        "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        "startedAt": ecs.time(one.finished_at),
        "serviceRevisionArn": revision_arn(ecs, record, back),
    }


def _breaker(model: Service, one: Deployment) -> dict[str, Any]:
    limit = threshold(model.breaker, model.desired)
    if not model.breaker.enable:
        return {"status": "DISABLED", "failureCount": 0, "threshold": 0}
    over = "TRIGGERED" if one.rollout == "FAILED" else "MONITORING_COMPLETE"
    return {
        "status": "MONITORING" if one.rollout == "IN_PROGRESS" else over,
        "failureCount": one.failed,
        "threshold": limit,
    }


def _revision_counts(state: State, model: Service, one: Deployment) -> dict[str, int]:
    tasks = [task for task in state.of_service(model.key) if task.deployment == one.id]
    return {
        "requestedTaskCount": model.desired if one.status == "PRIMARY" and one.rollout != "FAILED" else 0,
        "runningTaskCount": sum(task.status == "RUNNING" for task in tasks),
        "pendingTaskCount": sum(task.status in STARTING for task in tasks),
    }


def service_revision(ecs: Ecs, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """What one deployment deployed. Load balancers and network are the service's present ones."""
    images = ecs.definition_of(one.definition)["containerDefinitions"]
    keys = ("capacityProviderStrategy", "launchType", "loadBalancers", "serviceRegistries", "networkConfiguration")
    return {name: record.request.get(name) or None for name in keys} | {
        "serviceRevisionArn": revision_arn(ecs, record, one),
        "serviceArn": record.arn,
        "clusterArn": ecs.arn("cluster", record.cluster_name),
        "taskDefinition": one.definition.arn,
        "containerImages": [{"containerName": image["name"], "image": image["image"]} for image in images],
        "guardDutyEnabled": False,
        "createdAt": ecs.time(one.created_at),
    }


def task(ecs: Ecs, one: Task, *, tags: bool = True) -> dict[str, Any]:
    """A task with its containers."""
    record, instance = ecs.record(one), ecs.state.instances.get(one.instance)
    facts = ecs.definition_of(one)
    return {
        "taskArn": record.task_arn,
        "clusterArn": ecs.arn("cluster", one.cluster),
        "taskDefinitionArn": one.definition.arn,
        "containerInstanceArn": ecs.arn("container-instance", f"{one.cluster}/{one.instance}")
        if one.instance
        else None,
        "availabilityZone": instance.room.zone if instance else None,
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
        "containers": [_container(ecs, one, container, facts) for container in facts["containerDefinitions"]],
        "attachments": _attachments(record, one),
        "attributes": [{"name": name, "value": value} for name, value in one.definition.needs.attributes if value],
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **record.overrides},
        "enableExecuteCommand": record.execute_command,
        "connectivity": "CONNECTED" if one.instance and one.status != "STOPPED" else None,
        "tags": record.tags if tags else None,
        **_times(ecs, one),
    }


def _times(ecs: Ecs, one: Task) -> dict[str, Any]:
    stopped = {"stopCode": one.stop_code or None, "stoppedReason": one.stopped_reason or None}
    return stopped | {
        "createdAt": ecs.time(one.created_at),
        "connectivityAt": ecs.time(one.placed_at),
        "pullStartedAt": ecs.time(one.placed_at),
        "pullStoppedAt": ecs.time(one.started_at and one.started_at - one.definition.outcome.start_seconds),
        "startedAt": ecs.time(one.started_at),
        "stoppingAt": ecs.time(one.stopping_at),
        "executionStoppedAt": ecs.time(one.stopped_at if one.started_at is not None else None),
        "stoppedAt": ecs.time(one.stopped_at),
    }


def _container(ecs: Ecs, one: Task, container: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    record = ecs.record(one)
    up = one.started_at is not None
    last = "STOPPED" if one.status in ("DEPROVISIONING", "STOPPED") else "RUNNING" if up else "PENDING"
    name = hashlib.sha256(f"{one.id}/{container['name']}".encode()).hexdigest()
    return {
        "containerArn": ecs.arn("container", f"{one.cluster}/{one.id}/{name[:8]}-{name[8:12]}-4000-8000-{name[12:24]}"),
        "taskArn": record.task_arn,
        "name": container["name"],
        "image": container.get("image"),
        "imageDigest": container.get("image", "").partition("@")[2] or None,
        "runtimeId": name if up else None,
        "lastStatus": last,
        **_end(record, one, container["name"], last),
        "networkBindings": _bindings(one, container, facts) if up and last == "RUNNING" else [],
        "networkInterfaces": _interfaces(record, one),
        "healthStatus": one.health if container.get("healthCheck") else "UNKNOWN",
        "cpu": str(container.get("cpu", 0)),
        "memory": _text(container.get("memory")),
        "memoryReservation": _text(container.get("memoryReservation")),
    }


def _end(record: Any, one: Task, name: str, last: str) -> dict[str, Any]:
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


def _bindings(one: Task, container: dict[str, Any], facts: dict[str, Any]) -> list[dict[str, Any]]:
    if facts["networkMode"] not in ("bridge", "host"):
        return []
    return [
        {
            "bindIP": "0.0.0.0",  # noqa: S104  what Docker binds a published port to
            "containerPort": mapping["containerPort"],
            "hostPort": host_port(one, facts, container["name"], mapping["containerPort"]),
            "protocol": mapping.get("protocol", "tcp"),
        }
        for mapping in container.get("portMappings", ())
    ]


def _interfaces(record: Any, one: Task) -> list[dict[str, Any]]:
    if record.interface is None:
        return []
    return [{"attachmentId": one.id, "privateIpv4Address": record.interface.private_ip_address}]


def _attachments(record: Any, one: Task) -> list[dict[str, Any]]:
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


def container_instance(ecs: Ecs, one: Instance) -> dict[str, Any]:
    """A container instance: what it registered, what is left, and its attributes."""
    tasks = ecs.state.on_instance(one.id)
    provider = next(
        (known.name for known in ecs.state.providers.values() if one.group and known.group == one.group), None
    )
    return {
        "containerInstanceArn": ecs.arn("container-instance", f"{one.cluster}/{one.id}"),
        "ec2InstanceId": one.ec2_id,
        "capacityProviderName": provider,
        "version": 1,
        "versionInfo": ecs_instances.AGENT_VERSION,
        "registeredResources": ecs_instances.registered_resources(one.room),
        "remainingResources": ecs_instances.registered_resources(one.free),
        "status": one.status,
        "agentConnected": True,
        "runningTasksCount": sum(task.status == "RUNNING" for task in tasks),
        "pendingTasksCount": sum(task.status in STARTING for task in tasks),
        "attributes": [_attribute(name, value) for name, value in sorted(one.room.attributes.items())],
        "registeredAt": ecs.time(one.registered_at),
        "attachments": [],
        "tags": [],
        "healthStatus": {"overallStatus": "OK"},
    }


def _attribute(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value} if value else {"name": name}


def cluster(ecs: Ecs, one: Any, include: Iterable[str] = ()) -> dict[str, Any]:
    """A cluster with its counts; tags, settings and configuration where they are asked for."""
    state, wanted = ecs.state, set(include)
    tasks = [task for task in state.tasks.values() if task.cluster == one.name]
    services = [known for known in state.services.values() if known.cluster == one.name and known.status == "ACTIVE"]
    return {
        "clusterArn": one.arn,
        "clusterName": one.name,
        "status": one.status,
        "registeredContainerInstancesCount": len(ecs.registered_instances(one.name)),
        "runningTasksCount": sum(task.status == "RUNNING" for task in tasks),
        "pendingTasksCount": sum(task.status in STARTING for task in tasks),
        "activeServicesCount": len(services),
        "statistics": [],
        "capacityProviders": one.capacity_providers or [],
        "defaultCapacityProviderStrategy": one.default_capacity_provider_strategy or [],
        "serviceConnectDefaults": one.service_connect_defaults,
        "tags": (one.tags or []) if "TAGS" in wanted else [],
        "settings": one.settings if "SETTINGS" in wanted else [],
        "configuration": one.configuration if "CONFIGURATIONS" in wanted else None,
    }


def capacity_provider(one: Any, include: Iterable[str] = ()) -> dict[str, Any]:
    """A capacity provider."""
    return {
        "capacityProviderArn": one.capacity_provider_arn,
        "name": one.name,
        "status": one.status,
        "autoScalingGroupProvider": one.auto_scaling_group_provider,
        "updateStatus": one.update_status,
        "updateStatusReason": getattr(one, "update_status_reason", None),
        "type": "EC2_AUTOSCALING",
        "tags": (one.tags or []) if "TAGS" in set(include) else [],
    }
