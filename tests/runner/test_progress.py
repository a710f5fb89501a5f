"""What the terminal shows of a run."""

from __future__ import annotations

import io

from rich.console import Console

from slpnb.runner.progress import Progressing
from slpnb.runner.records import Entry


def test_several_problems_stay_on_their_lines_and_the_time_on_the_first():
    shown = io.StringIO()
    problems = {"type": "Refusal", "sentence": "2 problems\n  - memory: short\n  - zone: lost"}
    with Progressing(Console(file=shown), 1) as progress:
        progress.end(Entry("00_start", "refused", seconds=1.0, error=problems))
    first, *rest = shown.getvalue().splitlines()
    assert first == " 1/1 00_start     refused: 2 problems  (1.0 s)"
    assert rest == ["  - memory: short", "  - zone: lost"]
