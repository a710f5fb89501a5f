"""The image against Debian's own Apache and mod_php: the same WordPress, database, limits and load, by turns."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slpnb import engine as engines
from slpnb.config import load
from slpnb.engine import Engine
from slpnb.image import building
from slpnb.runner import measuring
from slpnb.sizing.measure import Moment, requests_a_mib
from slpnb.task.smoke import smoke
from tests.waiting import eventually
from tests.wordpress.world import HOST, LABELS, Site, World, open_world

APACHE = "localhost/slpnb-bench-apache"
LIMIT = "2048m"  # staging's
TURNS, SECONDS = 3, 10.0
CONNECTIONS = (2, 16, 48)  # a balancer keeps many open, and Apache has a process for each
STATIC = "/wp-includes/css/dist/block-library/style.min.css"
SIDES = (0, 1)  # ours, Apache
USED = "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null"
Ratio = tuple[str, float, str]


def ratios() -> Iterator[Ratio]:
    """Name, figure and what it means; without an engine, one line that says so."""
    found = engines.find()
    if found is None:
        yield "image: not measured", 0, engines.why_none()
        return
    with found as engine, open_world(engine) as world:
        yield from _image(world)
        with _beside(world) as (ours, apache):
            for connections in CONNECTIONS:
                yield from _pages(ours, apache, connections)
            yield from _files(ours, apache)


def _image(world: World) -> Iterator[Ratio]:
    config, seconds = load("staging"), _build_seconds(world.engine)
    yield "image: build", seconds, "seconds without cache (under 120)"
    yield "image: size", world.image.mib * 1024 * 1024 / 1e6, "MB (under 450)"
    ready = [smoke(world.engine, config, world.image.name).ready_seconds for _ in range(3)]
    yield "image: ready", statistics.median(ready), "seconds from start to /VERSION.txt, median of 3 (under 5)"


def _build_seconds(engine: Engine) -> float:
    name = f"{building.IMAGE}:bench-{os.getpid()}"
    base = building.find_base(engine, engine.architecture, lambda _line: None)
    with building.apt_files() as files:
        command = building.arguments(engine, name, engine.architecture, base, "0.0.0", files)
        command.insert(command.index("build") + 1, "--no-cache")
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - began
    engine.client.images.remove(name)
    return seconds


@contextmanager
def _beside(world: World) -> Iterator[tuple[Site, Site]]:
    """The image as the task definition runs it, and Apache, on one database and without anything else between."""
    code, said = world.task("install", WORDPRESS_ADMIN_PASSWORD="for-the-benchmark")
    assert code == 0, said
    ours, apache = world.start(LIMIT), _apache(world)
    eventually(apache.answers, otherwise=apache.log)
    yield ours, apache


def _apache(world: World) -> Site:
    _build_apache(world)
    settings = {"mem_limit": LIMIT, "memswap_limit": LIMIT, "ports": {"80/tcp": ("127.0.0.1", None)}}
    container = world.engine.client.containers.run(
        APACHE, detach=True, environment=world.environment(), labels=LABELS, network=world.network, **settings
    )
    world.made.append(container)
    return Site(container, world.folder)


def _build_apache(world: World) -> None:
    engine = world.engine
    base = building.find_base(engine, engine.architecture, lambda _line: None) or building.default_base()
    with building.apt_files() as files, tempfile.TemporaryDirectory() as folder:
        context = Path(shutil.copytree(building.DOCKER / "bench-apache", Path(folder) / "context"))
        command = building.arguments(engine, APACHE, engine.architecture, base, "", files)[:-1]
        command = [word for word in command if not word.startswith("--build-arg=VERSION")]
        command += [f"--build-arg=IMAGE={world.image.name}", str(context)]
        subprocess.run(command, check=True, capture_output=True)


def _pages(ours: Site, apache: Site, connections: int) -> Iterator[Ratio]:
    """PHP and database: the front page."""
    turns = _turns(ours, apache, "/", connections)
    yield from _compared(f"image: pages, {connections} connections", turns)


def _files(ours: Site, apache: Site) -> Iterator[Ratio]:
    """No PHP: a style sheet."""
    yield from _compared("image: files, 16 connections", _turns(ours, apache, STATIC, 16))


@dataclass(frozen=True)
class Turn:
    """One side's turn: the moment under load, and the CPU seconds that its container used for it."""

    moment: Moment
    cpu_seconds: float

    @property
    def speed(self) -> float:
        """Requests per second."""
        assert self.moment.load
        return self.moment.load.requests_a_second

    @property
    def a_cpu_second(self) -> float:
        """Requests per second of CPU: what else the machine does does not count."""
        assert self.moment.load
        return self.moment.load.requests / self.cpu_seconds

    @property
    def a_mib(self) -> float:
        """Requests per second and MiB."""
        return requests_a_mib(self.moment)


def _turns(ours: Site, apache: Site, path: str, connections: int) -> list[tuple[Turn, Turn]]:
    """Each side by turns, so that what else the machine does falls on both; the first turn only warms."""
    turns = [(_turn(ours, path, connections), _turn(apache, path, connections)) for _ in range(TURNS + 1)]
    return turns[1:]


def _turn(site: Site, path: str, connections: int) -> Turn:
    site.container.reload()
    target = measuring.Target(site.port, HOST, path)
    measuring.demand_page(target)
    before = _cpu_seconds(site)
    moment = measuring.under_load(site.container, target, connections, SECONDS)
    assert moment.load
    assert not moment.load.failed, moment
    return Turn(moment, _cpu_seconds(site) - before)


def _cpu_seconds(site: Site) -> float:
    """CPU time of the container until now, by control groups of version 2 (microseconds) or 1 (nanoseconds)."""
    said = eventually(lambda: site.run("sh", "-c", USED))
    found = re.search(r"^usage_usec (\d+)$", said, re.MULTILINE)
    return int(found[1]) / 1e6 if found else int(said.split()[-1]) / 1e9


def _compared(name: str, turns: list[tuple[Turn, Turn]]) -> Iterator[Ratio]:
    yield name, _ratio(turns, "speed"), f"times Apache's requests per second: {_both(turns, 'speed')} (ahead)"
    cpu = f"times Apache's requests per second of CPU: {_both(turns, 'a_cpu_second')} (ahead)"
    yield f"{name}, a CPU second", _ratio(turns, "a_cpu_second"), cpu
    taken = " against ".join(
        f"{statistics.median(turn[side].moment.memory.total for turn in turns):.0f}" for side in SIDES
    )
    thrift = f"times Apache's requests per second and MiB: {taken} MiB (twice)"
    yield f"{name}, a MiB", _ratio(turns, "a_mib"), thrift


def _ratio(turns: list[tuple[Turn, Turn]], figure: str) -> float:
    return statistics.median(getattr(ours, figure) / getattr(apache, figure) for ours, apache in turns)


def _both(turns: list[tuple[Turn, Turn]], figure: str) -> str:
    return " against ".join(
        f"{statistics.median(getattr(turn[side], figure) for turn in turns):,.0f}" for side in SIDES
    )
