"""Target tracking of a service's average CPU: how many tasks a load requires.

Source: Application Auto Scaling User Guide, "Target tracking scaling policies"; Amazon ECS
Developer Guide, "Automatically scale your Amazon ECS service"; docs/ecs-facts.md, "Target tracking". Scaling out needs
3 minutes above the target, scaling in 15 minutes below nine tenths of it; a missing data point
counts for neither, and nothing scales in during a deployment.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from math import ceil

from slpnb.ecs.scheduler.state import Service, State, Tracking

HIGH_POINTS = 3
LOW_POINTS = 15
LOW_SHARE = 0.9


def track(state: State) -> None:
    """Once a minute: one data point of every tracked service, and what follows from it."""
    for key in list(state.trackings):
        service = state.services.get(key)
        if service and service.status == "ACTIVE":
            _track(state, service, state.trackings[key])


def utilization(state: State, service: Service, load_units: float) -> float | None:
    """Average CPU in per cent of what RUNNING tasks reserve; None without one (a missing data point)."""
    running = sum(task.status == "RUNNING" for task in state.of_service(service.key))
    reserved = running * service.definition.needs.cpu_units
    return min(100.0, 100 * load_units / reserved) if reserved else None


def load(tracking: Tracking, clock: float) -> float | None:
    """CPU units asked at a moment: the trace's last sample; None in a gap or before its beginning."""
    index = bisect_right(tracking.trace, clock, key=lambda sample: sample[0]) - 1
    return tracking.trace[index][1] if index >= 0 else None


def _track(state: State, service: Service, tracking: Tracking) -> None:
    asked = load(tracking, state.clock)
    point = utilization(state, service, asked) if asked is not None else None
    if point is None:
        return
    tracking = replace(tracking, seen=(*tracking.seen, point)[-LOW_POINTS:])
    state.trackings[service.key] = tracking
    wanted = _wanted(state, service, tracking)
    if wanted != service.desired:
        state.trackings[service.key] = replace(tracking, scaled_at=state.clock, seen=())
        state.services[service.key] = replace(service, desired=wanted, steady_at=None)
        state.changed = True


def _wanted(state: State, service: Service, tracking: Tracking) -> int:
    target, seen = tracking.target_percent, tracking.seen
    wanted = max(tracking.minimum, min(tracking.maximum, ceil(service.desired * seen[-1] / target)))
    since = state.clock - tracking.scaled_at
    if wanted > service.desired and len(seen) >= HIGH_POINTS and min(seen[-HIGH_POINTS:]) > target:
        return wanted if since >= tracking.out_cooldown_seconds else service.desired
    if wanted < service.desired and len(seen) >= LOW_POINTS and max(seen) < LOW_SHARE * target:
        calm = service.primary.rollout != "IN_PROGRESS" and len(service.deployments) == 1
        return wanted if calm and since >= tracking.in_cooldown_seconds else service.desired
    return service.desired
