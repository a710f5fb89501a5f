"""Charts of a fleet over time and under failure: deployments, a lost zone, headroom and its price.

As in `slpnb.sizing.charts.tables`: each takes the table that was just shown and returns a Figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slpnb.fleet.replay import PHASES
from slpnb.sizing.charts.colours import (
    BESIDE,
    CROWD,
    GONE,
    INSTANCES,
    LINE,
    MAIN,
    MARKED,
    PAPER,
    QUIET,
    SHORT,
    STARTING,
    STOPPING,
    TOO_MUCH,
    UNHEALTHY,
    WAITING,
)
from slpnb.sizing.charts.style import canvas, legend
from slpnb.sizing.headroom import FRONTIER, OTHER, OWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Hours = np.ndarray[Any, Any]
PHASE_COLOURS = {
    "waiting": WAITING,
    "starting": STARTING,
    "healthy": MAIN,
    "unhealthy": UNHEALTHY,
    "draining": GONE,
    "stopping": STOPPING,
}
OLD_HEALTHY = "healthy, old"
MOST_NAMES = 6  # fleets of a frontier that are named
MOST_LANES = 30  # more rows than that are drawn without names
MINUTES_FROM = 600  # seconds from which on minutes are counted


def lanes(table: pd.DataFrame, seconds: int, title: str) -> Figure:
    """What each task does over time: one lane per row of `replay.Replay.table`, watched for ``seconds``."""
    end = max(seconds, 1) * 1.08
    with canvas(height=1.6 + min(9.0, 0.36 * max(1, len(table)))) as figure:
        axes = figure.subplots()
        drawn = set()
        for row, (name, life) in enumerate(table.iterrows()):
            for phase, begin, until in _spans(str(name), life, end):
                _span(axes, row, phase, (begin, until), end)
                drawn.add(phase)
        axes.axvline(seconds, color=LINE, linewidth=1, linestyle="--")
        names = [str(name) for name in table.index] if len(table) <= MOST_LANES else []
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(max(1, len(table)) - 0.4, -0.6)
        axes.set_xlim(0, end)
        _clock(axes, end)
        axes.set_title(title)
        legend(figure, {name: _colour(name) for name in (*PHASE_COLOURS, OLD_HEALTHY) if name in drawn})
        if table.empty:
            axes.text(0.5, 0.5, "the desired count is 0", ha="center", transform=axes.transAxes)
    return figure


def _clock(axes: Axes, end: float) -> None:
    """The axis in seconds, or in minutes where there are many."""
    unit, words = (60, "minutes") if end > MINUTES_FROM else (1, "seconds")
    ticks = [tick for tick in MaxNLocator(8, integer=True).tick_values(0, end / unit) if tick * unit <= end]
    axes.set_xticks([tick * unit for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"{words} since the start; the dashed line is where watching ends")


def _colour(phase: str) -> str:
    return BESIDE if phase == OLD_HEALTHY else PHASE_COLOURS[phase]


def _spans(name: str, life: pd.Series[Any], end: float) -> list[tuple[str, float, float]]:
    """Phase, begin and end of each part of a lane; the last one runs on."""
    begun = sorted((float(life[phase]), phase) for phase in PHASES if phase in life.index and life[phase] != "")
    ends = [*(second for second, _ in begun[1:]), end]
    old = {"healthy": OLD_HEALTHY} if name.startswith("old") else {}
    spans = zip(begun, ends, strict=True)
    return [(old.get(phase, phase), second, until) for (second, phase), until in spans if phase in PHASE_COLOURS]


def _span(axes: Axes, row: int, phase: str, span: tuple[float, float], end: float) -> None:
    """One phase with its duration, where it fits."""
    begin, until = span
    colour = _colour(phase)
    edge = TOO_MUCH if phase == "waiting" else PAPER
    axes.barh(row, until - begin, left=begin, height=0.62, color=colour, edgecolor=edge)
    length = until - begin
    words = "" if until >= end else f"{length / 60:.0f} min" if length >= MINUTES_FROM else f"{length:.0f} s"
    if words and length > end * 0.0145 * len(words):
        ink = PAPER if colour == MAIN else LINE
        axes.text((begin + until) / 2, row, words, ha="center", va="center", color=ink, fontsize=8.5)


def zones(lost: pd.DataFrame) -> Figure:
    """Before and after the loss of each zone: two bars per row of `sizing.losing_a_zone`."""
    with canvas(height=1.5 + 0.78 * len(lost)) as figure:
        axes = figure.subplots()
        desired = int((lost["survive"] + lost["placed"] + lost["wait"]).max())
        for row, (_, one) in enumerate(lost.iterrows()):
            inside = int(one["tasks"] - one["survive"])
            _stack(axes, 2.3 * row, [(int(one["survive"]), MAIN), (inside, GONE)])
            parts = [(int(one["survive"]), MAIN), (int(one["placed"]), BESIDE), (int(one["wait"]), WAITING)]
            _stack(axes, 2.3 * row + 0.9, parts)
        places = [2.3 * row + bar for row in range(len(lost)) for bar in (0, 0.9)]
        names = [words for zone in lost.index for words in (f"{zone}: before", "after its loss")]
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(2.3 * len(lost) - 0.9, -0.7)
        axes.set_xlim(0, max(1, desired) * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("tasks")
        axes.set_title("Losing a zone: which tasks keep running, which restart")
        legend(figure, {"elsewhere": MAIN, "in the zone": GONE, "restarted at once": BESIDE, "waiting": WAITING})
    return figure


def _stack(axes: Axes, place: float, parts: list[tuple[int, str]]) -> None:
    start = 0
    for width, colour in parts:
        if not width:
            continue
        edge = TOO_MUCH if colour == WAITING else PAPER
        axes.barh(place, width, left=start, height=0.8, color=colour, edgecolor=edge)
        ink = PAPER if colour == MAIN else LINE
        axes.text(start + width / 2, place, str(width), ha="center", va="center", color=ink, fontsize=9)
        start += width


def headroom(fleets: pd.DataFrame, tasks: int) -> Figure:
    """Price against headroom: the fleets of `headroom.Offers`, ``tasks`` the maximum they must hold."""
    with canvas(height=4.4) as figure:
        axes = figure.subplots()
        kinds = {what: fleets[fleets["what"] == what] for what in (OTHER, FRONTIER, OWN)}
        rest, best, own = kinds.values()
        axes.plot(rest["headroom"], rest["usd_month"], "o", color=CROWD, markersize=5)
        axes.plot(best["headroom"], best["usd_month"], "o-", color=MAIN, drawstyle="steps-post")
        axes.plot(own["headroom"], own["usd_month"], "D", color=MARKED, markersize=8)
        axes.axvline(0, color=LINE, linewidth=1.2, linestyle="--", zorder=0)
        _fleet_names(axes, best, own)
        low, high = min([0, *fleets["headroom"]]), max([1, *fleets["headroom"]])
        span = high - low
        axes.set_xlim(low - 0.14 * span, high + 0.3 * span)
        axes.set_ylim(0, 1.18 * max([1.0, *fleets["usd_month"]]))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel(f"headroom: tasks covered beyond the maximum of {tasks}")
        axes.set_ylabel("US dollars per month")
        axes.set_title("What headroom costs")
        if fleets.empty:
            axes.text(0.5, 0.5, "no fleet fits this task", ha="center", transform=axes.transAxes)
        present = {FRONTIER: MAIN, OWN: MARKED, OTHER: CROWD}
        legend(figure, {what: colour for what, colour in present.items() if len(kinds[what])})
    return figure


def _fleet_names(axes: Axes, best: pd.DataFrame, own: pd.DataFrame) -> None:
    """The frontier's fleets, each below its point to the right, and the parameters' own above theirs."""
    named = best.iloc[:: -(-len(best) // MOST_NAMES) or 1]
    for _, one in named.drop(index=[name for name in own.index if name in named.index]).iterrows():
        words, place = f"{one['instances']} x {one['type']}", (one["headroom"], one["usd_month"])
        axes.annotate(words, place, (6, -5), textcoords="offset points", va="top", fontsize=8.5)
    for _, one in own.iterrows():
        words, place = f"{one['instances']} x {one['type']}", (one["headroom"], one["usd_month"])
        axes.annotate(
            words, place, (0, 9), textcoords="offset points", ha="center", va="bottom", fontsize=9, color=MARKED
        )


def day(minutes: pd.DataFrame, target_percent: float) -> Figure:
    """A day of scaling: demand against what the tasks reserve, and how many there are (`busy_day.Played`)."""
    with canvas(height=4.8) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        if minutes.empty:
            above.text(0.5, 0.5, "no day could be simulated", ha="center", transform=above.transAxes)
        else:
            hours = np.arange(len(minutes)) / 60
            _asked(above, hours, minutes, target_percent)
            _counts(below, hours, minutes)
            below.set_xlim(0, hours[-1])
            below.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 3, 6, 10], integer=True))
        above.set_ylabel("CPU units")
        below.set_ylabel("tasks, instances")
        below.set_xlabel("hours")
        above.set_title("A day of scaling")
        meaning = {"demand": BESIDE, "tasks and what they reserve (dashed: the target)": MAIN, "instances": INSTANCES}
        short = not minutes.empty and bool((minutes["headroom_units"] < 0).any())
        legend(figure, meaning | ({"short": TOO_MUCH} if short else {}))
    return figure


def _asked(axes: Axes, hours: Hours, minutes: pd.DataFrame, target_percent: float) -> None:
    """Load below capacity, and where it is above."""
    load, capacity = minutes["load_units"].to_numpy(), minutes["capacity_units"].to_numpy()
    axes.fill_between(hours, load, color=BESIDE, linewidth=0)
    axes.fill_between(hours, load, capacity, where=load > capacity, color=TOO_MUCH, linewidth=0)
    axes.step(hours, capacity, where="post", color=MAIN, linewidth=1.6)
    axes.step(hours, capacity * target_percent / 100, where="post", color=MAIN, linewidth=1, linestyle="--")
    axes.set_ylim(0, 1.12 * max(load.max(), capacity.max()))


def _counts(axes: Axes, hours: Hours, minutes: pd.DataFrame) -> None:
    """Tasks and instances, with the maximum of each written on it."""
    for name, colour in (("tasks", MAIN), ("instances", INSTANCES)):
        counts = minutes[name].to_numpy()
        axes.step(hours, counts, where="post", color=colour, linewidth=1.6)
        at = int(counts.argmax())
        if name == "tasks" or counts[at] != minutes["tasks"].max():
            place = hours[at], counts[at]
            axes.annotate(f"{counts[at]}", place, (3, 3), textcoords="offset points", color=LINE, fontsize=9)
    axes.set_ylim(0, 1.35 * minutes[["tasks", "instances"]].to_numpy().max())
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def remaining(table: pd.DataFrame, type_name: str) -> Figure:
    """MiB left (or short) for tasks of each size in each situation: `first_attempt.remaining` as a map."""
    with canvas(height=1.2 + 0.5 * len(table)) as figure:
        axes = figure.subplots()
        for row, values in enumerate(table.to_numpy()):
            for column, value in enumerate(values):
                fits = value >= 0
                axes.barh(row, 0.96, left=column - 0.48, height=0.88, color=BESIDE if fits else SHORT)
                words = f"{value} left" if fits else f"short by {-value}"
                axes.text(column, row, words, ha="center", va="center", color=LINE, fontsize=9.5)
        axes.set_xticks(range(len(table.columns)), [str(name).replace(" ", "\n", 1) for name in table.columns])
        axes.set_yticks(range(len(table)), [f"task of {size} MiB" for size in table.index])
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set_xlim(-0.5, len(table.columns) - 0.5)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(f"MiB on one {type_name}", color=QUIET)
        axes.set_title("Memory left, and memory short", pad=14)
    return figure
