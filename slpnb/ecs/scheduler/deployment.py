"""The service scheduler: one service's tasks against its desired count, rolling update by rolling update.

Sources: Amazon ECS Developer Guide, "Deploy Amazon ECS services by replacing tasks" (percents),
"How the Amazon ECS deployment circuit breaker detects failures", "Service throttle logic",
"Service event messages"; API reference, DeploymentConfiguration; docs/ecs-facts.md, "Deployments".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from slpnb.ecs.placement import Failure
from slpnb.ecs.scheduler import capacity, lifecycle, rebalancing
from slpnb.ecs.scheduler.state import Breaker, Definition, Deployment, Service, State, Task
from slpnb.ecs.scheduler.view import View

LONGEST_BACKOFF_SECONDS = 1620  # "Service throttle logic": up to 27 minutes between two tries
FIRST_BACKOFF_SECONDS = 10
IMPAIRED_FAILURES = 3  # failures in a row until ECS says that it cannot start tasks consistently
TROUBLESHOOTING = "For more information, see the Troubleshooting section."
BREAKER_REASON = "ECS deployment circuit breaker: tasks failed to start."
STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)


def threshold(breaker: Breaker, desired: int) -> int:
    """How many failed tasks trip the circuit breaker: half the desired count, but 3 to 200.

    Source: "How the Amazon ECS deployment circuit breaker detects failures" and API reference,
    ThresholdConfiguration (since 2026-07). With one desired task it is 3.
    """
    if breaker.type == "COUNT":
        return breaker.value
    share = ceil(desired * breaker.value / 100)
    return max(3, min(200, share)) if breaker.type == "BOUNDED_PERCENT" else max(1, share)


def backoff_seconds(failures: int) -> float:
    """The pause before the next try after that many failures in a row: doubling, up to 27 minutes.

    AWS documents the cap and that the pause grows ("Service throttle logic"), not how.
    """
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(10, max(0, failures - 1)))


def deploy(state: State, key: str, definition: Definition) -> None:
    """Begin a deployment: it is PRIMARY at once, the previous one becomes ACTIVE until its tasks are gone."""
    service = state.services[key]
    state.ids += 1
    name = f"ecs-svc/{state.ids:019d}"
    begun = Deployment(name, definition, state.clock, state.clock, reason=f"ECS deployment {name} in progress.")
    earlier = (replace(one, status="ACTIVE", updated_at=state.clock) for one in service.deployments)
    _change(state, key, definition=definition, deployments=(begun, *earlier), steady_at=None, failures=0, retry_at=0)


def schedule(state: State) -> None:
    """Process every service once: count failures, start and stop tasks, and write events."""
    news, state.news = state.news, []
    for task in news:
        if task.service in state.services:
            _hear(state, task)
    for key in sorted(state.services):
        status = state.services[key].status
        if status == "ACTIVE":
            _reconcile(state, key)
        elif status == "DRAINING":
            _wind_down(state, key)


def next_try(state: State) -> float:
    """When a throttled service may try again."""
    waits = [one.retry_at for one in state.services.values() if one.status == "ACTIVE" and one.retry_at > state.clock]
    return min(waits, default=float("inf"))


def _hear(state: State, task: Task) -> None:
    """A task started, became healthy, or ended: update the throttle and the circuit breaker.

    A task counts as failed when it could not start, or ended by itself before it was healthy. One
    healthy task resets the count, unless resetOnHealthyTask is off (API reference,
    DeploymentCircuitBreaker). A task that was RUNNING does not throttle ("Service throttle logic").
    """
    service = state.services[task.service]
    if task.status == "RUNNING":
        _change(state, task.service, failures=0, retry_at=0)
        if task.health == "HEALTHY" and service.breaker.reset_on_healthy:
            _set(state, task.service, task.deployment, failed=0)
    elif task.stop_code == "TaskFailedToStart":
        _throttle(state, task.service, unplaced=not task.instance)
        failed(state, task.service, task.deployment)
    elif task.stop_code == "EssentialContainerExited" and task.health != "HEALTHY":
        failed(state, task.service, task.deployment)


def _throttle(state: State, key: str, *, unplaced: bool) -> None:
    """One more failure to start: wait longer. From the third on ECS reports it, if the tasks were placed and died."""
    failures = state.services[key].failures + 1
    _change(state, key, failures=failures, retry_at=state.clock + backoff_seconds(failures), unplaced=unplaced)
    if failures >= IMPAIRED_FAILURES and not unplaced:
        state.say(key, f"is unable to consistently start tasks successfully. {TROUBLESHOOTING}", warning=True)


def failed(state: State, key: str, id: str) -> None:
    """Count a failed task of a deployment in progress, and trip the circuit breaker at its threshold."""
    service = state.services[key]
    primary = service.primary
    if primary.id != id or primary.rollout != "IN_PROGRESS":
        return
    _set(state, key, id, failed=primary.failed + 1)
    if service.breaker.enable and primary.failed + 1 >= threshold(service.breaker, service.desired):
        _break(state, key)


def _break(state: State, key: str) -> None:
    """The deployment FAILED: it starts nothing more, and the last completed one returns if rollback is on."""
    service = state.services[key]
    broken = service.primary
    _set(state, key, broken.id, rollout="FAILED", reason=BREAKER_REASON, finished_at=state.clock)
    state.say(key, f"(deployment {broken.id}) deployment failed: tasks failed to start.")
    back = service.completed
    if service.breaker.rollback and back and back.id != broken.id:
        _roll_back(state, key, broken.id, back)


def _roll_back(state: State, key: str, broken: str, back: Deployment) -> None:
    reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
    primary = replace(
        back, status="PRIMARY", rollout="IN_PROGRESS", reason=reason, failed=0, rollback_of=broken,
        updated_at=state.clock, finished_at=None,
    )  # fmt: skip
    rest = (replace(one, status="ACTIVE") for one in state.services[key].deployments if one.id != back.id)
    _change(state, key, definition=back.definition, deployments=(primary, *rest), failures=0, retry_at=0)
    state.say(key, f"rolling back to deployment {back.id}.")


def _reconcile(state: State, key: str) -> None:
    _stop_surplus(state, View.of(state, key))
    _start_missing(state, View.of(state, key))
    _stop_leaving(state, View.of(state, key))
    _forget_deployments(state, View.of(state, key))
    _settle(state, View.of(state, key))


def _stop_surplus(state: State, view: View) -> None:
    """More than desired: stop first those that do not run yet, then from the zone with the most.

    Source: "How Amazon ECS places tasks on container instances" (scaling in keeps the spread).
    """
    surplus = list(view.staying)
    victims = []
    while len(surplus) > view.service.desired:
        zones = Counter(_zone(state, task) for task in surplus)
        victim = min(surplus, key=lambda task: (task.status == "RUNNING", -zones[_zone(state, task)], _last(task)))
        surplus.remove(victim)
        victims.append(victim)
    _stop(state, view.service.key, victims)


def _last(task: Task) -> tuple[float, str]:
    return -task.created_at, task.id


def _zone(state: State, task: Task) -> str:
    return state.instances[task.instance].registered.zone if task.instance else ""


def _start_missing(state: State, view: View) -> None:
    """Start what the primary deployment lacks, then what the replaced one lacks to keep the healthy minimum.

    A task that fails during a deployment is replaced by its own revision, and a scale-out applies to both
    (docs/ecs-facts.md, "Deployments"). AWS does not say which comes first where only one fits.
    """
    primary, old = view.service.primary, view.replaced
    count = min(view.missing, view.startable) if primary.rollout != "FAILED" else 0
    started = _start(state, view, primary, count)
    if old:
        _start(state, view, old, min(view.kept - len(view.keeping), view.startable - started))


def _start(state: State, view: View, deployment: Deployment, count: int) -> int:
    """Start tasks of a deployment as far as the throttle allows, and say so; how many were started."""
    service = state.services[view.service.key]
    if count <= 0 or state.clock < service.retry_at:
        return 0
    started, failure = _launch(state, service, deployment, count)
    if failure:
        state.say(service.key, capacity.event(failure), warning=True)
        _throttle(state, service.key, unplaced=True)
        failed(state, service.key, deployment.id)
    if started:
        sick = sum(_is_sick(view, task) for task in view.leaving if task.deployment == deployment.id)
        why = f" Amazon ECS replaced {min(sick, len(started))} tasks due to an unhealthy status." if sick else ""
        state.say(service.key, f"has started {len(started)} tasks: {_names(started)}.{why}")
    return len(started)


def _launch(state: State, service: Service, deployment: Deployment, count: int) -> tuple[list[Task], Failure | None]:
    """Launch tasks until one fits no instance and may not wait either."""
    started, finder, have = list[Task](), capacity.Finder(), capacity.provided(state, service)
    for _ in range(count):
        provider = capacity.choose(service.strategy, have)
        task = capacity.fresh(state, service, deployment, provider)
        have[provider] += 1
        failure = capacity.launch(state, task, finder)
        if failure:
            return started, failure
        started.append(task)
    return started, None


def _stop_leaving(state: State, view: View) -> None:
    """Stop tasks that are to go, as long as enough healthy ones remain.

    What does not count as healthy may go at once, but a sick task of the primary deployment
    only when no replacement is on its way (API reference, DeploymentConfiguration,
    maximumPercent: replacements start first where it allows).
    """
    coming = any(not task.counted for task in view.staying)
    kept = {task.id for task in view.keeping[: view.kept] if not task.counted}
    free = [
        task
        for task in view.leaving
        if not task.counted and task.id not in kept and not (coming and _is_sick(view, task))
    ]
    spare = max(0, view.healthy - view.limits.lower)
    counted = sorted(
        (task for task in view.leaving if _may_go(view, task)), key=lambda task: (task.created_at, task.id)
    )
    sick = [task for task in free if task.health == "UNHEALTHY"]
    _stop_sick(state, view, sick)
    _stop(state, view.service.key, [task for task in free if task not in sick] + counted[:spare])
    if not free and not spare:
        _say_stuck(state, view)


def _may_go(view: View, task: Task) -> bool:
    return task.counted and (not task.moving or rebalancing.is_ready(task, view.staying, view.service.desired))


def _is_sick(view: View, task: Task) -> bool:
    return task.health == "UNHEALTHY" and task.deployment == view.service.primary.id


def _stop_sick(state: State, view: View, tasks: Sequence[Task]) -> None:
    where = " ".join(f"(target-group {target.arn})" for target in view.service.targets)
    checks = f"ELB health checks in {where}" if where else "container health checks"
    _stop(state, view.service.key, tasks, f"Task failed {checks}")
    for task in tasks:
        failed(state, task.service, task.deployment)


def _say_stuck(state: State, view: View) -> None:
    """Nothing may start and nothing may stop, although everything runs: the percentages forbid both."""
    at_rest = all(task.counted for task in view.tasks)
    if view.missing > 0 and view.startable <= 0 and at_rest and view.service.primary.rollout == "IN_PROGRESS":
        state.say(view.service.key, STUCK, warning=True)


def _forget_deployments(state: State, view: View) -> None:
    """A replaced deployment is gone when its last task has stopped."""
    alive = {task.deployment for task in view.tasks}
    deployments = view.service.deployments
    over = [one for one in deployments if one.status != "PRIMARY" and one.id not in alive]
    if over:
        done = tuple(replace(one, status="INACTIVE", finished_at=one.finished_at or state.clock) for one in over)
        kept = tuple(one for one in deployments if one not in over)
        _change(state, view.service.key, deployments=kept, past=(*done, *view.service.past)[:100])


def _settle(state: State, view: View) -> None:
    """COMPLETED and steady: every desired task is healthy, and nothing else is left, not even stopping."""
    service = state.services[view.service.key]
    calm = len(view.tasks) == len(view.staying) == service.desired and all(task.counted for task in view.staying)
    if not calm or len(service.deployments) > 1 or service.primary.rollout == "FAILED":
        _change(state, service.key, steady_at=None)
        return
    if service.primary.rollout == "IN_PROGRESS":
        _complete(state, service.key)
    if state.services[service.key].steady_at is None:
        _change(state, service.key, steady_at=state.clock)
        state.say(service.key, "has reached a steady state.")
    rebalancing.balance(state, state.services[service.key])


def _complete(state: State, key: str) -> None:
    id = state.services[key].primary.id
    _set(state, key, id, rollout="COMPLETED", reason=f"ECS deployment {id} completed.", finished_at=state.clock)
    _change(state, key, completed=state.services[key].primary)
    state.say(key, f"(deployment {id}) deployment completed.")


def _wind_down(state: State, key: str) -> None:
    """A deleted service: DRAINING until its last task has stopped, then INACTIVE (API reference, DeleteService)."""
    tasks = state.of_service(key)
    _stop(state, key, [task for task in tasks if task.active])
    if all(task.status in ("STOPPING", "DEPROVISIONING", "STOPPED") for task in state.of_service(key)):
        service = state.services[key]
        over = (replace(one, status="INACTIVE") for one in service.deployments)
        _change(state, key, status="INACTIVE", deployments=(), past=(*over, *service.past)[:100])


def _stop(state: State, key: str, tasks: Sequence[Task], reason: str = "") -> None:
    running = [task for task in tasks if task.status == "RUNNING"]
    for zone in sorted({_zone(state, task) if task.moving else "" for task in running}):
        likes = [task for task in running if (_zone(state, task) if task.moving else "") == zone]
        where, why = (f" in {zone}", " due to AZ rebalancing") if zone else ("", "")
        state.say(key, f"has stopped {len(likes)} running tasks{where}{why}: {_names(likes)}.")
    if len(tasks) > len(running):
        state.say(key, f"stopped {len(tasks) - len(running)} pending tasks.")
    for id in sorted({task.deployment for task in tasks}):
        why = reason or f"Scaling activity initiated by (deployment {id})"
        lifecycle.stop(state, [task for task in tasks if task.deployment == id], "ServiceSchedulerInitiated", why)


def _names(tasks: Iterable[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)


def _change(state: State, key: str, **changes: Any) -> None:
    service = state.services[key]
    if any(getattr(service, name) != value for name, value in changes.items()):
        state.services[key] = replace(service, **changes)


def _set(state: State, key: str, id: str, **changes: Any) -> None:
    """Change one deployment of a service."""
    changed = tuple(
        replace(one, updated_at=state.clock, **changes) if one.id == id else one
        for one in state.services[key].deployments
    )
    _change(state, key, deployments=changed)
