"""The embedded AWS's clock: one second per call, and no time at all while a client of the kit waits.

What takes time on AWS (a mount target, a deletion in the background, a task's start) is put on
this clock with `later`, so that the kit's waits are really exercised, with the same result each time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

_due: list[tuple[float, int, Callable[[], object]]] = []
_order = count()
_listeners: list[Callable[[float], None]] = []
_now = 0.0


def now() -> float:
    """Seconds that have passed since the account was seeded."""
    return _now


def later(seconds: float, action: Callable[[], object]) -> None:
    """Do ``action`` when ``seconds`` have passed."""
    heapq.heappush(_due, (_now + seconds, next(_order), action))


def listen(listener: Callable[[float], None]) -> None:
    """Call ``listener(seconds)`` for every stretch of time that passes (ECS's scheduler)."""
    _listeners.append(listener)


def advance(seconds: float) -> None:
    """Let time pass: due actions happen in order, each at its own moment."""
    end = _now + seconds
    while _due and _due[0][0] <= end:
        moment, _, action = heapq.heappop(_due)
        _pass(moment - _now)
        action()
    _pass(end - _now)


def reset() -> None:
    """Return to the beginning, with nothing due."""
    global _now
    _now = 0.0
    _due.clear()


def _pass(seconds: float) -> None:
    global _now
    _now += seconds
    if seconds > 0:
        for listener in _listeners:
            listener(seconds)
