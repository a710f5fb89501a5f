"""The embedded ECS's tasks as containers: follows the model's tasks, and reports what is observed of them.

While a container is on its way (starting, being checked for the first time, stopping), the
embedded clock runs ``pace`` seconds for each real one and cannot be made to jump; otherwise it
jumps as usual. So a broken image really fails its checks before a deployment is called failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic, sleep, time
from typing import Any, TypeVar

from slpnb.ecs.scheduler import observed
from slpnb.ecs.scheduler.state import State, Task
from slpnb.engine import Engine, container_arguments, leftovers
from slpnb.local.base import clock
from slpnb.local.base.inprocess import ACCOUNT, REGION, client
from slpnb.local.containers import orders, reaper
from slpnb.local.containers.companions import Companions
from slpnb.local.containers.images import Images
from slpnb.local.containers.tasks import RealTask, Report, Site
from slpnb.local.ecs.backend import ecs_of
from slpnb.local.ecs.model import Ecs
from slpnb.local.ecs.region import Region

TICK_SECONDS = 0.1
STRIDE_SECONDS = 5.0  # the longest jump of the clock before the containers are looked at again
END_SECONDS = 30.0
WAITING = ("PENDING", "ACTIVATING", "STOPPING")
Line = tuple[str, str, str, bytes]
Item = TypeVar("Item")


@dataclass
class Edge:
    """Containers for the tasks of the embedded ECS. ``lock`` is the application's: the account's."""

    engine: Engine
    lock: threading.RLock
    pace: float
    run: str = field(default_factory=leftovers.run_id)

    def __post_init__(self) -> None:
        leftovers.sweep(self.engine)
        self.reaper = reaper.start(self.run, self.engine.name)
        self.folder = leftovers.folder(self.run)
        self.images = Images(self.engine)
        self.tasks: dict[str, RealTask] = {}
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self.lines: SimpleQueue[Line] = SimpleQueue()
        self.companions = Companions(self.engine, self.run, self.folder)
        self.site = Site(
            self.engine, self.run, self.companions.network, self.pace,
            self.reports.put, self.log, self.companions.hosts, self.companions.door.await_quiet,
        )  # fmt: skip
        self._over = threading.Event()
        threading.Thread(target=self._tick_on, daemon=True, name="containers").start()

    # What the embedded ECS asks

    def can_run(self, images: Iterable[str]) -> bool:
        """Whether each of these images is one that the engine has."""
        return all(self.images.local(image) for image in images)

    def follow(self) -> None:
        """Start the containers of tasks that were placed, and stop those of tasks that are to stop."""
        tasks = _region().state.tasks
        for task in tasks.values():
            if observed.is_observed(task):
                self._follow_one(task)
        for id in [id for id in self.tasks if id not in tasks]:
            self.tasks.pop(id).abandon()
        self._balance()  # before time passes on: a target is drained from the moment that it is deregistered

    def _follow_one(self, task: Task) -> None:
        known = self.tasks.get(task.id)
        if known is None and task.status == "PENDING":
            self._start(task)
        elif known is None and task.status == "STOPPING":
            self.reports.put(Report(task.id, "exited"))
        elif known is not None and task.status in ("STOPPING", "DEPROVISIONING"):
            known.stop()
        elif known is not None and task.status == "STOPPED" and not known.over:
            known.abandon()

    def _start(self, task: Task) -> None:
        ecs = _ecs()
        document = ecs.definitions.whole(task.definition)
        local = {one["name"]: self.images.local(one.get("image", "")) for one in document["containerDefinitions"]}
        made = orders.order(ecs.region, task, document, local, self.folder)
        if made.refused:
            self.reports.put(Report(task.id, "failed", made.refused))
            return
        self.tasks[task.id] = RealTask(made, self.site)
        self.tasks[task.id].start()

    # Time

    def holds(self) -> bool:
        """Whether the clock must not jump: a container is on its way, or the front door is."""
        if self.companions.door.starting():
            return True
        return any(self._is_on_its_way(task) for task in _region().state.tasks.values() if observed.is_observed(task))

    def _is_on_its_way(self, task: Task) -> bool:
        if task.status in WAITING:
            return True
        unchecked = task.status == "RUNNING" and task.health == "UNKNOWN" and task.id in self.tasks
        return unchecked and bool(self.tasks[task.id].order.probes)

    def pass_time(self, seconds: float) -> None:
        """Let time pass on the embedded clock; the caller must not hold the lock."""
        end = clock.now() + seconds
        while not self._over.is_set():
            with self.lock:
                self.settle()
                left = end - clock.now()
                held = self.holds()
                if left > 0 and not held:
                    clock.advance(min(left, STRIDE_SECONDS))
            if left <= 0:
                return
            if held:
                sleep(TICK_SECONDS / 2)

    def _tick_on(self) -> None:
        before = monotonic()
        while not self._over.wait(TICK_SECONDS):
            now = monotonic()
            with self.lock:
                self._tick(min(1.0, now - before))
            before = now

    def _tick(self, seconds: float) -> None:
        self.settle()
        if any(self._moves(task) for task in _region().state.tasks.values()):
            clock.advance(seconds * self.pace)

    def _moves(self, task: Task) -> bool:
        """Whether time passes by itself for a task: until it is healthy, and from when it is to stop."""
        if not observed.is_observed(task) or task.status in ("STOPPED", "PROVISIONING"):
            return False
        return task.status != "RUNNING" or task.health != "HEALTHY"

    # What is seen

    def settle(self) -> None:
        """Tell the model what was observed since the last call; the caller holds the lock."""
        for report in _all(self.reports):
            _hear(_region(), report)
        self._judge(_region())
        self._write_log()
        self._balance()

    def _judge(self, region: Region) -> None:
        """Report the verdict of each task's checks repeatedly: within a grace period a bad one is ignored."""
        for id, real in list(self.tasks.items()):
            verdict, task = real.verdict(), region.state.tasks.get(id)
            health = verdict.state
            if task is None or health == "UNKNOWN" or health == task.health:
                continue
            if health == "HEALTHY" and self.companions.door.starting():
                continue  # whoever is told that a service is steady may come in at once
            state = observed.judged(region.state, id, health, verdict.reason)
            if state is not region.state:
                region.apply(state)

    def _balance(self) -> None:
        """Tell the front door which targets are healthy, and which are to be drained."""
        if self.tasks:
            region = _region()
            self.companions.door.balance(region.elbv2, region.state, self.tasks)

    def log(self, group: str, stream: str, time: str, text: bytes) -> None:
        """Queue a line of a container's log."""
        self.lines.put((group, stream, time, text))

    def _write_log(self) -> None:
        waiting: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for group, stream, at, text in _all(self.lines):
            event = {"timestamp": _milliseconds(at), "message": text.decode("utf-8", "replace")}
            waiting.setdefault((group, stream), []).append(event)
        for (group, stream), events in waiting.items():
            events.sort(key=lambda event: int(event["timestamp"]))
            try:
                client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
            except client("logs").exceptions.ResourceNotFoundException:
                continue  # the group was deleted under the container, as can happen on AWS

    # The end

    def reset(self) -> None:
        """Stop everything and empty the shared folders; the caller holds the lock."""
        gone, self.tasks = list(self.tasks.values()), {}
        for task in gone:
            task.abandon()
        for task in gone:
            task.join(END_SECONDS)
        self.companions.reset()
        _all(self.reports)
        _all(self.lines)

    def close(self) -> None:
        """Remove everything of this run, and release the engine."""
        self._over.set()
        reaper.finish(self.reaper)
        self.engine.close()

    def facts(self) -> dict[str, Any]:
        """For inspection: the front door, the database, and each task's addresses on the loopback."""
        tasks = {
            id: {
                "ports": {str(port): f"{container_arguments.LOOPBACK}:{at}" for port, at in one.ports.items()},
                "containers": {name: container.id for name, container in one.containers.items()},
            }
            for id, one in self.tasks.items()
            if not one.over
        }
        return {"run": self.run, "engine": self.engine.described, "tasks": tasks, **self.companions.facts()}

    @property
    def describe(self) -> str:
        """What is real, in one phrase."""
        return f"tasks whose image this machine has are containers ({self.engine.described}, whatever the fleet is)"


_STEPS: Mapping[str, Callable[[State, Report], State]] = {
    "started": lambda state, report: observed.started(state, report.task, checked=report.checked),
    "failed": lambda state, report: observed.failed(state, report.task, report.reason),
    "exited": lambda state, report: observed.exited(state, report.task, report.exit_code),
}


def _hear(region: Region, report: Report) -> None:
    task = region.state.tasks.get(report.task)
    if task is not None:
        region.task_record(task).ends.update(report.ends)
        region.apply(_STEPS[report.kind](region.state, report))


def _ecs() -> Ecs:
    """The embedded ECS, looked up each time: a reset makes it anew."""
    return ecs_of(ACCOUNT, REGION)


def _region() -> Region:
    return _ecs().region


def _all(queue: SimpleQueue[Item]) -> list[Item]:
    found: list[Item] = []
    while True:
        try:
            found.append(queue.get_nowait())
        except Empty:
            return found


def _milliseconds(stamp: str) -> int:
    """An engine's RFC 3339 time, with its nanoseconds, as CloudWatch counts."""
    try:
        return int(datetime.fromisoformat(stamp[:19] + "+00:00").timestamp() * 1000)
    except ValueError:
        return int(time() * 1000)
