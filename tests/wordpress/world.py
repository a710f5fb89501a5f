"""A network with a real MariaDB, and WordPress containers on it as the task definition has them."""

from __future__ import annotations

import http.client
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slpnb.config import load
from slpnb.engine import LABEL, Engine, leftovers
from slpnb.image import building
from slpnb.task.task_definition import DROPPED, TMPFS, TMPFS_OPTIONS, definition
from tests.waiting import eventually

HERE = Path(__file__).parent
VERSION = "7.7.7"
PASSWORD = "database-password-canary"
HOST = "wp.example"
SALT = "salt-canary"
LABELS = {LABEL: leftovers.run_id()}
UPLOADS = "/var/www/html/wp-content/uploads"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Site:
    """A running WordPress container."""

    container: Any
    uploads: Path

    @property
    def port(self) -> int:
        return int(self.container.ports["80/tcp"][0]["HostPort"])

    def get(self, path: str, host: str = HOST, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": host, **names})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
        finally:
            connection.close()

    def get_https(self, path: str, host: str = HOST) -> Answer:
        return self.get(path, host, X_Forwarded_Proto="https")

    def run(self, *command: str, user: str = "root") -> str:
        """What a command inside the container prints, errors too."""
        return self.container.exec_run(list(command), user=user).output.decode()

    def log(self) -> str:
        return self.container.logs().decode()

    def answers(self) -> bool:
        self.container.reload()
        try:
            return self.get("/VERSION.txt").status == 200
        except (OSError, KeyError, http.client.HTTPException):
            return False


@dataclass
class World:
    engine: Engine
    image: building.Image
    network: str
    database: Any
    folder: Path
    made: list[Any] = field(default_factory=list)

    @property
    def database_address(self) -> str:
        """Not its name: Podman's DNS drops queries while other tests' containers come and go."""
        self.database.reload()
        return str(self.database.attrs["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def environment(self, **changes: str) -> dict[str, str]:
        """Every variable of the task definition, the database and salts filled in."""
        (container,) = definition(load("staging"))["containerDefinitions"]
        clear = {item["name"]: item["value"] for item in container["environment"]}
        secret = {item["name"]: SALT for item in container["secrets"]}
        database = {"HOST": self.database_address, "NAME": "wordpress", "USER": "wordpress", "PASSWORD": PASSWORD}
        named = {f"WORDPRESS_DB_{name}": value for name, value in database.items()}
        return clear | secret | {"WORDPRESS_HOST": HOST, "CRON_SECONDS": "0"} | named | changes

    def settings(self, memory: str, environment: dict[str, str], uploads: Path, mode: str) -> dict[str, Any]:
        options = ",".join(TMPFS_OPTIONS)
        return {
            "detach": True,
            "environment": environment,
            "labels": LABELS,
            "network": self.network,
            "mem_limit": memory,
            "memswap_limit": memory,
            "ports": {"80/tcp": ("127.0.0.1", None)},
            "read_only": True,
            "cap_drop": DROPPED,
            "tmpfs": {path: f"{options},size={mib}m" for path, mib in TMPFS.items()},
            "volumes": {
                str(uploads): {"bind": UPLOADS, "mode": mode},
                str(HERE / "probe"): {"bind": "/var/www/html/probe", "mode": "ro"},
            },
        }

    def start(self, memory: str = "512m", uploads_mode: str = "rw", **changes: str) -> Site:
        """A container that answers."""
        site = self.begin("serve", memory, uploads_mode, **changes)
        eventually(site.answers, otherwise=site.log)
        return site

    def begin(self, command: str, memory: str = "512m", uploads_mode: str = "rw", **changes: str) -> Site:
        uploads = Path(tempfile.mkdtemp(dir=self.folder))
        os.chown(uploads, 33, 33)
        environment = {name: value for name, value in self.environment(**changes).items() if value}
        settings = self.settings(memory, environment, uploads, uploads_mode)
        container = self.engine.client.containers.run(self.image.name, [command], **settings)
        self.made.append(container)
        return Site(container, uploads)

    def task(self, command: str, **changes: str) -> tuple[int, str]:
        """A one-off task: its exit code and what it said."""
        site = self.begin(command, **changes)
        return site.container.wait(timeout=120)["StatusCode"], site.log()

    def query(self, statement: str, database: str = "wordpress") -> str:
        done = self.database.exec_run(["mariadb", "-N", database, "-e", statement])
        assert done.exit_code == 0, done.output
        return done.output.decode().strip()

    def make_database(self, name: str) -> str:
        self.query(f"CREATE DATABASE {name}; GRANT ALL ON {name}.* TO 'wordpress'@'%'", "mysql")
        return name


@contextmanager
def open_world(engine: Engine) -> Iterator[World]:
    config = load("staging")
    image = building.build(engine, config, engine.architecture, VERSION)
    database_image = _database_image(engine)
    network = engine.client.networks.create(f"slpnb-test-{os.getpid()}", labels=LABELS)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        database = _database(engine, database_image, network)
        world = World(engine, image, network.name, database, Path(folder), [database])
        try:
            eventually(lambda: database.exec_run(["mariadb", "-e", "SELECT 1"]).exit_code == 0, 60)
            user = f"CREATE USER 'wordpress'@'%' IDENTIFIED BY '{PASSWORD}'"
            assert database.exec_run(["mariadb", "-e", user]).exit_code == 0
            world.make_database("wordpress")
            yield world
        finally:
            for container in reversed(world.made):
                container.remove(force=True, v=True)
            network.remove()


def _database(engine: Engine, image: str, network: Any) -> Any:
    container = engine.client.containers.create(image, labels=LABELS)
    network.connect(container)
    container.start()
    return container


def _database_image(engine: Engine) -> str:
    name = "localhost/slpnb-test-database"
    base = building.find_base(engine, engine.architecture, lambda _line: None) or building.default_base()
    host = ["--network=host"] if engine.name == "podman" else []
    file = HERE / "Database.Dockerfile"
    command = [
        *engine.command,
        "build",
        *host,
        f"--build-arg=BASE={base}",
        f"--tag={name}",
        f"--file={file}",
        str(HERE),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return name
