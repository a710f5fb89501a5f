"""ECS with capacity: moto's ECS backend made to tell the truth about instances, placement and services.

moto keeps clusters, task definitions and settings. Instances, services, tasks and deployments are
`slpnb.ecs.scheduler.machine`'s: this backend tells the model what moto's EC2, Auto Scaling and Elastic Load
Balancing hold, lets its clock pass, and carries out what follows (the size of groups, targets).

Only `advance` and the calls themselves move the clock: a second each, 15 for a call of a waiter,
which is as long as it would then pause. No container runs; `describe` says so. How the
tasks of a task definition fare can be set in a container's docker label ``slpnb.outcome``: JSON
with the fields of `slpnb.ecs.scheduler.state.Outcome`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from moto.ecs.models import ecs_backends

from slpnb.ecs.scheduler import capacity, machine as scheduler
from slpnb.ecs.scheduler.state import Group, Provider, State
from slpnb.local.ecs import instances as ecs_instances, targets as ecs_targets
from slpnb.local.ecs.tasks import Tasks

DESCRIBE = "tasks are simulated: no container runs, and they fare as their task definition's outcome says"


def advance(seconds: float) -> None:
    """Let time pass for every account and region."""
    for _, _, backend in ecs_backends.iter_backends():
        if isinstance(backend, Ecs):
            backend.advance(seconds)


def describe() -> str:
    """What stands in for containers here, in one line for outputs."""
    return DESCRIBE


class Ecs(Tasks):
    """ECS of one account and region, whole: see `slpnb.local.ecs.base`, and the parts it is made of."""

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever the model does something that the other services must hear of."""
        end = self.state.clock + seconds
        self.sync()
        while self.state.wake <= end:
            self.apply(scheduler.step(self.state, max(0.0, self.state.wake - self.state.clock)))
            self.sync()
        self.state = scheduler.step(self.state, end - self.state.clock)

    def apply(self, state: State) -> None:
        """Take over a state, and carry out what it means outside ECS."""
        self.state = state
        self.follow_tasks()
        after = ecs_targets.wanted(state, self.places())
        ecs_targets.settle(self.other("elbv2").target_groups, self.registered, after)
        self.registered = after
        self._resize_groups()
        if self.containers:
            self.containers.follow(self)

    def sync(self) -> None:
        """Tell the model what moto's other services hold now."""
        self._sync_groups()
        running = {ecs_instances.container_instance_id(one.id) for one in self.other("ec2").all_running_instances()}
        for id in [id for id in self.state.instances if id not in running]:
            self.apply(scheduler.leave_instance(self.state, id))
        known = {*self.state.instances, *self.gone}
        trunking = getattr(self.account_settings.get("awsvpcTrunking"), "value", "") == "enabled"
        for one in ecs_instances.joining(self.other("ec2"), self.clusters, known, self.state.clock, trunking=trunking):
            self.apply(scheduler.join_instance(self.state, one))
        self._sync_protection()

    def _sync_groups(self) -> None:
        """The groups behind capacity providers that a cluster has."""
        found = dict(self._groups())
        for name in [name for name in self.state.providers if name not in found]:
            self.state = scheduler.remove_provider(self.state, name)
        for name, (provider, group) in found.items():
            if self.state.groups.get(group.name) != group:
                self.apply(scheduler.add_group(self.state, group))
            known = self.state.providers.get(name)
            if known is None or provider.going_on(known) != known:
                self.state = scheduler.add_provider(self.state, provider)

    def _groups(self) -> Iterator[tuple[str, tuple[Provider, Group]]]:
        for cluster in self.clusters.values():
            for name in cluster.capacity_providers or () if cluster.status == "ACTIVE" else ():
                provider = self._get_provider(name)
                group = self.group_of(provider) if provider else None
                if provider and group is not None and not getattr(group, "status", None):  # not being deleted
                    yield (
                        provider.name,
                        (self._provider(provider, cluster.name, group), self._group(group, cluster.name)),
                    )

    def _provider(self, provider: Any, cluster: str, group: Any) -> Provider:
        scaling = provider.auto_scaling_group_provider["managedScaling"]
        return Provider(
            provider.name, cluster, group.name,
            managed_scaling=scaling["status"] == "ENABLED" and bool(ecs_instances.group_rooms(group)),
            target_percent=scaling["targetCapacity"],
            minimum_step=scaling["minimumScalingStepSize"],
            maximum_step=scaling["maximumScalingStepSize"],
            warmup_seconds=scaling["instanceWarmupPeriod"],
        )  # fmt: skip

    def _group(self, group: Any, cluster: str) -> Group:
        desired = group.desired_capacity or 0
        rooms = ecs_instances.group_rooms(group)
        return Group(
            group.name, cluster, group.min_size or 0, max(group.max_size or 0, desired), desired, rooms,
            tuple(sorted(set(group.availability_zones))), launches=False,
        )  # fmt: skip

    def _sync_protection(self) -> None:
        """Scale-in protection; managed termination protection keeps it on the instances that have tasks."""
        managed = set(self._protecting())
        for id, one in list(self.state.instances.items()):
            group = self.other("autoscaling").autoscaling_groups.get(one.group)
            protected = bool(group and ecs_instances.is_protected(group, one.ec2_id))
            if one.group in managed and protected != bool(self.state.on_instance(id)):
                protected = not protected
                self.other("autoscaling").set_instance_protection(one.group, [one.ec2_id], protected)
            if protected != one.protected:
                self.state = self.state.copy()
                self.state.instances[id] = replace(one, protected=protected)

    def _protecting(self) -> Iterator[str]:
        """The groups whose capacity provider has managed termination protection."""
        for name, provider in self.state.providers.items():
            details = self.capacity_providers[name].auto_scaling_group_provider
            if details["managedTerminationProtection"] == "ENABLED":
                yield provider.group

    def _resize_groups(self) -> None:
        """Managed scaling's decisions, carried out on moto's Auto Scaling groups."""
        groups = self.other("autoscaling").autoscaling_groups
        for name, group in list(self.state.groups.items()):
            real = groups.get(name)
            if real is not None and group.desired > (real.desired_capacity or 0):
                self.other("autoscaling").set_desired_capacity(name, group.desired)
            elif real is not None and group.desired < (real.desired_capacity or 0):
                self._scale_in(name, real.desired_capacity - group.desired)

    def _scale_in(self, name: str, count: int) -> None:
        for id in capacity.victims(self.state, name, count):
            ec2_id = self.state.instances[id].ec2_id
            self.other("autoscaling").terminate_instance(ec2_id, True)

    def places(self) -> dict[str, list[ecs_targets.Target]]:
        """Where each task of a service with load balancers answers."""
        found = {}
        for task in self.state.tasks.values():
            record = self.known_services.get(task.service.replace("/", ":", 1))
            if record and task.targets and task.instance in self.state.instances:
                ec2_id = self.state.instances[task.instance].ec2_id
                address, definition = self.address(task.id), self.definition_of(task)
                balancers = record.request.get("loadBalancers") or []
                found[task.id] = list(ecs_targets.place(task, ec2_id, address, balancers, definition))
        return found
