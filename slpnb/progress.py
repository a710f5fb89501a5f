"""What takes long, told as it goes: a line a step, in a notebook or a terminal.

In a notebook the lines give way to what the cell shows in the end, so that they are no part of its outputs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MARK = "… "  # how such a line begins, so that the runner can tell it from a notebook's own outputs
Tell = Callable[[str], None]


@contextmanager
def told() -> Iterator[Tell]:
    """What to call with each line. An error leaves the lines: they say how far it came."""
    shell = _notebook()
    any_told = False

    def tell(line: str) -> None:
        nonlocal any_told
        any_told = True
        print(f"{MARK}{line}", file=sys.stdout if shell else sys.stderr, flush=True)

    yield tell
    if shell and any_told:
        from IPython.display import clear_output

        clear_output(wait=True)  # type: ignore[no-untyped-call]


def _notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    return bool(ipython and hasattr(ipython.get_ipython(), "kernel"))
