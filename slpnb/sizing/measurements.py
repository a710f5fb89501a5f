"""The last measurement of the container: this run's, or the one that ships with the kit.

``slpnb/catalog/data/measured.json`` is the ``measured.json`` of a run with containers, copied; the image and the
engine that it was taken on are in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from slpnb.catalog import DATA
from slpnb.sizing.measure import Measured

VARIABLE = "SLPNB_MEASURED"  # the file of this run, once it has measured
FILE = "measured.json"
SHIPPED = DATA / FILE


def latest() -> Measured:
    """What the image used and served when it was last measured."""
    return read(Path(os.environ.get(VARIABLE) or SHIPPED))


def read(path: Path) -> Measured:
    """A measurement from its file."""
    return Measured.from_dict(json.loads(path.read_text(encoding="utf-8")))


def write(measured: Measured, path: Path) -> None:
    """A measurement into its file."""
    path.write_text(json.dumps(measured.to_dict(), indent=2) + "\n", encoding="utf-8")
