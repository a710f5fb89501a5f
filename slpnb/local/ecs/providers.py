"""Capacity providers: what may be associated with a cluster, and what may not be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ecs.models import CapacityProvider, Cluster

from slpnb.local.base.refusal import Refusal
from slpnb.local.corrections.autoscaling import AutoScalingGroup
from slpnb.local.ecs.refusals import invalid, unsupported
from slpnb.local.ecs.region import Region

MANAGED_TAG = "AmazonECSManaged"
FARGATE = ("FARGATE", "FARGATE_SPOT")


class CapacityProviders:
    """The capacity providers of one account and Region, and the strategies that name them."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def find(self, name: str) -> CapacityProvider | None:
        """A capacity provider by name or ARN; None where there is none."""
        return self.region.capacity_providers.get(name.rpartition("/")[2])

    def get(self, name: str) -> CapacityProvider:
        """A capacity provider by name or ARN, or ECS's refusal."""
        found = self.find(name)
        if found is None:
            raise not_found(name)
        return found

    def associable(self, name: str) -> str:
        """The name of a capacity provider that a cluster may have; AWS's own two are in every account."""
        return name if name in FARGATE else self.get(name).name

    def group_of(self, provider: CapacityProvider) -> AutoScalingGroup | None:
        """The Auto Scaling group of a capacity provider; None when it is gone."""
        name = provider.auto_scaling_group_provider["autoScalingGroupArn"].rpartition("/")[2]
        return self.region.autoscaling.autoscaling_groups.get(name)

    def strategy(self, request: Mapping[str, Any], cluster: Cluster) -> list[dict[str, Any]]:
        """The strategy asked for, or the cluster's default where neither it nor a launch type is given."""
        asked = request.get("capacityProviderStrategy")
        if not asked and not request.get("launchType"):
            asked = cluster.default_capacity_provider_strategy
        return self.associated(asked or [], cluster)

    def associated(self, strategy: list[dict[str, Any]], cluster: Cluster) -> list[dict[str, Any]]:
        """A strategy with its defaults, if the cluster has each of its capacity providers."""
        for share in strategy:
            name = share["capacityProvider"]
            if name in FARGATE:
                raise unsupported(f"capacity provider {name}")
            if name not in (cluster.capacity_providers or ()):
                raise invalid(f"The specified capacity provider '{name}' is not associated with the cluster.")
        return [{"base": 0, "weight": 0, **share} for share in strategy]

    def create(self, name: str, details: dict[str, Any], tags: list[dict[str, str]] | None) -> CapacityProvider:
        """As moto; the group must exist, must not be in use elsewhere, and gets ECS's tag with managed scaling."""
        self._demand_free(name, details["autoScalingGroupArn"])
        made = CapacityProvider(self.region.account_id, self.region.name, name, details, tags)
        group = self.group_of(made)
        if group is None:
            message = "The specified Auto Scaling group ARN does not exist. Specify a valid ARN."
            raise Refusal("ClientException", message)
        _demand_protection(made, group)
        if made.auto_scaling_group_provider["managedScaling"]["status"] == "ENABLED":
            self._tag(group)
        made.auto_scaling_group_provider.setdefault("managedDraining", "ENABLED")
        self.region.capacity_providers[name] = made
        return made

    def _demand_free(self, name: str, arn: str) -> None:
        known = self.region.capacity_providers
        if name in known:
            raise Refusal("ClientException", "The specified capacity provider already exists. Specify another name.")
        if any(one.auto_scaling_group_provider["autoScalingGroupArn"] == arn for one in known.values()):
            message = "The specified Auto Scaling group ARN is already being used by another capacity provider."
            raise Refusal("ClientException", f"{message} Specify a unique Auto Scaling group ARN and try again.")

    def _tag(self, group: AutoScalingGroup) -> None:
        tag: dict[str, Any] = {"ResourceId": group.name, "ResourceType": "auto-scaling-group"}
        tag |= {"Key": MANAGED_TAG, "Value": "", "PropagateAtLaunch": True}
        self.region.autoscaling.create_or_update_tags([tag])

    def update(self, name: str, details: dict[str, Any]) -> CapacityProvider:
        """As moto, with managedDraining."""
        known = self.get(name)
        group = self.group_of(known)
        if details.get("managedTerminationProtection") == "ENABLED" and group:
            _demand_group_protection(group)
        known.update(details)
        if "managedDraining" in details:
            known.auto_scaling_group_provider["managedDraining"] = details["managedDraining"]
        return known

    def delete(self, name: str) -> CapacityProvider:
        """INACTIVE; but while a cluster has it the call succeeds and the deletion fails (updateStatus)."""
        known = self.get(name)
        holders = [one.name for one in self.region.clusters.values() if known.name in (one.capacity_providers or ())]
        if holders:
            known.update_status = "DELETE_FAILED"
            known.update_status_reason = (  # type: ignore[attr-defined]
                f"The capacity provider cannot be deleted because it is associated with cluster: {holders[0]}. "
                "Remove the capacity provider from the cluster and try again."
            )
            return known
        self.region.capacity_providers.pop(known.name)
        known.status, known.update_status = "INACTIVE", "DELETE_COMPLETE"
        return known


def not_found(name: str) -> Exception:
    """The refusal of a capacity provider that is not there."""
    return invalid(
        f"The specified capacity provider '{name}' was not found. Specify a valid name or ARN and try again."
    )


def _demand_protection(provider: CapacityProvider, group: AutoScalingGroup) -> None:
    details = provider.auto_scaling_group_provider
    if details["managedTerminationProtection"] != "ENABLED":
        return
    if details["managedScaling"]["status"] != "ENABLED":
        raise invalid("The managed termination protection setting needs managed scaling to be ENABLED.")
    _demand_group_protection(group)


def _demand_group_protection(group: AutoScalingGroup) -> None:
    if not group.new_instances_protected_from_scale_in:
        raise Refusal(
            "ClientException",
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, the Auto Scaling group must have instance protection "
            "from scale in enabled.",
        )
