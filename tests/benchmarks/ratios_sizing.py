"""How near a packing of several services is to its proven bound, and the time it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

from slpnb.fleet.packing import services as packing


def services(tasks: int = 10_000, count: int = 12, seed: int = 0) -> pd.DataFrame:
    """Services with that many tasks in all, of sizes that share no common step."""
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


MIXED = ("c6g.large", "c6g.xlarge", "m6g.large", "r6g.large", "m6g.2xlarge")


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means."""
    for types in (("c6i.large",), MIXED):
        table = services()
        begin = time.process_time()  # one thread: what else the machine does is left out
        found = packing.pack(table, types)
        seconds = time.process_time() - begin
        what = f"{table['tasks'].sum():,} tasks of {len(table)} shapes, {len(types)} instance type(s)"
        yield f"packing on {len(types)}: gap", found.gap_percent, f"percent above the proven bound, {what} (at most 1)"
        yield f"packing on {len(types)}: time", seconds, f"seconds of one core, {what} (under 2)"
