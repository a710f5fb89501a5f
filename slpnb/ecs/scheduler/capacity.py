"""Where tasks go: placement on the instances of a capacity provider, and what waits in PROVISIONING for more.

Sources: AWS Containers Blog, "Deep dive on Amazon ECS cluster auto scaling" (10 to 30 minutes in
PROVISIONING); docs/ecs-facts.md, "Capacity providers and managed scaling".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from slpnb.ecs import placement, resources
from slpnb.ecs.alike import Alike, suits
from slpnb.ecs.placement import Failure, Rule
from slpnb.ecs.resources import UNITS, Shortfall
from slpnb.ecs.scheduler import lifecycle
from slpnb.ecs.scheduler.managed_scaling import fits_smallest, members
from slpnb.ecs.scheduler.state import ContainerInstance, Deployment, Service, Share, State, Task
from slpnb.words import counted

PROVISIONING_SECONDS = 1800  # the longest that a task waits for capacity: 10 to 30 minutes
NO_INSTANCES = "No Container Instances were found in your"


class Finder:
    """Finds instances for tasks, one after another; nothing else in the state may change in between.

    What was looked up for one task serves the next of its kind.
    """

    def __init__(self) -> None:
        self._kind: object = None
        self._alike: Alike | None = None

    def find(self, state: State, task: Task) -> ContainerInstance | Failure:
        """See `find`. The caller puts the task on the instance."""
        strategy, constraints = _strategy(task), task.placement.constraints
        if not suits(task.definition.needs, strategy, constraints):
            self._kind = None
            return find(state, task)
        kind = (task.cluster, task.provider, task.definition.needs, task.group, task.placement)
        if kind != self._kind or self._alike is None:
            known, running = _known(state, task)
            remaining = [one.remaining for one in known.values()]
            self._alike = Alike(
                task.definition.needs, remaining, strategy=strategy, constraints=constraints, running=running
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
    if isinstance(found, ContainerInstance):
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


def find(state: State, task: Task, zone: str = "") -> ContainerInstance | Failure:
    """The instance for a task, in one zone if named, or ECS's reason why none takes it."""
    known, running = _known(state, task, zone)
    found = placement.place(
        task.definition.needs,
        [one.remaining for one in known.values()],
        strategy=_strategy(task),
        constraints=task.placement.constraints,
        running=running,
        groups=_groups(state, known) if _asks_groups(task) else None,
        seed=state.ids,
    )
    return _worded(found, task) if isinstance(found, Failure) else known[found.id]


def _known(state: State, task: Task, zone: str = "") -> tuple[dict[str, ContainerInstance], Counter[str]]:
    """The instances that a task may go to, and how many tasks of its group each has."""
    every = candidates(state, task.cluster, task.provider)
    known = {one.id: one for one in every if zone in ("", one.registered.zone)}
    likes = (other for id in known for other in state.on_instance(id) if other.group == task.group)
    return known, Counter(other.instance for other in likes)


def _strategy(task: Task) -> Sequence[Rule]:
    return task.placement.strategy or ((placement.SPREAD_ZONES,) if task.service else ())


def _worded(found: Failure, task: Task) -> Failure:
    if found.closest:
        return found
    return replace(found, words=f"{NO_INSTANCES} {'capacity provider' if task.provider else 'cluster'}")


def candidates(state: State, cluster: str, provider: str) -> Iterator[ContainerInstance]:
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
        if isinstance(found, ContainerInstance):
            lifecycle.put_on(state, task, found)
            continue
        refused.add(like)
        if task.service and not _growth_helps(state, task):
            state.say(task.service, event(found), warning=True)


def provided(state: State, service: Service) -> Counter[str]:
    """How many tasks of a service each capacity provider has."""
    return Counter(task.provider for task in state.of_service(service.key) if task.active)


def choose(strategy: Sequence[Share], have: Counter[str]) -> str:
    """The capacity provider of a service's next task: bases first, then by weight; see `provided` for ``have``.

    Source: API reference, CapacityProviderStrategyItem.
    """
    for one in strategy:
        if have[one.provider] < one.base:
            return one.provider
    weighted = [((have[one.provider] - one.base + 1) / one.weight, one.provider) for one in strategy if one.weight]
    return min(weighted)[1] if weighted else ""


def _growth_helps(state: State, task: Task) -> bool:
    """Whether another instance of its group would take the task, and may still come."""
    group = state.groups.get(state.providers[task.provider].group)
    if group is None or not fits_smallest(task, group):
        return False
    coming = any(one.status == "REGISTERING" for one in members(state, group.name))
    return coming or len(members(state, group.name)) < group.maximum


def limit(state: State, task: Task) -> str:
    """What a task that found no capacity is short of, with the numbers, and why its group cannot help."""
    found = find(state, task)
    if not isinstance(found, Failure):
        return "capacity has just come free"
    provider = state.providers.get(task.provider)
    group = state.groups.get(provider.group) if provider else None
    never = resources.shortfalls(task.definition.needs, group.empty[0]) if group else ()
    growth = ", even on an empty instance" if never else ""
    if group and not never and len(members(state, group.name)) >= group.maximum:
        growth = f", and the group is limited to {counted(group.maximum, 'instance')}"
    return f"{_short(never or found.short) or found.words}{growth} ({found.reason})"


def _short(lacking: Sequence[Shortfall]) -> str:
    amounts = [f"{item.short}{UNITS[item.resource]}" for item in lacking if item.resource in UNITS]
    others = [str(item) for item in lacking if item.resource not in UNITS]
    return "; ".join([f"short by {' and '.join(amounts)}", *others] if amounts else others)
