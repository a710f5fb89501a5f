"""The scheduler model: a day in steps of one second, and how its time grows with the tasks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from slpnb.ecs import scheduler
from slpnb.ecs.resources import TaskNeeds
from slpnb.ecs.scheduler.state import Tracking
from slpnb.fleet import Fleet, replay, traffic
from slpnb.fleet.replay import Replay

ZONES = ("us-east-1a", "us-east-1b")
NEEDS = TaskNeeds(memory_mib=2560, cpu_units=1024, dynamic_ports=1)
DAY_SECONDS = 86_400
FEW, MANY = 250, 2_000


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means."""
    yield (
        "scheduler model, a day",
        _day(),
        f"seconds of one core, a service that scales with its traffic, in {DAY_SECONDS:,} steps (under 1)",
    )
    grown = statistics.median(_update(MANY) / _update(FEW) for _ in range(3)) / (MANY / FEW)
    what = f"times the time a task, {MANY:,} tasks against {FEW}, started and updated (1 is linear)"
    yield "scheduler model, growth", grown, what


def _started(tasks: int) -> Replay:
    state = replay.cluster(Fleet("c6g.xlarge", tasks // 2 + 2, 2 * tasks, ZONES))
    return replay.start(state, replay.service(replay.definition(NEEDS), desired=tasks))


def _day() -> float:
    begun = _started(1)
    load = enumerate(traffic.loads(traffic.sample(), cpu_milliseconds=25))
    trace = tuple((begun.state.clock + 60.0 * minute, units) for minute, units in load)
    state = scheduler.add_tracking(begun.state, Tracking(begun.key, 1, 5, trace=trace))
    begin = time.process_time()
    for _ in range(DAY_SECONDS):
        state = scheduler.advance(state, 1)
    return time.process_time() - begin


def _update(tasks: int) -> float:
    begin = time.process_time()
    if not replay.update(_started(tasks)).steady:
        raise RuntimeError(f"the update of {tasks} tasks did not finish: there is nothing to compare")
    return time.process_time() - begin
