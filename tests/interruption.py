"""A run that dies after its n-th write, as one that is killed between two calls would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slpnb.aws import Aws, connect

READS = ("Describe", "Get", "List", "BatchGet", "Head", "Search")


class Interrupted(BaseException):
    """Nothing in the kit may catch it."""


@contextmanager
def dying(aws: Aws, after: int) -> Iterator[Aws]:
    """The same account opened anew, in which the run dies when its ``after``-th write has reached AWS.

    Leaves the block quietly when it dies, and also when there were not that many writes.
    """
    made = 0

    def count(model: Any, **_: Any) -> None:
        nonlocal made
        made += not model.name.startswith(READS)
        if made == after and not model.name.startswith(READS):
            raise Interrupted

    opened = connect(aws.config, endpoint_url=aws.endpoint_url, sleep=aws.sleep, simulated="test")
    events = opened.session.events  # shared by all connections: clients take a copy when they are made
    events.register("after-call", count, unique_id="dying")
    try:
        yield opened
    except Interrupted:
        pass
    finally:
        events.unregister("after-call", count, unique_id="dying")
