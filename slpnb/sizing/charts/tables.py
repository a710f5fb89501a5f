"""Charts of the sizing tables: limits as lines, values written where they are drawn.

Each function takes the table that the notebook has just shown and returns a Figure; `style.show`
displays it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from slpnb.ecs.resources import UNITS
from slpnb.sizing.charts.colours import (
    BESIDE,
    COUNTS,
    KERNEL,
    LEFT,
    LINE,
    MAIN,
    MARKED,
    NONE,
    NUMBER,
    PAPER,
    QUIET,
    RESERVED,
    STARTING,
    TOO_MUCH,
    WAITING,
)
from slpnb.sizing.charts.style import canvas, legend
from slpnb.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from slpnb.fleet.rollout import Rollout, Stage

PARTS = {"kernel": KERNEL, "reserve": RESERVED, "task": MAIN, "left": LEFT, "does not fit": TOO_MUCH}
MOST_BLOCKS, MOST_STAGES = 8, 12  # more tasks, or stages, than that are drawn without a value for each


def memory(budget: pd.DataFrame, type_name: str) -> Figure:
    """Where the memory of one instance goes, one bar per row of `sizing.memory_budget`.

    A task that does not fit runs past the line at which the instance ends.
    """
    with canvas(height=1.7 + 0.55 * len(budget)) as figure:
        axes = figure.subplots()
        longest = int((budget["nominal"] + budget["short"]).max())
        for row, (size, parts) in enumerate(budget.iterrows()):
            for block in _blocks(int(str(size)), parts):
                _draw(axes, row, block, longest)
        nominal = int(budget["nominal"].iloc[0])
        axes.axvline(nominal, color=LINE, linewidth=1.5)
        axes.text(nominal, -0.62, f"{type_name} is sold with {nominal} ", ha="right", va="center", fontsize=9)
        axes.set_yticks(range(len(budget)), [f"task of {size} MiB" for size in budget.index])
        axes.set_ylim(len(budget) - 0.4, -0.85)
        axes.set_xlim(0, longest * 1.03)
        axes.set_xlabel("memory of one instance in MiB")
        axes.set_title(f"Memory for tasks on one {type_name}")
        legend(figure, {name: PARTS[name] for name in PARTS if _appears(budget, name)})
    return figure


@dataclass(frozen=True)
class Block:
    """One part of a bar, in MiB: where it begins, how wide it is, and what is written on it."""

    name: str
    start: int
    width: int
    words: str


def _blocks(size: int, parts: pd.Series[int]) -> Iterator[Block]:
    widths = [("kernel", int(parts["kernel"])), ("reserve", int(parts["reserve"]))]
    count = int(parts["count"])
    widths += [("task", size)] * count if count <= MOST_BLOCKS else [("task", count * size)]
    widths += [("does not fit", size)] if parts["short"] else [("left", int(parts["left"]))]
    start = 0
    for name, width in widths:
        words = str(width) if name != "task" or width == size else f"{count} x {size}"
        words = f"{width} asked, short by {parts['short']}" if name == "does not fit" else words
        if width:
            yield Block(name, start, width, words)
        start += width


def _draw(axes: Axes, row: int, block: Block, longest: int) -> None:
    """A block with its value inside, or above or below it where the block is too narrow."""
    colour, hatch = PARTS[block.name], "//" if block.name == "does not fit" else None
    axes.barh(row, block.width, left=block.start, color=colour, edgecolor=PAPER, hatch=hatch, height=0.56)
    narrow = block.width < longest * 0.02 * len(block.words)
    place = row if not narrow else row + 0.4 if block.name == "reserve" else row - 0.4
    ink = LINE if narrow or block.name in ("left", "reserve") else PAPER
    box = {"facecolor": colour, "edgecolor": "none", "pad": 1.5} if hatch else None
    at_end = narrow and block.name == "left"  # the line of the instance's end is next to it
    middle = block.start + block.width / 2 - (longest * 0.02 if at_end else 0)
    axes.text(
        middle, place, block.words, ha="right" if at_end else "center", va="center", color=ink, fontsize=8.5, bbox=box
    )


def _appears(budget: pd.DataFrame, name: str) -> bool:
    column = {"task": "tasks", "does not fit": "short"}.get(name, name)
    shown = budget[budget["short"] == 0] if name == "left" else budget
    return bool((shown[column] > 0).any())


def fit_map(tasks: pd.DataFrame, type_name: str = "", task_mib: int = 0) -> Figure:
    """How many tasks of each size (columns) each type (rows) takes; the parameters' own cell is framed."""
    with canvas(height=1.3 + 0.42 * len(tasks)) as figure:
        axes = figure.subplots()
        counts = tasks.to_numpy()
        top = max(1, int(counts.max()))
        shades = mpl.colormaps[COUNTS](0.15 + 0.75 * counts / top)
        shades[counts == 0] = mpl.colors.to_rgba(NONE)
        axes.imshow(shades, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            colour = QUIET if count == 0 else PAPER if count / top > 0.55 else NUMBER
            axes.text(column, row, "0" if count == 0 else str(count), ha="center", va="center", color=colour)
        axes.set_xticks(range(len(tasks.columns)), [str(size) for size in tasks.columns])
        axes.set_yticks(range(len(tasks)), [str(name) for name in tasks.index])
        _limit_steps(axes, counts)
        sizes, names = [int(str(size)) for size in tasks.columns], [str(name) for name in tasks.index]
        if type_name in names and task_mib in sizes:
            corner = sizes.index(task_mib) - 0.46, names.index(type_name) - 0.43
            axes.add_patch(Rectangle(corner, 0.92, 0.86, fill=False, edgecolor=MARKED, linewidth=2.5))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("task memory in MiB")
        axes.set_title("Tasks per instance, by type and task memory")
    return figure


def _limit_steps(axes: Axes, counts: np.ndarray[Any, Any]) -> None:
    """The line beyond which no task fits."""
    for row, values in enumerate(counts):
        fits = int((values > 0).sum())
        axes.plot([fits - 0.5] * 2, [row - 0.5, row + 0.5], color=LINE, linewidth=1.8)
        if row + 1 < len(counts):
            below = int((counts[row + 1] > 0).sum())
            axes.plot([fits - 0.5, below - 0.5], [row + 0.5] * 2, color=LINE, linewidth=1.8)


def prices(table: pd.DataFrame, task_mib: int, type_name: str = "") -> Figure:
    """Price of one task per month, and what stays free on its instance: one row per type of `sizing.prices`."""
    with canvas(height=1.5 + 0.42 * max(1, len(table))) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        filled = [MAIN if name == type_name else BESIDE for name in table.index]
        _valued_bars(left, table["usd_task_month"], filled, "{:.2f}")
        _valued_bars(right, table["left_mib"], filled, "{:.0f}")
        if len(table):
            right.axvline(task_mib, color=LINE, linewidth=1.2, linestyle="--", zorder=1)
            right.text(task_mib, -0.72, f" one more task: {task_mib}", ha="left", va="center", fontsize=9)
        right.set_xlim(0, 1.25 * max(1.4 * task_mib, float(table["left_mib"].max())))
        left.set_yticks(range(len(table)), [f"{name}, {count} per instance" for name, count in table["tasks"].items()])
        left.set_ylim(len(table) - 0.5, -1)
        left.set_xlabel("US dollars per task per month")
        right.set_xlabel("MiB left on a full instance")
        left.set_title(f"Price of a task of {task_mib} MiB")
        right.set_title("Memory left next to such tasks")
    return figure


def _valued_bars(axes: Axes, values: pd.Series[float], filled: Sequence[str], form: str) -> None:
    bars = axes.barh(range(len(values)), values, color=filled, height=0.6)
    axes.bar_label(bars, fmt=form, padding=5, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1})
    axes.set_xlim(0, 1.25 * max(values, default=1))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if not len(values):
        axes.text(0.5, 0.5, "no candidate fits this task", ha="center", transform=axes.transAxes)


def timeline(update: Rollout) -> Figure:
    """A rolling update stage by stage: old and new tasks, between the minimum and the maximum allowed."""
    states = [] if update.incomplete else [("before", update.desired, 0, 0)]
    states += [(_named(stage), stage.old, *_new(stage)) for stage in update.stages]
    names = [name for name, *_ in states]
    with canvas(height=3.2) as figure:
        axes = figure.subplots()
        stacks = zip(*(counts for _, *counts in states), strict=True)
        _bars(axes, dict(zip((BESIDE, MAIN, STARTING), stacks, strict=True)))
        highest = max(update.most, *(sum(counts) + (name == "stuck") for name, *counts in states))
        if update.stuck:
            _missing(axes, update, len(states) - 1)
        if len(names) <= MOST_STAGES:
            axes.set_xticks(range(len(names)), names)
        else:
            axes.set_xlabel("stage")
        axes.set_xlim(-0.6, max(len(names), 3) - 0.4)
        axes.set_ylim(0, highest * 1.08 + 0.2)
        for value, words in ((update.least, "at least"), (update.most, "at most")):
            axes.axhline(value, color=LINE, linewidth=1.2, linestyle="--", zorder=0)
            if update.least != update.most or words == "at most":
                said = f"{words} {value}" if update.least != update.most else f"exactly {value}"
                axes.annotate(said, (1, value), (4, 0), ("axes fraction", "data"), "offset points", va="center")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("tasks")
        axes.set_title(f"A rolling update of {counted(update.desired, 'task')}")
        meaning = {"old": BESIDE, "new, healthy": MAIN, "new, starting": STARTING}
        legend(figure, meaning | ({"does not fit": TOO_MUCH} if update.stuck else {}))
    return figure


def _named(stage: Stage) -> str:
    parts = (part.rpartition(" ") for part in stage.action.split(", "))
    return "stuck" if stage.stuck else "\n".join(f"{what}\n{how}" for what, _, how in parts)


def _new(stage: Stage) -> tuple[int, int]:
    """The new tasks that are healthy, and those that are not yet."""
    return stage.healthy - stage.old, stage.old + stage.new - stage.healthy


def _bars(axes: Axes, stacked: Mapping[str, Sequence[int]]) -> None:
    """Bars of one colour upon those of another, with their values."""
    bottom = np.zeros(max(map(len, stacked.values())), dtype=int)
    for colour, values in stacked.items():
        bars = axes.bar(np.arange(len(values)), values, bottom=bottom, color=colour, width=0.6)
        if len(values) <= MOST_STAGES:
            ink = PAPER if colour == MAIN else NUMBER
            axes.bar_label(bars, [str(value or "") for value in values], label_type="center", color=ink)
        bottom = bottom + np.array(values)


def _missing(axes: Axes, update: Rollout, place: int) -> None:
    """The task that fits nowhere, on top of those that run."""
    last = update.stages[-1]
    axes.bar(place, 1, bottom=last.old + last.new, width=0.6, color=WAITING, edgecolor=TOO_MUCH, linewidth=1.5)
    axes.text(place, last.old + last.new + 0.5, _lacking(update), ha="center", va="center", color=TOO_MUCH, fontsize=9)


def _lacking(update: Rollout) -> str:
    if update.failure is None:
        return "may not\nstart"
    memory_first = sorted(update.failure.short, key=lambda item: item.resource != "memory")
    if not memory_first or memory_first[0].resource not in UNITS:
        return "no instance\ntakes it"
    unit = UNITS[memory_first[0].resource]
    return f"needs {memory_first[0].asked}\n{unit.strip()},\nfree {memory_first[0].free}"
