"""What runs alongside the tasks: the network, the database, the front door. Each is made when first needed."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from docker.errors import ImageNotFound

from slpnb.engine import LABEL, Engine, container_arguments
from slpnb.engine.leftovers import remove_container
from slpnb.local.containers import database
from slpnb.local.containers.addresses import address, published
from slpnb.local.containers.front_door import FrontDoor
from slpnb.local.containers.orders import Credentials
from slpnb.repository import DOCKER

IMAGE = "localhost/slpnb-companions:bookworm"
SOURCE = DOCKER / "companions"
READY_SECONDS = 30.0
FRONT_DOOR = "front-door"
BUILD_SECONDS = 600
_building = threading.Lock()


class CompanionError(RuntimeError):
    """A companion cannot be started, or does not become ready."""


class Companions:
    """Database and front door of a run."""

    def __init__(self, engine: Engine, run: str, folder: Path) -> None:
        self.engine, self.run, self.folder = engine, run, folder
        self.network = f"slpnb-{run}"
        engine.client.networks.create(self.network, driver="bridge", labels=container_arguments.labels(run, "network"))
        self.door = FrontDoor(folder / FRONT_DOOR, partial(self.start, FRONT_DOOR))
        self._lock = threading.Lock()
        self._database: Any = None
        self._granted: set[Credentials] = set()

    def start(self, role: str, command: list[str], **more: Any) -> Any:
        """A companion's container, running; ``folder/role`` is its /slpnb."""
        ensure_image(self.engine)
        place = self.folder / role
        place.mkdir(mode=0o700, exist_ok=True)
        made = self.engine.client.containers.create(
            IMAGE,
            command,
            name=f"{self.network}-{role}",
            labels=container_arguments.labels(self.run, role),
            network=self.network,
            volumes={str(place): {"bind": "/slpnb", "mode": "ro"}},
            **more,
        )
        made.start()
        made.reload()
        return made

    def hosts(self, wanted: Credentials | None) -> Mapping[str, str]:
        """Where a task finds its database: starts it, and creates what the task's secret names. May take seconds."""
        if wanted is None:
            return {}
        with self._lock:
            self._database = self._database or self._start_database()
            if wanted not in self._granted:
                self._grant(wanted)
            return {wanted.host: address(self._database)}

    def _start_database(self) -> Any:
        made = self.start("database", ["mariadbd", "--user=mysql"], ports={f"{database.PORT}/tcp": ("127.0.0.1", None)})
        end = monotonic() + READY_SECONDS
        while made.exec_run(["mariadb-admin", "ping"]).exit_code != 0:
            if monotonic() > end:
                raise CompanionError(f"the database did not start within {READY_SECONDS:.0f} s")
            sleep(0.1)
        return made

    def _grant(self, wanted: Credentials) -> None:
        """Use a file that only root can read: everyone can see a command's arguments."""
        script = self.folder / "database" / "grants.sql"
        script.touch(mode=0o600)
        script.write_text(database.grants(wanted), encoding="utf-8")
        try:
            done = self._database.exec_run(["sh", "-c", "mariadb < /slpnb/grants.sql"])
        finally:
            script.unlink()
        if done.exit_code:
            raise CompanionError(f"the database refused what the secret names: {done.output.decode().strip()}")
        self._granted.add(wanted)

    def reset(self) -> None:
        """Return to the start: no database, no front door."""
        with self._lock:
            if self._database is not None:
                remove_container(self._database)
            self._database = None
            self._granted.clear()
        self.door.reset()

    def facts(self) -> dict[str, Any]:
        """Where they are, on the loopback."""
        found: dict[str, Any] = dict(self.door.facts())
        if self._database is not None:
            found["database"] = f"127.0.0.1:{published(self._database)[database.PORT]}"
        return found


def ensure_image(engine: Engine) -> None:
    """The companions' image; built once, which takes a minute. Raises `CompanionError`."""
    with _building:
        try:
            engine.client.images.get(IMAGE)
        except ImageNotFound:
            _build(engine)


def _build(engine: Engine) -> None:
    file = str(SOURCE / "Containerfile")
    command = [*engine.command, "build", "--network=host", "--label", f"{LABEL}.image=companions"]
    done = subprocess.run(  # noqa: S603
        [*command, "--tag", IMAGE, "--file", file, str(SOURCE)],
        capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise CompanionError(f"the companions' image was not built: {' '.join(last)}; docker/base/make makes its base")
