"""Ratios of sizing and packing, each measured against the plain way in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.fleet import HOURS_A_MONTH, Fleet, matrix, shapes, steady
from slpnb.fleet.packing import services as packing
from slpnb.fleet.rollout import rollout, zone_lost

FLEET = Fleet("c6g.large", 3, 12, ("us-east-1a", "us-east-1b", "us-east-1c"))
DESIRED = 4
LOOPED_PAIRS = 1_000


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means."""
    yield from _sizes()
    yield from _packing()


def by_loop(
    task_shapes: pd.DataFrame,
    fleet: Fleet,
    *,
    types: Sequence[str],
    desired: int = 1,
    minimum_healthy_percent: int = 100,
    maximum_percent: int = 200,
    target_capacity_percent: int = 100,
) -> pd.DataFrame:
    """What `matrix.sizes` says, pair by pair, as a straightforward program would."""
    rows = []
    for name in types:
        for shape, needs in shapes.needs(task_shapes).items():
            found = placement.fit(needs, name, reserved_mib=fleet.reserved_mib, trunking=fleet.trunking)
            group = steady(needs, replace(fleet, type_name=name), desired, target_capacity_percent)
            update = rollout(
                needs,
                group,
                desired=desired,
                minimum_healthy_percent=minimum_healthy_percent,
                maximum_percent=maximum_percent,
            )
            lost = zone_lost(needs, group, desired)
            worst = max(lost.to_dict("records"), key=lambda row: (row["wait"], -row["survive"]))
            price = catalog.instance_type(name).usd_per_hour
            rows.append(
                {
                    "type": name,
                    "shape": shape,
                    "tasks": found.count,
                    "binds": found.binding,
                    "left_mib": found.spare.memory_mib,
                    "instances": group.instances,
                    "running": worst["tasks"],
                    "update_finishes": not update.stuck,
                    "update_instances": update.instances,
                    "update_lowest": update.lowest,
                    "zone_survive": worst["survive"],
                    "zone_placed": worst["placed"],
                    "zone_wait": worst["wait"],
                    "usd_month": float("nan") if price is None else price * HOURS_A_MONTH * group.instances,
                }
            )
    return pd.DataFrame(rows).set_index(["type", "shape"])


def task_shapes(count: int, seed: int = 0) -> pd.DataFrame:
    """Task shapes from 128 MiB to 32 GiB, of every network mode and architecture."""
    rng = np.random.default_rng(seed)
    mode = rng.integers(0, 4, count)
    return pd.DataFrame(
        {
            "memory_mib": (2 ** rng.uniform(7, 15, count)).astype(int),
            "cpu_units": rng.integers(0, 33, count) * 128,
            "gpus": rng.integers(0, 12, count) // 11,
            "enis": (mode == 0).astype(int),
            "dynamic_ports": (mode == 1).astype(int),
            "tcp_ports": [(80,) if one == 2 else () for one in mode],
            "architecture": rng.choice(["", "arm64", "x86_64"], count),
        },
        index=[f"shape-{number:04}" for number in range(count)],
    )


def services(tasks: int = 10_000, count: int = 12, seed: int = 0) -> pd.DataFrame:
    """Services of so many tasks in all, of sizes that share no common step."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "tasks": rng.multinomial(tasks, rng.dirichlet(np.ones(count))),
            "memory_mib": rng.integers(256, 3500, count),
            "cpu_units": rng.integers(1, 9, count) * 128,
            "dynamic_ports": 1,
        },
        index=[f"service-{number:02}" for number in range(count)],
    )


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _sizes() -> Iterator[tuple[str, float, str]]:
    shaped, types = task_shapes(1_000), list(catalog.types())
    catalog.table()
    whole = _seconds(lambda: matrix.sizes(shaped, FLEET, types=types, desired=DESIRED))
    rng = np.random.default_rng(1)
    some, few = sorted(rng.choice(types, LOOPED_PAIRS // 20, replace=False)), shaped.sample(20, random_state=1)
    loop = _seconds(lambda: by_loop(few, FLEET, types=some, desired=DESIRED))
    pairs = len(types) * len(shaped)
    yield (
        "sizing matrix against a loop",
        (loop / LOOPED_PAIRS) / (whole / pairs),
        f"times as fast a pair: {pairs:,} pairs at once against a loop over {LOOPED_PAIRS:,} of them (at least 100)",
    )
    yield "sizing matrix memory", _peak_mib(), f"MiB, the whole process with {pairs:,} pairs (under 300)"


PEAK = """
import resource
from tests.benchmarks import ratios_sizing as it
it.matrix.sizes(it.task_shapes(1_000), it.FLEET, desired=it.DESIRED)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak_mib() -> float:
    """The most memory of a fresh process that does nothing else (Linux counts in KiB, macOS in bytes)."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    return int(done.stdout) / (2**20 if sys.platform == "darwin" else 2**10)


MIXED = ("c6g.large", "c6g.xlarge", "m6g.large", "r6g.large", "m6g.2xlarge")


def _packing() -> Iterator[tuple[str, float, str]]:
    for types in (("c6i.large",), MIXED):
        table = services()
        begin = time.process_time()  # one thread: what else the machine does is left out
        found = packing.pack(table, types)
        seconds = time.process_time() - begin
        what = f"{table['tasks'].sum():,} tasks of {len(table)} shapes, {len(types)} instance type(s)"
        yield f"packing on {len(types)}: gap", found.gap_percent, f"percent above the proven bound, {what} (at most 1)"
        yield f"packing on {len(types)}: time", seconds, f"seconds of one core, {what} (under 2)"
