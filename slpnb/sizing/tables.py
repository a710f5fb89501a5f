"""Which task fits which instances, how many times, what is left, and whether an update works.

Everything here is pure and counts on the safe lower bound of what an instance registers
(`catalog.registered_memory`), never on the optimistic figure. Amounts are MiB, CPU units (1024 a
vCPU) and US dollars (on demand, us-east-1, 730 hours a month).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from slpnb import catalog
from slpnb.ecs import placement, resources
from slpnb.ecs.placement import Fit
from slpnb.ecs.resources import ARCHITECTURE, TaskNeeds
from slpnb.fleet import Fleet, fit, fleet, monthly
from slpnb.fleet.remedies import ways_out
from slpnb.fleet.rollout import deployment, losing_a_zone, rollout

if TYPE_CHECKING:
    from slpnb.config import Config

__all__ = [
    "Fleet",
    "TaskNeeds",
    "budget",
    "capacity",
    "cases",
    "compare",
    "deployment",
    "fit",
    "inputs",
    "losing_a_zone",
    "memory_budget",
    "placement",
    "prices",
    "rollout",
    "ways_out",
]


DECIDING = (
    "cluster.instance_type",
    "cluster.max_instances",
    "cluster.min_instances",
    "cluster.reserved_memory_mib",
    "service.desired_tasks",
    "service.max_tasks",
    "service.maximum_percent",
    "service.minimum_healthy_percent",
    "service.placement",
    "task.architecture",
    "task.cpu_units",
    "task.gpus",
    "task.memory_mib",
    "task.network_mode",
)


def inputs(config: Config) -> pd.DataFrame:
    """The parameters that decide, of all sections, with what they mean and where they come from."""
    tables = [config.table(section) for section in ("cluster", "service", "task", "sizing")]
    every = pd.concat(tables)
    return every.loc[[key for key in every.index if key in DECIDING or key.startswith("sizing.")]]


def cases(found: Mapping[str, Fit]) -> pd.DataFrame:
    """Several fits side by side, one row each (index: its words), in MiB."""
    rows = [
        {
            "asked_mib": one.needs.memory_mib,
            "at_least_mib": one.registered.at_least_mib,
            "reserved_mib": one.reserved_mib,
            "left_mib": one.left_mib,
            "short_mib": one.short_mib,
            "tasks": one.count,
            "limited_by": one.limited_by,
        }
        for one in found.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(list(found), name="case"))


def capacity(config: Config) -> pd.DataFrame:
    """What the group holds at one instance, at its minimum and at its maximum, as a table.

    ``tasks`` fit, ``left_mib`` is what all those instances have left next to them, ``usd_month``
    what they cost.
    """
    one, group = fit(config), fleet(config)
    each = group.per_instance(one.needs)
    sizes = {"one instance": 1, "min_instances": group.instances, "max_instances": group.max_instances}
    rows = [
        {
            "instances": count,
            "tasks": count * each,
            "asked_mib": count * each * one.needs.memory_mib,
            "left_mib": count * (one.left_mib - each * one.needs.memory_mib),
            "usd_month": monthly(group.type_name, count),
        }
        for count in sizes.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(sizes, name="at"))


def budget(config: Config) -> pd.DataFrame:
    """The memory of one instance of the type in the parameters, part by part; see `memory_budget`."""
    one, group = fit(config), fleet(config)
    return memory_budget(
        one.type_name, [one.needs.memory_mib], reserved_mib=one.reserved_mib, most=group.per_instance(one.needs)
    )


def memory_budget(
    type_name: str, tasks_mib: Sequence[int], *, reserved_mib: int = 0, most: int | None = None
) -> pd.DataFrame:
    """Where the memory of one instance goes for tasks of each size: one row per size (index), in MiB.

    ``kernel`` is gone before anything runs, ``reserve`` is ECS_RESERVED_MEMORY, ``tasks`` is what
    ``count`` tasks claim, ``left`` is free; they add up to ``nominal``. ``short`` is what one task
    lacks when its memory does not fit. ``most`` limits the count for another reason, such as CPU.
    """
    nominal = catalog.instance_type(type_name).nominal_mib
    registered = catalog.registered_memory(type_name).at_least_mib
    reserve = min(reserved_mib, registered)
    rows = []
    for size in tasks_mib:
        free = registered - reserve
        count = free // size if most is None else min(most, free // size)
        parts = {"kernel": nominal - registered, "reserve": reserve, "tasks": count * size, "left": free - count * size}
        rows.append({"nominal": nominal, **parts, "count": count, "short": max(0, size - free)})
    return pd.DataFrame(rows, index=pd.Index(list(tasks_mib), name="task_mib"))


def compare(config: Config) -> pd.DataFrame:
    """Every candidate type with every task size: how many tasks, what stops one more, and the price.

    ``sizing.candidates`` by ``sizing.memory_sizes_mib``, the task's CPU, ports and network mode as
    in the parameters. A type of another architecture is compared as if the image were built for
    it. Index: type, task_mib. ``usd_task_month`` divides a full instance's price among its tasks.
    """
    needs, cluster = resources.needs(config), config.cluster
    anywhere = tuple(item for item in needs.attributes if item[0] != ARCHITECTURE)
    rows = []
    for name in config.sizing.candidates:
        for size in config.sizing.memory_sizes_mib:
            own = replace(needs, memory_mib=size, attributes=anywhere)
            found = placement.fit(own, name, reserved_mib=cluster.reserved_memory_mib, trunking=cluster.awsvpc_trunking)
            rows.append({"type": name, "task_mib": size, **_comparison(found)})
    return pd.DataFrame(rows).set_index(["type", "task_mib"])


def prices(config: Config) -> pd.DataFrame:
    """The candidates and the chosen type for the task as it is, by price of a task (one row per type).

    Types that do not take it are left out. Columns as in `compare`.
    """
    own = {"candidates": sorted({*config.sizing.candidates, config.cluster.instance_type})}
    sizes = {"memory_sizes_mib": [config.task.memory_mib]}
    table = compare(config.model_copy(update={"sizing": config.sizing.model_copy(update={**own, **sizes})}))
    table = table.droplevel("task_mib").reset_index()
    return table[table["tasks"] > 0].sort_values(["usd_task_month", "type"]).set_index("type")


def _comparison(found: Fit) -> dict[str, object]:
    price = monthly(found.type_name, 1)
    return {
        "architecture": catalog.instance_type(found.type_name).architecture,
        "tasks": found.count,
        "limited_by": found.limited_by,
        "left_mib": found.spare.memory_mib,
        "usd_month": price,
        "usd_task_month": round(price / found.count, 2) if price is not None and found.count else float("nan"),
    }
