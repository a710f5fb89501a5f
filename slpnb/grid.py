"""Every instance type against any number of task shapes at once, in closed form over numpy arrays.

The same rules as `placement.how_many`, `rollout.rollout` and `rollout.zone_lost` play through step
by step. Tasks of one service are all alike, so an instance is a number of slots, and each
question has a formula; the tests compare the two. Rows are types, columns are shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb import catalog
from slpnb.errors import ParameterError
from slpnb.fleet import HOURS_A_MONTH
from slpnb.resources import MINIMUM_MEMORY_MIB

Counts = NDArray[np.int32]
Flags = NDArray[np.bool_]

# What a shape may say, and what it means when it does not.
SHAPE: Mapping[str, int] = {
    "memory_mib": -1,  # must be given
    "cpu_units": 0,
    "gpus": 0,
    "enis": 0,
    "static_ports": 0,
    "desired": 1,
    "minimum_healthy_percent": 100,
    "maximum_percent": 200,
}
MANY = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Grid:
    """The answers, each an array of types (rows) by shapes (columns).

    ``tasks`` fit one instance; ``instances`` hold the desired count within ``max_instances``;
    ``holds`` says that all of it finds room. ``updates`` says that a rolling update finishes,
    on ``update_instances``, with never fewer than ``lowest`` tasks. When the worst zone is lost
    ``survive`` go on, ``placed`` find room at once and ``wait`` for a new instance.
    ``usd_month`` is the price of ``instances`` (NaN where there is none).
    """

    types: pd.Index[str]
    shapes: pd.DataFrame
    tasks: Counts
    instances: Counts
    holds: Flags
    updates: Flags
    update_instances: Counts
    lowest: Counts
    survive: Counts
    placed: Counts
    wait: Counts
    usd_month: NDArray[np.float32]

    def frame(self, shape: int) -> pd.DataFrame:
        """All answers for one shape (by its position) as a table, a row a type."""
        answers = [field.name for field in fields(self) if field.name not in ("types", "shapes")]
        return pd.DataFrame({name: getattr(self, name)[:, shape] for name in answers}, index=self.types)


def grid(
    shapes: pd.DataFrame,
    types: Sequence[str] | None = None,
    *,
    zones: int = 3,
    min_instances: int = 0,
    max_instances: int = 5000,
    reserved_mib: int = 0,
    trunking: bool = False,
    one_per_instance: bool = False,
) -> Grid:
    """Answer for every type (of the catalogue, by default) and every row of ``shapes``.

    ``shapes`` has a column memory_mib and any others of `SHAPE`; the fleet spreads over so many
    ``zones``, the group runs ``min_instances`` to ``max_instances``. Architectures are not
    compared: restrict ``types`` for that. Raises `ParameterError` for a shape that cannot be.
    """
    asked = _checked(shapes)
    table = catalog.table()
    table = table if types is None else table.loc[[catalog.instance_type(name).name for name in types]]
    tasks = _tasks(table, asked, reserved_mib, trunking)
    tasks = np.minimum(tasks, 1) if one_per_instance else tasks
    desired = asked["desired"].to_numpy(np.int32)[None, :]
    wanted = -(-desired // np.maximum(tasks, 1))
    instances = np.minimum(max_instances, np.maximum(min_instances, wanted)).astype(np.int32)
    slots = np.minimum(tasks.astype(np.int64) * max_instances, MANY).astype(np.int32)
    holds = slots >= desired
    update = _update(asked, tasks, instances, slots)
    lost = _zone_lost(desired, tasks, instances, zones)
    prices = table["usd_per_hour"].to_numpy(np.float32)[:, None] * np.float32(HOURS_A_MONTH)
    return Grid(table.index, asked, tasks, instances, holds, *update, *lost, prices * instances)


def _checked(shapes: pd.DataFrame) -> pd.DataFrame:
    unknown = sorted(set(map(str, shapes.columns)) - SHAPE.keys())
    if unknown or "memory_mib" not in shapes.columns:
        raise ParameterError(f"shapes: {unknown[0] if unknown else 'no column memory_mib'}; known: {', '.join(SHAPE)}")
    full = shapes.reindex(columns=list(SHAPE)).fillna(dict(SHAPE)).astype("int64").reset_index(drop=True)
    if (full < 0).any(axis=None) or (full["memory_mib"] < MINIMUM_MEMORY_MIB).any():
        raise ParameterError(f"shapes: nothing may be negative, and no task below {MINIMUM_MEMORY_MIB} MiB")
    return full


def _tasks(table: pd.DataFrame, asked: pd.DataFrame, reserved_mib: int, trunking: bool) -> Counts:
    """How many copies one instance takes: the least of what each resource allows."""
    plain = (table["interfaces"] - 1).clip(lower=0)
    trunked = table["trunking_compatible"] & trunking
    enis = plain.mask(trunked, table["interfaces"] + table["branch_interfaces"] - 2)
    have = {
        "memory_mib": (table["at_least_mib"] - reserved_mib).clip(lower=0),
        "cpu_units": table["cpu_units"],
        "gpus": table["gpus"],
        "enis": enis,
        "static_ports": pd.Series(1, index=table.index),
    }
    counts = np.full((len(table), len(asked)), MANY, dtype=np.int32)
    for name, free in have.items():
        needs = asked[name].to_numpy(np.int32)
        needs = np.minimum(needs, 1) if name == "static_ports" else needs
        some = needs > 0
        counts[:, some] = np.minimum(counts[:, some], free.to_numpy(np.int32)[:, None] // needs[None, some])
    return counts


def _update(asked: pd.DataFrame, tasks: Counts, instances: Counts, slots: Counts) -> tuple[Flags, Counts, Counts]:
    """A rolling update: it moves if one more may start and finds a slot, or if one may stop first."""
    desired = asked["desired"].to_numpy(np.int32)[None, :]
    least = -(-desired * asked["minimum_healthy_percent"].to_numpy(np.int32) // 100).astype(np.int32)
    most = (desired * asked["maximum_percent"].to_numpy(np.int32) // 100).astype(np.int32)
    peak = np.maximum(desired, np.minimum(np.minimum(most, slots), 2 * desired))
    updates = (slots >= desired) & ((peak > desired) | (least < desired) | (desired == 0))
    on = np.where(updates, -(-peak // np.maximum(tasks, 1)), 0)
    first_new = peak - desired  # how many new ones run when the first old ones stop
    lowest = np.where(updates, np.minimum(desired, np.maximum(least, first_new)), 0)
    return updates, np.where(updates, np.maximum(instances, on), 0).astype(np.int32), lowest.astype(np.int32)


def _zone_lost(desired: Counts, tasks: Counts, instances: Counts, zones: int) -> tuple[Counts, Counts, Counts]:
    """The first zone is the worst to lose: instances and tasks are dealt out from it."""
    each, extra = instances // zones, instances % zones
    small = each * tasks  # slots of a zone without one of the extra instances
    running = np.minimum(desired, instances * tasks.astype(np.int64)).astype(np.int32)
    level = -(-running // zones)
    full = -(-(running - (zones - extra) * small) // np.maximum(extra, 1))
    worst = np.where(running <= zones * small, level, full)
    survive = running - worst
    left = instances - each - (extra > 0)
    placed = np.minimum(desired - survive, left * tasks - survive)
    return survive.astype(np.int32), placed.astype(np.int32), (desired - survive - placed).astype(np.int32)
