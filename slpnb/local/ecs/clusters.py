"""Clusters, capacity providers and container instances: what may be associated, and what may not be deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moto.ecs.models import CapacityProvider, Cluster

from slpnb.ecs.scheduler import machine as scheduler
from slpnb.ecs.scheduler.state import Instance
from slpnb.local.ecs import instances as ecs_instances
from slpnb.local.ecs.base import Base
from slpnb.local.ecs.refusals import CLUSTER_NOT_FOUND, PROVIDER_IN_USE, invalid, refusal

MANAGED_TAG = "AmazonECSManaged"
FARGATE = ("FARGATE", "FARGATE_SPOT")


class Clusters(Base):
    """The part of `slpnb.local.ecs.model.Ecs` that answers for clusters and what is in them."""

    def cluster(self, name: str | None) -> Cluster:
        """An ACTIVE cluster by name or ARN; "default" where none is named."""
        found = self.clusters.get((name or "default").split("/")[-1])
        if found is None or found.status != "ACTIVE":
            raise refusal("ClusterNotFoundException", CLUSTER_NOT_FOUND)
        return found

    def create_cluster(self, cluster_name: str, *args: Any, **kwargs: Any) -> Cluster:
        """As moto; creating an ACTIVE cluster again gives the same one (API reference, CreateCluster)."""
        known = self.clusters.get(cluster_name)
        if known is not None and known.status == "ACTIVE":
            return known
        providers = args[3] if len(args) > 3 else kwargs.get("capacity_providers")
        for name in providers or ():
            self.associable(name)
        return super().create_cluster(cluster_name, *args, **kwargs)

    def delete_cluster(self, cluster_str: str) -> Cluster:
        """INACTIVE, when nothing is left in it."""
        cluster = self.cluster(cluster_str)
        services = [one for one in self.state.services.values() if one.cluster == cluster.name]
        if any(one.status != "INACTIVE" for one in services):
            raise _contains("Services", "Services are active")
        if any(one.cluster == cluster.name and one.registered_at is not None for one in self.state.instances.values()):
            raise _contains("ContainerInstances", "Container Instances are active or draining")
        if any(one.cluster == cluster.name and one.status != "STOPPED" for one in self.state.tasks.values()):
            raise _contains("Tasks", "Tasks are active")
        cluster.status, cluster.capacity_providers, cluster.default_capacity_provider_strategy = "INACTIVE", [], []
        for id in [id for id, one in self.state.instances.items() if one.cluster == cluster.name]:
            self.state = scheduler.leave_instance(self.state, id)
        return cluster

    def put_cluster_capacity_providers(
        self, cluster_name: str, capacity_providers: Any, default_capacity_provider_strategy: Any
    ) -> Cluster:
        """As moto; one that services or tasks use cannot be taken away."""
        cluster = self.cluster(cluster_name)
        wanted = {self.associable(name) for name in capacity_providers or ()}
        for share in default_capacity_provider_strategy or ():
            if share["capacityProvider"] not in wanted:
                raise _not_found(share["capacityProvider"])
        for name in {*(cluster.capacity_providers or ())} - wanted:
            if self._uses(name, cluster.name):
                raise refusal("ResourceInUseException", PROVIDER_IN_USE)
        cluster.capacity_providers = list(capacity_providers or ())
        cluster.default_capacity_provider_strategy = list(default_capacity_provider_strategy or ())
        return cluster

    def _uses(self, provider: str, cluster: str) -> bool:
        services = (one for one in self.state.services.values() if one.status != "INACTIVE" and one.cluster == cluster)
        tasks = (one for one in self.state.tasks.values() if one.status != "STOPPED" and one.cluster == cluster)
        return any(share.provider == provider for one in services for share in one.strategy) or any(
            task.provider == provider for task in tasks
        )

    def associable(self, name: str) -> str:
        """The name of a capacity provider that a cluster may have; AWS's own two are in every account."""
        return name if name in FARGATE else self.provider(name).name

    def provider(self, name: str) -> CapacityProvider:
        """A capacity provider by name or ARN."""
        found = self._get_provider(name)
        if found is None:
            raise _not_found(name)
        return found

    def create_capacity_provider(self, name: str, asg_details: dict[str, Any], tags: Any) -> CapacityProvider:
        """As moto; the group must exist, must be nobody else's, and gets ECS's tag with managed scaling."""
        arn = asg_details["autoScalingGroupArn"]
        self._check_free(name, arn)
        made: CapacityProvider = super().create_capacity_provider(name, asg_details, tags)
        group = self.group_of(made)
        if group is None:
            self.capacity_providers.pop(name)
            raise refusal(
                "ClientException", "The specified Auto Scaling group ARN does not exist. Specify a valid ARN."
            )
        _check_protection(self, name, made, group)
        if made.auto_scaling_group_provider["managedScaling"]["status"] == "ENABLED":
            self._tag_group(group)
        made.auto_scaling_group_provider.setdefault("managedDraining", "ENABLED")
        return made

    def _check_free(self, name: str, arn: str) -> None:
        if name in self.capacity_providers:
            raise refusal("ClientException", "The specified capacity provider already exists. Specify another name.")
        if any(
            one.auto_scaling_group_provider["autoScalingGroupArn"] == arn for one in self.capacity_providers.values()
        ):
            message = "The specified Auto Scaling group ARN is already being used by another capacity provider."
            raise refusal("ClientException", f"{message} Specify a unique Auto Scaling group ARN and try again.")

    def _tag_group(self, group: Any) -> None:
        tag = {"ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": MANAGED_TAG, "Value": ""}
        self.other("autoscaling").create_or_update_tags([{**tag, "PropagateAtLaunch": True}])

    def update_capacity_provider(self, name_or_arn: str, asg_provider: dict[str, Any]) -> CapacityProvider:
        """As moto, with managedDraining."""
        known = self.provider(name_or_arn)
        if asg_provider.get("managedTerminationProtection") == "ENABLED" and (group := self.group_of(known)):
            _check_group_protection(group)
        updated: CapacityProvider = super().update_capacity_provider(name_or_arn, asg_provider)
        if "managedDraining" in asg_provider:
            updated.auto_scaling_group_provider["managedDraining"] = asg_provider["managedDraining"]
        return updated

    def delete_capacity_provider(self, name_or_arn: str) -> CapacityProvider:
        """INACTIVE; but while a cluster has it the call succeeds and the deletion fails (updateStatus)."""
        known = self.provider(name_or_arn)
        holders = [one.name for one in self.clusters.values() if known.name in (one.capacity_providers or ())]
        if holders:
            known.update_status = "DELETE_FAILED"
            known.update_status_reason = (  # type: ignore[attr-defined]
                f"The capacity provider cannot be deleted because it is associated with cluster: {holders[0]}. "
                "Remove the capacity provider from the cluster and try again."
            )
            return known
        self.capacity_providers.pop(known.name)
        known.status, known.update_status = "INACTIVE", "DELETE_COMPLETE"
        return known

    # Container instances

    def instance(self, name: str) -> Instance:
        """A registered container instance by id or ARN."""
        found = self.state.instances.get(name.split("/")[-1])
        if found is None or found.registered_at is None:
            raise invalid("The specified container instance does not exist.")
        return found

    def registered_instances(self, cluster: str, status: str | None = None) -> list[Instance]:
        """The container instances of a cluster, ACTIVE and DRAINING ones unless one status is asked for."""
        of_cluster = (one for one in self.state.instances.values() if one.cluster == cluster)
        return [one for one in of_cluster if one.registered_at is not None and status in (None, one.status)]

    def deregister(self, cluster: str, name: str, *, force: bool) -> Instance:
        """DeregisterContainerInstance: with tasks on it only by force, which orphans them."""
        self.cluster(cluster)
        known = self.instance(name)
        if self.state.on_instance(known.id) and not force:
            raise invalid("Found running tasks on the instance.")
        self.gone.add(known.id)
        self.apply(scheduler.leave_instance(self.state, known.id))
        return known

    def set_attributes(self, changes: list[tuple[str, str, str | None]]) -> None:
        """(container instance, name, value) to set; a value of None deletes the attribute."""
        self.state = self.state.copy()
        for id, name, value in changes:
            one = self.instance(id)
            attributes = {key: text for key, text in one.room.attributes.items() if key != name}
            attributes |= {} if value is None else {name: value}
            room, free = replace(one.room, attributes=attributes), replace(one.free, attributes=attributes)
            self.state.instances[one.id] = replace(one, room=room, free=free)

    def register_by_hand(self, cluster: str, ec2_id: str) -> Instance:
        """RegisterContainerInstance, as an agent calls it: at once."""
        target = self.cluster(cluster)
        id = ecs_instances.container_instance_id(ec2_id)
        machine = self.other("ec2").get_instance(ec2_id)
        agent = ecs_instances.settings(machine.user_data)
        space = ecs_instances.room(machine.instance_type, machine.placement.zone, agent, id=id, image=machine.image_id)
        now = self.state.clock
        made = Instance(
            id, target.name, space, space, ec2_id, launched_at=now, registers_at=now, registered_at=now, status="ACTIVE"
        )
        self.apply(scheduler.join_instance(self.state, made))
        return made


def _contains(what: str, while_: str) -> Exception:
    return refusal(f"ClusterContains{what}Exception", f"The Cluster cannot be deleted while {while_}.")


def _not_found(name: str) -> Exception:
    return invalid(
        f"The specified capacity provider '{name}' was not found. Specify a valid name or ARN and try again."
    )


def _check_protection(ecs: Clusters, name: str, provider: CapacityProvider, group: Any) -> None:
    details = provider.auto_scaling_group_provider
    if details["managedTerminationProtection"] != "ENABLED":
        return
    try:
        if details["managedScaling"]["status"] != "ENABLED":
            raise invalid("The managed termination protection setting needs managed scaling to be ENABLED.")
        _check_group_protection(group)
    except Exception:
        ecs.capacity_providers.pop(name)
        raise


def _check_group_protection(group: Any) -> None:
    if not group.new_instances_protected_from_scale_in:
        raise refusal(
            "ClientException",
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, the Auto Scaling group must have instance protection "
            "from scale in enabled.",
        )
