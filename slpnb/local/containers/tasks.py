"""One task's containers: created, started, watched, told to stop, removed. Each task has its own thread.

It decides nothing: what it sees goes to `Site.report`, and the embedded ECS reacts as ECS would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from docker.errors import APIError

from slpnb.engine import Engine, container_arguments
from slpnb.engine.leftovers import engine_errors, remove_container
from slpnb.local.containers import kernel, probes, wording
from slpnb.local.containers.addresses import address, published
from slpnb.local.containers.checks import Health, Result, judge, together
from slpnb.local.containers.probes import Probe
from slpnb.local.ecs.records import Ended

LAST_WORDS_SECONDS = 5.0  # for what a container logged just before its end


@dataclass(frozen=True)
class Order:
    """Everything that a task needs to be run, resolved: see `slpnb.local.containers.orders`.

    ``images``, ``secrets`` and ``overrides`` are by container; ``folders`` by volume; ``streams``
    says which containers write to a log, ``unlogged`` which cannot, and why; ``refused`` is why the
    task cannot start at all.
    """

    task: str
    definition: Mapping[str, Any]
    images: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    streams: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unlogged: Mapping[str, str] = field(default_factory=dict)
    database: Any = None
    probes: tuple[Probe, ...] = ()
    drain_seconds: float = 0
    refused: str = ""


@dataclass(frozen=True)
class Report:
    """What was seen of a task: started, failed or exited; ``ends`` by container."""

    task: str
    kind: str
    reason: str = ""
    exit_code: int | None = None
    ends: Mapping[str, Ended] = field(default_factory=dict)
    checked: bool = True


@dataclass
class Site:
    """What all tasks of a run share: the engine, the network, the pace of checks, and where reports go."""

    engine: Engine
    run: str
    network: str
    pace: float
    report: Callable[[Report], None]
    log: Callable[[str, str, str, bytes], None]
    hosts: Callable[[Any], Mapping[str, str]]
    """The addresses of what stands in for other services; starts them first."""
    await_quiet: Callable[[str, float], None]
    """Wait until no request to a task is in flight, at most that many seconds."""


class CannotStart(Exception):  # noqa: N818 - ECS's own word
    """A container of the task could not be made or started."""

    def __init__(self, name: str, end: Ended) -> None:
        super().__init__(end.reason)
        self.ends = {name: end}


class RealTask:
    """A task that runs as containers."""

    def __init__(self, order: Order, site: Site) -> None:
        self.order, self.site = order, site
        self.containers: dict[str, Any] = {}
        self.ends: dict[str, Ended] = {}
        self.ports: dict[int, int] = {}  # container port to the loopback's
        self.address = ""  # on the run's network
        self.health: dict[int, Health] = {}
        self.started = 0.0
        self.stopping = self.over = False
        self._inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._quiet = threading.Event()
        self._readers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"task-{order.task[-6:]}")

    def start(self) -> None:
        """Begin; reports follow."""
        self._thread.start()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the stop timeout; asking twice changes nothing."""
        if not self.stopping:
            self.stopping = True
            self._inbox.put(("stop", None))

    def abandon(self) -> None:
        """Kill at once: nothing waits for this task any more."""
        self.stopping = True
        self._inbox.put(("kill", None))
        for container in list(self.containers.values()):  # at once, even if it has been asked to stop before
            self._spawn(partial(_quietly, container.kill))

    def join(self, seconds: float) -> None:
        """Wait until its containers are gone."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._begin()
        except CannotStart as error:
            self._fail("Task failed to start", error.ends)
        except Exception as error:  # an engine that is gone, a database that did not start: the task says so
            self._fail(f"Task failed to start: {wording.one_line(str(error))}", {})
        else:
            self._attend()
        finally:
            self._quiet.set()
            self.over = True

    def _fail(self, reason: str, ends: Mapping[str, Ended]) -> None:
        self._remove()
        self._report("failed", reason=reason, ends=ends)

    def _report(self, kind: str, **seen: Any) -> None:
        self.site.report(Report(self.order.task, kind, **seen))

    def _begin(self) -> None:
        """Every container, in order; then the checks."""
        hosts = self.site.hosts(self.order.database)
        first = ""
        for container in container_arguments.in_order(self.order.definition):
            if self.stopping:
                raise CannotStart(container["name"], Ended(None))
            made = self._start_one(container, hosts, first)
            shares = self.order.definition.get("networkMode") in ("awsvpc", "host")
            first = first or (made.id if shares else "")
        self.started = monotonic()
        self.health = {index: Health() for index, _ in enumerate(self.order.probes)}
        self._report("started", checked=bool(self.order.probes))
        for index, probe in enumerate(self.order.probes):
            self._spawn(partial(self._probe, index, probe))

    def _start_one(self, container: Mapping[str, Any], hosts: Mapping[str, str], first: str) -> Any:
        name = container["name"]
        made = self._create(container, hosts, first)
        self.containers[name] = made
        if name in self.order.unlogged:
            raise CannotStart(name, wording.not_started(self.order.unlogged[name]))
        try:
            made.start()
        except APIError as error:
            raise CannotStart(name, wording.not_started(_said(error))) from error
        made.reload()
        self.address = self.address or address(made)
        self.ports |= published(made)
        self._spawn(lambda: self._await_end(name, made))
        if name in self.order.streams:
            self._readers.append(self._spawn(lambda: self._read_log(name, made)))
        return made

    def _create(self, container: Mapping[str, Any], hosts: Mapping[str, str], first: str) -> Any:
        name, order, site = container["name"], self.order, self.site
        around = container_arguments.Surroundings(
            site.run, order.task, order.images[name], site.network, hosts, order.folders,
            order.secrets.get(name, {}), order.overrides.get(name, {}), site.engine.has_init, site.engine.most,
            first,
        )  # fmt: skip
        try:
            return site.engine.client.containers.create(
                **container_arguments.create(order.definition, container, around)
            )
        except APIError as error:
            raise CannotStart(name, wording.not_created(_said(error))) from error

    def _spawn(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def _await_end(self, name: str, container: Any) -> None:
        try:
            container.wait(timeout=None)
            container.reload()
            end = _end(container.id, container.attrs["State"])
        except engine_errors() as error:
            end = Ended(None, f"DockerStateError: {wording.one_line(str(error))}")
        self._inbox.put(("ended", (name, end)))

    def _read_log(self, name: str, container: Any) -> None:
        group, stream = self.order.streams[name]
        try:
            for line in container.logs(stream=True, follow=True, timestamps=True):
                time, _, text = line.partition(b" ")
                self.site.log(group, stream, time.decode("ascii", "replace"), text.rstrip(b"\r\n"))
        except engine_errors():
            return  # the container was removed

    def _probe(self, index: int, probe: Probe) -> None:
        """One check, again and again; a failure counts once an interval, the first success at once."""
        due = 0.0
        while not self._quiet.is_set():
            result = probe.make(self)
            if result.passed or monotonic() >= due or self.health[index].state != "UNKNOWN":
                due = monotonic() + probe.rule.interval / self.site.pace
                self._inbox.put(("result", (index, result)))
            patient = self.health[index].state != "UNKNOWN" or result.passed
            self._quiet.wait(probe.rule.interval / self.site.pace if patient else probes.EAGER_SECONDS)

    def _attend(self) -> None:
        """Until the task is over: handle check results, exits, and requests."""
        essential = {one["name"] for one in self.order.definition["containerDefinitions"] if one.get("essential", True)}
        while not self.over:
            what, said = self._inbox.get()
            if what == "result":
                self._weigh(*said)
            elif what == "ended":
                self.ends[said[0]] = said[1]
                self.over = said[0] in essential or len(self.ends) == len(self.containers)
            else:
                self._stop_all(kill=what == "kill")
                self.over = True
        self._finish(essential)

    def _weigh(self, index: int, result: Result) -> None:
        probe, before = self.order.probes[index], self.health[index]
        running = (monotonic() - self.started) * self.site.pace
        self.health[index] = judge(probe.rule, before, result, running)

    def verdict(self) -> Health:
        """What its checks say together; unknown if there are none."""
        return together(list(self.health.values())) if self.health else Health()

    def _stop_all(self, *, kill: bool = False) -> None:
        """In the reverse of their order, each with its own timeout."""
        self._quiet.set()
        if not kill:
            self.site.await_quiet(self.order.task, self.order.drain_seconds)
        definitions = {one["name"]: one for one in self.order.definition["containerDefinitions"]}
        for name, container in reversed(self.containers.items()):
            if name not in self.ends:
                seconds = 0 if kill else container_arguments.stop_seconds(definitions[name])
                _quietly(partial(container.stop, timeout=seconds))

    def _finish(self, essential: set[str]) -> None:
        """Stop what still runs, wait for every exit and the last log lines, and report how it all ended."""
        self._stop_all()
        patience = monotonic() + LAST_WORDS_SECONDS
        while len(self.ends) < len(self.containers):
            try:
                what, said = self._inbox.get(timeout=max(0.01, patience - monotonic()))
            except Empty:
                break
            if what == "ended":
                self.ends[said[0]] = said[1]
        for reader in self._readers:
            reader.join(LAST_WORDS_SECONDS)
        codes = [end.exit_code for name, end in self.ends.items() if name in essential]
        worst = next((code for code in codes if code), next(iter(codes), None))
        self._remove()
        self._report("exited", exit_code=worst, ends=dict(self.ends))

    def _remove(self) -> None:
        self._quiet.set()
        for container in self.containers.values():
            remove_container(container)


def _end(id: str, state: Mapping[str, Any]) -> Ended:
    code = int(state["ExitCode"])
    killed = code == wording.KILLED and (bool(state.get("OOMKilled")) or kernel.out_of_memory(id))
    return wording.ended(code, out_of_memory=killed, error=state.get("Error") or "")


def _quietly(action: Callable[[], Any]) -> None:
    """Call it; a container that is already gone is not an error."""
    try:
        action()
    except engine_errors():
        return


def _said(error: Exception) -> str:
    """What the engine said of a refused request."""
    return str(getattr(error, "explanation", None) or error)
