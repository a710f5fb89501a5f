"""How near a packing of several services is to its proven bound, its time, and that of a recommended fleet."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np

from slpnb.ecs.resources import TaskNeeds
from slpnb.fleet import packing, recommendation, size
from slpnb.fleet.recommendation import Constraints


def demands(tasks: int = 10_000, count: int = 12, seed: int = 0) -> list[packing.Demand]:
    """Services with that many tasks in all, of sizes that share no common step."""
    rng = np.random.default_rng(seed)
    wanted = rng.multinomial(tasks, rng.dirichlet(np.ones(count)))
    memory, cpu = rng.integers(256, 3500, count), rng.integers(1, 9, count) * 128
    needs = [size.task(int(mib), cpu_units=int(units)) for mib, units in zip(memory, cpu, strict=True)]
    return [packing.Demand(f"service-{at:02}", needs[at], int(wanted[at])) for at in range(count)]


FEW, MANY = 20, 1_000
MIXED = ("c6g.large", "c6g.xlarge", "m6g.large", "r6g.large", "m6g.2xlarge")


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means."""
    for types in (("c6i.large",), MIXED):
        asked, empty = demands(), packing.empties(types)
        begin = time.process_time()  # one thread: what else the machine does is left out
        found = packing.pack(asked, empty)
        seconds = time.process_time() - begin
        what = f"{sum(one.tasks for one in asked):,} tasks of {len(asked)} shapes, {len(types)} instance type(s)"
        yield f"packing on {len(types)}: gap", found.gap_percent, f"percent above the proven bound, {what} (at most 1)"
        yield f"packing on {len(types)}: time", seconds, f"seconds of one core, {what} (under 2)"
    grown = statistics.median(_recommended(MANY) / _recommended(FEW) for _ in range(5))
    what = f"times the time, {MANY:,} tasks against {FEW}: every guarantee, each type of the catalogue (near 1)"
    yield "recommended fleet, growth", grown, what


def _recommended(tasks: int) -> float:
    begin = time.process_time()
    recommendation.recommend(TaskNeeds(2560, 2048, dynamic_ports=1), Constraints(2, tasks))
    return time.process_time() - begin
