"""Services packed together onto instances of one or several types, and how close that is to the optimum.

A packing says which tasks share an instance, so that no resource of any instance is exceeded
(the rules are `slpnb.ecs.placement`'s: memory, CPU, GPUs, network interfaces, attributes).
`pack` finds one of least cost or fewest instances, with a proven bound: no packing whatever costs
less. ECS places task by task and cannot be told a packing; the bound says what is left to gain by
any other choice of types or sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from slpnb import catalog
from slpnb.ecs import placement, resources
from slpnb.ecs.resources import Instance, TaskNeeds
from slpnb.errors import ParameterError
from slpnb.fleet.group import HOURS_A_MONTH, monthly
from slpnb.fleet.packing import columns
from slpnb.fleet.packing.columns import Loads, Problem
from slpnb.fleet.packing.knapsack import Ints

MICRO = 1_000_000  # of a dollar or of an instance: prices have five decimals, so all costs are whole numbers

AMOUNTS = ("cpu_units", "memory_mib", "gpus", "enis", "dynamic_ports")  # of a `TaskNeeds` and of an `Instance` alike

Objective = Literal["cost", "instances"]


@dataclass(frozen=True)
class Demand:
    """A service to pack: its name, what one of its tasks takes, and how many of them run."""

    name: str
    needs: TaskNeeds
    tasks: int


@dataclass(frozen=True)
class Batch:
    """Instances of one type that carry the same tasks.

    ``tasks`` counts those on each instance by service, ``left_mib`` and ``left_cpu_units`` are what
    each instance has free beside them.
    """

    type_name: str
    instances: int
    tasks: Mapping[str, int]
    left_mib: int
    left_cpu_units: int

    @property
    def usd_month(self) -> float | None:
        """US dollars per month of all of them; None without a price."""
        return monthly(self.type_name, self.instances)


@dataclass(frozen=True)
class Packing:
    """Tasks on instances, and the bound that no packing can beat.

    ``value`` and ``bound`` are US dollars per month (on demand, us-east-1, 730 hours) when the
    ``objective`` is "cost", and instances when it is "instances".
    """

    objective: Objective
    value: float
    bound: float
    batches: tuple[Batch, ...]

    @property
    def gap_percent(self) -> float:
        """By how much the packing could at most be above the least possible, in percent of that; 0 where it is that."""
        return 100 * (self.value / self.bound - 1)

    @property
    def instances(self) -> int:
        """All instances."""
        return sum(batch.instances for batch in self.batches)

    @property
    def usd_month(self) -> float | None:
        """US dollars per month of all instances; None when one of them has no price."""
        prices = [batch.usd_month for batch in self.batches]
        return None if None in prices else round(sum(price or 0 for price in prices), 2)


def pack(demands: Sequence[Demand], empty: Sequence[Instance], minimise: Objective = "cost") -> Packing:
    """Pack every task of every service onto instances such as the ``empty`` ones, of which there are enough.

    Every service must fit one of them (`misfits`), else a `ValueError` is raised; a `ParameterError`
    for a type without a price where the cost is to be least.
    """
    if lacking := misfits(demands, empty):
        raise ValueError("; ".join(lacking))
    if minimise == "cost":
        empty = priced(empty)
    problem = _problem(demands, empty, minimise)
    kept = _undominated(problem)
    smaller = replace(problem, gives=problem.gives[kept], most=problem.most[kept], cost=problem.cost[kept])
    found = columns.solve(smaller)
    unit = (HOURS_A_MONTH if minimise == "cost" else 1) / MICRO
    return Packing(minimise, found.cost * unit, found.bound * unit, _batches(found.loads, empty, kept, demands))


def candidates(zones: Sequence[str] = ()) -> list[str]:
    """The types worth considering: of the current generation, with a price, offered in all ``zones`` of us-east-1.

    No burstable ones: a service held at a CPU target spends their credits.
    """
    table = catalog.table()
    fits = table["current_generation"] & table["usd_per_hour"].notna() & table["zones"].map(set(zones).issubset)
    return [str(name) for name in table.index[fits & ~table["burstable"]]]


def empties(types: Sequence[str], reserved_mib: int = 0, trunking: bool = False) -> list[Instance]:
    """An empty instance of each type. Raises `ParameterError` for an unknown one."""
    return [
        resources.instance(name, reserved_memory_mib=reserved_mib, zone="any", id=name, trunking=trunking)
        for name in dict.fromkeys(types)
    ]


def priced(empty: Sequence[Instance]) -> list[Instance]:
    """The same instances. Raises `ParameterError` for a type that is not sold on demand."""
    for one in empty:
        if catalog.instance_type(one.type_name).usd_per_hour is None:
            raise ParameterError(f"{one.type_name} has no on-demand price: leave it out, or minimise instances")
    return list(empty)


def misfits(demands: Sequence[Demand], empty: Sequence[Instance]) -> list[str]:
    """A sentence with its numbers for each service of which no empty instance takes even one task."""
    return [
        f"service {one.name}: no type considered takes a task of it: {nearest(one.needs, empty)}"
        for one in demands
        if all(resources.shortfalls(one.needs, other) for other in empty)
    ]


def nearest(task: TaskNeeds, empty: Sequence[Instance]) -> str:
    """The type that comes closest to fitting a task, and what it lacks."""
    failure = placement.place(task, empty)
    if isinstance(failure, Instance):
        raise ValueError(f"{failure.type_name} takes the task")
    lacks = "; ".join(map(str, failure.short)) or failure.words
    return f"the closest is {failure.closest}: {lacks}"


def _problem(demands: Sequence[Demand], empty: Sequence[Instance], minimise: Objective) -> Problem:
    needs = [one.needs for one in demands]
    wanted = np.array([one.tasks for one in demands], np.int64)
    takes, gives = _resources(needs, empty)
    counts = np.array([[placement.how_many(task, one)[0] for task in needs] for one in empty], np.int64)
    prices = [catalog.instance_type(one.type_name).usd_per_hour if minimise == "cost" else 1 for one in empty]
    cost = np.array([round((price or 0) * MICRO) for price in prices], np.int64)
    return Problem(takes, wanted, gives, np.minimum(counts, wanted), cost)


def _resources(needs: Sequence[TaskNeeds], empty: Sequence[Instance]) -> tuple[Ints, Ints]:
    """What each service's task takes and each instance gives, resource by resource."""
    used = [name for name in AMOUNTS if any(getattr(task, name) for task in needs)]
    takes, gives = ([[getattr(one, name) for name in used] for one in ones] for ones in (needs, empty))
    return np.array(takes, np.int64), np.array(gives, np.int64)


def _undominated(problem: Problem) -> Ints:
    """Types that no other dominates: one that gives and takes no less and costs no more makes another pointless."""
    order = np.lexsort((-problem.gives.sum(axis=1), problem.cost))
    kept: list[int] = []
    for one in order:
        better = np.array(kept, np.int64)
        beaten = (problem.gives[better] >= problem.gives[one]).all(axis=1) & (
            problem.most[better] >= problem.most[one]
        ).all(axis=1)
        if not beaten.any() and problem.most[one].any():
            kept.append(int(one))
    return np.array(sorted(kept), np.int64)


def _batches(loads: Loads, empty: Sequence[Instance], kept: Ints, demands: Sequence[Demand]) -> tuple[Batch, ...]:
    """The loads by type, most instances first."""
    found = [_batch(empty[kept[kind]], counts, amount, demands) for (kind, counts), amount in loads.items()]
    names = [one.name for one in demands]
    return tuple(
        sorted(found, key=lambda one: (one.type_name, -one.instances, *(-one.tasks.get(name, 0) for name in names)))
    )


def _batch(one: Instance, counts: Sequence[int], amount: int, demands: Sequence[Demand]) -> Batch:
    """So many instances with the same load, each task taken by the placement's own rules."""
    for demand, copies in zip(demands, counts, strict=True):
        for _ in range(copies):
            one = one.take(demand.needs)
    tasks = {demand.name: copies for demand, copies in zip(demands, counts, strict=True) if copies}
    return Batch(one.type_name, amount, tasks, one.memory_mib, one.cpu_units)
