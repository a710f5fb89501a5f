"""Clusters and capacity providers in the shapes of the ECS API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.ecs.models import CapacityProvider, Cluster

from slpnb.local.ecs.region import Region
from slpnb.local.ecs.shapes.counts import pending, running


def cluster(region: Region, one: Cluster, instances: int, include: Iterable[str] = ()) -> dict[str, Any]:
    """A cluster with its counts, ``instances`` of them registered; tags, settings and configuration where asked for."""
    state, wanted = region.state, set(include)
    tasks = [task for task in state.tasks.values() if task.cluster == one.name]
    services = [known for known in state.services.values() if known.cluster == one.name and known.status == "ACTIVE"]
    return {
        "clusterArn": one.arn,
        "clusterName": one.name,
        "status": one.status,
        "registeredContainerInstancesCount": instances,
        "runningTasksCount": running(tasks),
        "pendingTasksCount": pending(tasks),
        "activeServicesCount": len(services),
        "statistics": [],
        "capacityProviders": one.capacity_providers or [],
        "defaultCapacityProviderStrategy": one.default_capacity_provider_strategy or [],
        "serviceConnectDefaults": one.service_connect_defaults,
        "tags": (one.tags or []) if "TAGS" in wanted else [],
        "settings": one.settings if "SETTINGS" in wanted else [],
        "configuration": one.configuration if "CONFIGURATIONS" in wanted else None,
    }


def capacity_provider(one: CapacityProvider, include: Iterable[str] = ()) -> dict[str, Any]:
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
