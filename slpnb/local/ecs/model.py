"""ECS with capacity, of one account and Region: its parts, and what they do as time passes.

moto keeps clusters, task definitions and settings. Instances, services, tasks and deployments are
`slpnb.ecs.scheduler.machine`'s: the parts tell it what moto's EC2, Auto Scaling and Elastic Load Balancing
hold, and carry out what follows (the size of groups, targets, interfaces, containers).

Only `Ecs.advance` and the calls themselves move the clock: a second each, 15 for a call of a waiter, which is
as long as it would then pause. Where no container runs, how the tasks of a task definition fare can be set in
a container's docker label ``slpnb.outcome``: JSON with the fields of `slpnb.ecs.scheduler.state.Outcome`.
"""

from __future__ import annotations

from slpnb.ecs import scheduler
from slpnb.local.ecs.clusters import Clusters
from slpnb.local.ecs.container_instances import ContainerInstances
from slpnb.local.ecs.definitions import TaskDefinitions
from slpnb.local.ecs.groups import Groups
from slpnb.local.ecs.providers import CapacityProviders
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.services import Services
from slpnb.local.ecs.targets import Targets
from slpnb.local.ecs.tasks import Tasks


class Ecs:
    """ECS of one account and Region. Each part knows `Region` and the parts that it is handed, no more."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.definitions = TaskDefinitions(region)
        self.providers = CapacityProviders(region)
        self.clusters = Clusters(region, self.providers)
        self.instances = ContainerInstances(region, self.clusters)
        self.services = Services(region, self.clusters, self.providers, self.definitions)
        self.tasks = Tasks(region, self.clusters, self.providers, self.instances, self.definitions)
        self.groups = Groups(region, self.providers)
        targets = Targets(region, self.definitions)
        region.followers = (self.tasks.follow, targets.follow, self.groups.follow, self._follow_containers)

    def _follow_containers(self) -> None:
        if self.region.containers:
            self.region.containers.follow()

    def sync(self) -> None:
        """Tell the scheduler what moto's other services hold now."""
        self.groups.sync()
        self.instances.sync()
        self.groups.sync_protection()

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever the scheduler does something that the other services must hear of."""
        region = self.region
        end = region.state.clock + seconds
        self.sync()
        while region.state.wake <= end:
            region.apply(scheduler.advance(region.state, max(0.0, region.state.wake - region.state.clock)))
            self.sync()
        region.state = scheduler.advance(region.state, end - region.state.clock)
