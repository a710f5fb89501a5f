"""What is asked of AWS, told by a botocore hook: service, operation and parameters of each call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slpnb.aws import Aws
from tests.conftest import again


@contextmanager
def telling(aws: Aws) -> Iterator[tuple[Aws, list[str]]]:
    """The same account opened anew, and the calls sent through it."""
    sent: list[str] = []

    def tell(model: Any, params: Any, **_: Any) -> None:
        asked = {name: params.get(name) for name in ("url_path", "query_string", "body")}
        sent.append(f"{model.service_model.service_name} {model.name} {asked}")

    watched = again(aws)
    events = watched.session.events  # shared by all connections: clients take a copy when they are made
    events.register("before-call", tell)
    try:
        yield watched, sent
    finally:
        events.unregister("before-call", tell)
