"""Container instances: which EC2 instances join which cluster, by themselves or by hand, and how they leave."""

from __future__ import annotations

from dataclasses import replace

from moto.ec2.models.instances import Instance as Machine

from slpnb.ecs import scheduler
from slpnb.ecs.scheduler.state import ContainerInstance
from slpnb.errors import ParameterError
from slpnb.local.ecs import registration
from slpnb.local.ecs.clusters import Clusters
from slpnb.local.ecs.refusals import invalid
from slpnb.local.ecs.region import Region


class ContainerInstances:
    """The container instances of one account and Region.

    The agents of those in ``deregistered`` do not come back: somebody deregistered them.
    """

    def __init__(self, region: Region, clusters: Clusters) -> None:
        self.region, self.clusters = region, clusters
        self.deregistered: set[str] = set()

    def get(self, name: str) -> ContainerInstance:
        """A registered container instance by id or ARN."""
        found = self.region.state.instances.get(name.split("/")[-1])
        if found is None or found.registered_at is None:
            raise invalid("The specified container instance does not exist.")
        return found

    def registered(self, cluster: str, status: str | None = None) -> list[ContainerInstance]:
        """The container instances of a cluster, ACTIVE and DRAINING ones unless one status is asked for."""
        of_cluster = (one for one in self.region.state.instances.values() if one.cluster == cluster)
        return [one for one in of_cluster if one.registered_at is not None and status in (None, one.status)]

    def sync(self) -> None:
        """Those leave whose EC2 instance does not run any more; those join that run and have not been seen."""
        ec2, region = self.region.ec2, self.region
        running = {registration.container_instance_id(one.id) for one in ec2.all_running_instances()}
        for id in [id for id in region.state.instances if id not in running]:
            region.apply(scheduler.leave_instance(region.state, id))
        known = {*region.state.instances, *self.deregistered}
        for one in ec2.all_running_instances():
            if registration.container_instance_id(one.id) not in known:
                self._join(one)

    def _join(self, one: Machine) -> None:
        cluster = self.clusters.find(registration.settings(one.user_data).get("ECS_CLUSTER"))
        if cluster is None:
            return
        try:
            joining = self._joining(one, cluster.name)
        except ParameterError:
            return  # a type of unknown memory: a real agent would register, this one cannot
        self.region.apply(scheduler.join_instance(self.region.state, joining))

    def _joining(self, one: Machine, cluster: str) -> ContainerInstance:
        trunking = self.region.settings.trunks(one)
        return registration.joining(one, cluster, self.region.state.clock, trunking=trunking)

    def register(self, cluster: str, ec2_id: str) -> ContainerInstance:
        """RegisterContainerInstance, as an agent calls it: at once."""
        target, now = self.clusters.get(cluster), self.region.state.clock
        joining = self._joining(self.region.ec2.get_instance(ec2_id), target.name)
        made = replace(joining, registers_at=now, registered_at=now, status="ACTIVE")
        self.region.apply(scheduler.join_instance(self.region.state, made))
        return made

    def deregister(self, cluster: str, name: str, *, force: bool) -> ContainerInstance:
        """DeregisterContainerInstance: with tasks on it only by force, which orphans them."""
        self.clusters.get(cluster)
        known = self.get(name)
        if self.region.state.on_instance(known.id) and not force:
            raise invalid("Found running tasks on the instance.")
        self.deregistered.add(known.id)
        self.region.apply(scheduler.leave_instance(self.region.state, known.id))
        return known

    def drain(self, id: str, *, draining: bool) -> ContainerInstance:
        """UpdateContainerInstancesState for one: DRAINING, or ACTIVE again."""
        self.region.apply(scheduler.drain_instance(self.region.state, id, draining=draining))
        return self.region.state.instances[id]

    def set_attributes(self, changes: list[tuple[str, str, str | None]]) -> None:
        """(container instance, name, value) to set; a value of None deletes the attribute."""
        state = self.region.state = self.region.state.copy()
        for id, name, value in changes:
            one = self.get(id)
            attributes = {key: text for key, text in one.registered.attributes.items() if key != name}
            attributes |= {} if value is None else {name: value}
            registered, remaining = (replace(each, attributes=attributes) for each in (one.registered, one.remaining))
            state.instances[one.id] = replace(one, registered=registered, remaining=remaining)
