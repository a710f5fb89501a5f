"""The report: what a reader finds on its page, and that it needs nothing from elsewhere."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from slpnb.runner import report
from slpnb.runner.records import Entry, Record
from tests import generated

STARTED = "2026-01-02T03-04-05Z"


def record(*entries: Entry, exit_code: int | None = 0, **more: Any) -> Record:
    asked = [entry.notebook for entry in entries] + more.pop("left", [])
    parameters = {"apply": "local", "aws": {"account_id": "111122223333"}}
    facts = {"simulated": "embedded AWS", "versions": {"python": "3.11"}, "verdict": "staging: the verdict", **more}
    return Record(
        "staging", STARTED, asked, {}, parameters, "local", notebooks=list(entries), exit_code=exit_code, **facts
    )


class Text(HTMLParser):
    """The words of a page, and whether its tags close in order."""

    VOID = ("meta", "br", "img", "link", "path", "use")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, _attrs):
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.words).split())


def executed(tmp_path: Path) -> Any:
    """A notebook with two equal figures and a table, as if it had run."""
    generated.write(tmp_path / "notebooks", "60_sizing", "figure", "figure", heading="How many fit")
    notebook = nbformat.read(tmp_path / "notebooks" / "60_sizing.ipynb", as_version=4)
    for cell in notebook.cells[-2:]:
        cell.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": generated.SVG, "image/png": "AAAA"})]
    return notebook


class TestThePage:
    def test_a_refusal_stands_at_the_top_and_what_did_not_run_is_listed(self):
        error = {"type": "Refusal", "sentence": "3584 MiB asked, 3556 MiB left: short by 28 MiB"}
        stopped = Entry("60_sizing", "refused", 1.24, error=error)
        page = report.html(
            record(Entry("50_cluster", line="50_cluster: 9 OK"), stopped, exit_code=3, left=["70_task"]), []
        )
        text = str(Text(page))
        assert text.index("short by 28 MiB") < text.index("Steps") < text.index("50_cluster")
        assert "Exit code 3" in text
        assert 'class="verdict refused"' in page
        assert re.search(r"60_sizing refused stopped here, see above 1\.2 s", text)
        assert "70_task not run" in text

    def test_a_finished_run_shows_each_verdict_with_its_plan_and_checks(self):
        verdicts = ["[OK]   file system uploads: present", "[WARN] burst: low"]
        done = Entry(
            "30_efs", line="30_efs: applied 1 to create; 2 OK", plan=["+ EFS file system uploads"], verdicts=verdicts
        )
        page = report.html(record(done), [])
        text = str(Text(page))
        assert "staging: the verdict" in text
        assert (
            "applied 1 to create; 2 OK burst: low 1 in the plan, 2 checks + EFS file system uploads [OK] file system"
            in text
        )
        assert 'class="WARN"' in page
        assert '<a href="30_efs.html">' in page
        assert "02 January 2026, 03:04 UTC" in text

    def test_the_second_pass_is_a_table_of_its_own(self):
        page = report.html(record(Entry("30_efs"), again=[Entry("30_efs", line="30_efs: nothing to do; 6 OK")]), [])
        assert "Second run, on the same AWS" in page
        assert '<a href="again/30_efs.html">' in page

    def test_it_says_what_is_simulated_and_on_which_account_it_was_not(self):
        assert "Simulated: embedded AWS" in report.html(record(), [])
        real = record(simulated="")
        real.backend = "aws"
        assert "Real: AWS account 111122223333" in report.html(real, [])

    @pytest.mark.parametrize(
        ("code", "word"), [(None, "running"), (0, "finished"), (130, "interrupted"), (6, "failed")]
    )
    def test_its_colour_is_the_outcome(self, code, word):
        assert f'class="verdict {word}"' in report.html(record(exit_code=code), [])

    def test_what_a_notebook_says_is_text_and_not_markup(self):
        page = report.html(record(Entry("30_efs", line="30_efs: <script>alert(1)</script>")), [])
        assert "<script" not in page

    def test_nothing_comes_from_elsewhere(self, tmp_path):
        charts = list(report.charts("60_sizing", executed(tmp_path)))
        pages = report.html(record(Entry("60_sizing")), charts), report.page("60_sizing", executed(tmp_path), "staging")
        for page in pages:
            Text(page)
            assert not re.search(r"<(script|link|iframe)\b|@import|(src|href)=.https?:|url\(.?http", page)


class TestCharts:
    def test_figures_are_inline_with_the_heading_above_them_and_ids_of_their_own(self, tmp_path):
        one, two = report.charts("60_sizing", executed(tmp_path))
        assert one.title == "How many fit"
        ids = [re.findall(r'id="([^"]+)"', chart.image) for chart in (one, two)]
        assert ids[0] != ids[1]
        for chart, names in zip((one, two), ids, strict=True):
            assert set(re.findall(r'href="#([^"]+)"', chart.image)) == set(names)
            assert chart.image.startswith("<svg")
            assert "<metadata>" not in chart.image

    def test_a_figure_without_svg_is_an_embedded_png(self, tmp_path):
        notebook = executed(tmp_path)
        for cell in notebook.cells[-2:]:
            del cell.outputs[0].data["image/svg+xml"]
        one, _ = report.charts("60_sizing", notebook)
        assert one.image == '<img alt="How many fit" src="data:image/png;base64,AAAA">'


def test_the_report_is_written_as_far_as_the_run_has_come(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    running = record(exit_code=None, left=["60_sizing", "70_task"])
    nbformat.write(executed(tmp_path), folder / "60_sizing.ipynb")
    with report.RunReport(folder, running) as writing:
        running.notebooks.append(Entry("60_sizing"))
        writing.add(folder / "60_sizing.ipynb")
        assert (folder / "run.json").exists()
    text = (folder / "report.html").read_text()
    assert text.count("<svg") == 2
    assert "70_task" in text
    assert {path.name for path in folder.iterdir()} == {"60_sizing.html", "60_sizing.ipynb", "report.html", "run.json"}


def test_an_interruption_while_a_notebook_is_handed_over_leaves_no_thread_that_writes_later(tmp_path, monkeypatch):
    class Interrupted(threading.Thread):
        def start(self):
            super().start()
            raise KeyboardInterrupt

    running = record(exit_code=None, left=["60_sizing"])
    nbformat.write(executed(tmp_path), tmp_path / "60_sizing.ipynb")
    with report.RunReport(tmp_path, running) as writing:
        monkeypatch.setattr(threading, "Thread", Interrupted)
        writing.add(tmp_path / "60_sizing.ipynb")
    assert (tmp_path / "60_sizing.html").exists()
