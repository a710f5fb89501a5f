"""``slpnb size``: whether tasks fit instance types, from sizes alone; it needs neither parameters nor an account.

Whatever takes time to load is imported inside the command, so that --help answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click

from slpnb.cli import size_services
from slpnb.cli.options import together
from slpnb.cli.tables import print_csv, print_table
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.ecs.resources import TaskNeeds
    from slpnb.fleet.packing import Objective
    from slpnb.fleet.size import Answer, ServiceSettings

NOT_MET = 1
EPILOG = """\b
Exit codes
    0  every named type fits the task, the group holds --tasks of them, and an update finishes
    1  some type does not, or no type fits the task at all; the output says by how much
    2  an option is wrong, or a type is unknown
"""


task_options = together(
    click.option("--memory", "memory_mib", type=int, metavar="MIB", help="Memory of the task."),
    click.option("--cpu", "cpu_units", type=int, metavar="UNITS", help="CPU of the task; 1024 units are one vCPU."),
    click.option(
        "--container-memory",
        "container_memory_mib",
        type=int,
        metavar="MIB",
        help="Hard limit of its container. Used if the task itself has no memory size.",
    ),
    click.option(
        "--container-reservation",
        "container_reservation_mib",
        type=int,
        metavar="MIB",
        help="Soft limit of its container. Takes precedence over the hard limit.",
    ),
    click.option("--gpus", type=click.IntRange(min=0), default=0, metavar="N", help="NVIDIA GPUs."),
    click.option(
        "--network-mode",
        type=click.Choice(["bridge", "awsvpc", "host", "none"]),
        default="bridge",
        help="awsvpc: each task takes a network interface.",
    ),
    click.option("--host-port", type=int, metavar="PORT", help="Static host port. Default: a free one for each task."),
    click.option("--architecture", type=click.Choice(["arm64", "x86_64"]), help="What the image is for."),
)

service_options = together(
    click.option("--tasks", default=1, metavar="N", help="Number of tasks to run."),
    click.option(
        "--zones",
        default="2",
        metavar="ZONES",
        help="Availability zones: how many, or their names (us-east-1a,us-east-1b).",
    ),
    click.option("--reserve", "reserved_mib", default=0, metavar="MIB", help="ECS_RESERVED_MEMORY of the instances."),
    click.option("--trunking", is_flag=True, help="The account has opted in to ENI trunking."),
    click.option(
        "--min-healthy",
        "minimum_healthy_percent",
        default=100,
        metavar="PERCENT",
        help="minimumHealthyPercent of an update.",
    ),
    click.option(
        "--max-percent", "maximum_percent", default=200, metavar="PERCENT", help="maximumPercent of an update."
    ),
    click.option(
        "--max-instances", type=int, metavar="N", help="Maximum of the group. Default: as many as the update needs."
    ),
)

services_options = together(
    click.option(
        "--service",
        "services",
        multiple=True,
        metavar="NAME=MEMORY,CPU,TASKS",
        help="One of several services to pack onto shared instances: MiB and CPU units of a task, and how many run. "
        "Repeatable. Exit code 1 means that no type takes one of them.",
    ),
    click.option(
        "--minimise",
        type=click.Choice(["cost", "instances"]),
        help="What --service makes as small as possible. Default: cost. instances needs --type.",
    ),
)


@click.command("size", epilog=EPILOG, context_settings={"show_default": True})
@task_options
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPES",
    help="Instance types, comma-separated or repeated. Default: see above.",
)
@service_options
@services_options
@click.option("--json", "form", flag_value="json", help="JSON instead of tables.")
@click.option("--csv", "form", flag_value="csv", help="CSV instead of tables, one line per type.")
@click.pass_context
def command(
    context: click.Context,
    /,
    types: Sequence[str],
    services: Sequence[str],
    minimise: Objective | None,
    form: str | None,
    **given: Any,
) -> None:
    """Which instance types fit a task, how often, and at what price.

    And does its service survive an update and a lost zone?

    Counts as the ECS agent does, with the memory that a type really registers (less than it is
    sold with) and not what free shows on the instance. Without --type it lists the ten cheapest
    types that fit the task. Dollars are on demand, us-east-1, for 730 hours per month.

    \b
    The first attempt asked for 8 GiB on a c6i.large, which registers 3812 MiB:
      slpnb size --memory 8192 --cpu 2048 --type c6i.large
    3.5 GiB fits, but not next to a reserve of 256 MiB:
      slpnb size --memory 3584 --cpu 2048 --type c6i.large
      slpnb size --memory 3584 --cpu 2048 --type c6i.large --reserve 256
    2.5 GiB fits, but an update hangs while the group is limited to one instance:
      slpnb size --memory 2560 --cpu 2048 --type c6i.large --max-instances 1
    Two types side by side, for five tasks, as JSON:
      slpnb size --memory 2560 --cpu 2048 --type c6i.large,c6g.xlarge --tasks 5 --json
    The "1 vGPU" of the second attempt, and the types that would have one:
      slpnb size --memory 2560 --cpu 2048 --gpus 1 --type c6i.large
      slpnb size --memory 2560 --cpu 2048 --gpus 1
    Three services on shared instances, and how near that is to the least possible:
      slpnb size --service web=2560,1024,6 --service api=900,512,4 --service cron=512,256,2 --type c6g.xlarge,m6g.large
    """
    from slpnb.fleet import size

    if services:
        size_services.refuse_others(context)
        sys.exit(0 if size_services.answer(services, _names(types), minimise or "cost", form, **given) else NOT_MET)
    if minimise:
        raise click.UsageError("--minimise is for several services: give them with --service")
    needs, service = _asked(given)
    found = size.answers(needs, _names(types), service)
    if not found:
        click.echo(size.nothing_fits(needs, service), err=True)
    if form == "json":
        _print_json(needs, service, found)
    elif form == "csv":
        print_csv(map(size.record, found))
    elif found:
        _print_tables(needs, service, found)
    sys.exit(0 if found and all(one.ok for one in found) else NOT_MET)


def _asked(given: dict[str, Any]) -> tuple[TaskNeeds, ServiceSettings]:
    """The task, and the service around it: each option is named after what it sets."""
    from slpnb.fleet import size

    around = {one.name: given.pop(one.name) for one in fields(size.ServiceSettings)}
    return size.task(**given), size.ServiceSettings(**{**around, "zones": size.zones(around["zones"])})


def _names(types: Iterable[str]) -> list[str]:
    """The type names of all --type options. Raises `click.BadParameter` for an empty one."""
    names = [name.strip() for text in types for name in text.split(",")]
    if not all(names):
        raise click.BadParameter("a name is empty; give names such as c6i.large,c6g.xlarge", param_hint="--type")
    return names


def _print_json(needs: TaskNeeds, service: ServiceSettings, found: Iterable[Answer]) -> None:
    from slpnb.fleet import size

    rows = [size.record(one) for one in found]
    document = {
        "ok": bool(rows) and all(row["ok"] for row in rows),
        "task": asdict(needs),
        "service": asdict(service),
        "types": rows,
    }
    click.echo(json.dumps(document, indent=2))


INSTANCE = ("type", "fits", "sold with", "registers at least", "largest task", "tasks", "limited by", "USD per hour")
FLEET = ("type", "instances", "USD per month", "update", "running meanwhile", "loss of a zone")
NUMBERS = {"sold with", "registers at least", "tasks", "USD per hour", "instances", "USD per month"}


def _print_tables(needs: TaskNeeds, service: ServiceSettings, found: Sequence[Answer]) -> None:
    from slpnb.fleet import size

    click.echo(f"One task takes {size.described(needs)}; per instance of each type:\n")
    print_table(INSTANCE, map(_instance_row, found), NUMBERS)
    fitting = [one for one in found if one.fits]
    if fitting:
        low, high = service.limits.lower, service.limits.upper
        percents = f"{service.minimum_healthy_percent} to {service.maximum_percent} %"
        click.echo(f"\n{counted(service.tasks, 'task')} over {counted(len(service.zones), 'zone')}, ", nl=False)
        click.echo(f"updated with {low} to {counted(high, 'task')} running ({percents}):\n")
        print_table(FLEET, map(_fleet_row, fitting), NUMBERS)
    problems = [f"{one.fit.type_name}: {problem}" for one in found for problem in one.problems]
    click.echo("\n" + "\n".join(problems) if problems else "")


def _instance_row(one: Answer) -> Sequence[str]:
    from slpnb import catalog

    facts = catalog.instance_type(one.fit.type_name)
    registers = f"{one.fit.registered.at_least_mib} MiB"
    largest = f"{one.fit.left_mib} MiB, {facts.vcpus} vCPU"
    price = "" if facts.usd_per_hour is None else f"{facts.usd_per_hour:.4f}"
    memory = (f"{facts.nominal_mib} MiB", registers, largest)
    return facts.name, "yes" if one.fits else "no", *memory, str(one.fit.count), one.fit.limited_by, price


def _fleet_row(one: Answer) -> Sequence[str]:
    price = "" if one.usd_month is None else f"{one.usd_month:,.2f}"
    fleet = one.fit.type_name, str(one.instances) if one.holds else f"{one.instances}, too few", price
    if one.update is None:
        return *fleet, "", "", ""
    after, lost = one.update, one.lost
    finishes = "hangs" if after.stuck else f"finishes on {counted(after.instances, 'instance')}"
    lowest = counted(after.lowest, "task") if after.lowest else "none: downtime"
    left = f"{lost.survive} keep running, {lost.placed} restart at once, {lost.wait} wait" if lost else ""
    return *fleet, finishes, lowest, left
