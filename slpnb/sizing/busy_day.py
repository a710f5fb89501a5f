"""An invented day of traffic, as busy as the parameters' service may become, simulated by `slpnb.fleet.traffic`.

A reader with a real trace passes it to `day` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from slpnb.errors import Refusal
from slpnb.fleet import traffic
from slpnb.sizing.prose import Prose
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

REQUESTS_A_TASK = 1000  # per minute, at the busiest: with 80 ms each, about 70 % of two vCPUs
CPU_MILLISECONDS = 80
HOURS = 3  # per row of the table


@dataclass(frozen=True)
class Played:
    """A day's tables, which are empty when the service cannot run it; ``refused`` says why.

    ``minutes`` as in `traffic.Day`; ``hours`` has one row for each three of them (index: time of
    day); ``fleets`` compares the scaled fleet with fixed ones.
    """

    minutes: pd.DataFrame
    hours: pd.DataFrame
    fleets: pd.DataFrame
    target_percent: float
    refused: str = ""


def trace(config: Config) -> pd.DataFrame:
    """An invented day, at its busiest with REQUESTS_A_TASK requests per minute for every task that may run."""
    return traffic.sample(REQUESTS_A_TASK * config.service.max_tasks)


def day(config: Config, requests: pd.DataFrame, cpu_milliseconds: float | None = CPU_MILLISECONDS) -> Played:
    """A trace simulated on the parameters' service and group; ``cpu_milliseconds`` as in `traffic.loads`.

    Raises `ParameterError` for a trace with gaps or without numbers.
    """
    target = float(config.service.cpu_target_percent)
    if not config.service.min_tasks:
        return _no_day(target, "service.min_tasks is 0, and a service without a task has no CPU to track")
    try:
        played = traffic.of(config, requests, cpu_milliseconds)
    except Refusal as refused:
        return _no_day(target, str(refused))
    return Played(played.minutes, played.by_hour(HOURS), played.fleets(), target)


def _no_day(target: float, why: str) -> Played:
    nothing = pd.DataFrame()
    return Played(nothing, nothing, nothing, target, why)


def words(played: Played) -> Prose:
    """What the scaled fleet costs and where it falls short, against the smallest fixed one that never does."""
    if played.refused:
        return Prose(f"There is no day to show: {played.refused}.")
    scaled, fixed = played.fleets.iloc[0], played.fleets.iloc[1:]
    late = f"{counted(int(scaled['over_target']), 'minute')} above the target of {played.target_percent:g} %"
    short = f"{counted(int(scaled['short']), 'minute')} with more demand than capacity"
    said = f"With scaling, the day costs {scaled['usd']:.2f} US dollars, with {late} and {short}."
    enough = fixed[fixed["over_target"] == 0]
    if enough.empty:
        return Prose(f"{said} No fixed number of tasks that the group can hold stays below the target all day.")
    least = enough.iloc[0]
    same = f"A fixed {counted(int(least['tasks']), 'task')} would stay below it all day, for {least['usd']:.2f}"
    dearer = " An instance is released only when its last task has gone, which is why scaling costs more here."
    more = dearer if scaled["usd"] > least["usd"] else ""
    return Prose(f"{said} {same} on {counted(int(least['instances']), 'instance')}.{more}")
