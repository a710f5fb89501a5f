"""How many instances there are: Auto Scaling groups, and managed scaling of the capacity providers behind them.

Sources: Amazon ECS Developer Guide, "Automatically manage Amazon ECS capacity with cluster auto
scaling"; AWS Containers Blog, "Deep dive on Amazon ECS cluster auto scaling" (the formula, the
alarms' 1 and 15 minutes); docs/ecs-facts.md, "Capacity providers and managed scaling".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from math import inf

from slpnb.ecs import resources
from slpnb.ecs.resources import Instance
from slpnb.ecs.scheduler import lifecycle
from slpnb.ecs.scheduler.state import ContainerInstance, Group, Placement, Provider, State, Task

LOW_SECONDS = 900  # the low alarm wants 15 data points of a minute; the high alarm wants one
METRIC_SECONDS = 60  # CapacityProviderReservation is published once a minute


# Instances


def boot(state: State) -> None:
    """Groups launch what they lack; instances whose agent is up register."""
    for group in state.groups.values():
        if group.launches:
            _resize(state, group)
    for one in list(state.instances.values()):
        if one.status == "REGISTERING" and one.registers_at <= state.clock:
            state.instances[one.id] = replace(one, status="ACTIVE", registered_at=state.clock)
            state.changed = True
            _retry(state, one.cluster)


def _retry(state: State, cluster: str) -> None:
    """New capacity: services that could not place a task retry now, whatever their backoff."""
    for key, service in state.services.items():
        if service.cluster == cluster and service.unplaced:
            state.services[key] = replace(service, retry_at=0, unplaced=False)


def next_boot(state: State) -> float:
    """When the next instance registers."""
    return min((one.registers_at for one in state.instances.values() if one.status == "REGISTERING"), default=inf)


def members(state: State, group: str) -> list[ContainerInstance]:
    """The instances of a group, those that have not registered yet included."""
    return [one for one in state.instances.values() if one.group == group]


def _resize(state: State, group: Group) -> None:
    have = members(state, group.name)
    zones = Counter(one.registered.zone for one in have)
    for _ in range(group.desired - len(have)):
        zones[_start_instance(state, group, zones)] += 1
    for one in victims(state, group.name, len(have) - group.desired):
        remove(state, one)


def _start_instance(state: State, group: Group, zones: Counter[str]) -> str:
    """One more instance, in the zone with the fewest, as an Auto Scaling group balances them; that zone."""
    empty, id = group.empty[0], state.new_id()
    zone = min(group.zones, key=lambda name: (zones[name], name)) if group.zones else empty.zone
    attributes = {**empty.attributes, "ecs.availability-zone": zone} if zone else dict(empty.attributes)
    empty = replace(empty, id=id, zone=zone, attributes=attributes)
    state.instances[id] = ContainerInstance(
        id, group.cluster, empty, empty, f"i-{id[-17:]}", group.name,
        launched_at=state.clock, registers_at=state.clock + group.boot_seconds,
    )  # fmt: skip
    return zone


def victims(state: State, group: str, count: int) -> list[str]:
    """Which instances a shrinking group terminates: empty ones first, then from the fullest zone, oldest first.

    Protected ones never. The Auto Scaling group's own choice on AWS does not look at tasks; only
    managed termination protection or managed draining spares them there.
    """
    have = [one for one in members(state, group) if not one.protected]
    chosen: list[str] = []
    for _ in range(max(0, min(count, len(have)))):
        zones = Counter(one.registered.zone for one in have)
        victim = min(have, key=lambda one: (_busy(state, one), -zones[one.registered.zone], one.launched_at, one.id))
        have.remove(victim)
        chosen.append(victim.id)
    return chosen


def _busy(state: State, one: ContainerInstance) -> bool:
    return bool(state.placed.get(one.id))


def remove(state: State, id: str) -> None:
    """An instance is terminated: it leaves the cluster, and its tasks are lost."""
    gone = state.instances[id]
    for task in state.on_instance(id):
        lifecycle.lost(state, task, f"Host EC2 (instance {gone.ec2_id or id}) terminated.")
    state.instances.pop(id)
    state.placed.pop(id, None)
    state.changed = True


# Managed scaling


def scale(state: State) -> None:
    """Once a minute: CapacityProviderReservation of every managed group, and what follows from it."""
    for provider in list(state.providers.values()):
        if provider.managed_scaling and provider.group in state.groups:
            _scale(state, provider, state.groups[provider.group])


def reservation(needed: int, running: int) -> float:
    """CapacityProviderReservation in per cent: needed / running x 100; 200 from zero, 100 for nothing at all."""
    if running:
        return needed / running * 100
    return 200 if needed else 100


def instances_wanted(needed: int, target_percent: int) -> int:
    """How many instances keep needed / running at the target capacity, rounded up without a float's error."""
    return -(-needed * 100 // target_percent)


def _scale(state: State, provider: Provider, group: Group) -> None:
    have = members(state, group.name)
    needed = instances_needed(state, provider, group)
    metric = reservation(needed, len(have))
    low = metric < provider.target_percent
    since = (provider.low_since if provider.low_since is not None else state.clock) if low else None
    state.providers[provider.name] = provider = replace(provider, reservation=metric, low_since=since)
    wanted = instances_wanted(needed if have else 2, provider.target_percent)  # from none, two are asked for
    if metric > provider.target_percent and wanted > group.desired:
        _scale_out(state, provider, group, wanted)
    elif since is not None and state.clock - since >= LOW_SECONDS and not _warming(state, provider, have):
        _scale_in(state, group, wanted)


def _scale_out(state: State, provider: Provider, group: Group, wanted: int) -> None:
    """Ask for what is missing, unless what was asked for last is still warming up."""
    if state.clock < provider.scaled_out_at + provider.warmup_seconds:
        return
    step = min(provider.maximum_step, max(provider.minimum_step, wanted - group.desired))
    _desire(state, group, group.desired + step)
    state.providers[provider.name] = replace(provider, scaled_out_at=state.clock)


def _warming(state: State, provider: Provider, have: Iterable[ContainerInstance]) -> bool:
    """Whether an instance is too young to count (API reference, ManagedScaling, instanceWarmupPeriod)."""
    return any(one.launched_at + provider.warmup_seconds > state.clock for one in have)


def _scale_in(state: State, group: Group, wanted: int) -> None:
    """Terminate empty instances each minute, at most half of the group, down to its minimum (AWS, September 2022)."""
    have = members(state, group.name)
    empty = [one for one in have if not state.on_instance(one.id) and not one.protected]
    step = min(len(empty), max(1, len(have) // 2))
    _desire(state, group, max(wanted, group.desired - step))


def _desire(state: State, group: Group, desired: int) -> None:
    bounded = max(group.minimum, min(group.maximum, desired))
    if bounded != group.desired:
        state.groups[group.name] = replace(group, desired=bounded)
        state.changed = True


def instances_needed(state: State, provider: Provider, group: Group) -> int:
    """How many instances the tasks of a group need: those in use, and new ones for what waits.

    What waits is packed first-fit onto what is free, then onto new instances of the smallest
    type. A task larger than the smallest type is ignored: managed scaling's blind spot.
    """
    have = [one for one in members(state, group.name) if one.status != "DRAINING"]
    there = [one.remaining for one in have]
    used = {number for number, one in enumerate(have) if state.on_instance(one.id)}
    begin: dict[object, int] = {}
    for task in sorted(_waiting(state, provider), key=lambda one: -one.definition.needs.memory_mib):
        if fits_smallest(task, group):
            _pack(task, there, used, begin, group.empty[0])
    return len(used)


def _waiting(state: State, provider: Provider) -> list[Task]:
    tasks = (state.tasks[id] for id in sorted(state.due))
    return [task for task in tasks if task.status == "PROVISIONING" and task.provider == provider.name]


def fits_smallest(task: Task, group: Group) -> bool:
    """Whether a task fits an empty instance of every type of the group."""
    return not any(resources.shortfalls(task.definition.needs, one) for one in group.empty)


def _pack(task: Task, there: list[Instance], used: set[int], begin: dict[object, int], empty: Instance) -> None:
    """First fit. An instance that refused a task refuses all like it, so they ``begin`` where the last one stopped."""
    needs, distinct = task.definition.needs, _is_distinct(task.placement)
    kind = (needs, distinct)
    for number in range(begin.get(kind, 0), len(there) + 1):
        if number == len(there):
            there.append(empty)
        if not (distinct and number in used) and not resources.shortfalls(needs, there[number]):
            there[number] = there[number].take(needs)
            used.add(number)
            begin[kind] = number
            return


def _is_distinct(rules: Placement) -> bool:
    return any(rule["type"] == "distinctInstance" for rule in rules.constraints)
