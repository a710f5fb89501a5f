"""Auto Scaling groups behind capacity providers: what they are, told to the scheduler; what it decides, carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from moto.ecs.models import CapacityProvider, Cluster

from slpnb.ecs import scheduler
from slpnb.ecs.scheduler import managed_scaling
from slpnb.ecs.scheduler.state import ContainerInstance, Group, Provider
from slpnb.local.corrections.autoscaling import AutoScalingGroup
from slpnb.local.ecs.providers import CapacityProviders
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.registration import empty_instances


class Groups:
    """The groups that managed scaling resizes in one account and Region."""

    def __init__(self, region: Region, providers: CapacityProviders) -> None:
        self.region, self.providers = region, providers

    def sync(self) -> None:
        """Tell the scheduler of the capacity providers that clusters have, and of the groups behind them."""
        found = {provider.name: (provider, group) for provider, group in self._found()}
        for name in [name for name in self.region.state.providers if name not in found]:
            self.region.state = scheduler.remove_provider(self.region.state, name)
        for provider, group in found.values():
            self._tell(provider, group)

    def _tell(self, provider: Provider, group: Group) -> None:
        """Only what has changed: what the scheduler itself keeps of a provider stays."""
        region = self.region
        if region.state.groups.get(group.name) != group:
            region.apply(scheduler.add_group(region.state, group))
        known = region.state.providers.get(provider.name)
        if known is None or provider.going_on(known) != known:
            region.state = scheduler.add_provider(region.state, provider)

    def _found(self) -> Iterator[tuple[Provider, Group]]:
        """Of each ACTIVE cluster, as far as the group is there and not being deleted."""
        for cluster in self.region.clusters.values():
            for name in cluster.capacity_providers or () if cluster.status == "ACTIVE" else ():
                provider = self.providers.find(name)
                group = self.providers.group_of(provider) if provider else None
                if provider and group is not None and not group.status:
                    yield _provider(provider, cluster, group), _group(group, cluster)

    def sync_protection(self) -> None:
        """Scale-in protection; managed termination protection keeps it on the instances that have tasks."""
        managed = set(self._protecting())
        for one in list(self.region.state.instances.values()):
            protected = self._is_protected(one)
            if one.group in managed and protected != bool(self.region.state.on_instance(one.id)):
                protected = not protected
                autoscaling = self.region.autoscaling
                autoscaling.set_instance_protection(one.group, [one.ec2_id], protected)
            if protected != one.protected:
                self.region.state = self.region.state.copy()
                self.region.state.instances[one.id] = replace(one, protected=protected)

    def _is_protected(self, one: ContainerInstance) -> bool:
        """Whether the Auto Scaling group spares an instance when it scales in."""
        group = self.region.autoscaling.autoscaling_groups.get(one.group)
        members = group.instance_states if group is not None else []
        return any(each.instance.id == one.ec2_id and each.protected_from_scale_in for each in members)

    def _protecting(self) -> Iterator[str]:
        """The groups whose capacity provider has managed termination protection."""
        for name, provider in self.region.state.providers.items():
            details = self.region.capacity_providers[name].auto_scaling_group_provider
            if details["managedTerminationProtection"] == "ENABLED":
                yield provider.group

    def follow(self) -> None:
        """Managed scaling's decisions, carried out on the Auto Scaling groups."""
        autoscaling = self.region.autoscaling
        for name, group in list(self.region.state.groups.items()):
            real = autoscaling.autoscaling_groups.get(name)
            have = (real.desired_capacity or 0) if real is not None else group.desired
            if group.desired > have:
                autoscaling.set_desired_capacity(name, group.desired)
            elif group.desired < have:
                self._scale_in(name, have - group.desired)

    def _scale_in(self, name: str, count: int) -> None:
        for id in managed_scaling.victims(self.region.state, name, count):
            ec2_id = self.region.state.instances[id].ec2_id
            self.region.autoscaling.terminate_instance(ec2_id, True)


def _provider(provider: CapacityProvider, cluster: Cluster, group: AutoScalingGroup) -> Provider:
    scaling = provider.auto_scaling_group_provider["managedScaling"]
    return Provider(
        provider.name, cluster.name, group.name,
        managed_scaling=scaling["status"] == "ENABLED" and bool(empty_instances(group)),
        target_percent=scaling["targetCapacity"],
        minimum_step=scaling["minimumScalingStepSize"],
        maximum_step=scaling["maximumScalingStepSize"],
        warmup_seconds=scaling["instanceWarmupPeriod"],
    )  # fmt: skip


def _group(group: AutoScalingGroup, cluster: Cluster) -> Group:
    desired = group.desired_capacity or 0
    return Group(
        group.name, cluster.name, group.min_size or 0, max(group.max_size or 0, desired), desired,
        empty_instances(group), tuple(sorted(set(group.availability_zones))), launches=False,
    )  # fmt: skip
