"""Measures a running WordPress container through its engine, and by a bounded load on its loopback port.

The load comes from ``wrk`` if installed, otherwise from a loop of threads in this process, which is slower
than wrk and says so by its name. What it all means is in `slpnb.sizing.measure`.
"""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slpnb.engine import Engine
from slpnb.errors import Refusal
from slpnb.sizing.measure import Load, Measured, Memory, Moment, memory, started, wrk_load
from slpnb.words import counted

CONNECTIONS = (1, 4, 16)
SECONDS = 2.0  # of each load
WARMING = 20  # requests until OPcache has every file and the JIT what is hot
THREADS = 2  # of wrk
PATIENCE = 30.0  # seconds for one answer
STAMP = re.compile(r"(\S+?)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)$")
# Read inside the container, with the rights to read its own workers' maps: the same for every engine, also one
# in a virtual machine. The command line of PHP-FPM's workers names their pool.
SNAPSHOT = """
seen=$(
for file in /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory.stat \
    /sys/fs/cgroup/memory/memory.usage_in_bytes /sys/fs/cgroup/memory/memory.stat; do
    if [ -r "$file" ]; then echo "== $file"; cat "$file"; fi
done
stat -c '== nginx %.9Y' /run/nginx.pid 2>/dev/null || true
for folder in /proc/[0-9]*; do
    case "$(tr '\\0' ' ' <"$folder/cmdline" 2>/dev/null)" in
        ("php-fpm: pool www"*)
            echo "== worker ${folder#/proc/}"
            cat "$folder/smaps_rollup" "$folder/status" 2>/dev/null;;
    esac
done
)
printf '%s\\n== end %s\\n' "$seen" "${#seen}"
"""
END, TRIES = "== end", 5


@dataclass(frozen=True)
class Target:
    """Where requests go: a loopback port, the Host that they name, the path that they ask for."""

    port: int
    host: str
    path: str = "/"

    @property
    def headers(self) -> dict[str, str]:
        """As the load balancer sends them."""
        return {"Host": self.host, "X-Forwarded-Proto": "https"}

    def connection(self) -> http.client.HTTPConnection:
        """A connection to the port, made with the first request."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, connection: http.client.HTTPConnection) -> int:
        """Request the page; the status of the answer."""
        connection.request("GET", self.path, headers=self.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def measure(
    engine: Engine,
    container: Any,
    target: Target,
    connections: Sequence[int] = CONNECTIONS,
    seconds: float = SECONDS,
) -> Measured:
    """Measure a running container: idle, warm, and under each number of connections for ``seconds``.

    ``container`` is docker.models.containers.Container; it keeps running. Best done soon after its start, or
    idle is no longer what it was. Raises `Refusal` when the page is not answered with 200.
    """
    moments = [Moment("idle", snapshot(container))]
    for _ in range(WARMING):
        demand_page(target)
    moments.append(Moment("warm", snapshot(container)))
    moments += [under_load(container, target, count, seconds) for count in connections]
    limit = _limit_mib(container)
    return Measured(_image(container), engine.described, limit, ready_seconds(container), tuple(moments))


def snapshot(container: Any) -> Memory:
    """The container's memory now."""
    return memory(_seen(container))


def _seen(container: Any) -> str:
    """What `SNAPSHOT` prints; repeated when incomplete: Podman 4.3 sometimes loses part of a command's output.

    Raises `Refusal` with the engine's words if it is never complete.
    """
    for _ in range(TRIES):
        seen = str(container.exec_run(["sh", "-c", SNAPSHOT], privileged=True).output.decode(errors="replace"))
        if is_whole(seen):
            return seen
    raise Refusal(f"the container could not be inspected: {seen.strip()[-200:] or 'the engine answered nothing'}")


def is_whole(seen: str) -> bool:
    """Whether nothing of what `SNAPSHOT` printed was lost: it ends with its own length. Pure."""
    body, _, length = seen.rstrip().rpartition(f"\n{END} ")
    return length == str(len(body))


def under_load(container: Any, target: Target, connections: int, seconds: float) -> Moment:
    """The memory half-way through a load, when the pool has grown to it, and what was answered in all."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(put_load, target, connections, seconds)
        time.sleep(seconds / 2)
        return Moment(counted(connections, "connection"), snapshot(container), load.result())


def demand_page(target: Target) -> None:
    """Raise `Refusal` unless the page is answered with 200: a redirect's speed would mean nothing."""
    address = f"http://{target.host}{target.path}"
    try:
        with closing(target.connection()) as connection:
            status = target.get(connection)
    except OSError as error:
        raise Refusal(f"{address} on port {target.port} does not answer: {error}") from error
    if status != 200:
        raise Refusal(f"{address} answers {status}, must be 200 to be measured")


def put_load(target: Target, connections: int, seconds: float) -> Load:
    """Request the page over that many connections for that many seconds, with wrk or the loop."""
    return _wrk(target, connections, seconds) if shutil.which("wrk") else looped(target, connections, seconds)


def _wrk(target: Target, connections: int, seconds: float) -> Load:
    headers = [word for name, value in target.headers.items() for word in ("--header", f"{name}: {value}")]
    sizes = [f"--threads={min(THREADS, connections)}", f"--connections={connections}", f"--duration={seconds:g}s"]
    url = f"http://127.0.0.1:{target.port}{target.path}"
    command = ["wrk", *sizes, f"--timeout={PATIENCE:g}s", *headers, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * PATIENCE)  # noqa: S603
    return wrk_load(done.stdout + done.stderr, connections)


def looped(target: Target, connections: int, seconds: float) -> Load:
    """The same by threads of this process."""
    began = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        asked = [pool.submit(_ask, target, began + seconds) for _ in range(connections)]
        answers = [well for one in asked for well in one.result()]
    return Load("loop", connections, time.monotonic() - began, len(answers), answers.count(False))


def _ask(target: Target, end: float) -> list[bool]:
    """One connection's requests until the end, kept alive between them: whether each was answered with 200."""
    answers = []
    with closing(target.connection()) as connection:
        while time.monotonic() < end:
            try:
                answers.append(target.get(connection) == 200)
            except (OSError, http.client.HTTPException):
                answers.append(False)
                connection.close()
    return answers


# --- what the engine knows ----------------------------------------------------------------------------------


def ready_seconds(container: Any) -> float:
    """Seconds from the container's start until nginx served, both by the clock of the engine's machine."""
    container.reload()
    served = started(_seen(container))
    if served is None:
        raise Refusal("the container does not show when it began to serve: /run/nginx.pid is missing")
    return max(0.0, served - _instant(container.attrs["State"]["StartedAt"]).timestamp())


def _instant(text: str) -> datetime:
    """A time as engines write it, with more digits than Python can parse."""
    parts = STAMP.match(text)
    assert parts, text  # noqa: S101
    return datetime.fromisoformat(parts[1] + (parts[2] or "") + parts[3].replace("Z", "+00:00"))


def _limit_mib(container: Any) -> int:
    """The container's memory limit. Raises `Refusal` without one: nothing could be said of how full it is."""
    limit = int(container.attrs["HostConfig"].get("Memory") or 0)
    if not limit:
        raise Refusal("the container has no memory limit, so there is no telling how full it is")
    return limit // (1024 * 1024)


def _image(container: Any) -> str:
    with suppress(Exception):  # an image whose name another has taken since
        return str(container.image.tags[0])
    return str(container.attrs["Config"]["Image"])
