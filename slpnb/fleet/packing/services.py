"""Services packed together onto instances of one or several types, and how close that is to the optimum.

A packing says which tasks share an instance, so that no resource of any instance is exceeded
(the rules are `slpnb.ecs.placement`'s: memory, CPU, GPUs, network interfaces, host ports, attributes,
one task per instance). `pack` finds one of least cost or fewest instances, with a proven bound:
no packing whatever costs less. ECS places task by task and cannot be told a packing; the bound
says what is left to gain by any other choice of types or sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.ecs.resources import Instance, TaskNeeds
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import shapes
from slpnb.fleet.group import HOURS_A_MONTH
from slpnb.fleet.packing import columns
from slpnb.fleet.packing.columns import Loads, Problem
from slpnb.fleet.packing.knapsack import Ints

MICRO = 1_000_000  # of a dollar or of an instance: prices have five decimals, so all costs are whole numbers
MOST_TASKS = 1_000_000

Objective = Literal["cost", "instances"]


@dataclass(frozen=True, repr=False)
class Packing:
    """Tasks on instances, and the bound that no packing can beat.

    ``value`` and ``bound`` are US dollars per month (on demand, us-east-1, 730 hours) when the
    ``objective`` is "cost", and instances when it is "instances". ``loads`` has one row for each
    different load (index): ``type``, ``instances`` that carry it, one column per service with its
    tasks on each of them, ``left_mib`` and ``left_cpu_units`` free next to them, ``usd_month`` of
    all of them (NaN without a price).
    """

    objective: Objective
    value: float
    bound: float
    loads: pd.DataFrame
    services: tuple[Any, ...]

    @property
    def gap_percent(self) -> float:
        """By how much a packing could be better at most, as a percentage of the bound."""
        return 100 * (self.value / self.bound - 1) if self.bound else 0.0

    @property
    def instances(self) -> int:
        """All instances."""
        return int(self.loads["instances"].sum())

    @property
    def fleet(self) -> pd.DataFrame:
        """One row per type (index): ``instances`` and ``usd_month``."""
        return self.loads.groupby("type")[["instances", "usd_month"]].sum(min_count=1)

    def placements(self) -> pd.DataFrame:
        """One row for each instance and service on it: ``instance``, ``type``, ``service``, ``tasks``."""
        rows = self.loads.loc[self.loads.index.repeat(self.loads["instances"])].reset_index(drop=True)
        rows["instance"] = [f"instance-{number + 1:05}" for number in range(len(rows))]
        long = rows.melt(["instance", "type"], list(self.services), var_name="service", value_name="tasks")
        return long[long["tasks"] > 0].sort_values(["instance", "service"], ignore_index=True)

    def __repr__(self) -> str:
        many = f"{self.instances} instance{'' if self.instances == 1 else 's'}"
        if self.objective == "instances":
            what, floor = many, f"fewer than {self.bound:.0f}"
        else:
            what, floor = f"{many} at {self.value:,.2f} USD per month", f"less than {self.bound:,.2f} USD"
        if self.value <= self.bound:
            return f"{what}: no packing does better"
        return f"{what}; no packing needs {floor}: within {self.gap_percent:.2f} %"


def pack(
    services: pd.DataFrame,
    types: Sequence[str] | None = None,
    *,
    minimise: Objective = "cost",
    reserved_mib: int = 0,
    trunking: bool = False,
    daemons: Sequence[TaskNeeds] = (),
) -> Packing:
    """Pack every task of every service onto instances of the given types.

    ``services`` has one row per service with the columns of `shapes.COLUMNS`, ``tasks`` and, if
    wanted, ``distinct`` (at most one task of the service an instance: distinctInstance).
    ``types`` are instance types by name, by default every `candidates`. ``reserved_mib`` is
    ECS_RESERVED_MEMORY, ``trunking`` whether ENI trunking is on, ``daemons`` the tasks that run
    on every instance.

    Raises `Refusal` for a service that fits none of the types, `ParameterError` for bad input.
    """
    given = services if "distinct" in services else services.assign(distinct=False)
    needs = shapes.needs(given, also=("tasks", "distinct"))
    empty = empties(candidates() if types is None else types, reserved_mib, trunking, daemons)
    if minimise == "cost":
        empty = priced(empty)
    problem = _problem(given, list(needs.values()), empty, minimise)
    _refuse(problem, needs, empty)
    kept = _undominated(problem)
    smaller = replace(problem, gives=problem.gives[kept], most=problem.most[kept], cost=problem.cost[kept])
    found = columns.solve(smaller)
    unit = (HOURS_A_MONTH if minimise == "cost" else 1) / MICRO
    table = _table(found.loads, [empty[at] for at in kept], needs)
    return Packing(minimise, found.cost * unit, found.bound * unit, table, tuple(needs))


def candidates(zones: Sequence[str] = (), *, burstable: bool = False) -> list[str]:
    """The types worth considering: of the current generation, with a price, offered in all ``zones`` of us-east-1.

    Burstable ones only if asked: a service held at a CPU target spends their credits.
    """
    table = catalog.table()
    fits = table["current_generation"] & table["usd_per_hour"].notna() & table["zones"].map(set(zones).issubset)
    return [str(name) for name in table.index[fits & (burstable | ~table["burstable"])]]


def empties(
    types: Sequence[str], reserved_mib: int = 0, trunking: bool = False, daemons: Sequence[TaskNeeds] = ()
) -> list[Instance]:
    """An empty instance of each type, with the daemons on it; types too small for those are left out."""
    if not types:
        raise ParameterError("no instance types to choose from")
    known = catalog.table()["at_least_mib"]
    found: list[Instance] = []
    for name in dict.fromkeys(types):
        memory = int(known[catalog.instance_type(name).name])
        one = placement.instance(
            name, reserved_memory_mib=reserved_mib, zone="any", id=name, trunking=trunking, memory_mib=memory
        )
        found += _with_daemons(one, daemons)
    if not found:
        raise Refusal(f"none of {', '.join(types)} takes the daemon tasks")
    return found


def _with_daemons(one: Instance, daemons: Sequence[TaskNeeds]) -> Iterator[Instance]:
    for daemon in daemons:
        if placement.shortfalls(daemon, one):
            return
        one = one.take(daemon)
    yield one


def priced(empty: Sequence[Instance]) -> list[Instance]:
    """The same instances. Raises `ParameterError` for a type that is not sold on demand."""
    for one in empty:
        if catalog.instance_type(one.type_name).usd_per_hour is None:
            raise ParameterError(f"{one.type_name} has no on-demand price: leave it out, or minimise instances")
    return list(empty)


def _problem(
    services: pd.DataFrame, needs: Sequence[TaskNeeds], empty: Sequence[Instance], minimise: Objective
) -> Problem:
    wanted = np.array([_tasks(name, value) for name, value in services["tasks"].items()], np.int64)
    takes, gives = _resources(needs, empty)
    counts, _ = shapes.how_many(needs, empty)
    most = np.minimum(counts, np.where(services["distinct"].eq(True), 1, wanted)).astype(np.int64)
    prices = [catalog.instance_type(one.type_name).usd_per_hour if minimise == "cost" else 1 for one in empty]
    cost = np.array([round((price or 0) * MICRO) for price in prices], np.int64)
    return Problem(takes, wanted, gives, np.minimum(most, wanted), cost)


def _tasks(name: Any, value: Any) -> int:
    tasks = shapes.whole(name, "tasks", value)
    if not 0 <= tasks <= MOST_TASKS:
        raise ParameterError(f"service {name!r}: {tasks} tasks: must be from 0 to {MOST_TASKS}")
    return tasks


def _resources(needs: Sequence[TaskNeeds], empty: Sequence[Instance]) -> tuple[Ints, Ints]:
    """What each shape takes and each instance gives, resource by resource; each static host port is one."""
    pairs = [([of_task(task) for task in needs], [of(one) for one in empty]) for of_task, of in shapes.AMOUNTS.values()]
    for port in sorted({port for task in needs for port in task.tcp_ports}):
        pairs.append(([port in task.tcp_ports for task in needs], [port not in one.tcp_ports for one in empty]))
    for port in sorted({port for task in needs for port in task.udp_ports}):
        pairs.append(([port in task.udp_ports for task in needs], [port not in one.udp_ports for one in empty]))
    used = [(takes, gives) for takes, gives in pairs if any(takes)]
    return np.array([takes for takes, _ in used], np.int64).T, np.array([gives for _, gives in used], np.int64).T


def _refuse(problem: Problem, needs: dict[Any, TaskNeeds], empty: Sequence[Instance]) -> None:
    """Every service must fit an instance of some type."""
    for at, (name, task) in enumerate(needs.items()):
        if problem.wanted[at] and not problem.most[:, at].any():
            raise Refusal(f"service {name!r} fits none of the {len(empty)} types: {nearest(task, empty)}")


def nearest(task: TaskNeeds, empty: Sequence[Instance]) -> str:
    """The type that comes closest to fitting a task, and what it lacks."""
    failure = placement.place(task, empty)
    if isinstance(failure, Instance):
        raise ValueError(f"{failure.type_name} takes the task")
    lacks = "; ".join(map(str, failure.short)) or failure.words
    return f"the closest is {failure.closest}: {lacks}"


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


def _table(loads: Loads, empty: Sequence[Instance], needs: dict[Any, TaskNeeds]) -> pd.DataFrame:
    rows = []
    for (kind, counts), amount in loads.items():
        rest, price = _carried(empty[kind], needs, counts), catalog.instance_type(empty[kind].type_name).usd_per_hour
        rows.append(
            {"type": rest.type_name, "instances": amount, **dict(zip(needs, counts, strict=True))}
            | {"left_mib": rest.memory_mib, "left_cpu_units": rest.cpu_units}
            | {"usd_month": float("nan") if price is None else price * HOURS_A_MONTH * amount}
        )
    names = ["type", "instances", *needs, "left_mib", "left_cpu_units", "usd_month"]
    table = pd.DataFrame(rows, columns=names)
    table = table.sort_values(["type", "instances", *needs], ascending=[True, False, *[False] * len(needs)])
    return table.reset_index(drop=True).rename_axis("load")


def _carried(one: Instance, needs: dict[Any, TaskNeeds], counts: Sequence[int]) -> Instance:
    """The instance after its load, each task taken by the placement's own rules."""
    for task, copies in zip(needs.values(), counts, strict=True):
        for _ in range(copies):
            one = one.take(task)
    return one
