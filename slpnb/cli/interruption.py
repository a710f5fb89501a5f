"""Ctrl-C and SIGTERM, handled where they do no harm.

An exception that a signal raises inside an import can leave Python's import lock held forever: it is
acquired a step before the ``try`` that releases it (CPython 3.11, Lib/importlib/_bootstrap.py,
``_get_module_lock``). Every other thread that imports anything then waits, and whoever waits for such a
thread never ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

TERMINATED = 143  # as a shell counts SIGTERM
AGAIN_SECONDS = 0.05
IMPORTING = "<frozen importlib._bootstrap>"


def take() -> None:
    """From now on SIGINT raises `KeyboardInterrupt` and SIGTERM ends with `TERMINATED`, each after a running import."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    if _imports(frame):
        again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        sys.exit(TERMINATED)


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way in this thread."""
    while frame is not None and frame.f_code.co_filename != IMPORTING:
        frame = frame.f_back
    return frame is not None
