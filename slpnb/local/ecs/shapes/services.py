"""A service and its revisions in the shapes of the ECS API."""

from __future__ import annotations

from typing import Any

from slpnb.ecs.scheduler.state import Deployment, Service
from slpnb.local.ecs.definitions import Document
from slpnb.local.ecs.records import ServiceRecord
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.shapes.counts import pending, running
from slpnb.local.ecs.shapes.deployments import deployment, deployment_arn, revision, revision_arn

LISTS = ("loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy")  # shown empty, too
REQUESTED = (
    "launchType",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "availabilityZoneRebalancing",
)


def service(region: Region, record: ServiceRecord, *, tags: bool = True) -> dict[str, Any]:
    """A service, with its deployments and its newest events."""
    model = region.state.services[record.key]
    request = record.request
    tasks = region.state.of_service(record.key)
    shown = {name: request[name] for name in REQUESTED if request.get(name) not in (None, [])}
    return {name: request.get(name) or [] for name in LISTS} | {
        **shown,
        "serviceArn": record.arn,
        "serviceName": record.name,
        "clusterArn": region.arn("cluster", record.cluster_name),
        "status": model.status,
        "desiredCount": model.desired,
        "runningCount": running(tasks),
        "pendingCount": pending(tasks),
        "taskDefinition": model.definition.arn,
        "deployments": [deployment(region, record, one) for one in model.deployments],
        "events": [{"id": one.id, "createdAt": region.time(one.at), "message": one.message} for one in model.events],
        "createdAt": region.time(model.created_at),
        "createdBy": f"arn:{region.partition}:iam::{region.account_id}:root",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": bool(request.get("enableECSManagedTags")),
        "propagateTags": request.get("propagateTags") or "NONE",
        "enableExecuteCommand": bool(request.get("enableExecuteCommand")),
        "roleArn": _role(region, request),
        "tags": record.tags if tags else None,
        **_current(region, record, model),
    }


def _role(region: Region, request: dict[str, Any]) -> str | None:
    """The service-linked role that registers targets."""
    name = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    return f"arn:{region.partition}:iam::{region.account_id}:{name}" if request.get("loadBalancers") else None


def _current(region: Region, record: ServiceRecord, model: Service) -> dict[str, Any]:
    ongoing = next((one for one in model.deployments if one.rollout == "IN_PROGRESS" and one.status == "PRIMARY"), None)
    return {
        "currentServiceDeployment": deployment_arn(region, record, ongoing) if ongoing else None,
        "currentServiceRevisions": [revision(region, record, one) for one in model.deployments],
    }


def service_revision(region: Region, record: ServiceRecord, one: Deployment, document: Document) -> dict[str, Any]:
    """What one deployment deployed, by ``document``. Load balancers and network are the service's present ones."""
    images = document["containerDefinitions"]
    keys = ("capacityProviderStrategy", "launchType", "loadBalancers", "serviceRegistries", "networkConfiguration")
    return {name: record.request.get(name) or None for name in keys} | {
        "serviceRevisionArn": revision_arn(region, record, one),
        "serviceArn": record.arn,
        "clusterArn": region.arn("cluster", record.cluster_name),
        "taskDefinition": one.definition.arn,
        "containerImages": [{"containerName": image["name"], "image": image["image"]} for image in images],
        "guardDutyEnabled": False,
        "createdAt": region.time(one.created_at),
    }
