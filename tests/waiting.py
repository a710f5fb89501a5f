"""Waiting for something that must come true: never for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(holds: Callable[[], Any], seconds: float = 60, otherwise: Callable[[], str] = str) -> Any:
    """What ``holds`` returns once it is true; fails, saying ``otherwise``, when that takes longer than ``seconds``."""
    end = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < end, f"not within {seconds} s {otherwise()}"
        time.sleep(0.05)
    return value
