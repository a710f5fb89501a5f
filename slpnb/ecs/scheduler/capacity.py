"""Where tasks go, and how many instances there are: placement, managed scaling, Auto Scaling groups.

Sources: Amazon ECS Developer Guide, "Automatically manage Amazon ECS capacity with cluster auto
scaling"; AWS Containers Blog, "Deep dive on Amazon ECS cluster auto scaling" (the formula, the
alarms' 1 and 15 minutes, 10 to 30 minutes in PROVISIONING); docs/ecs-facts.md,
"Capacity providers and managed scaling".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf

from slpnb.ecs import placement
from slpnb.ecs.alike import Alike, suits
from slpnb.ecs.placement import Failure, Rule
from slpnb.ecs.resources import Instance as Room
from slpnb.ecs.scheduler import lifecycle
from slpnb.ecs.scheduler.state import Deployment, Group, Instance, Placement, Provider, Service, State, Task

PROVISIONING_SECONDS = 1800  # the longest that a task waits for capacity: 10 to 30 minutes
LOW_SECONDS = 900  # the low alarm wants 15 data points of a minute; the high alarm wants one
METRIC_SECONDS = 60  # CapacityProviderReservation is published once a minute
SPREAD_ZONES = {"type": "spread", "field": "attribute:ecs.availability-zone"}
NO_INSTANCES = "No Container Instances were found in your"


class Finder:
    """Finds instances for tasks, one after another; nothing else in the state may change in between.

    What was looked up for one task serves the next of its kind.
    """

    def __init__(self) -> None:
        self._kind: object = None
        self._alike: Alike | None = None

    def find(self, state: State, task: Task) -> Instance | Failure:
        """See `find`. The caller puts the task on the instance."""
        strategy, constraints = _strategy(task), task.placement.constraints
        if not suits(task.definition.needs, strategy, constraints):
            self._kind = None
            return find(state, task)
        kind = (task.cluster, task.provider, task.definition.needs, task.group, task.placement)
        if kind != self._kind or self._alike is None:
            known, running = _known(state, task)
            rooms = [one.free for one in known.values()]
            self._alike = Alike(
                task.definition.needs, rooms, strategy=strategy, constraints=constraints, running=running
            )
            self._kind = kind
        found = self._alike.place()
        return _worded(found, task) if isinstance(found, Failure) else state.instances[found.id]


def launch(state: State, task: Task, finder: Finder) -> Failure | None:
    """Place a new task. If none takes it: wait in PROVISIONING with managed scaling, else say why.

    ``finder`` is shared by launches between which nothing else changes.

    Source: "Deep dive on Amazon ECS cluster auto scaling": without managed scaling "tasks that
    can't find capacity will fail immediately, as they did previously".
    """
    found = finder.find(state, task)
    if isinstance(found, Instance):
        lifecycle.put_on(state, state.put(task), found)
        return None
    if not waits(state, task):
        return found
    state.put(task, state.clock + PROVISIONING_SECONDS)
    if task.service and not _growth_helps(state, task):
        state.say(task.service, event(found), warning=True)
    return None


def waits(state: State, task: Task) -> bool:
    """Whether a task that fits nowhere waits for capacity: its capacity provider has managed scaling."""
    provider = state.providers.get(task.provider)
    return bool(provider and provider.managed_scaling)


def find(state: State, task: Task, zone: str = "") -> Instance | Failure:
    """The instance for a task, in one zone if named, or ECS's reason why none takes it."""
    known, running = _known(state, task, zone)
    found = placement.place(
        task.definition.needs,
        [one.free for one in known.values()],
        strategy=_strategy(task),
        constraints=task.placement.constraints,
        running=running,
        groups=_groups(state, known) if _asks_groups(task) else None,
        seed=state.ids,
    )
    return _worded(found, task) if isinstance(found, Failure) else known[found.id]


def _known(state: State, task: Task, zone: str = "") -> tuple[dict[str, Instance], Counter[str]]:
    """The instances that a task may go to, and how many tasks of its group each has."""
    every = candidates(state, task.cluster, task.provider)
    known = {one.id: one for one in every if zone in ("", one.room.zone)}
    likes = (other for id in known for other in state.on_instance(id) if other.group == task.group)
    return known, Counter(other.instance for other in likes)


def _strategy(task: Task) -> Sequence[Rule]:
    return task.placement.strategy or ((SPREAD_ZONES,) if task.service else ())


def _worded(found: Failure, task: Task) -> Failure:
    if found.closest:
        return found
    return replace(found, words=f"{NO_INSTANCES} {'capacity provider' if task.provider else 'cluster'}")


def candidates(state: State, cluster: str, provider: str) -> Iterator[Instance]:
    """The ACTIVE instances of a cluster that tasks of a capacity provider (or of none) may go to."""
    group = state.providers[provider].group if provider in state.providers else None
    for one in state.instances.values():
        if one.status == "ACTIVE" and one.cluster == cluster and (not provider or one.group == group):
            yield one


def fresh(state: State, service: Service, deployment: Deployment, provider: str) -> Task:
    """A task that a deployment of a service is about to start."""
    return Task(
        id=state.new_id(),
        cluster=service.cluster,
        definition=deployment.definition,
        group=f"service:{service.name}",
        created_at=state.clock,
        service=service.key,
        deployment=deployment.id,
        provider=provider,
        placement=service.placement,
        targets=service.targets,
    )


def _asks_groups(task: Task) -> bool:
    expressions = [rule.get("expression", "") for rule in task.placement.constraints]
    return any("task:group" in text for text in (*expressions, *task.definition.needs.member_of))


def _groups(state: State, instances: Iterable[str]) -> dict[str, list[str]]:
    return {id: [task.group for task in state.on_instance(id)] for id in instances}


def event(failure: Failure) -> str:
    """A placement failure in the words of a service event, without the service's name."""
    return failure.event("").partition(") ")[2]


def place_waiting(state: State) -> None:
    """Try the tasks in PROVISIONING again, oldest first; one that fits nowhere stands for all like it."""
    refused: set[tuple[str, str, object, str]] = set()
    finder = Finder()
    for task in [state.tasks[id] for id in sorted(state.due) if state.tasks[id].status == "PROVISIONING"]:
        like = (task.cluster, task.provider, task.definition.needs, task.group)
        if like in refused:
            continue
        found = finder.find(state, task)
        if isinstance(found, Instance):
            lifecycle.put_on(state, task, found)
            continue
        refused.add(like)
        if task.service and not _growth_helps(state, task):
            state.say(task.service, event(found), warning=True)


def provided(state: State, service: Service) -> Counter[str]:
    """How many tasks of a service each capacity provider has."""
    return Counter(task.provider for task in state.of_service(service.key) if task.active)


def choose(strategy: Iterable[object], have: Counter[str]) -> str:
    """The capacity provider of a service's next task: bases first, then by weight; see `provided` for ``have``.

    Source: API reference, CapacityProviderStrategyItem.
    """
    shares = [(getattr(one, "provider"), getattr(one, "weight"), getattr(one, "base")) for one in strategy]  # noqa: B009
    for name, _, base in shares:
        if have[name] < base:
            return str(name)
    weighted = [((have[name] - base + 1) / weight, name) for name, weight, base in shares if weight]
    return str(min(weighted)[1]) if weighted else ""


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
    """New room: services that could not place a task retry now, whatever their backoff."""
    for key, service in state.services.items():
        if service.cluster == cluster and service.unplaced:
            state.services[key] = replace(service, retry_at=0, unplaced=False)


def next_boot(state: State) -> float:
    """When the next instance registers."""
    return min((one.registers_at for one in state.instances.values() if one.status == "REGISTERING"), default=inf)


def members(state: State, group: str) -> list[Instance]:
    """The instances of a group, those that have not registered yet included."""
    return [one for one in state.instances.values() if one.group == group]


def _resize(state: State, group: Group) -> None:
    have = members(state, group.name)
    for _ in range(group.desired - len(have)):
        _start_instance(state, group)
    for one in victims(state, group.name, len(have) - group.desired):
        remove(state, one)


def _start_instance(state: State, group: Group) -> None:
    """One more instance, in the zone with the fewest, as an Auto Scaling group balances them."""
    counts = Counter(one.room.zone for one in members(state, group.name))
    room, id = group.rooms[0], state.new_id()
    zone = min(group.zones, key=lambda name: (counts[name], name)) if group.zones else room.zone
    attributes = {**room.attributes, "ecs.availability-zone": zone} if zone else dict(room.attributes)
    room = replace(room, id=id, zone=zone, attributes=attributes)
    state.instances[id] = Instance(
        id, group.cluster, room, room, f"i-{id[-17:]}", group.name,
        launched_at=state.clock, registers_at=state.clock + group.boot_seconds,
    )  # fmt: skip


def victims(state: State, group: str, count: int) -> list[str]:
    """Which instances a shrinking group terminates: empty ones first, then from the fullest zone, oldest first.

    Protected ones never. The Auto Scaling group's own choice on AWS does not look at tasks; only
    managed termination protection or managed draining spares them there.
    """
    have = [one for one in members(state, group) if not one.protected]
    chosen: list[str] = []
    for _ in range(max(0, min(count, len(have)))):
        zones = Counter(one.room.zone for one in have)
        victim = min(have, key=lambda one: (_busy(state, one), -zones[one.room.zone], one.launched_at, one.id))
        have.remove(victim)
        chosen.append(victim.id)
    return chosen


def _busy(state: State, one: Instance) -> bool:
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


def _warming(state: State, provider: Provider, have: Iterable[Instance]) -> bool:
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
    rooms = [one.free for one in have]
    used = {number for number, one in enumerate(have) if state.on_instance(one.id)}
    begin: dict[object, int] = {}
    for task in sorted(_waiting(state, provider), key=lambda one: -one.definition.needs.memory_mib):
        if fits_smallest(task, group):
            _pack(task, rooms, used, begin, group.rooms[0])
    return len(used)


def _waiting(state: State, provider: Provider) -> list[Task]:
    tasks = (state.tasks[id] for id in sorted(state.due))
    return [task for task in tasks if task.status == "PROVISIONING" and task.provider == provider.name]


def fits_smallest(task: Task, group: Group) -> bool:
    """Whether a task fits an empty instance of every type of the group."""
    return not any(placement.shortfalls(task.definition.needs, room) for room in group.rooms)


def _pack(task: Task, rooms: list[Room], used: set[int], begin: dict[object, int], empty: Room) -> None:
    """First fit. A room that refused a task refuses all like it, so they ``begin`` where the last one stopped."""
    needs, distinct = task.definition.needs, _is_distinct(task.placement)
    kind = (needs, distinct)
    for number in range(begin.get(kind, 0), len(rooms) + 1):
        if number == len(rooms):
            rooms.append(empty)
        if not (distinct and number in used) and not placement.shortfalls(needs, rooms[number]):
            rooms[number] = rooms[number].take(needs)
            used.add(number)
            begin[kind] = number
            return


def _is_distinct(rules: Placement) -> bool:
    return any(rule["type"] == "distinctInstance" for rule in rules.constraints)


def _growth_helps(state: State, task: Task) -> bool:
    """Whether another instance of its group would take the task, and may still come."""
    group = state.groups.get(state.providers[task.provider].group)
    if group is None or not fits_smallest(task, group):
        return False
    coming = any(one.status == "REGISTERING" for one in members(state, group.name))
    return coming or len(members(state, group.name)) < group.maximum


def limit(state: State, task: Task) -> str:
    """Why a task in PROVISIONING or one that could not be placed will not get capacity, with the numbers."""
    provider = state.providers.get(task.provider)
    group = state.groups.get(provider.group) if provider else None
    if group and not fits_smallest(task, group):
        short = placement.shortfalls(task.definition.needs, group.rooms[0])
        return f"no instance of {group.name} can ever take the task: {'; '.join(map(str, short))}"
    found = find(state, task)
    words = event(found) if isinstance(found, Failure) else "was placed"
    if group and len(members(state, group.name)) >= group.maximum:
        return f"{group.name} is at its maximum of {group.maximum} instances: {words}"
    return words
