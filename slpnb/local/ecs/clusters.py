"""Clusters: which capacity providers they may have, and when they may be deleted."""

from __future__ import annotations

from typing import Any

from moto.ecs.models import Cluster

from slpnb.ecs import scheduler
from slpnb.local.base.refusal import Refusal
from slpnb.local.ecs.providers import CapacityProviders, not_found
from slpnb.local.ecs.region import Region


class Clusters:
    """The clusters of one account and Region."""

    def __init__(self, region: Region, providers: CapacityProviders) -> None:
        self.region, self.providers = region, providers

    def find(self, name: str | None) -> Cluster | None:
        """An ACTIVE cluster by name or ARN; "default" where none is named. None where there is none."""
        found = self.region.clusters.get((name or "default").split("/")[-1])
        return found if found is not None and found.status == "ACTIVE" else None

    def get(self, name: str | None) -> Cluster:
        """An ACTIVE cluster by name or ARN, or ECS's refusal."""
        found = self.find(name)
        if found is None:
            raise Refusal("ClusterNotFoundException", "Cluster not found.")
        return found

    def put_capacity_providers(
        self, name: str, providers: list[str] | None, strategy: list[dict[str, Any]] | None
    ) -> Cluster:
        """The capacity providers and the default strategy; a provider that services or tasks use stays."""
        cluster = self.get(name)
        wanted = {self.providers.associable(one) for one in providers or ()}
        for share in strategy or ():
            if share["capacityProvider"] not in wanted:
                raise not_found(share["capacityProvider"])
        for one in {*(cluster.capacity_providers or ())} - wanted:
            if self._uses(cluster.name, one):
                message = "The specified capacity provider is in use and cannot be removed."
                raise Refusal("ResourceInUseException", message)
        cluster.capacity_providers = list(providers or ())
        cluster.default_capacity_provider_strategy = list(strategy or ())
        return cluster

    def _uses(self, cluster: str, provider: str) -> bool:
        state = self.region.state
        services = (one for one in state.services.values() if one.status != "INACTIVE" and one.cluster == cluster)
        tasks = (one for one in state.tasks.values() if one.status != "STOPPED" and one.cluster == cluster)
        return any(share.provider == provider for one in services for share in one.strategy) or any(
            task.provider == provider for task in tasks
        )

    def delete(self, name: str) -> Cluster:
        """INACTIVE, when nothing is left in it."""
        cluster = self.get(name)
        self._demand_empty(cluster.name)
        cluster.status, cluster.capacity_providers, cluster.default_capacity_provider_strategy = "INACTIVE", [], []
        state = self.region.state
        for id in [id for id, one in state.instances.items() if one.cluster == cluster.name]:
            state = scheduler.leave_instance(state, id)
        self.region.state = state
        return cluster

    def _demand_empty(self, name: str) -> None:
        state = self.region.state
        if any(one.cluster == name and one.status != "INACTIVE" for one in state.services.values()):
            raise _contains("Services", "Services are active")
        if any(one.cluster == name and one.registered_at is not None for one in state.instances.values()):
            raise _contains("ContainerInstances", "Container Instances are active or draining")
        if any(one.cluster == name and one.status != "STOPPED" for one in state.tasks.values()):
            raise _contains("Tasks", "Tasks are active")


def _contains(what: str, while_: str) -> Exception:
    return Refusal(f"ClusterContains{what}Exception", f"The Cluster cannot be deleted while {while_}.")
