"""What the running WordPress container uses and serves, measured, and the sizing that follows.

Pure: figures out of what the kernel and the load tool say, workers from a memory limit and the limit from
workers. `slpnb.runner.measuring` is the edge that asks a running container. Units: MiB, seconds, requests per
second. Sources: proc(5) (smaps_rollup, status), Linux "Control Group v2" (memory.current, memory.stat) and
"Memory Resource Controller" (v1), docker/README.md (the pool's size), wrk's own output.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from slpnb.errors import Refusal

MIB = 1024 * 1024
# The pool's rule in docker/wordpress/root/usr/local/bin/wordpress; a test runs both.
RESERVED_MIB, WORKER_MIB, FEWEST, MOST = 256, 64, 2, 64
MARGIN_PERCENT = 25  # what plugins and larger pages may add to what was measured
COUNTED = {"current": ("memory.current", "usage_in_bytes"), "stat": ("memory.stat",)}


# --- what was measured --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """A container's memory at one moment, in MiB.

    ``total`` is what counts against its limit and cannot be reclaimed at once: all but files that were read
    long ago. Of that, ``anonymous`` is the processes' own, ``shared`` is OPcache and tmpfs. ``workers`` has
    the private memory of each PHP worker (what one more of them adds), largest first; ``peaks`` the most
    that each ever had: PHP gives memory back after a request.
    """

    total: float
    anonymous: float
    shared: float
    workers: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()

    @property
    def apart(self) -> float:
        """What the container takes apart from its workers' private memory."""
        return self.total - sum(self.workers)


@dataclass(frozen=True)
class Load:
    """A bounded load: a number of connections for a number of seconds, and what was answered."""

    tool: str
    connections: int
    seconds: float
    requests: int
    failed: int = 0

    @property
    def requests_a_second(self) -> float:
        """Requests answered correctly, on average."""
        return (self.requests - self.failed) / self.seconds


@dataclass(frozen=True)
class Moment:
    """The memory at one moment, by its name; under a load, that too."""

    name: str
    memory: Memory
    load: Load | None = None


@dataclass(frozen=True)
class Measured:
    """A container as it was measured: its limit, its start, and its moments in the order of time."""

    image: str
    engine: str
    limit_mib: int
    ready_seconds: float
    moments: tuple[Moment, ...]

    def to_dict(self) -> dict[str, Any]:
        """For run.json: plain values only, rounded to the precision of the measurement."""
        return {name: _rounded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measured:
        """The inverse of `to_dict`."""
        moments = tuple(_moment(one) for one in values["moments"])
        return cls(**{**values, "moments": moments})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value


def _moment(values: Mapping[str, Any]) -> Moment:
    load = values["load"]
    listed: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in values["memory"].items()
    }
    return Moment(values["name"], Memory(**listed), Load(**load) if load else None)


# --- reading it out of text ---------------------------------------------------------------------------------

SECTION = re.compile(r"^== (.+)$", re.MULTILINE)


def memory(text: str) -> Memory:
    """A container's memory from what `SNAPSHOT` printed in it, with cgroups of version 2 or 1. Pure.

    Raises `Refusal` when the container has no memory controller to read.
    """
    parts = SECTION.split(text)
    sections = list(zip(parts[1::2], parts[2::2], strict=True))
    current = [body for name, body in sections if name.endswith(COUNTED["current"])]
    stats = [_fields(body) for name, body in sections if name.endswith(COUNTED["stat"])]
    if not current or not stats:
        raise Refusal("the container exposes no memory controller: its memory cannot be measured on this engine")
    stat = stats[0]
    seen = [_worker(body) for name, body in sections if name.startswith("worker")]
    total = int(current[0]) - _stat(stat, "inactive_file")
    anonymous = _stat(stat, "anon") if "anon" in stat else _stat(stat, "rss")
    return Memory(total / MIB, anonymous / MIB, _stat(stat, "shmem") / MIB, *_sorted([one for one in seen if one[0]]))


def _sorted(seen: Sequence[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    private, peaks = ([pair[place] for pair in seen] for place in (0, 1))
    return tuple(sorted(private, reverse=True)), tuple(sorted(peaks, reverse=True))


def _fields(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _stat(stat: Mapping[str, int], name: str) -> int:
    """Version 1 counts what is below the group in fields of its own."""
    return stat.get(f"total_{name}", stat.get(name, 0))


def _worker(text: str) -> tuple[float, float]:
    """A worker's private memory now, and at its peak: peak resident memory less what it shares, in MiB."""
    sizes = {name: int(kib) / 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    private = sizes.get("Private_Clean", 0.0) + sizes.get("Private_Dirty", 0.0)
    most = sizes.get("VmHWM", 0.0) - sizes.get("RssFile", 0.0) - sizes.get("RssShmem", 0.0)
    return private, max(private, most)


def started(text: str) -> float | None:
    """When nginx began to serve, in seconds since 1970, from what `SNAPSHOT` printed; None if it says nothing. Pure."""
    found = re.search(r"^== nginx (\d+\.\d+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def wrk_load(output: str, connections: int) -> Load:
    """The load that ``wrk`` reported. Pure. Raises `Refusal` when it reported nothing."""
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", output)
    if done is None:
        raise Refusal(f"the load tool reported no requests: {output.strip()[-200:]}")
    seconds = float(done[2]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[done[3]]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Load("wrk", connections, seconds, int(done[1]), int(wrong[1]) if wrong else 0)


# --- what follows -------------------------------------------------------------------------------------------


def workers(limit_mib: int) -> int:
    """How many PHP workers the image's pool may have under a memory limit: the image's own rule. Pure."""
    return min(max((limit_mib - RESERVED_MIB) // WORKER_MIB, FEWEST), MOST)


def limit_for(count: int) -> int:
    """The smallest memory limit in MiB that allows the pool that many workers. Pure.

    Raises `Refusal` outside the 2 to 64 workers that the pool's rule knows.
    """
    if not FEWEST <= count <= MOST:
        raise Refusal(f"{count} PHP workers: the image's pool has {FEWEST} to {MOST}")
    return RESERVED_MIB + count * WORKER_MIB


@dataclass(frozen=True)
class Needs:
    """What the measured container needs, in MiB: apart from its workers, and for each worker."""

    apart_mib: float
    worker_mib: float

    def total(self, count: float) -> float:
        """Memory of a container with that many workers."""
        return self.apart_mib + count * self.worker_mib


def needs(measured: Measured, margin_percent: float = 0) -> Needs:
    """What the container needs apart from its workers, and per worker, at the largest moment. Pure.

    A worker's share is the most private memory that any ever had, since all may have it at the same time.
    Raises `Refusal` when no moment shows a worker.
    """
    shown = [moment.memory for moment in measured.moments if moment.memory.workers]
    if not shown:
        raise Refusal("no PHP worker was seen in the container, so its memory cannot be told apart")
    factor = 1 + margin_percent / 100
    largest = max(one.peaks[0] for one in shown)
    return Needs(max(one.apart for one in shown) * factor, largest * factor)


def task_memory(measured: Measured, count: int) -> int:
    """The container's memory in MiB for that many workers, as measured and with a margin, in multiples of 64. Pure.

    Never less than the image's own rule requires for that many workers.
    """
    needed = needs(measured, MARGIN_PERCENT).total(count)
    return max(math.ceil(needed / 64) * 64, limit_for(count))


def held(measured: Measured, limit_mib: int) -> int:
    """How many workers fit a limit by their measured memory; 0 when not even the rest fits. Pure."""
    asked = needs(measured)
    return max(0, int((limit_mib - asked.apart_mib) // asked.worker_mib))


def best(measured: Measured) -> Moment:
    """The moment with the most requests per second. Pure. Raises `Refusal` without a load."""
    loaded = [(moment.load.requests_a_second, moment) for moment in measured.moments if moment.load]
    if not loaded:
        raise Refusal("the container was measured without load")
    return max(loaded, key=lambda pair: pair[0])[1]


def requests_a_mib(moment: Moment) -> float:
    """Requests per second and MiB of the container's memory at that moment. Pure."""
    return moment.load.requests_a_second / moment.memory.total if moment.load else 0.0


COLUMNS = [
    "moment",
    "connections",
    "MiB",
    "workers",
    "largest worker, MiB",
    "peak worker, MiB",
    "without workers, MiB",
    "requests/s",
    "per GiB",
]


def table(measured: Measured) -> pd.DataFrame:
    """The moments: total memory, the largest worker's now and at its peak, the rest's, and requests. Pure."""
    return pd.DataFrame([_row(moment) for moment in measured.moments], columns=COLUMNS).set_index("moment")


def _row(moment: Moment) -> tuple[object, ...]:
    load, seen = moment.load, moment.memory
    each = (f"{seen.workers[0]:.1f}", f"{seen.peaks[0]:.1f}") if seen.workers else ("", "")
    given = (f"{load.requests_a_second:.1f}", f"{requests_a_mib(moment) * 1024:.0f}") if load else ("", "")
    connections = str(load.connections) if load else ""
    return (moment.name, connections, round(seen.total), len(seen.workers), *each, round(seen.apart), *given)


def sizes(measured: Measured, counts: Sequence[int]) -> pd.DataFrame:
    """For each number of workers: what was measured for it, that with the margin, and the container's memory. Pure."""
    plain, more = needs(measured), needs(measured, MARGIN_PERCENT)
    rows = [
        (count, round(plain.total(count)), round(more.total(count)), task_memory(measured, count)) for count in counts
    ]
    names = ["workers", "MiB measured", f"MiB with {MARGIN_PERCENT} % margin", "container memory, MiB"]
    return pd.DataFrame(rows, columns=names).set_index("workers")


def sentence(measured: Measured) -> str:
    """The measurement in one line, as quoted in the report. Pure."""
    plain, top = needs(measured), best(measured)
    assert top.load  # noqa: S101 - `best` is of those under load
    return (
        f"ready in {measured.ready_seconds:.1f} s; {plain.apart_mib:.0f} MiB plus {plain.worker_mib:.0f} MiB per PHP "
        f"worker; {top.load.requests_a_second:.0f} requests per second in {top.memory.total:.0f} MiB; a limit of "
        f"{measured.limit_mib} MiB allows {workers(measured.limit_mib)} workers, and as measured fits "
        f"{held(measured, measured.limit_mib)}"
    )
