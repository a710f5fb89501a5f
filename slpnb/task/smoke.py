"""The image started once as the task definition would start it, asked for its version, and stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from slpnb.config import Config
from slpnb.engine import Engine, container_arguments, find_working, leftovers
from slpnb.image import building
from slpnb.image.building import BuildError
from slpnb.progress import told
from slpnb.task import task_definition
from slpnb.verdict import Verdict, Verdicts, ok, skip

READY_SECONDS = 30.0
STOP_SECONDS = 30
LAST_LINES = 20  # of the log of a container that did not answer


@dataclass(frozen=True)
class Smoke:
    """What one start and stop showed: the version, and the seconds until it answered and until it exited."""

    version: str
    ready_seconds: float
    stop_seconds: float


def build_and_start(config: Config) -> Verdicts:
    """Build the image for this machine, inspect it, start and stop it once; without an engine, say what was not done.

    Raises as `slpnb.image.building.build` and `smoke` do.
    """
    with told() as tell:
        engine, why_none = find_working()
        if engine is None:
            return Verdicts((skip("image built", f"{why_none}: nothing was built, and tasks are simulated"),))
        with engine:
            image = building.build(engine, config, engine.architecture, report=tell)
            tell(f"starting {image.name} once")
            return Verdicts((building.built(config, image), _started(smoke(engine, config, image.name))))


def _started(seen: Smoke) -> Verdict:
    return ok("image started", f"/VERSION.txt answered {seen.version}, and it exited with code 0 when told to stop")


def smoke(engine: Engine, config: Config, name: str, ready_seconds: float = READY_SECONDS) -> Smoke:
    """Start the image as the task definition would, ask for its version, stop it.

    There is no database: a container that cannot reach it must still start. Raises `BuildError`
    when it does not answer within ``ready_seconds``, or does not end with exit code 0 when asked to.
    """
    container = engine.client.containers.create(**_as_defined(engine, config, name))
    try:
        container.start()
        version, ready = _await_version(container, ready_seconds)
        started = time.monotonic()
        container.stop(timeout=STOP_SECONDS)
        code = container.wait(timeout=STOP_SECONDS)["StatusCode"]
        if code:
            raise BuildError(f"{name} exited with code {code} when told to stop, must be 0")
        return Smoke(version, ready, time.monotonic() - started)
    finally:
        container.remove(force=True)


def _as_defined(engine: Engine, config: Config, name: str) -> dict[str, Any]:
    """The container as in the task definition, with a port to send requests to and without its volume and secrets."""
    definition = {**task_definition.definition(config), "networkMode": "bridge"}
    (container,) = definition["containerDefinitions"]
    nothing_secret = {one["name"]: "smoke" for one in container["secrets"]}
    around = container_arguments.Surroundings(
        leftovers.run_id(), "smoke", name, secrets=nothing_secret, has_init=engine.has_init, most=engine.most
    )
    published = [{"containerPort": config.task.container_port}]
    return container_arguments.create(definition, {**container, "portMappings": published}, around)


def _await_version(container: Any, seconds: float) -> tuple[str, float]:
    """What /VERSION.txt answers, and the seconds since the start."""
    started, opener = time.monotonic(), build_opener(ProxyHandler({}))
    while time.monotonic() < started + seconds:
        container.reload()
        if container.status == "exited":
            break
        try:
            with opener.open(f"http://127.0.0.1:{_port(container)}/VERSION.txt", timeout=5) as answer:
                return answer.read().decode().strip(), time.monotonic() - started
        except (URLError, OSError):
            time.sleep(0.02)
    said = container.logs(tail=LAST_LINES).decode(errors="replace").strip()
    raise BuildError(f"{container.image.tags} did not answer within {seconds:.0f} s; its log:\n{said}")


def _port(container: Any) -> str:
    (published,) = [ports for ports in container.ports.values() if ports]
    return str(published[0]["HostPort"])
