"""The life of one task: its states, its health, its end.

Source of the states: Amazon ECS Developer Guide, "Amazon ECS task lifecycle". A task on EC2
passes PROVISIONING (only while it waits for capacity), PENDING, RUNNING, then STOPPING and
STOPPED; ACTIVATING and DEACTIVATING are for target groups, DEPROVISIONING for what awsvpc
attached. Once it is STOPPING, the next task can be placed on what it took at once, but
stays PENDING until the instance really has it (docs/ecs-facts.md, "Deployments"). While its target still
drains, a task counts as taking all it has: AWS does not say otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from slpnb.ecs import placement, resources
from slpnb.ecs.scheduler.state import RELEASED, ContainerInstance, State, Status, Task

UNCHECKED_SECONDS = 40  # a task that nothing checks counts as healthy 40 s into RUNNING (see healthy_seconds)
FIRST_CHECK_SECONDS = 5  # until a target's first health check has passed
DETACH_SECONDS = 1  # of a task's network interface


def advance(state: State) -> None:
    """Let happen what is due for each task; drop the STOPPED ones that ECS forgets."""
    ready = [state.tasks[id] for id in sorted(task for task, at in state.due.items() if at <= state.clock)]
    for task in ready:
        _NEXT[task.status](state, task)
    _forget(state)
    _say_targets(state, [task for task in ready if task.status == "PENDING" and _is(state, task, "ACTIVATING")], "")


def _forget(state: State) -> None:
    """Drop the tasks that stopped an hour ago; they are in the order in which they stopped."""
    while state.ended:
        id, at = next(iter(state.ended.items()))
        if at > state.clock:
            return
        state.ended.pop(id)
        state.tasks.pop(id)


def put_on(state: State, task: Task, instance: ContainerInstance) -> Task:
    """Place a task: it takes its share of the instance and goes to PENDING."""
    state.instances[instance.id] = replace(instance, remaining=instance.remaining.take(task.definition.needs))
    ports = _free_ports(state, instance, task.definition.needs.dynamic_ports)
    state.placed.setdefault(instance.id, {})[task.id] = None
    return state.set(
        task,
        state.clock + task.definition.outcome.pull_seconds,
        status="PENDING",
        instance=instance.id,
        ports=ports,
        placed_at=state.clock,
    )


def stop(state: State, tasks: Iterable[Task], code: str, reason: str) -> None:
    """Ask tasks to stop; ``code`` is the API's stopCode. Targets are drained before the container stops."""
    asked = [task for task in tasks if task.active]
    for task in asked:
        _stop(state, task, {"desired_status": "STOPPED", "stop_code": code, "stopped_reason": reason})
    _say_targets(state, [task for task in asked if _is(state, task, "DEACTIVATING")], "de")


def _stop(state: State, task: Task, end: dict[str, Any]) -> None:
    end["stopping_at"] = state.clock
    if not task.instance:
        stopped(state, replace(task, **end))
    elif task.targets and task.status in ("ACTIVATING", "RUNNING"):
        state.set(task, state.clock + drain_seconds(task), status="DEACTIVATING", **end)
    else:
        _begin_stopping(state, task, end)


def _begin_stopping(state: State, task: Task, end: Mapping[str, Any]) -> None:
    """STOPPING: what the task takes is free for the next one to be placed."""
    _release(state, task)
    state.set(task, state.clock + task.definition.outcome.stop_seconds, status="STOPPING", **end)


def _release(state: State, task: Task) -> None:
    instance = state.instances.get(task.instance)
    if instance:
        state.instances[task.instance] = replace(instance, remaining=instance.remaining.release(task.definition.needs))


def stopped(state: State, task: Task, exit_code: int | None = None) -> Task:
    """The end: the task gives back what it held, and can be described for about an hour."""
    if state.placed.get(task.instance, {}).pop(task.id, "absent") is None:
        if state.tasks[task.id].status not in RELEASED:
            _release(state, task)
        _let_in(state, task.instance)
    code = exit_code if exit_code is not None else task.exit_code
    end = state.set(
        task,
        status="STOPPED",
        desired_status="STOPPED",
        stopping_at=task.stopping_at if task.stopping_at is not None else state.clock,
        stopped_at=state.clock,
        exit_code=code if task.placed_at is not None else None,
    )
    state.news.append(end)
    return end


def lost(state: State, task: Task, reason: str) -> None:
    """The instance under a task is gone: no draining, no exit code."""
    stopped(state, replace(task, stop_code="TerminationNotice", stopped_reason=reason) if task.active else task)


def healthy_seconds(task: Task) -> float:
    """Seconds in RUNNING until a task counts towards the minimum healthy percent.

    Behind a load balancer one passed health check of the target, with a container health check
    its first success, and without any check 40 seconds (API reference, DeploymentConfiguration,
    minimumHealthyPercent; Elastic Load Balancing, "Health checks for your target groups").
    """
    if task.definition.outcome.healthy_seconds is not None:
        return task.definition.outcome.healthy_seconds
    checks: list[float] = [FIRST_CHECK_SECONDS] if task.targets else []
    if task.definition.check_seconds:
        checks.append(task.definition.check_seconds)
    return max(checks, default=UNCHECKED_SECONDS)


def unhealthy_seconds(task: Task, grace_seconds: float) -> float:
    """Seconds in RUNNING until failing checks stop a task: the checks' own, but not within the grace period.

    Source: API reference, CreateService, healthCheckGracePeriodSeconds.
    """
    checks = [target.interval_seconds * target.unhealthy_count for target in task.targets]
    checks += [task.definition.check_seconds * 3] if task.definition.check_seconds else []  # Docker's three retries
    return max(min(checks, default=UNCHECKED_SECONDS), grace_seconds)


def drain_seconds(task: Task) -> float:
    """The longest deregistration delay of a task's target groups: ECS stops the container after it."""
    return max((target.deregistration_seconds for target in task.targets), default=0)


def _pulled(state: State, task: Task) -> None:
    """The image has been pulled, or never will be."""
    outcome = task.definition.outcome
    if outcome.fails:
        stopped(state, replace(task, stop_code="TaskFailedToStart", stopped_reason=outcome.fails))
        return
    if _is_crowded(state, task):
        state.set(task, held=True)
        return
    state.set(task, state.clock + outcome.start_seconds, status="ACTIVATING", held=False)


def _is_crowded(state: State, task: Task) -> bool:
    """Whether tasks that are still stopping leave too little of the instance for this one to start."""
    there = state.on_instance(task.instance)
    if not any(other.status in RELEASED for other in there):
        return False
    left = state.instances[task.instance].registered
    for other in there:
        if other.status != "PENDING":
            left = left.take(other.definition.needs)
    return bool(resources.shortfalls(task.definition.needs, left))


def _let_in(state: State, instance: str) -> None:
    """A task has stopped: those that waited for what it held look again."""
    for waiting in state.on_instance(instance):
        if waiting.held:
            state.put(waiting, state.clock)


def _started(state: State, task: Task) -> None:
    running = replace(task, status="RUNNING", started_at=state.clock)
    state.news.append(state.put(running, _next_in_running(state, running)))


def _next_in_running(state: State, task: Task) -> float:
    """The earliest of what can happen to a RUNNING task by itself."""
    return min((at for at, _ in _ahead(state, task)), default=float("inf"))


def _ahead(state: State, task: Task) -> Iterator[tuple[float, str]]:
    outcome, since = task.definition.outcome, task.started_at or 0
    if outcome.exits_after is not None:
        yield since + outcome.exits_after, "exit"
    if task.health == "UNKNOWN" and outcome.healthy:
        yield since + healthy_seconds(task), "healthy"
    if task.health == "UNKNOWN" and not outcome.healthy:
        service = state.services.get(task.service)
        yield since + unhealthy_seconds(task, service.grace_seconds if service else 0), "unhealthy"


def _ran(state: State, task: Task) -> None:
    _, what = min(_ahead(state, task))
    if what == "exit":
        reason = "Essential container in task exited"
        end = replace(task, stop_code="EssentialContainerExited", stopped_reason=reason)
        stopped(state, end, task.definition.outcome.exit_code)
        return
    judge(state, task, "HEALTHY" if what == "healthy" else "UNHEALTHY")


def judge(state: State, task: Task, health: Literal["HEALTHY", "UNHEALTHY"]) -> None:
    """The health checks of a RUNNING task have come to a verdict."""
    changed = replace(task, health=health)
    state.news.append(state.put(changed, _next_in_running(state, changed)))
    if health == "UNHEALTHY":
        _say_unhealthy(state, task)


def _say_unhealthy(state: State, task: Task) -> None:
    """As a target of the load balancer, or by the container's own health check."""
    ports = task.ports or task.definition.needs.tcp_ports
    port = f" (port {ports[0]})" if ports else ""
    instance = state.instances[task.instance]
    who = f"(task {task.id})" if task.definition.needs.enis else f"(instance {instance.ec2_id or instance.id})"
    reason = f"due to (reason {task.definition.outcome.unhealthy_reason})."
    for target in task.targets:
        _say(state, task.service, f"{who}{port} is unhealthy in (target-group {target.arn}) {reason}")
    if not task.targets:
        _say(state, task.service, f"(task {task.id}) failed container health checks.")


def _drained(state: State, task: Task) -> None:
    _begin_stopping(state, task, {})


def _killed(state: State, task: Task) -> None:
    """SIGTERM has taken effect: a clean exit, code 0."""
    if task.definition.needs.enis:
        state.set(task, state.clock + DETACH_SECONDS, status="DEPROVISIONING")
    else:
        _ended(state, task)


def _ended(state: State, task: Task) -> None:
    clean = 0 if task.exit_code is None else task.exit_code
    stopped(state, task, clean if task.started_at is not None else None)


def _gave_up(state: State, task: Task) -> None:
    """No capacity came in time: 10 to 30 minutes (docs/ecs-facts.md, "Capacity providers and managed scaling")."""
    stopped(state, replace(task, stop_code="TaskFailedToStart", stopped_reason=_lacking(state, task)))


def _lacking(state: State, task: Task) -> str:
    """AWS's reason for a task that never found an instance (docs/ecs-facts.md, "Stopped tasks and their reasons")."""
    group = state.providers[task.provider].group if task.provider in state.providers else ""
    there = [one for one in state.instances.values() if one.cluster == task.cluster and one.status == "ACTIVE"]
    of_provider = [one.remaining for one in there if not group or one.group == group]
    if not of_provider:
        return "TaskFailedToStart: " + ("EMPTY CAPACITY PROVIDER" if group else "NO ACTIVE INSTANCES")
    found = placement.place(task.definition.needs, of_provider, constraints=task.placement.constraints)
    return f"TaskFailedToStart: {found.reason if isinstance(found, placement.Failure) else 'AGENT'}"


_NEXT: Mapping[str, Callable[[State, Task], None]] = {
    "PROVISIONING": _gave_up,
    "PENDING": _pulled,
    "ACTIVATING": _started,
    "RUNNING": _ran,
    "DEACTIVATING": _drained,
    "STOPPING": _killed,
    "DEPROVISIONING": _ended,
}


def _free_ports(state: State, instance: ContainerInstance, count: int) -> tuple[int, ...]:
    """The lowest free ephemeral host ports: Docker's choice is arbitrary, the model's repeatable."""
    if not count:
        return ()
    used = {port for task in state.on_instance(instance.id) for port in task.ports} | instance.remaining.tcp_ports
    free = (port for port in resources.EPHEMERAL_PORTS if port not in used)
    return tuple(next(free) for _ in range(count))


def _is(state: State, task: Task, status: Status) -> bool:
    return state.tasks[task.id].status == status


def _say_targets(state: State, tasks: Sequence[Task], prefix: str) -> None:
    """One event for each service and target group, whatever the number of tasks; then one for draining."""
    counts = Counter((task.service, target.arn) for task in tasks for target in task.targets)
    for (service, arn), count in counts.items():
        _say(state, service, f"{prefix}registered {count} targets in (target-group {arn})")
    draining = Counter((task.service, task.deployment) for task in tasks if prefix and task.targets)
    for (service, id), count in draining.items():
        if service in state.services:
            state.say(service, f"has begun draining connections on {count} tasks.", task_set=id)


def _say(state: State, service: str, text: str) -> None:
    if service in state.services:
        state.say(service, text)
