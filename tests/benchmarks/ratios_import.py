"""What importing the package adds to importing what every user of it has anyway."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

TURNS = 5
TIMED = "import time; begin = time.process_time(); import {}; print(time.process_time() - begin)"


def ratios() -> Iterator[tuple[str, float, str]]:
    """Name, figure and what it means."""
    for name in ("slpnb", "slpnb.runbook"):
        turns = [_seconds(f"boto3, pandas, {name}") / _seconds("boto3, pandas") for _ in range(TURNS)]
        wanted = " (at most 1.25)" if name == "slpnb" else ", as every notebook does"
        yield f"import {name}", statistics.median(turns), f"times importing boto3 and pandas alone{wanted}"


def _seconds(modules: str) -> float:
    done = subprocess.run([sys.executable, "-c", TIMED.format(modules)], capture_output=True, text=True, check=True)
    return float(done.stdout)
