"""Whether an engine that answers can also start containers, tested with the smallest possible one.

An engine inside a container, or without its network tools, answers every question and starts nothing.
So one program of this machine, with the libraries that it needs, is started once with what every task
needs: a memory limit, and a port on the loopback.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

from slpnb.engine import leftovers
from slpnb.engine.client import LABEL, Engine, find, why_none

PROGRAM = "/bin/true"
IMAGE = "localhost/slpnb-trial"
PATIENCE_SECONDS = 30
MEMORY = "64m"


def find_working() -> tuple[Engine | None, str]:
    """The engine of this machine if containers start on it, else why there are none: the one rule for whether
    tasks are containers. Raises `ParameterError` as `find` does."""
    engine = find()
    if engine is None:
        return None, why_none()
    why = why_not(engine)
    if why:
        engine.close()
    return (None, why) if why else (engine, "")


def why_not(engine: Engine) -> str:
    """Why containers do not start here, in one sentence; empty when one did, or when there is nothing to test with."""
    from docker.errors import DockerException

    rootfs = _rootfs()
    if not rootfs:
        return ""
    image = f"{IMAGE}-{os.getpid()}"  # others may be trying at the same time
    try:
        engine.client.api.import_image_from_data(rootfs, repository=image, tag="latest")
        try:
            code = _run(engine, image)
        finally:
            engine.client.images.remove(image, force=True)
    except (DockerException, OSError) as error:
        return f"{engine.described} answers but cannot start a container: {' '.join(str(error).split())}"
    return f"{engine.described} starts a container, and {PROGRAM} exits in it with code {code}" if code else ""


def _run(engine: Engine, image: str) -> int:
    container = engine.client.containers.create(
        image, [PROGRAM], mem_limit=MEMORY, ports={"80/tcp": ("127.0.0.1", None)}, labels={LABEL: leftovers.run_id()}
    )
    try:
        container.start()
        return int(container.wait(timeout=PATIENCE_SECONDS)["StatusCode"])
    finally:
        container.remove(force=True)


def _rootfs() -> bytes:
    """A root with one program and its libraries, as a tar archive; nothing where ``ldd`` is not to be had."""
    try:
        found = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return b""
    files = [PROGRAM, *re.findall(r"(?:=> )?(/\S+) \(0x", found)]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for file in files:
            tar.add(Path(file).resolve(), arcname=file.lstrip("/"))
    return archive.getvalue()
