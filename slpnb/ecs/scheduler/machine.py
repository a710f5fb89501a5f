"""ECS's service scheduler and capacity providers as a pure, deterministic state machine.

A timeline goes in: a `State`, commands, and seconds that pass. States and ECS's own event texts come out. The
embedded AWS schedules with it, and `slpnb.fleet.replay` asks it whether a deployment would finish, and when. The
rules and their sources are in `slpnb.ecs.scheduler.lifecycle` (one task), `slpnb.ecs.scheduler.deployment` (one
service), `slpnb.ecs.scheduler.rebalancing` (its zones), `slpnb.ecs.scheduler.capacity` (placement),
`slpnb.ecs.scheduler.managed_scaling` (instances) and `slpnb.ecs.scheduler.tracking` (target tracking); the records
are in `slpnb.ecs.scheduler.state`.

Every function here takes a state and returns another one; the one given is never changed. No
container runs in the model: how tasks fare is an input (`slpnb.ecs.scheduler.state.Outcome`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import Any

from slpnb.ecs.placement import Failure
from slpnb.ecs.scheduler import capacity, deployment, lifecycle, managed_scaling, tracking
from slpnb.ecs.scheduler.managed_scaling import METRIC_SECONDS
from slpnb.ecs.scheduler.state import (
    REPEAT_SECONDS,
    ContainerInstance,
    Group,
    Provider,
    Service,
    State,
    Task,
    Tracking,
)
from slpnb.ecs.scheduler.view import View


def advance(state: State, seconds: float) -> State:
    """The state after ``seconds``: everything that is due in between has happened, in order."""
    end = state.clock + seconds
    if end < state.wake:
        return state.at(end)
    new = state.copy()
    while new.wake <= end:
        new.clock = max(new.clock, new.wake)
        _tick(new)
    new.clock = end
    return new


def _tick(state: State) -> None:
    """What happens at one moment: instances first, then tasks, then services, once a minute the metrics."""
    state.changed = False
    managed_scaling.boot(state)
    lifecycle.advance(state)
    if state.clock % METRIC_SECONDS == 0:
        managed_scaling.scale(state)
        tracking.track(state)
        managed_scaling.boot(state)
    if state.changed:
        capacity.place_waiting(state)
    if state.changed or state.news or _retries(state):
        deployment.schedule(state)
    state.wake = _wake(state)


def _retries(state: State) -> bool:
    return any(one.retry_at == state.clock for one in state.services.values() if one.retry_at)


def _wake(state: State) -> float:
    """When the next thing is due; never the present moment again, unless something is still to do."""
    if state.news:
        return state.clock
    metered = state.trackings or any(one.managed_scaling for one in state.providers.values())
    minute = (state.clock // METRIC_SECONDS + 1) * METRIC_SECONDS if metered else inf
    forgotten = next(iter(state.ended.values()), inf)
    tasks = min(state.due.values(), default=inf)
    return min(minute, tasks, forgotten, managed_scaling.next_boot(state), deployment.next_try(state))


def _acted(state: State) -> State:
    """After a command: let the scheduler look at once."""
    state.changed = True
    managed_scaling.boot(state)
    capacity.place_waiting(state)
    deployment.schedule(state)
    state.wake = _wake(state)
    return state


# Commands


def create_service(state: State, service: Service) -> State:
    """CreateService: a first deployment of its definition."""
    new = state.copy()
    new.services[service.key] = replace(service, created_at=new.clock)
    deployment.deploy(new, service.key, service.definition)
    return _acted(new)


def update_service(state: State, key: str, *, deploys: bool = False, **changes: Any) -> State:
    """UpdateService: set fields of a `Service`; another definition, or ``deploys``, begins a deployment."""
    new = state.copy()
    before = new.services[key]
    new.services[key] = replace(before, **changes)
    definition = new.services[key].definition
    if deploys or definition.arn != before.definition.arn:
        deployment.deploy(new, key, definition)
    return _acted(new)


def delete_service(state: State, key: str) -> State:
    """DeleteService: DRAINING until its tasks have stopped, then INACTIVE."""
    new = state.copy()
    new.services[key] = replace(new.services[key], status="DRAINING", desired=0, steady_at=None)
    return _acted(new)


def run_tasks(state: State, tasks: Iterable[Task]) -> tuple[State, list[Task], list[Failure]]:
    """RunTask: place each, or wait for capacity with managed scaling, or fail with ECS's reason."""
    new, finder, started, failures = state.copy(), capacity.Finder(), [], []
    for task in tasks:
        failure = capacity.launch(new, replace(task, id=new.new_id(), created_at=new.clock), finder)
        if failure is None:
            started.append(next(reversed(new.tasks.values())))
        else:
            failures.append(failure)
    return _acted(new), started, failures


def start_task(state: State, task: Task, instance: str) -> tuple[State, Task]:
    """StartTask: place a task on the given instance, whatever a strategy would say.

    Raises `ValueError` when it does not fit there.
    """
    new = state.copy()
    placed = lifecycle.put_on(new, replace(task, id=new.new_id(), created_at=new.clock), new.instances[instance])
    return _acted(new), placed


def stop_task(state: State, id: str, reason: str = "") -> State:
    """StopTask. The service replaces the task if it needs it."""
    new = state.copy()
    lifecycle.stop(new, [new.tasks[id]], "UserInitiated", reason or "Task stopped by user")
    return _acted(new)


def join_instance(state: State, instance: ContainerInstance) -> State:
    """An instance of a group that something else runs: it registers at its ``registers_at``."""
    new = state.copy()
    new.instances[instance.id] = instance
    return _acted(new)


def leave_instance(state: State, id: str) -> State:
    """An instance is terminated or deregistered: its tasks are lost."""
    new = state.copy()
    managed_scaling.remove(new, id)
    return _acted(new)


def drain_instance(state: State, id: str, *, draining: bool = True) -> State:
    """UpdateContainerInstancesState: DRAINING, or ACTIVE again."""
    new = state.copy()
    new.instances[id] = replace(new.instances[id], status="DRAINING" if draining else "ACTIVE")
    return _acted(new)


def add_group(state: State, group: Group) -> State:
    """An Auto Scaling group, with its desired capacity on its way."""
    new = state.copy()
    new.groups[group.name] = group
    return _acted(new)


def change_group(state: State, name: str, **changes: Any) -> State:
    """UpdateAutoScalingGroup: minimum, maximum, desired; desired is brought between the two."""
    new = state.copy()
    group = replace(new.groups[name], **changes)
    new.groups[name] = replace(group, desired=max(group.minimum, min(group.maximum, group.desired)))
    return _acted(new)


def add_provider(state: State, provider: Provider) -> State:
    """CreateCapacityProvider, associated with its cluster; UpdateCapacityProvider."""
    new = state.copy()
    new.providers[provider.name] = provider
    return _acted(new)


def remove_provider(state: State, name: str) -> State:
    """A capacity provider leaves its cluster; its group and the instances stay what they are."""
    new = state.copy()
    gone = new.providers.pop(name)
    if all(one.group != gone.group for one in new.providers.values()):
        new.groups.pop(gone.group, None)
    return _acted(new)


def add_tracking(state: State, tracked: Tracking) -> State:
    """PutScalingPolicy on a service's desired count, with the load it will see."""
    new = state.copy()
    new.trackings[tracked.service] = tracked
    return _acted(new)


# Questions


def why_not_steady(state: State, key: str) -> str:
    """Which limit keeps a service from its steady state now, in one sentence; empty when it is steady."""
    service = state.services[key]
    if service.steady_at is not None or service.status != "ACTIVE":
        return ""
    if service.primary.rollout == "FAILED":
        return service.primary.reason
    view = View.of(state, key)
    waiting = [task for task in view.tasks if task.status == "PROVISIONING"]
    if waiting:
        return capacity.limit(state, waiting[0])
    if view.missing > 0 and view.startable <= 0 and view.leaving and view.healthy <= view.limits.lower:
        allowed = f"at least {view.limits.lower} and at most {view.limits.upper} allowed"
        return f"{view.healthy} running, {allowed}: none may stop and none may start"
    return _ends(state, service) or _last_warning(state, service) or "tasks are starting or stopping"


def _ends(state: State, service: Service) -> str:
    """Why the primary deployment's latest task stopped by itself."""
    sick = [task for task in state.of_service(service.key) if task.health == "UNHEALTHY"]
    if sick:
        return f"{len(sick)} tasks are unhealthy: {sick[0].definition.outcome.unhealthy_reason}"
    stopped = (state.tasks[id] for id in state.ended)
    ended = [task for task in stopped if task.service == service.key and _failed_by_itself(task)]
    latest = max((task for task in ended if task.deployment == service.primary.id), key=_ended_at, default=None)
    if latest is None:
        return ""
    code = f", exit code {latest.exit_code}" if latest.exit_code is not None else ""
    return f"{len(ended)} tasks stopped on their own in the last hour: {latest.stopped_reason}{code}"


def _failed_by_itself(task: Task) -> bool:
    itself = task.stop_code in ("TaskFailedToStart", "EssentialContainerExited")
    return itself or task.stopped_reason.startswith("Task failed")


def _ended_at(task: Task) -> tuple[float, str]:
    return task.stopped_at or 0, task.id


def _last_warning(state: State, service: Service) -> str:
    """ECS's last event about being unable to do something, within the time in which it would not repeat it."""
    recent = (event for event in service.events if state.clock - event.at < REPEAT_SECONDS)
    return next((event.message for event in recent if "unable" in event.message), "")
