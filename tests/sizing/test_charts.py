"""Charts: the same bytes twice, every word inside the picture and on top of no other, the table's values on it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like
from matplotlib.text import Text

from slpnb import config, sizing
from slpnb.ecs.resources import TaskNeeds
from slpnb.sizing import charts
from slpnb.sizing.charts.style import WIDTH
from slpnb.sizing.measure import Load, Measured, Memory, Moment


def loaded(environment="staging", **given):
    return config.load(environment, given)


def memory(name, sizes, **options):
    return charts.memory(sizing.memory_budget(name, sizes, **options), name)


def prices(values):
    return charts.prices(sizing.prices(values), values.task.memory_mib, values.cluster.instance_type)


def fit_map(values):
    counts = sizing.compare(values)["tasks"].unstack(sort=False)
    return charts.fit_map(counts, values.cluster.instance_type, values.task.memory_mib)


def timeline(*, memory_mib=2560, cpu_units=2048, fleet=None, **options):
    return charts.timeline(
        sizing.rollout(TaskNeeds(memory_mib, cpu_units=cpu_units), fleet or sizing.Fleet("c6i.large"), **options)
    )


def measured(limit_mib, *moments):
    """A measured container; a moment is its total, its workers' private MiB, and connections and requests."""
    shown = tuple(
        Moment(
            f"{load[0]} connections" if load else "idle",
            Memory(total, 0, 0, own, own),
            Load("wrk", *load) if load else None,
        )
        for total, own, load in moments
    )
    return charts.container_memory(Measured("image:1", "Podman", limit_mib, 0.4, shown))


FIGURES = {
    "a measured container": lambda: measured(2048, (63, (5.0, 4.0), None), (121, (9.0,) * 8, (16, 4.0, 90))),
    "a measured container of two workers": lambda: measured(256, (200, (70.0, 60.0), (2, 4.0, 9_000))),
    "a large measured container": lambda: measured(8192, (900, (90.0,) * 6, None), (4000, (80.0,) * 40, (64, 4.0, 9))),
    "the first attempt's memory": lambda: memory("c6i.large", [8192, 3584, 2560]),
    "short by a little": lambda: memory("c6i.large", [3584], reserved_mib=256),
    "many tasks": lambda: memory("m7g.4xlarge", [2560], reserved_mib=256),
    "four tasks": lambda: memory("c6g.2xlarge", [3584], reserved_mib=512),
    "a task far too large": lambda: memory("c6i.large", [65536], reserved_mib=256),
    "tasks by type and size": lambda: fit_map(loaded()),
    "nothing fits": lambda: fit_map(loaded(sizing={"memory_sizes_mib": [65536]})),
    "prices": lambda: prices(loaded()),
    "prices of production": lambda: prices(loaded("production")),
    "no prices": lambda: prices(loaded(task={"memory_mib": 99999})),
    "stuck for memory": timeline,
    "stuck for CPU": lambda: timeline(memory_mib=512),
    "stuck by percentages": lambda: timeline(maximum_percent=100),
    "never starts": lambda: timeline(memory_mib=8192),
    "finishes": lambda: timeline(fleet=sizing.Fleet("c6i.large", 1, 2)),
    "downtime": lambda: timeline(minimum_healthy_percent=0, maximum_percent=100),
    "production": lambda: charts.timeline(sizing.deployment(loaded("production"))),
    "many steps": lambda: charts.timeline(sizing.deployment(loaded("production"), 12)),
    "nothing to replace": lambda: timeline(desired=0),
}


def words(figure):
    """Every visible text of a figure with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts]
    # ticks beyond an axis' limits stay in the tree, but are not drawn
    ticks = {id(label) for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    limits = {id(text) for axes in figure.axes for text in _drawn_ticks(axes)}
    return [box for text, box in zip(texts, boxes, strict=True) if id(text) not in ticks or id(text) in limits]


def _drawn_ticks(axes):
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick, place in zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=False):
            if min(low, high) <= place <= max(low, high):
                yield tick.label1


@cache
def drawn(name):
    """A figure and its words; several tests look at the same ones."""
    figure = FIGURES[name]()
    return figure, words(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_chart_has_the_same_bytes(name):
    figure, _ = drawn(name)
    once = charts.show(figure).svg()
    assert charts.show(figure).svg() == once
    assert charts.show(FIGURES[name]()).svg() == once


@pytest.mark.parametrize("name", FIGURES)
def test_no_word_is_cut_off(name):
    figure, found = drawn(name)
    width, height = figure.get_size_inches() * figure.dpi
    assert found
    for text, box in found:
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= width + 0.5, text
        assert box.y1 <= height + 0.5, text


@pytest.mark.parametrize("name", FIGURES)
def test_no_word_lies_on_another(name):
    _, found = drawn(name)
    for number, (text, box) in enumerate(found):
        for other, rival in found[number + 1 :]:
            across = min(box.x1, rival.x1) - max(box.x0, rival.x0)
            along = min(box.y1, rival.y1) - max(box.y0, rival.y0)
            assert across < 1 or along < 1, f"{text!r} and {other!r}"


@pytest.mark.parametrize("name", FIGURES)
def test_no_word_is_too_small_to_read(name):
    figure, _ = drawn(name)
    assert figure.get_size_inches()[0] == WIDTH
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()) >= 8.5


def test_values_of_the_table_are_written_on_the_chart():
    said = {text for text, _ in words(memory("c6i.large", [8192, 3584, 2560]))}
    assert {"284", "228", "1252", "3584", "2560", "8192 asked, short by 4380"} <= said
    assert "c6i.large is sold with 4096 " in said
    assert {"49.64", "2383", "c6g.xlarge, 2 per instance"} <= {text for text, _ in words(prices(loaded()))}


def test_a_stuck_update_says_what_is_missing():
    assert "needs 2560\nMiB,\nfree 1252" in {text for text, _ in words(timeline())}
    assert "may not\nstart" in {text for text, _ in words(timeline(maximum_percent=100))}


def test_axes_have_units():
    for figure in (memory("c6i.large", [2560]), prices(loaded()), timeline(), fit_map(loaded())):
        assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


def test_a_chart_is_shown_as_svg_and_png_and_in_words():
    bundle = charts.show(memory("c6i.large", [2560]))._repr_mimebundle_()
    assert bundle["text/plain"] == "chart: Memory for tasks on one c6i.large"
    assert bundle["image/svg+xml"].startswith("<?xml")
    assert bundle["image/png"][:4] == b"\x89PNG"


DRAWING = sorted(path for path in Path(charts.__path__[0]).glob("*.py") if path.name != "colours.py")


@pytest.mark.parametrize("path", DRAWING, ids=lambda path: path.stem)
def test_a_chart_takes_its_colours_by_their_meaning(path):
    written = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    # "none" is the absence of one; a single letter is a format, a marker or an axis
    words = {word for word in written if isinstance(word, str) and len(word) > 1 and word != "none"}
    assert {word for word in words if is_color_like(word) or word in mpl.colormaps} == set()
