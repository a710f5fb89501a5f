"""Every instance type with every task shape at once: what fits, an update, and a zone lost.

A fleet of one type under one service is seen by ECS's rules only through how many copies of the
task an instance takes: placement, rolling updates and the loss of a zone depend on that number
and on nothing else of the type or the shape. So the number is counted for all pairs on whole
arrays (`shapes.how_many`), and `slpnb.fleet.rollout` plays each number through once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb import catalog
from slpnb.ecs.placement import TaskNeeds
from slpnb.errors import ParameterError
from slpnb.fleet import shapes
from slpnb.fleet.group import HOURS_A_MONTH, Fleet, steady
from slpnb.fleet.packing import services as packing
from slpnb.fleet.rollout import limits, rollout, zone_lost


@dataclass(frozen=True)
class Outcome:
    """What becomes of a service on a fleet, in numbers; the columns of `sizes` of the same names."""

    instances: int
    running: int
    update_finishes: bool
    update_instances: int
    update_lowest: int
    zone_survive: int
    zone_placed: int
    zone_wait: int


def sizes(
    task_shapes: pd.DataFrame,
    fleet: Fleet,
    *,
    types: Sequence[str] | None = None,
    desired: int = 1,
    minimum_healthy_percent: int = 100,
    maximum_percent: int = 200,
    target_capacity_percent: int = 100,
) -> pd.DataFrame:
    """Each shape on each type: one row a pair (index: type, shape).

    ``task_shapes`` has the columns of `shapes.COLUMNS`; ``fleet`` says everything but the type:
    fewest and most instances, zones, reserve, trunking, placement template, daemons. ``types``
    are by default all of the catalogue; those that the daemons do not fit are left out.

    Columns: ``tasks`` that the resources of an instance allow, ``binds`` what stops one more,
    ``left_mib`` free beside them; ``instances`` that managed scaling keeps for ``desired`` tasks
    and ``running`` of them that find room; ``update_finishes``, on how many instances
    (``update_instances``), with how few tasks at worst (``update_lowest``); of the worst zone
    lost, tasks that survive (``zone_survive``), find room at once (``zone_placed``) or wait
    (``zone_wait``); ``usd_month`` of ``instances`` (NaN without a price).

    Raises `ParameterError` for bad shapes, types or counts.
    """
    if desired < 1:
        raise ParameterError(f"desired {desired}: a service of no tasks has no size")
    needs = shapes.needs(task_shapes)
    names = list(catalog.types() if types is None else types)
    empty = packing.empties(names, fleet.reserved_mib, fleet.trunking, fleet.daemons)
    count, binds = shapes.how_many(list(needs.values()), empty)
    service = Service(desired, minimum_healthy_percent, maximum_percent, target_capacity_percent)
    kinds = [one.type_name for one in empty]
    outcomes, which = _outcomes(count, kinds, list(needs.values()), fleet, service)
    memory = np.array([one.memory_mib for one in empty], np.int32)
    asked = np.array([task.memory_mib for task in needs.values()], np.int32)
    prices = catalog.table().loc[kinds, "usd_per_hour"].to_numpy(float) * HOURS_A_MONTH
    columns: dict[str, Any] = {
        "tasks": count.ravel(),
        "binds": shapes.words(binds),
        "left_mib": (memory[:, None] - count * asked).ravel(),
        **{name: column[which].ravel() for name, column in outcomes.items()},
        "usd_month": (prices[:, None] * outcomes["instances"][which]).ravel(),
    }
    index = pd.MultiIndex.from_product([kinds, list(needs)], names=["type", "shape"])
    return pd.DataFrame(columns, index=index, copy=False)


@dataclass(frozen=True)
class Service:
    """Desired tasks, the deployment's percentages and managed scaling's target capacity."""

    desired: int
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    target_capacity_percent: int = 100

    def on(self, fleet: Fleet, needs: TaskNeeds) -> Outcome:
        """Play the service through on one fleet: steady state, a rolling update, each zone lost."""
        running = steady(needs, fleet, self.desired, self.target_capacity_percent)
        update = rollout(
            needs,
            running,
            desired=self.desired,
            minimum_healthy_percent=self.minimum_healthy_percent,
            maximum_percent=self.maximum_percent,
        )
        lost = zone_lost(needs, running, self.desired)
        worst = lost.sort_values(["wait", "survive"], ascending=[False, True], kind="stable").iloc[0]
        return Outcome(
            instances=running.instances,
            running=int(lost["tasks"].iloc[0]),
            update_finishes=bool(update),
            update_instances=update.instances,
            update_lowest=update.lowest,
            zone_survive=int(worst["survive"]),
            zone_placed=int(worst["placed"]),
            zone_wait=int(worst["wait"]),
        )

    @property
    def most(self) -> int:
        """Tasks that ever run at once: an instance with room for more is never full."""
        _, most = limits(self.desired, self.minimum_healthy_percent, self.maximum_percent)
        return max(most, self.desired)


def _outcomes(
    count: shapes.Counts, kinds: Sequence[str], needs: Sequence[TaskNeeds], fleet: Fleet, service: Service
) -> tuple[dict[str, NDArray[Any]], NDArray[np.intp]]:
    """The outcome of each number of tasks an instance, and which one each pair has."""
    capped = np.minimum(count, service.most)
    present = np.flatnonzero(np.bincount(capped.ravel()))
    played = []
    for number in present:
        kind, shape = divmod(int((capped == number).argmax()), len(needs))
        played.append(service.on(replace(fleet, type_name=kinds[kind]), needs[shape]))
    columns: dict[str, NDArray[Any]] = {}
    for name in Outcome.__dataclass_fields__:
        values = [getattr(outcome, name) for outcome in played]
        columns[name] = np.array(values, bool if isinstance(values[0], bool) else np.int32)
    return columns, np.searchsorted(present, np.arange(service.most + 1))[capped]
