"""make bench: speed as ratios, each measured against its alternative in the same run on this machine.

Names of parts as arguments (runbook, sizing, scheduler, import, image) measure only those.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from tests.benchmarks import ratios_image, ratios_import, ratios_runbook, ratios_scheduler, ratios_sizing

Ratio = tuple[str, float, str]
PARTS: dict[str, Callable[[], Iterable[Ratio]]] = {
    "import": ratios_import.ratios,
    "scheduler": ratios_scheduler.ratios,
    "sizing": ratios_sizing.ratios,
    "image": ratios_image.ratios,
    "runbook": ratios_runbook.ratios,
}


def main() -> None:
    """Measure the parts asked for, quick ones first, and print each figure as soon as it is known."""
    parser = argparse.ArgumentParser(prog="make bench", description="Speed as ratios, measured now.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    parts = parser.parse_args().parts
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}: must be {', '.join(PARTS)}")
    for part in parts or PARTS:
        for name, figure, meaning in PARTS[part]():
            print(f"{name:<40} {figure:>9,.2f}  {meaning}", flush=True)


if __name__ == "__main__":
    main()
