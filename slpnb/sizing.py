"""Which task on which instances, how many, with what left, and does it work while it is updated.

Everything here is pure and counts on the safe lower bound of what an instance registers
(`catalog.registered_memory`), never on the optimistic figure. Amounts are MiB, CPU units (1024 a
vCPU) and US dollars (on demand, us-east-1, 730 hours a month).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from slpnb import catalog, placement
from slpnb.errors import ParameterError
from slpnb.fleet import HOURS_A_MONTH, Fleet, Rollout, fleet, monthly, rollout, steady, zone_lost
from slpnb.placement import Fit, TaskNeeds
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn

if TYPE_CHECKING:
    from slpnb.config import Config

__all__ = [
    "HOURS_A_MONTH",
    "Fleet",
    "Rollout",
    "budget",
    "capacity",
    "cheapest",
    "compare",
    "deployment",
    "fit",
    "fleet",
    "memory_budget",
    "monthly",
    "refusals",
    "rollout",
    "steady",
    "verdict",
    "ways_out",
    "zone_lost",
]


def fit(config: Config) -> Fit:
    """Whether the parameters' task fits an empty instance of their type."""
    cluster = config.cluster
    return placement.fit(
        placement.needs(config),
        cluster.instance_type,
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
    )


def deployment(config: Config) -> Rollout:
    """A rolling update of the parameters' service at its desired count."""
    service, needs = config.service, placement.needs(config)
    return rollout(
        needs,
        steady(needs, fleet(config), service.desired_tasks, config.cluster.target_capacity_percent),
        desired=service.desired_tasks,
        minimum_healthy_percent=service.minimum_healthy_percent,
        maximum_percent=service.maximum_percent,
    )


def capacity(config: Config) -> pd.DataFrame:
    """What the group holds at one instance, at its minimum and at its maximum, as a table.

    ``tasks`` fit, ``left_mib`` is what all those instances have left beside them, ``usd_month``
    what they cost.
    """
    one, group = fit(config), fleet(config)
    each = group.per_instance(one.needs)
    sizes = {"one instance": 1, "min_instances": group.instances, "max_instances": group.max_instances}
    rows = [
        {
            "instances": count,
            "tasks": count * each,
            "asked_mib": count * each * one.needs.memory_mib,
            "left_mib": count * (one.left_mib - each * one.needs.memory_mib),
            "usd_month": monthly(group.type_name, count),
        }
        for count in sizes.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(sizes, name="at"))


def budget(config: Config) -> pd.DataFrame:
    """The memory of one instance of the parameters' type, part by part; see `memory_budget`."""
    one = fit(config)
    return memory_budget(one.type_name, [one.needs.memory_mib], reserved_mib=one.reserved_mib, most=one.count)


def memory_budget(
    type_name: str, tasks_mib: Sequence[int], *, reserved_mib: int = 0, most: int | None = None
) -> pd.DataFrame:
    """Where the memory of one instance goes for tasks of each size: one row a size (index), in MiB.

    ``kernel`` is gone before anything runs, ``reserve`` is ECS_RESERVED_MEMORY, ``tasks`` is what
    ``count`` tasks claim, ``left`` is free; they add up to ``nominal``. ``short`` is what one task
    lacks when none fits. ``most`` is a limit on the count other than memory, such as CPU.
    """
    nominal = catalog.instance_type(type_name).nominal_mib
    registered = catalog.registered_memory(type_name).at_least_mib
    free = max(0, registered - reserved_mib)
    rows = []
    for size in tasks_mib:
        count = free // size if most is None else min(most, free // size)
        parts = {"kernel": nominal - registered, "reserve": min(reserved_mib, registered), "tasks": count * size}
        rows.append(
            {"nominal": nominal, **parts, "left": nominal - sum(parts.values()), "count": count}
            | {"short": max(0, size - free)}
        )
    return pd.DataFrame(rows, index=pd.Index(list(tasks_mib), name="task_mib"))


def compare(config: Config) -> pd.DataFrame:
    """Every candidate type with every task size: how many tasks, what stops one more, and the price.

    ``sizing.candidates`` by ``sizing.memory_steps_mib``, the task's CPU, ports and network mode as
    in the parameters. A type of another architecture is compared as if the image were built for
    it. Index: type, task_mib. ``usd_task_month`` divides a full instance's price among its tasks.
    """
    needs, rows = placement.needs(config), []
    for name in config.sizing.candidates:
        own = replace(needs, attributes=_without_architecture(needs))
        for size in config.sizing.memory_steps_mib:
            found = placement.fit(
                replace(own, memory_mib=size),
                name,
                reserved_mib=config.cluster.reserved_memory_mib,
                trunking=config.cluster.awsvpc_trunking,
            )
            rows.append({"type": name, "task_mib": size, **_comparison(found)})
    return pd.DataFrame(rows).set_index(["type", "task_mib"])


def _comparison(found: Fit) -> dict[str, object]:
    price = monthly(found.type_name, 1)
    return {
        "architecture": catalog.instance_type(found.type_name).architecture,
        "tasks": found.count,
        "binds": found.binds,
        "left_mib": found.spare.memory_mib,
        "usd_month": price,
        "usd_task_month": price / found.count if price is not None and found.count else float("nan"),
    }


def _without_architecture(needs: TaskNeeds) -> tuple[tuple[str, str], ...]:
    return tuple(item for item in needs.attributes if item[0] != "ecs.cpu-architecture")


def cheapest(
    needs: TaskNeeds,
    *,
    reserved_mib: int = 0,
    zones: Sequence[str] = (),
    tasks: int = 1,
    rows: int = 3,
    trunking: bool = False,
) -> pd.DataFrame:
    """The cheapest types of the catalogue of which one instance takes ``tasks`` of a task, by price.

    Only types of the task's architecture, with a price, and offered in all ``zones`` (of
    us-east-1). Ties go to the name.
    """
    table = catalog.table()
    fits = (
        (table["at_least_mib"] - reserved_mib >= tasks * needs.memory_mib)
        & (table["cpu_units"] >= tasks * needs.cpu_units)
        & (table["gpus"] >= tasks * needs.gpus)
        & table["usd_per_hour"].notna()
    )
    if needs.architecture:
        fits &= table["architecture"] == needs.architecture
    if zones:
        fits &= table["zones"].map(set(zones).issubset)
    found = table[fits]
    if needs.enis:
        slots = [placement.eni_tasks(catalog.instance_type(name), trunking) for name in found.index]
        found = found[pd.Series(slots, index=found.index) >= tasks * needs.enis]
    columns = ["architecture", "vcpus", "nominal_mib", "at_least_mib", "usd_per_hour"]
    return found.reset_index().sort_values(["usd_per_hour", "name"]).set_index("name")[columns].head(rows)


def ways_out(config: Config) -> pd.DataFrame:
    """What would make a task that does not fit, or cannot be updated in place, work: by price a month.

    Each way keeps everything else as the parameters have it. ``holds`` counts the tasks of one
    instance; ``instances`` run during an update; ``usd_month`` is the price of those.
    """
    ways = pd.DataFrame(list(_ways(config)), columns=["way", "type", "task_mib", "reserve_mib", "maximum_instances"])
    rows = [_way(config, *way) for way in ways.itertuples(index=False, name=None)]
    return pd.concat([ways, pd.DataFrame(rows)], axis=1).sort_values(["usd_month", "way"]).set_index("way")


Way = tuple[str, str, int, int, int]


def _ways(config: Config) -> Iterator[Way]:
    needs, found, limit = placement.needs(config), fit(config), fleet(config).max_instances
    name, reserve = found.type_name, found.reserved_mib
    if found.short_mib:
        yield f"a task of {found.largest_mib} MiB", name, found.largest_mib, reserve, limit
        if needs.memory_mib < found.registered.at_least_mib:
            smaller = found.registered.at_least_mib - needs.memory_mib
            yield f"a reserve of {smaller} MiB", name, needs.memory_mib, smaller, limit
    else:
        yield "one more instance for the update", name, needs.memory_mib, reserve, limit + 1
    for tasks, words in ((1, "the cheapest type that takes it"), (2, "the cheapest type that takes two")):
        types = cheapest(needs, reserved_mib=reserve, zones=_known_zones(config), tasks=tasks, rows=1)
        for other in types.index:
            yield words, str(other), needs.memory_mib, reserve, limit


def _way(config: Config, _: str, name: str, task_mib: int, reserve_mib: int, limit: int) -> dict[str, object]:
    needs, service = replace(placement.needs(config), memory_mib=task_mib), config.service
    group = replace(fleet(config), type_name=name, reserved_mib=reserve_mib, max_instances=limit)
    update = rollout(
        needs,
        steady(needs, group, service.desired_tasks),
        desired=service.desired_tasks,
        minimum_healthy_percent=service.minimum_healthy_percent,
        maximum_percent=service.maximum_percent,
    )
    return {
        "holds": group.per_instance(needs),
        "update": "finishes" if update else "stuck",
        "instances": update.instances,
        "usd_month": monthly(name, update.instances),
    }


def _known_zones(config: Config) -> list[str]:
    """The zones in use, as far as the catalogue knows offers (us-east-1 only)."""
    return config.zones if config.aws.region == "us-east-1" else []


def refusals(config: Config) -> Verdicts:
    """Every refusal and warning that follows from the sizes alone, with the numbers.

    What AWS would accept and then leave stuck is NG; what works now and bites later is WARN.
    """
    try:
        catalog.instance_type(config.cluster.instance_type)
    except ParameterError as error:
        return Verdicts((ng("instance type", str(error)),))
    needs, group, found = placement.needs(config), fleet(config), fit(config)
    checks = (_zones(config), _fits(config, found))
    if not found:
        return Verdicts.of(item for check in checks for item in check)
    later = (
        _holds(config, group, needs),
        _updates(config, group),
        _alone(found, group),
        _interfaces(config, found),
        _from_zero(config),
        _loses_zone(config, group, needs),
    )
    return Verdicts.of(item for check in (*checks, *later) for item in check)


def verdict(config: Config) -> Verdict:
    """The answer in one line: NG with the first thing that stops it, else what works."""
    checks = refusals(config)
    if checks.failed:
        return ng("sizing", f"{checks.failed[0].subject}: {checks.failed[0].seen}")
    found, update = fit(config), deployment(config)
    tasks, on = config.service.desired_tasks, update.instances
    warnings = sum(item.status == "WARN" for item in checks)
    return (warn if warnings else ok)(
        "sizing",
        f"{_count(tasks, 'task')} of {found.needs.memory_mib} MiB on {found.type_name}, {found.count} an instance; "
        f"an update finishes on {_count(on, 'instance')}" + (f"; {_count(warnings, 'warning')}" if warnings else ""),
    )


def _zones(config: Config) -> Iterator[Verdict]:
    name = config.cluster.instance_type
    if config.aws.region != "us-east-1":
        yield skip("zones", f"the catalogue knows the zones of us-east-1 only, not of {config.aws.region}")
        return
    offered = catalog.instance_type(name).zones
    missing = [zone for zone in config.zones if zone not in offered]
    if missing:
        yield ng("zones", f"{name} is not offered in {', '.join(missing)}; it is in {', '.join(offered) or 'none'}")
    else:
        yield ok("zones", f"{name} is offered in {', '.join(config.zones)}")


def _fits(config: Config, found: Fit) -> Iterator[Verdict]:
    """One task on one empty instance, each resource that is short on a line of its own."""
    name, needs = found.type_name, found.needs
    if found:
        spare = found.left_mib - needs.memory_mib
        yield ok(
            "one task fits",
            f"{needs.memory_mib} MiB asked, {found.left_mib} MiB left of {name} ({_arithmetic(found)}): "
            f"{spare} MiB to spare; tasks an instance: {found.count}, {found.binds} binds",
        )
        return
    for item in found.short:
        if item.resource == "memory":
            yield ng("task memory", _memory_refusal(config, found))
        elif item.resource == "attribute":
            yield ng("architecture", _architecture_refusal(found))
        elif item.resource == "gpus":
            yield ng("GPU", f"{item.asked} asked, {name} has {item.free}: ECS can never place the task there")
        else:
            yield ng(
                {"cpu": "task CPU", "enis": "network interfaces"}.get(item.resource, "host ports"), f"{name}: {item}"
            )


def _arithmetic(found: Fit) -> str:
    registered = found.registered
    return (
        f"at least {registered.at_least_mib} MiB registered of {registered.nominal_mib}, {found.reserved_mib} reserved"
    )


def _memory_refusal(config: Config, found: Fit) -> str:
    """The numbers, the largest that fits, what would happen, and the cheapest type that would do."""
    return (
        f"{found.needs.memory_mib} MiB asked, {found.left_mib} MiB left of {found.type_name} ({_arithmetic(found)}): "
        f"short by {found.short_mib} MiB; the largest task that fits is {found.largest_mib} MiB{_instead(config, found)}. "
        "Managed scaling leaves out a task larger than its smallest type, so the group would never grow "
        "and the task would wait in PROVISIONING"
    )


def _instead(config: Config, found: Fit) -> str:
    types = cheapest(found.needs, reserved_mib=found.reserved_mib, zones=_known_zones(config), rows=1)
    if types.empty:
        return "; no type of the catalogue takes it"
    name, price = types.index[0], types["usd_per_hour"].iloc[0]
    return f"; the cheapest {found.needs.architecture} type that takes it is {name} at {price:.4f} US dollars an hour"


def _architecture_refusal(found: Fit) -> str:
    have = catalog.instance_type(found.type_name).architecture
    return f"the task is for {found.needs.architecture}, {found.type_name} is {have}: no instance of the group ever matches"


def _holds(config: Config, group: Fleet, needs: TaskNeeds) -> Iterator[Verdict]:
    """The desired and the most tasks on the most instances."""
    service, each, limit = config.service, group.per_instance(needs), group.max_instances
    room = each * limit
    for count, subject, bad in (
        (service.desired_tasks, "desired tasks", ng),
        (service.max_tasks, "scaling", warn),
    ):
        wanted = group.holding(needs, count)
        if wanted > limit:
            yield bad(
                subject,
                f"{_count(count, 'task')} need {_count(wanted, 'instance')} of {group.type_name} at {each} each, "
                f"but cluster.max_instances is {limit}: {_count(room, 'task')} at most",
            )
        else:
            yield ok(subject, f"{_count(count, 'task')} need {_count(wanted, 'instance')} of at most {limit}")


def _updates(config: Config, group: Fleet) -> Iterator[Verdict]:
    """A rolling update at the desired count, on the instances that this count keeps running."""
    update, service = deployment(config), config.service
    percents = f"minimum {service.minimum_healthy_percent} %, maximum {service.maximum_percent} %"
    bounds = f"{percents} of {_count(update.desired, 'task')}: {update.least} to {update.most} may run"
    if update.desired == 0:
        yield skip("rolling update", "no task is desired")
    elif update.stuck:
        yield ng("rolling update", f"{bounds}; {_said(update)}")
    elif update.instances > update.started_with:
        more = _count(update.instances, "instance")
        yield warn("rolling update", f"{bounds}; it finishes only on {more}, {update.started_with} run before it")
    elif update.lowest == 0:
        yield warn(
            "rolling update", f"{bounds}; every task stops before a new one starts: the service is down meanwhile"
        )
    else:
        on = _count(update.instances, "instance")
        yield ok(
            "rolling update", f"{bounds}; it finishes on the {on} that {'runs' if update.instances == 1 else 'run'}"
        )


def _said(update: Rollout) -> str:
    step = update.steps[-1]
    needs = f"step {step.number}, {step.action}, needs {step.needs_mib} MiB, free {step.free_mib} MiB: "
    return (needs if step.needs_mib else "") + update.stuck


def _alone(found: Fit, group: Fleet) -> Iterator[Verdict]:
    """A task that takes all the CPU of its instance."""
    units = catalog.instance_type(found.type_name).cpu_units
    if found.needs.cpu_units == units:
        yield warn(
            "CPU",
            f"the task takes all {units} CPU units of a {found.type_name}: nothing is left for a second one, "
            f"every further task needs an instance, of which the group has at most {group.max_instances}",
        )


def _interfaces(config: Config, found: Fit) -> Iterator[Verdict]:
    """ENI trunking where it cannot be, and awsvpc where interfaces are what stops the next task."""
    facts = catalog.instance_type(found.type_name)
    if config.task.network_mode != "awsvpc":
        return
    if config.cluster.awsvpc_trunking and not facts.trunking_compatible:
        yield warn(
            "ENI trunking", f"{found.type_name} does not support it: {found.empty.enis} awsvpc tasks an instance"
        )
    if found.binds == "enis":
        with_trunk = placement.eni_tasks(facts, True)
        more = f"; {with_trunk} with cluster.awsvpc_trunking" if with_trunk > found.empty.enis else ""
        yield warn("network interfaces", f"{found.type_name} takes {found.empty.enis} awsvpc tasks{more}")


def _from_zero(config: Config) -> Iterator[Verdict]:
    if config.cluster.min_instances == 0:
        yield warn("managed scaling", "from zero instances its metric asks for two at once, whatever the task needs")


def _loses_zone(config: Config, group: Fleet, needs: TaskNeeds) -> Iterator[Verdict]:
    """What is left serving when the worst zone is lost."""
    desired = config.service.desired_tasks
    if len(group.zones) < 2:
        yield warn("a zone lost", f"everything is in {group.zones[0]}: nothing is left without it")
        return
    table = zone_lost(needs, steady(needs, group, desired, config.cluster.target_capacity_percent), desired)
    if table.empty or not desired:
        return
    worst = table.sort_values(["survive", "placed"], kind="stable").iloc[0]
    said = f"in the worst case {worst['survive']} of {_count(desired, 'task')} still run"
    rest = f", {worst['placed']} more find room at once, {worst['wait']} wait for a new instance"
    yield (ok if worst["survive"] else warn)("a zone lost", said + (rest if worst["survive"] < desired else ""))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
