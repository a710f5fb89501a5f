"""Writes counted by a botocore hook, and runs that die after the n-th, as one killed between two calls would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from slpnb.aws import Aws
from tests.conftest import again

READS = ("Describe", "Get", "List", "BatchGet")


class Interrupted(BaseException):
    """The process is killed between two calls: nothing in the kit may catch it."""


@contextmanager
def counting(aws: Aws, stop_after: int = 0) -> Iterator[tuple[Aws, list[str]]]:
    """The same account opened anew, and the writes made through it; after ``stop_after`` of them the run dies."""
    made: list[str] = []

    def count(model: Any, **_: Any) -> None:
        if not model.name.startswith(READS):
            made.append(model.name)
            if len(made) == stop_after:
                raise Interrupted

    watched = again(aws)
    events = watched.session.events  # shared by all connections: clients take a copy when they are made
    events.register("after-call", count)
    try:
        yield watched, made
    finally:
        events.unregister("after-call", count)


@contextmanager
def dying(aws: Aws, after: int) -> Iterator[Aws]:
    """`counting` that leaves its block quietly when the run dies, and also when there were not that many writes."""
    with suppress(Interrupted), counting(aws, after) as (opened, _):
        yield opened
