"""A day's traffic simulated by the scheduler model: tasks, instances, headroom and cost, against fixed fleets.

The trace says what is asked of the service minute by minute. The model (`slpnb.ecs.scheduler.machine`) follows
it as ECS would: target tracking sets the desired count, managed scaling the instances, both with
their delays, so what comes out is late where AWS would be late. The rules and their sources are in
`slpnb.ecs.scheduler.tracking` and `slpnb.ecs.scheduler.managed_scaling`.

Units: MiB, CPU units (1024 per vCPU), US dollars on demand in us-east-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb import catalog
from slpnb.ecs import scheduler
from slpnb.ecs.resources import TaskNeeds, needs
from slpnb.ecs.scheduler.state import State, Tracking
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import replay
from slpnb.fleet.group import HOURS_A_MONTH, Fleet, fleet
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

COLUMNS = {
    "requests": "requests that arrived in the minute",
    "cpu_units": "CPU units in use on average over the minute, by all tasks together",
}
MINUTE = pd.Timedelta(minutes=1)
UNITS_A_MILLISECOND = catalog.CPU_UNITS_PER_VCPU / 60_000  # a vCPU busy for 1 ms of a minute
FIXED_ROWS = 20
Loads = NDArray[np.float64]


# The trace


def read(path: Path | str) -> pd.DataFrame:
    """A trace from a CSV file: a column ``minute`` and one of COLUMNS. Raises `ParameterError`."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path}: no trace can be read: {error}") from error
    if "minute" not in table.columns:
        raise ParameterError(f"{path}: column minute is missing, there are {', '.join(map(str, table.columns))}")
    try:
        return table.assign(minute=pd.to_datetime(table["minute"])).set_index("minute")
    except ValueError as error:
        raise ParameterError(f"{path}: column minute holds something that is not a time: {error}") from error


def sample(busiest: int = 12_000) -> pd.DataFrame:
    """An invented weekday of a store locator: quiet at night, busy at noon and in the evening, one sudden rush.

    ``busiest`` is about how many requests per minute the evening has; the rush at 15:00 has as many.
    """
    minute = np.arange(1440)
    noon, evening = (np.exp(-(((minute - at) / width) ** 2)) for at, width in ((750, 110), (1200, 130)))
    rush = np.where((minute >= 900) & (minute < 930), 0.55, 0.0)
    share = 0.08 + 0.75 * noon + 0.92 * evening + rush
    index = pd.date_range("2024-06-03", periods=1440, freq="min", name="minute")
    return pd.DataFrame({"requests": np.rint(busiest * share).astype(int)}, index=index)


def loads(trace: pd.DataFrame, cpu_milliseconds: float | None = None) -> pd.Series[float]:
    """The CPU units that each minute of a trace asks for.

    ``trace`` has a row for each minute (index: timestamps) and one of COLUMNS; for requests,
    ``cpu_milliseconds`` says how long one keeps a vCPU busy. Raises `ParameterError`, in one
    sentence, for gaps, disorder, and values that are missing, negative or no numbers.
    """
    minutes = _minutes(trace.index)
    column = _column(trace)
    values = _values(trace[column], column)
    if column == "cpu_units" and cpu_milliseconds is not None:
        raise ParameterError("the trace holds cpu_units already: leave cpu_milliseconds out")
    if column == "requests" and (cpu_milliseconds is None or not 0 < cpu_milliseconds < float("inf")):
        given = f", not {cpu_milliseconds}" if cpu_milliseconds is not None else ""
        raise ParameterError(f"a trace of requests needs cpu_milliseconds above 0{given}: a request's vCPU time")
    factor = 1.0 if cpu_milliseconds is None else cpu_milliseconds * UNITS_A_MILLISECOND
    return pd.Series(values * factor, index=minutes, name="load_units")


def _minutes(index: pd.Index[Any]) -> pd.DatetimeIndex:
    if not len(index):
        raise ParameterError("the trace is empty")
    if not isinstance(index, pd.DatetimeIndex):
        raise ParameterError(f"the trace's index must hold a timestamp for each minute, not {index[0]!r}")
    if index.hasnans:
        raise ParameterError(f"row {int(index.isna().argmax()) + 1} of the trace has no time")
    odd = index[index != index.floor("min")]
    if len(odd):
        raise ParameterError(f"the trace has a row at {odd[0]}, which is not a whole minute")
    _check_order(index)
    return index


def _check_order(index: pd.DatetimeIndex) -> None:
    """Check the order first: the remedy is sorting, which may also close an apparent gap."""
    for before, after in pairwise(index):
        if after == before:
            raise ParameterError(f"the trace has {before} twice")
        if after < before:
            raise ParameterError(f"the trace is not in order: {after} comes after {before}")
    for before, after in pairwise(index):
        missing = (after - before) // MINUTE - 1
        if missing:
            said = f"{counted(missing, 'minute')} missing between {before} and {after}"
            raise ParameterError(f"the trace has a gap: {said}")


def _column(trace: pd.DataFrame) -> str:
    found = [name for name in COLUMNS if name in trace.columns]
    if len(found) != 1:
        have = ", ".join(map(str, trace.columns)) or "none"
        raise ParameterError(f"the trace must have a column requests or a column cpu_units; its columns are {have}")
    return found[0]


def _values(column: pd.Series[Any], name: str) -> Loads:
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        at, value = column.index[wrong[0]], column.iloc[wrong[0]]
        what = "is missing" if pd.isna(value) else f"is {value}, must be a number and not negative"
        raise ParameterError(f"the trace's {name} at {at} {what}")
    return values


# The day


@dataclass(frozen=True)
class Scaling:
    """Target tracking of the service: between how many tasks, at which average CPU, with which cooldown."""

    minimum_tasks: int
    maximum_tasks: int
    target_percent: float = 70
    cooldown_seconds: float = 300

    def __post_init__(self) -> None:
        if not 1 <= self.minimum_tasks <= self.maximum_tasks:
            raise ParameterError(
                f"scaling from {self.minimum_tasks} to {self.maximum_tasks} tasks: must be at least 1, "
                "the minimum no more than the maximum"
            )
        if not 0 < self.target_percent <= 100 or self.cooldown_seconds < 0:
            raise ParameterError(
                f"scaling at {self.target_percent} % with a cooldown of {self.cooldown_seconds} s: must be above 0 "
                "to 100 %, and not negative"
            )

    def asked(self, load_units: float, cpu_units: int) -> int:
        """The number of tasks that a steady load settles at."""
        wanted = ceil(load_units / (cpu_units * self.target_percent / 100))
        return max(self.minimum_tasks, min(self.maximum_tasks, wanted))


@dataclass(frozen=True, repr=False)
class Day:
    """What happened under a trace, minute by minute.

    ``minutes`` has a row for each (index) with ``load_units`` asked, ``desired`` tasks at its end,
    the fewest ``tasks`` that ran in it, ``capacity_units`` of those, ``used_percent`` and
    ``headroom_units`` (negative: more is asked than there is), the most ``instances`` that were
    paid for in it, and ``usd``. The scaling, the task and the fleet are those it was played with.
    """

    minutes: pd.DataFrame
    needs: TaskNeeds
    fleet: Fleet
    scaling: Scaling

    @property
    def hours(self) -> float:
        """How long the trace is."""
        return len(self.minutes) / 60

    def by_hour(self, hours: int) -> pd.DataFrame:
        """One row per ``hours`` hours (index: time of day): what was asked at most, tasks, instances, dollars."""
        table = self.minutes.groupby(pd.DatetimeIndex(self.minutes.index).floor(f"{hours}h")).agg(
            most_asked=("load_units", "max"),
            fewest_tasks=("tasks", "min"),
            most_tasks=("tasks", "max"),
            most_instances=("instances", "max"),
            least_headroom=("headroom_units", "min"),
            usd=("usd", "sum"),
        )
        table.index = pd.Index(pd.DatetimeIndex(table.index).strftime("%H:%M"), name="from")
        return table.round({"most_asked": 0, "least_headroom": 0, "usd": 2}).astype(
            {"most_asked": int, "least_headroom": int}
        )

    def fleets(self) -> pd.DataFrame:
        """This day against fleets that never change: one row each (index), the scaled one first.

        ``tasks`` and ``instances`` are the most of each; ``over_target`` counts minutes above the
        target, ``short`` those that ask for more CPU than the tasks reserve; ``least_headroom`` in
        CPU units; ``usd`` for the trace, and ``usd_month`` for 730 hours of days like it.
        """
        most = self.scaling.maximum_tasks
        apart = -(-(most - self.scaling.minimum_tasks + 1) // FIXED_ROWS)
        counts = range(most, self.scaling.minimum_tasks - 1, -apart)
        fixed = (self._fixed(tasks) for tasks in sorted(counts) if self._holds(tasks))
        rows = [self._row(self._name, self.minutes), *fixed]
        return pd.DataFrame(rows).set_index("fleet")

    @property
    def _name(self) -> str:
        low, high = self.scaling.minimum_tasks, self.scaling.maximum_tasks
        return f"scaled, {low} to {high}"

    def _holds(self, tasks: int) -> bool:
        return self.fleet.holding(self.needs, tasks) <= self.fleet.max_instances

    def _fixed(self, tasks: int) -> dict[str, object]:
        instances = self.fleet.holding(self.needs, tasks)
        table = _measured(self.minutes[["load_units"]].assign(tasks=tasks, instances=instances), self.needs)
        usd = instances * _usd_per_hour(self.fleet.type_name) / 60
        return self._row(f"fixed, {tasks}", table.assign(usd=usd))

    def _row(self, name: str, table: pd.DataFrame) -> dict[str, object]:
        usd = float(table["usd"].sum(skipna=False))
        return {
            "fleet": name,
            "tasks": int(table["tasks"].max()),
            "instances": int(table["instances"].max()),
            "over_target": int((table["used_percent"] > self.scaling.target_percent).sum()),
            "short": int((table["headroom_units"] < 0).sum()),
            "least_headroom": round(float(table["headroom_units"].min())),
            "usd": round(usd, 2),
            "usd_month": round(usd / self.hours * HOURS_A_MONTH, 2),
        }

    def __repr__(self) -> str:
        own = self._row(self._name, self.minutes)
        tasks = f"{self.minutes['tasks'].min()} to {own['tasks']} tasks"
        instances = f"{self.minutes['instances'].min()} to {own['instances']} x {self.fleet.type_name}"
        return (
            f"{self.hours:.4g} hours: {tasks} on {instances}, {own['usd']:.2f} USD; "
            f"{own['over_target']} minutes above {self.scaling.target_percent:g} %, {own['short']} short of CPU"
        )


def play(
    trace: pd.DataFrame,
    needs: TaskNeeds,
    fleet: Fleet,
    scaling: Scaling,
    *,
    cpu_milliseconds: float | None = None,
    target_capacity_percent: int = 100,
    warmup_seconds: float = 300,
    check_seconds: float = 0,
    **service: Any,
) -> Day:
    """Simulate a trace with the scheduler model, starting steady at what its first minute asks for.

    ``fleet`` is the group at its smallest, and how far it may grow; ``target_capacity_percent`` and
    ``warmup_seconds`` are managed scaling's, ``service`` more fields of `slpnb.ecs.scheduler.state.Service`. Raises
    `ParameterError` for a bad trace and `Refusal` when the service never starts.
    """
    asked = loads(trace, cpu_milliseconds)
    if not needs.cpu_units:
        raise ParameterError("the task reserves no CPU: target tracking has nothing to measure its load against")
    state = replay.cluster(fleet, target_percent=target_capacity_percent, warmup_seconds=warmup_seconds)
    definition = replay.definition(needs, check_seconds=check_seconds)
    desired = min(scaling.asked(float(asked.iloc[0]), needs.cpu_units), _most(needs, fleet, scaling))
    begun = replay.start(state, replay.service(definition, template=fleet.template, desired=desired, **service))
    if not begun.steady:
        raise Refusal(f"the day cannot begin, since the service never becomes steady: {begun.why}")
    rows = _play(begun.state, begun.key, asked.tolist(), scaling)
    table = pd.DataFrame(rows, index=asked.index, columns=["desired", "tasks", "instances", "seconds"])
    table = _measured(table.assign(load_units=asked), needs)
    table["usd"] = table.pop("seconds") * _usd_per_hour(fleet.type_name) / 3600
    order = ["load_units", "desired", "tasks", "capacity_units", "used_percent", "headroom_units", "instances", "usd"]
    return Day(table[order], needs, fleet, scaling)


def _most(needs: TaskNeeds, fleet: Fleet, scaling: Scaling) -> int:
    """How many tasks the group can ever hold, but no fewer than the service's minimum."""
    return max(scaling.minimum_tasks, fleet.per_instance(needs) * fleet.max_instances)


Row = tuple[int, int, int, float]  # desired, fewest tasks, most instances, instance-seconds


def _play(state: State, key: str, asked: Sequence[float], scaling: Scaling) -> list[Row]:
    """A row for each minute; the first begins at a whole minute of the model's clock, when metrics are looked at."""
    state = scheduler.advance(state, -state.clock % 60)
    samples = tuple((state.clock + 60.0 * minute, load) for minute, load in enumerate(asked))
    cooldowns = scaling.cooldown_seconds, scaling.cooldown_seconds
    tracked = Tracking(
        key, scaling.minimum_tasks, scaling.maximum_tasks, scaling.target_percent, *cooldowns, trace=samples
    )
    state = scheduler.add_tracking(state, tracked)
    rows = []
    for second, _ in samples:
        row, state = _minute(state, key, second + 60)
        rows.append(row)
    return rows


def _minute(state: State, key: str, end: float) -> tuple[Row, State]:
    tasks, instances, seconds = _running(state, key), len(state.instances), 0.0
    while state.clock < end:
        before, paid = state.clock, len(state.instances)
        state = scheduler.advance(state, min(max(state.wake, before), end) - before)
        seconds += paid * (state.clock - before)
        if state.clock < end:
            tasks, instances = min(tasks, _running(state, key)), max(instances, len(state.instances))
    return (state.services[key].desired, tasks, instances, seconds), state


def _running(state: State, key: str) -> int:
    return sum(task.status == "RUNNING" for task in state.of_service(key))


def _measured(table: pd.DataFrame, needs: TaskNeeds) -> pd.DataFrame:
    """The table with what its tasks reserve, how much of that is used, and what is left."""
    capacity = table["tasks"] * needs.cpu_units
    load = table["load_units"]
    used = (100 * load / capacity.where(capacity > 0)).fillna(load.where(load == 0, float("inf")))
    return table.assign(capacity_units=capacity, used_percent=used, headroom_units=capacity - load)


def _usd_per_hour(type_name: str) -> float:
    price = catalog.instance_type(type_name).usd_per_hour
    return float("nan") if price is None else price


def of(config: Config, trace: pd.DataFrame, cpu_milliseconds: float | None = None) -> Day:
    """A trace on the parameters' service and group, scaled as they say."""
    own, cluster = config.service, config.cluster
    return play(
        trace,
        needs(config),
        fleet(config),
        Scaling(own.min_tasks, own.max_tasks, own.cpu_target_percent, own.cooldown_seconds),
        cpu_milliseconds=cpu_milliseconds,
        target_capacity_percent=cluster.target_capacity_percent,
        warmup_seconds=cluster.instance_warmup_seconds,
        check_seconds=config.task.health_check.interval_seconds,
        targets=replay.targets(config),
        grace_seconds=own.health_check_grace_seconds,
        minimum_healthy_percent=own.minimum_healthy_percent,
        maximum_percent=own.maximum_percent,
    )
