"""One style for every chart, and what turns a Figure into what a notebook displays and keeps.

`show` gives SVG (the same bytes for the same figure) and PNG. What is drawn has the colours of
`slpnb.sizing.charts.colours`; the axes have those of slpnb.mplstyle.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from slpnb.sizing.charts.colours import TOO_MUCH, WAITING

STYLE = Path(__file__).with_name("slpnb.mplstyle")
WIDTH = 8.0  # inches: a notebook's column


@dataclass(frozen=True)
class Chart:
    """A figure as a notebook shows and stores it: SVG and PNG of the same picture, and alternative text for both."""

    figure: Figure
    words: str = ""

    def svg(self) -> str:
        """The picture as SVG: the same text for the same figure."""
        return self._saved("svg", {"Date": None, "Title": self.words or None}).decode()

    def png(self) -> bytes:
        """The picture as PNG, for reports and for readers without SVG."""
        return self._saved("png", {"Software": None})

    def _saved(self, kind: str, metadata: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        with mpl.rc_context(fname=STYLE):
            self.figure.savefig(buffer, format=kind, metadata=metadata)
        return buffer.getvalue()

    def __repr__(self) -> str:
        return f"chart: {self.words}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg(), "image/png": self.png()}


def show(figure: Figure) -> Chart:
    """A figure as a notebook shows it; its title is the description for readers without pictures."""
    return Chart(figure, figure.axes[0].get_title(loc="left") if figure.axes else "")


@contextmanager
def canvas(height: float) -> Iterator[Figure]:
    """A figure as wide as a notebook and ``height`` inches high, drawn in the common style."""
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure
        # Each drawing continues from the layout engine's previous state: settle it once, so that every
        # save of the figure gives the same bytes.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def legend(figure: Figure, meaning: Mapping[str, str]) -> None:
    """What the colours mean, below the chart."""
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor=TOO_MUCH if colour == WAITING else "none", label=name)
        for name, colour in meaning.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(meaning))
