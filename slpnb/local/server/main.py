"""The server process of the embedded AWS: ``python -m slpnb.local.server.main``.

Prints its endpoint once seeded, serves on 127.0.0.1, and exits when it is told to or when no
attached process is alive.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

MOTO_VERSION = "5.2.5"
SETTINGS = {  # moto reads its own when it is imported
    "MOTO_ACCOUNT_ID": "123456789012",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # the seed's own AMIs suffice; moto's make each listing take 0.7 s
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main(argv: list[str] | None = None) -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m slpnb.local.server.main")
    parser.add_argument("--attach", type=int, required=True, help="process whose lifetime the server follows")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--state", type=Path, help="file to write the endpoint to")
    parser.add_argument("--pace", type=float, default=0, help="of containers, if there is an engine; 0: simulated")
    options = parser.parse_args(argv)
    with options.log.open("w") as log:
        os.dup2(log.fileno(), 2)
    embedded = _embedded()
    embedded.attached.add(options.attach)
    if options.pace:
        _run_containers(embedded, options.pace)
    server = _listen(embedded)
    _announce(f"http://127.0.0.1:{server.server_port}", options.state)
    embedded.attached.then(embedded.stop)
    server.serve_forever(poll_interval=0.05)
    if options.state:
        _remove_state(options.state)
    if embedded.containers:
        embedded.containers.close()
    os._exit(0)  # at once: tearing down moto's state would take a second for nothing


def _embedded() -> Any:
    """The seeded application. Imported here, since moto must find its settings and its version right."""
    if version("moto") != MOTO_VERSION:
        raise SystemExit(
            f"the embedded AWS corrects moto {MOTO_VERSION}, but {version('moto')} is installed: "
            f"pip install 'moto[server]=={MOTO_VERSION}'"
        )
    _seal()
    gc.disable()  # nothing loaded by now ever becomes garbage: collecting takes a fifth of the start
    from slpnb.local.base import read_once

    read_once.install()
    from slpnb.local import corrections, ecs
    from slpnb.local.base import clock, replace
    from slpnb.local.ecs.backend import advance
    from slpnb.local.server.application import Application

    replace.install(corrections, ecs)
    clock.listen(advance)
    embedded = Application()
    embedded.reset()
    gc.freeze()
    gc.enable()
    return embedded


def _seal() -> None:
    """Take away what the caller has set for AWS and for moto, models of services included: moto would read it."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ.update(SETTINGS)
    from botocore.loaders import Loader

    Loader.CUSTOMER_DATA_PATH = os.devnull


def _run_containers(embedded: Any, pace: float) -> None:
    """Tasks as containers from here on, if this machine has an engine; else they stay simulated, and it says so."""
    from slpnb import engine
    from slpnb.errors import ParameterError

    try:
        found, embedded.without = engine.find_working()
    except ParameterError as error:
        raise SystemExit(str(error)) from error
    if found is None:
        return
    from slpnb.local.containers.edge import Edge
    from slpnb.local.ecs.region import Region

    embedded.containers = Region.containers = Edge(found, embedded.lock, pace)


def _listen(embedded: Any) -> Any:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        """Does not log requests: only failures go to the log."""

        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any) -> None:
            """Nothing."""

    server = make_server("127.0.0.1", 0, embedded, threaded=True, request_handler=Handler)
    embedded.shutdown = server.shutdown
    signal.signal(signal.SIGTERM, lambda *_: embedded.stop())
    return server


def _announce(endpoint: str, state: Path | None) -> None:
    """Tell the parent, which waits for this line, and let go of its pipe."""
    if state:
        _write_state(state, endpoint)
    print(endpoint, flush=True)
    os.dup2(2, 1)
    sys.stdout = sys.stderr


def _write_state(path: Path, endpoint: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"endpoint": endpoint, "pid": os.getpid()}), encoding="utf-8")
    partial.replace(path)


def _remove_state(path: Path) -> None:
    """Only its own: a newer embedded AWS may have overwritten it."""
    try:
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        return


if __name__ == "__main__":
    main()
