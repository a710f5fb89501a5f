"""Questions asked once while their answers hold, and side by side where none needs another's answer.

What an answer holds for, and why: docs/decisions/observations.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, wait
from threading import Lock, Thread
from typing import Any, TypeVar

HOLDS_SECONDS = 10  # whoever steps through a notebook by hand takes longer, and sees the present
T = TypeVar("T")


class Observation:
    """What has been answered: each question is asked once, also where several threads have it at the same time."""

    def __init__(self) -> None:
        self.handed_on = False
        self._began = time.monotonic()
        self._lock = Lock()
        self._answers: dict[Hashable, Future[Any]] = {}
        self._readers: set[Hashable] = set()

    def once(self, question: Hashable, ask: Callable[[], T]) -> T:
        """The answer, or the error, that the first who asked this got."""
        with self._lock:
            first = question not in self._answers
            answer: Future[T] = self._answers.setdefault(question, Future())
        if first:
            _settle(answer, ask)
        return answer.result()

    def holds_for(self, reader: Hashable) -> bool:
        """Whether ``reader`` may go on with it: once handed on, while it is young, and no second time."""
        again = reader in self._readers
        self._readers.add(reader)
        return self.handed_on and not again and time.monotonic() - self._began < HOLDS_SECONDS


def side_by_side(questions: Sequence[Callable[[], T]]) -> list[T]:
    """The answers in the order of the questions; of several errors, that of the earliest question is raised.

    An interruption is not held up by what is still being asked: the threads are daemons.
    """
    answers: list[Future[T]] = [Future() for _ in questions]
    for answer, ask in zip(answers, questions, strict=True):
        Thread(target=_settle, args=(answer, ask), daemon=True).start()
    wait(answers)
    return [answer.result() for answer in answers]


def _settle(answer: Future[T], ask: Callable[[], T]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # raised in whoever waits for the answer
        answer.set_exception(error)
