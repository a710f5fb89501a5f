"""Availability Zone rebalancing: a steady service whose zones differ by two tasks or more is rebalanced.

Source: Amazon ECS Developer Guide, "Balancing an Amazon ECS service across Availability Zones"
and "Amazon ECS Availability Zone service rebalancing service event messages". A task starts in
the zone that has fewest; when it is healthy, one stops in the zone that has most.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from slpnb.ecs.placement import Failure
from slpnb.ecs.scheduler import capacity, lifecycle
from slpnb.ecs.scheduler.state import Service, State, Task

DIFFERENCE = 2


def balance(state: State, service: Service) -> None:
    """Move one task if a steady service is uneven and maximumPercent allows one more; say so when it is even again."""
    counts = zones(state, service)
    more = service.desired * service.maximum_percent // 100 - service.desired
    if not service.rebalancing or len(counts) < 2 or more < 1:
        return
    heavy, light = (
        max(counts, key=lambda zone: (counts[zone], zone)),
        min(counts, key=lambda zone: (counts[zone], zone)),
    )
    if counts[heavy] - counts[light] >= DIFFERENCE:
        _move(state, service, counts, heavy, light)
    elif service.uneven_since is not None:
        state.services[service.key] = replace(service, uneven_since=None)
        state.say(service.key, f"is AZ balanced with {_words(counts)}.")


def zones(state: State, service: Service) -> Counter[str]:
    """Tasks of a service by zone; zones where it could have tasks and has none count 0."""
    provider = service.strategy[0].provider if service.strategy else ""
    counts = Counter({one.registered.zone: 0 for one in capacity.candidates(state, service.cluster, provider)})
    for task in state.of_service(service.key):
        if task.instance:
            counts[state.instances[task.instance].registered.zone] += 1
    return counts


def _move(state: State, service: Service, counts: Counter[str], heavy: str, light: str) -> None:
    """Start a task in the light zone and mark one of the heavy zone, which stops once the new one is healthy."""
    victim = max(
        (task for task in state.of_service(service.key) if state.instances[task.instance].registered.zone == heavy),
        key=lambda task: (task.created_at, task.id),
    )
    found = capacity.find(state, victim, zone=light)
    if isinstance(found, Failure):
        text = capacity.event(found).replace("place a task", f"place a task in {light}", 1)
        state.say(service.key, text, warning=True)
        return
    if service.uneven_since is None:
        state.services[service.key] = replace(service, uneven_since=state.clock)
        state.say(service.key, f"is not AZ balanced with {_words(counts)}. AZ Rebalancing in progress.")
    provider = capacity.choose(service.strategy, capacity.provided(state, service))
    new = state.put(capacity.fresh(state, service, service.primary, provider))
    lifecycle.put_on(state, new, found)
    state.set(victim, state.due.get(victim.id, float("inf")), moving=True)
    state.say(service.key, f"has started 1 tasks in {light} to AZ Rebalance: (task {new.id}).")


def _words(counts: Counter[str]) -> str:
    """ECS's own words, the fullest zone first: "3 tasks in us-east-1a, 1 tasks in us-east-1b"."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{count} tasks in {zone}" for zone, count in ordered)


def is_ready(task: Task, staying: list[Task], desired: int) -> bool:
    """Whether a task that moves away may stop: its successor, and all the others, are healthy."""
    return task.moving and len(staying) >= desired and all(one.counted for one in staying)
