"""Tasks that are real: the model waits for what is observed of their containers, and continues from there.

`OBSERVED` is the outcome of a task about which nothing is known beforehand: none of its transitions comes
by itself. Each function here takes a state and what was seen, and returns the state after it, as
`slpnb.ecs.scheduler.machine`'s commands do. A report that comes too late (the task has moved on) changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any, Literal

from slpnb.ecs.scheduler import lifecycle, machine
from slpnb.ecs.scheduler.state import Outcome, State, Task

OBSERVED = Outcome(pull_seconds=inf, start_seconds=0, healthy_seconds=inf, stop_seconds=inf)


def is_observed(task: Task) -> bool:
    """Whether a task's transitions wait for reports."""
    return task.definition.outcome.stop_seconds == inf


def started(state: State, id: str, *, checked: bool = True) -> State:
    """Its containers run. A task without checks counts as healthy after ECS's 40 seconds."""
    return _due(state, id, ("PENDING",), healthy_seconds=inf if checked else lifecycle.UNCHECKED_SECONDS)


def failed(state: State, id: str, reason: str) -> State:
    """It could not be started; ``reason`` is its stopped reason."""
    return _due(state, id, ("PENDING",), fails=reason)


def exited(state: State, id: str, exit_code: int | None) -> State:
    """Its essential container ended: by itself, or because it was asked to."""
    task = state.tasks.get(id)
    if task is None or task.status == "STOPPED":
        return state
    if task.status == "RUNNING" and task.started_at is not None:
        return _due(state, id, ("RUNNING",), exits_after=state.clock - task.started_at, exit_code=exit_code)
    new = state.copy()
    # While draining this is only noted: afterwards nothing is left to stop, and it will not be reported again.
    new.tasks[id] = _with(replace(task, exit_code=exit_code), stop_seconds=0)
    return _due(new, id, ("STOPPING",))


def judged(state: State, id: str, health: Literal["HEALTHY", "UNHEALTHY"], reason: str = "") -> State:
    """Its health checks, taken together, say so. Unhealthy is ignored within the service's grace period."""
    task = state.tasks.get(id)
    if task is None or task.status != "RUNNING" or task.health == health:
        return state
    if health == "UNHEALTHY" and state.clock < graced_until(state, task):
        return state
    new = state.copy()
    lifecycle.judge(new, _with(new.tasks[id], unhealthy_reason=reason) if reason else new.tasks[id], health)
    return _now(new)


def graced_until(state: State, task: Task) -> float:
    """Until when failed checks of a task do not count (healthCheckGracePeriodSeconds)."""
    service = state.services.get(task.service)
    return (task.started_at or 0) + (service.grace_seconds if service else 0)


def _due(state: State, id: str, statuses: tuple[str, ...], **seen: Any) -> State:
    """The next transition of a task, now, with what was seen of it."""
    task = state.tasks.get(id)
    if task is None or task.status not in statuses:
        return state
    new = state.copy()
    new.tasks[id] = _with(task, **seen)
    new.due[id] = new.clock
    return _now(new)


def _with(task: Task, **seen: Any) -> Task:
    definition = task.definition
    return replace(task, definition=replace(definition, outcome=replace(definition.outcome, **seen)))


def _now(state: State) -> State:
    state.wake = state.clock
    return machine.advance(state, 0)
