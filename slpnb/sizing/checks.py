"""Refusals and warnings that follow from the sizes alone, each with its numbers.

What AWS would accept and then leave stuck is NG; what works now but causes trouble later is WARN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from slpnb import catalog
from slpnb.ecs import resources
from slpnb.ecs.placement import Fit
from slpnb.ecs.resources import Shortfall
from slpnb.fleet import fit, fleet
from slpnb.fleet.remedies import cheapest, known_zones
from slpnb.fleet.rollout import Rollout, deployment, losing_a_zone
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.config import Config

PROVISIONING = (
    "managed scaling ignores a task larger than its smallest type, so the group would never grow and the task "
    "would wait in PROVISIONING"
)


def refusals(config: Config) -> Verdicts:
    """Every refusal and warning that follows from the sizes alone, with the numbers."""
    found = fit(config)
    checks = [_zones, _fits, *(_LATER if found else ())]
    return Verdicts.of(item for check in checks for item in check(config, found))


def verdict(config: Config) -> Verdict:
    """The answer in one line: NG with the first obstacle, else what works (WARN if it will cause trouble)."""
    checks = refusals(config)
    if checks.failed:
        return ng("sizing", f"{checks.failed[0].subject}: {checks.failed[0].seen}")
    found, update = fit(config), deployment(config)
    warned = any(item.status == "WARN" for item in checks)
    seen = (
        f"{counted(config.service.desired_tasks, 'task')} of {found.needs.memory_mib} MiB on {found.type_name}, "
        f"{fleet(config).per_instance(found.needs)} per instance; an update finishes on "
        f"{counted(update.instances, 'instance')}"
    )
    return (warn if warned else ok)("sizing", seen)


def _zones(config: Config, found: Fit) -> Iterator[Verdict]:
    if config.aws.region != "us-east-1":
        yield skip("zones", f"the catalogue knows the zones of us-east-1 only, not of {config.aws.region}")
        return
    offered = catalog.instance_type(found.type_name).zones
    missing = [zone for zone in config.zones if zone not in offered]
    if missing:
        where = f"it is in {', '.join(offered) or 'none of the zones'}"
        yield ng("zones", f"{found.type_name} is not offered in {', '.join(missing)}; {where}")
    else:
        yield ok("zones", f"{found.type_name} is offered in {', '.join(config.zones)}")


def _fits(config: Config, found: Fit) -> Iterator[Verdict]:
    """One task on one empty instance, with a separate line for each resource that is short."""
    if not found.short:
        spare = found.left_mib - found.needs.memory_mib
        yield ok("one task fits", f"{_asked(found)}: {spare} MiB to spare, {counted(found.count, 'task')} per instance")
    for item in found.short:
        yield _refusal(config, found, item)


def _refusal(config: Config, found: Fit, item: Shortfall) -> Verdict:
    name = found.type_name
    if item.resource == "memory":
        largest = f"the largest task that fits is {found.left_mib} MiB"
        short = f"short by {found.short_mib} MiB; {largest}; {_instead(config, found)}; {PROVISIONING}"
        return ng("task memory", f"{_asked(found)}: {short}")
    if item.resource == "attribute":
        have = catalog.instance_type(name).architecture
        seen = f"the task is for {found.needs.architecture}, {name} is {have}: no instance of the group ever matches"
        return ng("architecture", seen)
    if item.resource == "gpus":
        return ng("GPU", f"{item.asked} asked, {name} has {item.free}: ECS can never place the task there")
    subject = {"cpu": "task CPU", "enis": "network interfaces"}.get(item.resource, "host ports")
    return ng(subject, f"{item} on an empty {name}; {_instead(config, found)}")


def _asked(found: Fit) -> str:
    registered = found.registered
    parts = (
        f"at least {registered.at_least_mib} of {registered.nominal_mib} MiB register, {found.reserved_mib} reserved"
    )
    return f"{found.needs.memory_mib} MiB asked, {found.left_mib} MiB left of {found.type_name} ({parts})"


def _instead(config: Config, found: Fit) -> str:
    """The cheapest type that would do."""
    types = cheapest(
        found.needs,
        reserved_mib=found.reserved_mib,
        zones=known_zones(config),
        rows=1,
        trunking=config.cluster.awsvpc_trunking,
    )
    if types.empty:
        return "no type in the catalogue takes it"
    price = types["usd_per_hour"].iloc[0]
    own = f"the cheapest {found.needs.architecture} type that takes it"
    return f"{own} is {types.index[0]} at {price:.4f} US dollars per hour"


def _holds(config: Config, found: Fit) -> Iterator[Verdict]:
    """The desired and the maximum number of tasks on the maximum number of instances."""
    group = fleet(config)
    each, limit = group.per_instance(found.needs), group.max_instances
    for tasks, subject, bad in (
        (config.service.desired_tasks, "desired tasks", ng),
        (config.service.max_tasks, "scaling", warn),
    ):
        wanted = group.holding(found.needs, tasks)
        said = f"{counted(tasks, 'task')} at {each} per instance: {counted(wanted, 'instance')}"
        if wanted > limit:
            most = f"cluster.max_instances is {limit}, enough for {counted(each * limit, 'task')}"
            yield bad(subject, f"{said} of {group.type_name}, but {most}")
        else:
            yield ok(subject, f"{said} of at most {limit}")


def _updates(config: Config, _: Fit) -> Iterator[Verdict]:
    """A rolling update at the desired count, and when the service is scaled out to its maximum."""
    desired, most = config.service.desired_tasks, config.service.max_tasks
    if desired == 0:
        yield skip("rolling update", "the desired count is 0")
        return
    update = deployment(config)
    yield _update(config, update)
    scaled = deployment(config, most)
    if update and scaled.stuck and not scaled.incomplete:
        yield warn("update when scaled out", f"at {counted(most, 'task')}, {_said(scaled)}")


def _update(config: Config, update: Rollout) -> Verdict:
    service = config.service
    percents = f"minimum {service.minimum_healthy_percent} %, maximum {service.maximum_percent} %"
    bounds = f"{percents} of {counted(update.desired, 'task')}: {update.least} to {update.most} may run"
    on = counted(update.instances, "instance")
    if update.stuck:
        return ng("rolling update", f"{bounds}; {_said(update)}")
    before = "as many as before" if update.instances == update.started_with else f"up from {update.started_with}"
    seen = f"{bounds}; it finishes {'only ' if update.waits else ''}on {on}, {before}"
    if not update.lowest:
        return warn("rolling update", f"{seen}; every task stops before a new one is healthy: downtime")
    return (warn if update.waits else ok)("rolling update", seen)


def _said(update: Rollout) -> str:
    stage = update.stages[-1]
    needs = f", needs {update.setting.needs.memory_mib} MiB, free {stage.free_mib} MiB" if update.failure else ""
    return f"stage {stage.number}, start a new task{needs}: {update.stuck}"


def _alone(config: Config, found: Fit) -> Iterator[Verdict]:
    """A task that takes all the CPU of its instance."""
    units = catalog.instance_type(found.type_name).cpu_units
    if found.needs.cpu_units == units:
        each = f"every further task needs another instance, and cluster.max_instances is {config.cluster.max_instances}"
        yield warn("task CPU", f"the task takes all {units} CPU units of a {found.type_name}: {each}")


def _interfaces(config: Config, found: Fit) -> Iterator[Verdict]:
    """ENI trunking where it is impossible, and awsvpc where interfaces are the limit."""
    facts, slots = catalog.instance_type(found.type_name), found.empty.enis
    if not found.needs.enis:
        return
    if config.cluster.awsvpc_trunking and not facts.trunking_compatible:
        yield warn(
            "ENI trunking", f"{found.type_name} does not support it: {counted(slots, 'awsvpc task')} per instance"
        )
    if "enis" in found.limiting:
        trunked = resources.eni_tasks(facts, True)
        more = f"; {trunked} with cluster.awsvpc_trunking" if trunked > slots else ""
        yield warn("network interfaces", f"they limit a {found.type_name} to {counted(slots, 'awsvpc task')}{more}")


def _from_zero(config: Config, _: Fit) -> Iterator[Verdict]:
    if config.cluster.min_instances == 0:
        yield warn("managed scaling", "starting from zero, its metric asks for two instances at once, for any task")


def _loses_zone(config: Config, _: Fit) -> Iterator[Verdict]:
    """What is left serving when the worst zone is lost."""
    desired = config.service.desired_tasks
    if not desired:
        return
    if len(config.zones) < 2:
        yield warn("a zone lost", f"everything is in {config.zones[0]}: without it nothing is left")
        return
    worst = losing_a_zone(config).sort_values(["survive", "placed"], kind="stable").iloc[0]
    rest = f"{worst['placed']} restart at once, {worst['wait']} wait for a new instance in another zone"
    said = f"at worst {worst['survive']} of {counted(desired, 'task')} keep running, {rest}"
    yield (ok if worst["survive"] else warn)("a zone lost", said)


Check = Callable[["Config", Fit], Iterator[Verdict]]
_LATER: tuple[Check, ...] = (_holds, _updates, _alone, _interfaces, _from_zero, _loses_zone)
