"""The chart of a measured container: where its memory went, and how many workers fit a limit.

The style, and what makes of a Figure a picture, are `slpnb.sizing.charts.style`'s; the figures are
`slpnb.sizing.measure`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slpnb.sizing.charts.colours import BESIDE, LINE, MAIN, MARKED, PAPER, QUIET, RESERVED
from slpnb.sizing.charts.style import canvas, legend
from slpnb.sizing.measure import MARGIN_PERCENT, MOST, Measured, Moment, limit_for, needs, workers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def container_memory(measured: Measured) -> Figure:
    """Memory at each moment, one bar each; next to it memory by number of workers, up to the container's limit."""
    with canvas(height=2.9 + 0.12 * len(measured.moments)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        _moments(left, measured)
        _by_workers(right, measured)
        names = {"all but the workers": RESERVED, "workers, measured": MAIN, f"{MARGIN_PERCENT:g} % margin": BESIDE}
        legend(figure, names | {"the image's rule": MARKED})
    return figure


def _moments(axes: Axes, measured: Measured) -> None:
    moments = measured.moments
    for row, moment in enumerate(moments):
        seen, own = moment.memory, sum(moment.memory.workers)
        axes.barh(row, seen.apart, color=RESERVED, height=0.6)
        axes.barh(row, own, left=seen.apart, color=MAIN, height=0.6)
        axes.annotate(_said(moment), (seen.total, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(moments)), [moment.name for moment in moments])
    axes.set_ylim(len(moments) - 0.5, -0.5)
    axes.set_xlim(0, 1.6 * max(moment.memory.total for moment in moments))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("container memory in MiB")
    axes.set_title("The container's memory")


def _said(moment: Moment) -> str:
    return f"{moment.memory.total:.0f}" + (f", {moment.load.requests_a_second:.0f}/s" if moment.load else "")


def _by_workers(axes: Axes, measured: Measured) -> None:
    """Measured, measured with the margin, and what the image's rule demands, for each number of workers."""
    allowed = workers(measured.limit_mib)
    counts = list(range(min(allowed + 4, MOST) + 1))
    plain, more = needs(measured), needs(measured, MARGIN_PERCENT)
    axes.plot(counts, [plain.total(count) for count in counts], color=MAIN)
    axes.plot(counts, [more.total(count) for count in counts], color=BESIDE)
    ruled = [count for count in counts if count >= 2]
    axes.plot(ruled, [limit_for(count) for count in ruled], color=MARKED)
    for moment in measured.moments:
        axes.plot(len(moment.memory.workers), moment.memory.total, "o", color=LINE, markersize=4)
    axes.plot([allowed] * 2, [0, measured.limit_mib], color=QUIET, linewidth=1, linestyle=":")
    _written(axes, measured, allowed, more.total(allowed))
    axes.set_xlim(0, counts[-1] + 1)
    axes.set_xlabel("PHP workers")
    axes.set_ylabel("container memory in MiB")
    axes.set_title("Memory by number of workers")


def _written(axes: Axes, measured: Measured, allowed: int, needed: float) -> None:
    """The limit as a line, and what its workers need of it, where the pool is full."""
    limit = measured.limit_mib
    axes.axhline(limit, color=LINE, linewidth=1.2, linestyle="--")
    words = f"limit {limit} MiB: {allowed} workers need {needed:.0f}"
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 2}
    axes.text(0.02, 0.98, words, va="top", fontsize=9, bbox=box, zorder=4, transform=axes.transAxes)
    axes.plot(allowed, needed, "o", color=BESIDE, markersize=6)
    axes.set_ylim(0, 1.3 * max(limit, needed, limit_for(allowed)))
