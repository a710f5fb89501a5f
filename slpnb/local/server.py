"""The server process of the embedded AWS: ``python -m slpnb.local.server``.

moto's server behind a small front of its own, which answers /slpnb/ (clock, counters, reset), lets one
request in at a time (moto's backends take no locks, and the same calls shall give the same ids), and
says in AWS's way what moto does not know. Prints its endpoint when the seed is in; exits when no
attached process lives.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

os.environ.update(  # moto reads these when it is imported
    MOTO_ACCOUNT_ID="123456789012",
    MOTO_EC2_LOAD_DEFAULT_AMIS="false",  # the seed's own AMIs suffice; moto's make each listing take 0.7 s
    MOTO_ENABLE_AMI_VALIDATION="true",
    MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="true",
    MOTO_IAM_LOAD_MANAGED_POLICIES="true",
)

import moto
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from slpnb.local import clock, corrections, registry, seed
from slpnb.local.front import Call, called, is_write, unknown
from slpnb.local.watch import Attached

MOTO_VERSION = "5.2.5"
DESCRIBE = (
    f"embedded AWS (moto {MOTO_VERSION}, account 123456789012): nothing leaves this machine; "
    "instances and tasks are simulated, the image is declared, not built"
)
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Embedded:
    """The WSGI application: moto's, with the routes under /slpnb/ in front."""

    def __init__(self) -> None:
        self.aws = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.RLock()
        self.attached = Attached()
        self.server: BaseWSGIServer | None = None
        self.writes = 0

    def reset(self) -> None:
        """Back to the seed: the account as the company has it before the runbook."""
        with self.lock:
            seed.sow()
            self.writes = 0

    def stop(self) -> None:
        """Stop serving, from a thread of its own so that the answer still goes out."""
        if self.server:
            threading.Thread(target=self.server.shutdown).start()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request: the front's own, or moto's."""
        path = str(environ["PATH_INFO"])
        if path.startswith("/slpnb/"):
            return self.control(path.removeprefix("/slpnb/"), environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        with self.lock:
            call = called(environ, body)
            self.writes += is_write(call)
            return self.answer(call, environ, start_response)

    def answer(self, call: Call, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """moto's answer; what it does not know, or fails in, is a 501, which clients do not retry."""
        try:
            return list(self.aws(environ, start_response))
        except Exception as error:
            traceback.print_exc()
            status, headers, content = unknown(call, error)
            start_response(status, headers)
            return [content]

    def control(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one of the routes under /slpnb/; those that change something want POST."""
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        route = ROUTES.get((environ["REQUEST_METHOD"], path.partition("/")[0]))
        if path.startswith("blobs/"):
            return _blob(path.removeprefix("blobs/"), start_response)
        if route is None:
            return _send(start_response, "404 Not Found", b"{}")
        with self.lock:
            content = route(self, query)
        return _send(start_response, "200 OK", json.dumps(content or {}).encode())

    def health(self) -> dict[str, Any]:
        """What a client needs to know before it uses this one."""
        return {
            "pid": os.getpid(),
            "moto": moto.__version__,
            "untouched": self.writes == 0,
            "describe": DESCRIBE,
            "seconds": clock.now(),
        }


Query = dict[str, str]
ROUTES: dict[tuple[str, str], Callable[[Embedded, Query], Any]] = {
    ("GET", "health"): lambda embedded, _: embedded.health(),
    ("GET", "writes"): lambda embedded, _: {"writes": embedded.writes},
    ("POST", "attach"): lambda embedded, query: embedded.attached.add(int(query["pid"])),
    ("POST", "advance"): lambda _, query: clock.advance(float(query["seconds"])),
    ("POST", "reset"): lambda embedded, _: embedded.reset(),
    ("POST", "stop"): lambda embedded, _: embedded.stop(),
}


class Handler(MotoRequestHandler):
    """Keeps connections open, and does not log what it was asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: Any) -> None:
        """Nothing: only failures go to the log."""


def _send(start_response: StartResponse, status: str, content: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def _blob(digest: str, start_response: StartResponse) -> list[bytes]:
    """A config or layer of the declared image."""
    blob = registry.pushed().blob(digest)
    return _send(start_response, "200 OK" if blob else "404 Not Found", blob.content if blob else b"{}")


def _write_state(path: Path, endpoint: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"endpoint": endpoint, "pid": os.getpid()}), encoding="utf-8")
    partial.replace(path)


def _remove_state(path: Path) -> None:
    """Only one's own: a newer embedded AWS may have written over it."""
    try:
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        return


def _demand_moto() -> None:
    if moto.__version__ != MOTO_VERSION:
        raise SystemExit(
            f"the embedded AWS corrects moto {MOTO_VERSION}, but {moto.__version__} is installed: "
            f"pip install 'moto[server]=={MOTO_VERSION}'"
        )


def main(argv: list[str] | None = None) -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m slpnb.local.server")
    parser.add_argument("--attach", type=int, required=True, help="process to live as long as")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--state", type=Path, help="file that says where this one is")
    options = parser.parse_args(argv)
    with options.log.open("w") as log:
        os.dup2(log.fileno(), 2)
    _demand_moto()
    corrections.install()
    embedded = Embedded()
    embedded.reset()
    embedded.attached.add(options.attach)
    embedded.server = server = make_server("127.0.0.1", 0, embedded, threaded=True, request_handler=Handler)
    signal.signal(signal.SIGTERM, lambda *_: embedded.stop())
    _announce(f"http://127.0.0.1:{server.server_port}", options.state)
    embedded.attached.then(embedded.stop)
    server.serve_forever(poll_interval=0.05)
    if options.state:
        _remove_state(options.state)
    os._exit(0)  # at once: nothing is worth the second that taking moto's state apart would cost


def _announce(endpoint: str, state: Path | None) -> None:
    """Tell the parent, which waits for this line, and let go of its pipe."""
    if state:
        _write_state(state, endpoint)
    print(endpoint, flush=True)
    os.dup2(2, 1)
    sys.stdout = sys.stderr


if __name__ == "__main__":
    main()
