"""The embedded AWS as one WSGI application: moto's server, behind routes of its own under /slpnb/.

It lets one request in at a time (moto's backends take no locks, and the same calls must give the same
ids), counts the writes, and reports in AWS's format what moto does not support.
"""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

import moto
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug import Request, Response

from slpnb.local.account import seed
from slpnb.local.account.snapshot import snapshot
from slpnb.local.base import clock, registry
from slpnb.local.server.front import WAITER_SECONDS, ApiRequest, called, is_write, takes_seconds, unknown
from slpnb.local.server.watch import Attached

if TYPE_CHECKING:
    from slpnb.local.containers.edge import Edge

DESCRIBE = f"embedded AWS (moto {moto.__version__}, account 123456789012): nothing leaves this machine; {{}}"
Environ = dict[str, Any]
Query = Mapping[str, str]
StartResponse = Callable[..., Any]


class Application:
    """The WSGI application: moto's, with the routes under /slpnb/ in front."""

    def __init__(self) -> None:
        self.aws = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.RLock()
        self.attached = Attached()
        self.shutdown: Callable[[], None] = lambda: None
        self.writes = 0
        self.containers: Edge | None = None
        self.without = ""  # why there are none, where they were asked for

    def reset(self) -> None:
        """Return to the seed: the account as the company has it before the runbook."""
        with self.lock:
            if self.containers:
                self.containers.reset()
            seed.sow()
            self.writes = 0

    def stop(self) -> None:
        """Stop serving, from a thread of its own so that the answer still goes out."""
        threading.Thread(target=self.shutdown).start()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request: the front's own, or moto's."""
        if environ["PATH_INFO"].startswith("/slpnb/"):
            return self.control(Request(environ))(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        seconds = takes_seconds(environ)
        if self.containers and seconds == WAITER_SECONDS:  # a waiter also waits for the containers
            self.containers.pass_time(seconds)
            seconds = 0
        with self.lock:
            call = called(environ, body)
            self.writes += is_write(call)
            self._tick(seconds)
            return self.answer(call, environ, start_response)

    def _tick(self, seconds: float) -> None:
        """Let the call's time pass; none while containers hold the clock."""
        if self.containers:
            self.containers.settle()
        if not self.containers or not self.containers.holds():
            clock.advance(seconds)

    def answer(self, call: ApiRequest, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """moto's answer; what it does not support, or fails at, is a 501, which clients do not retry."""
        try:
            return list(self.aws(environ, start_response))
        except Exception as error:
            traceback.print_exc()
            return unknown(call, error)(environ, start_response)

    def control(self, request: Request) -> Response:
        """Answer one of the routes under /slpnb/; those that change something require POST."""
        name, _, rest = request.path.removeprefix("/slpnb/").partition("/")
        if name == "blobs":
            blob = registry.pushed().blob(rest)
            return Response(blob.content, content_type="application/json") if blob else Response(status=404)
        route = ROUTES.get((request.method, name))
        if route is None:
            return Response(status=404)
        try:
            with nullcontext() if route is Application.advance else self.lock:
                content = route(self, request.args)
        except Exception as error:
            traceback.print_exc()
            return _json({"error": f"{type(error).__name__}: {error}"}, 500)
        return _json(content or {})

    def advance(self, query: Query) -> None:
        """Takes the lock by itself: it may last, and while containers start the other routes must still be answered."""
        seconds = float(query["seconds"])
        if self.containers:
            self.containers.pass_time(seconds)
        else:
            with self.lock:
                clock.advance(seconds)

    def health(self) -> dict[str, Any]:
        """What a client needs to know before using this server."""
        return {
            "pid": os.getpid(),
            "moto": moto.__version__,
            "untouched": self.writes == 0,
            "describe": DESCRIBE.format(self._simulated()),
            "seconds": clock.now(),
        }

    def _simulated(self) -> str:
        if self.containers is None:
            why = f" ({self.without})" if self.without else ""
            return f"instances and tasks are simulated{why}, the image is declared, not built"
        return f"instances are simulated, {self.containers.describe}"


ROUTES: dict[tuple[str, str], Callable[[Application, Query], Any]] = {
    ("GET", "health"): lambda embedded, _: embedded.health(),
    ("GET", "writes"): lambda embedded, _: {"writes": embedded.writes},
    ("GET", "snapshot"): lambda *_: snapshot(),
    ("POST", "attach"): lambda embedded, query: {"attached": embedded.attached.add(int(query["pid"]))},
    ("GET", "containers"): lambda embedded, _: embedded.containers.facts() if embedded.containers else {},
    ("POST", "advance"): Application.advance,
    ("POST", "reset"): lambda embedded, _: embedded.reset(),
}


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")
