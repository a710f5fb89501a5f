"""A fleet of container instances under one service, and how many tasks it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slpnb import catalog
from slpnb.ecs import placement, resources
from slpnb.ecs.placement import Fit
from slpnb.ecs.resources import Instance, TaskNeeds
from slpnb.errors import ParameterError

if TYPE_CHECKING:
    from slpnb.config import Config

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Fleet:
    """Instances of one type over availability zones, behind one capacity provider.

    ``instances`` run now, ``max_instances`` is how far managed scaling may grow the group;
    ``reserved_mib`` is ECS_RESERVED_MEMORY, ``template`` the placement template by the
    console's name.
    """

    type_name: str
    instances: int = 1
    max_instances: int = 1
    zones: tuple[str, ...] = ("us-east-1a",)
    reserved_mib: int = 0
    trunking: bool = False
    template: str = "az_balanced_spread"

    def __post_init__(self) -> None:
        if not 0 <= self.instances <= self.max_instances or not self.zones:
            raise ParameterError(
                f"a fleet of {self.instances} instances of at most {self.max_instances} in {len(self.zones)} zones "
                "is impossible"
            )

    @property
    def empty(self) -> Instance:
        """An instance without tasks, in the first zone."""
        return resources.instance(
            self.type_name,
            reserved_memory_mib=self.reserved_mib,
            zone=self.zones[0],
            trunking=self.trunking,
        )

    def per_instance(self, needs: TaskNeeds) -> int:
        """How many copies of a task one empty instance takes, under the placement template."""
        count, _ = placement.how_many(needs, self.empty)
        return min(count, 1) if self.template == "one_per_instance" else count

    def holding(self, needs: TaskNeeds, tasks: int) -> int:
        """How many instances that many tasks need; one more than the maximum when no instance takes even one."""
        if not tasks:
            return 0
        each = self.per_instance(needs)
        return -(-tasks // each) if each else self.max_instances + 1


def fleet(config: Config) -> Fleet:
    """The fleet in the parameters, at its smallest."""
    cluster = config.cluster
    return Fleet(
        type_name=cluster.instance_type,
        instances=cluster.min_instances,
        max_instances=cluster.max_instances,
        zones=tuple(config.zones),
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
        template=config.service.placement,
    )


def fit(config: Config) -> Fit:
    """Whether the parameters' task fits an empty instance of their type."""
    cluster = config.cluster
    return placement.fit(
        resources.needs(config),
        cluster.instance_type,
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
    )


def monthly(type_name: str, instances: float) -> float | None:
    """US dollars per month (730 hours) of on-demand instances in us-east-1; None where there is no price."""
    price = catalog.instance_type(type_name).usd_per_hour
    return None if price is None else round(price * HOURS_A_MONTH * instances, 2)
