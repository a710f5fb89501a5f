"""The deployments of a service in the shapes of the ECS API."""

from __future__ import annotations

import hashlib
from typing import Any

from slpnb.ecs.scheduler.deployment import threshold
from slpnb.ecs.scheduler.state import Deployment, Service, State
from slpnb.local.ecs.records import ServiceRecord
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.shapes.counts import pending, running


def deployment(region: Region, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """One deployment of a service."""
    model, request = region.state.services[record.key], record.request
    counts = _counts(region.state, model, one)
    return {
        "id": one.id,
        "status": one.status,
        "taskDefinition": one.definition.arn,
        "desiredCount": counts["requestedTaskCount"],
        "pendingCount": counts["pendingTaskCount"],
        "runningCount": counts["runningTaskCount"],
        "failedTasks": one.failed,
        "createdAt": region.time(one.created_at),
        "updatedAt": region.time(one.updated_at),
        "launchType": request.get("launchType"),
        "capacityProviderStrategy": request.get("capacityProviderStrategy") or None,
        "networkConfiguration": request.get("networkConfiguration"),
        "rolloutState": one.rollout,
        "rolloutStateReason": one.reason,
    }


def deployment_arn(region: Region, record: ServiceRecord, one: Deployment) -> str:
    """The ARN of a service deployment."""
    return region.arn("service-deployment", f"{record.key}/{_name(one)}")


def revision_arn(region: Region, record: ServiceRecord, one: Deployment) -> str:
    """The ARN of a service revision: what a deployment deploys."""
    return region.arn("service-revision", f"{record.key}/{one.id.removeprefix('ecs-svc/')}")


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


def service_deployment(region: Region, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """A service deployment as DescribeServiceDeployments shows it; ListServiceDeployments shows part of this."""
    model = region.state.services[record.key]
    before = next((other for other in all_deployments(model) if other.id < one.id), None)
    back = next((other for other in all_deployments(model) if other.rollback_of == one.id), None)
    return {
        "serviceDeploymentArn": deployment_arn(region, record, one),
        "serviceArn": record.arn,
        "clusterArn": region.arn("cluster", record.cluster_name),
        "createdAt": region.time(one.created_at),
        "startedAt": region.time(one.created_at),
        "updatedAt": region.time(one.updated_at),
        "finishedAt": region.time(one.finished_at),
        "sourceServiceRevisions": [revision(region, record, before)] if before else [],
        "targetServiceRevision": revision(region, record, one),
        "targetServiceRevisionArn": revision_arn(region, record, one),
        "status": deployment_status(model, one),
        "statusReason": one.reason if one.rollout == "FAILED" else None,
        "deploymentConfiguration": record.request["deploymentConfiguration"],
        "rollback": _rollback(region, record, one, back),
        "deploymentCircuitBreaker": _breaker(model, one),
    }


def _rollback(region: Region, record: ServiceRecord, one: Deployment, back: Deployment | None) -> dict[str, Any] | None:
    if back is None:
        return None
    return {
        "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        "startedAt": region.time(one.finished_at),
        "serviceRevisionArn": revision_arn(region, record, back),
    }


def _breaker(model: Service, one: Deployment) -> dict[str, Any]:
    if not model.breaker.enable:
        return {"status": "DISABLED", "failureCount": 0, "threshold": 0}
    over = "TRIGGERED" if one.rollout == "FAILED" else "MONITORING_COMPLETE"
    return {
        "status": "MONITORING" if one.rollout == "IN_PROGRESS" else over,
        "failureCount": one.failed,
        "threshold": threshold(model.breaker, model.desired),
    }


def revision(region: Region, record: ServiceRecord, one: Deployment) -> dict[str, Any]:
    """A service revision where it is mentioned: its ARN, and its tasks asked for, running and pending."""
    counts = _counts(region.state, region.state.services[record.key], one)
    return {"arn": revision_arn(region, record, one), **counts}


def _counts(state: State, model: Service, one: Deployment) -> dict[str, int]:
    tasks = [task for task in state.of_service(model.key) if task.deployment == one.id]
    return {
        "requestedTaskCount": model.desired if one.status == "PRIMARY" and one.rollout != "FAILED" else 0,
        "runningTaskCount": running(tasks),
        "pendingTaskCount": pending(tasks),
    }
