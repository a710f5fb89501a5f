"""The report of a run: one page with the verdict, the steps and the charts, and each executed notebook as a page.

Self-contained: no script, font or style comes from elsewhere, so that the folder can be
mailed or archived by CI. Each notebook is rendered while the next one runs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from slpnb.runner.live import PICTURE
from slpnb.runner.records import Record, write
from slpnb.sizing.measure import Measured

MARKER = "papermill-error-cell-tag"
SVG, PNG = "image/svg+xml", "image/png"
SIGNS = {"+": "create", "~": "update", "-": "delete", "=": "keep"}


@dataclass(frozen=True)
class ReportChart:
    """A figure of an executed notebook, and the heading above it."""

    notebook: str
    title: str
    image: Markup


class RunReport:
    """Writes report.html and run.json after each notebook, so that a crash loses nothing that had finished."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder, self.record = folder, record
        self._work = ThreadPoolExecutor(max_workers=1)
        # Its thread starts now: an interruption in the middle of a later start would leave one that nobody waits for.
        self._work.submit(int).result()
        self._charts: dict[Path, list[ReportChart]] = {}
        for entry in record.notebooks:  # of a run that this one resumes
            self.add(folder / f"{entry.notebook}.ipynb")

    def __enter__(self) -> RunReport:
        return self

    def __exit__(self, *_: object) -> None:
        self._work.shutdown(wait=True)
        self.save()

    def add(self, notebook: Path) -> None:
        """A notebook has ended: render it in the background, write the record now."""
        self.record.save(self.folder)
        if notebook.exists():
            self._work.submit(self._render, notebook)

    def _render(self, notebook: Path) -> None:
        executed = read(notebook)
        back = "" if notebook.parent == self.folder else "../"
        write(notebook.with_suffix(".html"), page(notebook.stem, executed, self.record.environment, back))
        if notebook.parent == self.folder:
            self._charts[notebook] = list(charts(notebook.stem, executed))
        self.save()

    def save(self) -> None:
        """Write report.html for the run so far."""
        found = [chart for path in sorted(self._charts) for chart in self._charts[path]]
        write(self.folder / "report.html", html(self.record, found))


def html(record: Record, found: list[ReportChart]) -> str:
    """The report as a page. Pure."""
    shows = any(PICTURE in line and line.startswith("[OK]") for line in record.live)
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            record=record,
            charts=found,
            picture=PICTURE if shows else "",
            container=_container(record),
            when=f"{datetime.strptime(record.started[:20], '%Y-%m-%dT%H-%M-%SZ'):%d %B %Y, %H:%M} UTC",
            outcome=_outcome(record),
            signs=SIGNS,
            given=dict(_flat(record.given)),
        )
    )


def _container(record: Record) -> Markup:
    """What the run's container used and served, as a chart; empty where tasks were simulated."""
    if not record.measured:
        return Markup()
    from slpnb.sizing.charts import container_memory, show  # 1 s of matplotlib, which most reports need not

    drawn = show(container_memory(Measured.from_dict(record.measured)))
    return _inline(drawn.svg(), "container-")


def page(name: str, executed: Any, environment: str, back: str = "") -> str:
    """An executed notebook as a page; ``back`` leads to the folder of the report."""
    from nbconvert import HTMLExporter  # 2 s: imported while a notebook runs
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    executed.cells = [cell for cell in executed.cells if MARKER not in cell.metadata.get("tags", [])]
    exporter: Any = HTMLExporter
    body, _ = exporter(template_name="basic").from_notebook_node(executed)
    style = HtmlFormatter(style="default").get_style_defs(".highlight")
    template = _templates().get_template("notebook.html.j2")
    parts = {"body": Markup(body), "highlight": Markup(style)}  # noqa: S704 - our own notebook
    return template.render(name=name, environment=environment, back=back, **parts)


def read(notebook: Path) -> Any:
    """A notebook from its file."""
    import nbformat  # 1 s: not before a notebook runs

    return nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]


def charts(name: str, executed: Any) -> Iterator[ReportChart]:
    """The figures among a notebook's outputs, as SVG where there is one."""
    title = ""
    for position, cell in enumerate(executed.cells):
        title = _heading(cell) or title
        for number, output in enumerate(cell.get("outputs", [])):
            data = output.get("data", {})
            if SVG in data:
                yield ReportChart(name, title, _inline(data[SVG], f"{name}-{position}-{number}-"))
            elif PNG in data:
                yield ReportChart(name, title, _embedded(data[PNG], title))


def _heading(cell: Any) -> str:
    if cell.cell_type != "markdown":
        return ""
    found = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)
    return str(found[-1]) if found else ""


def _inline(svg: str, prefix: str) -> Markup:
    """An SVG as part of a page: no prolog, no metadata, and ids that no other figure of the page has."""
    drawing = svg[svg.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'\bid="', f'id="{prefix}', drawing)
    return Markup(re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}", drawing))  # noqa: S704 - our own notebook's figure


def _embedded(png: str, title: str) -> Markup:
    data = base64.b64encode(base64.b64decode(png)).decode()
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(title, data)


def _outcome(record: Record) -> str:
    """The word that the page shows in colour."""
    if record.stopped:
        return record.stopped.status
    return {None: "running", 0: "finished", 130: "interrupted"}.get(record.exit_code, "failed")


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@cache
def _templates() -> Environment:
    loader = PackageLoader("slpnb.runner")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
