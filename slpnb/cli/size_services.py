"""``slpnb size --service``: several services at once, asked for and printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from slpnb.cli.tables import print_csv, print_table
from slpnb.words import counted

if TYPE_CHECKING:
    from slpnb.fleet.packing import Batch, Demand, Objective, Packing, Shared
    from slpnb.fleet.size import ServiceSettings

BESIDE = ("types", "reserved_mib", "trunking", "architecture", "network_mode", "minimise", "form")
COLUMNS = ("type", "instances", "tasks on each", "left on each", "USD per month")
NUMBERS = {"instances", "USD per month"}
FORM = re.compile(r"(?P<name>[\w-]{1,255})=(?P<memory>\d{1,9}),(?P<cpu>\d{1,9}),(?P<tasks>\d{1,9})", re.ASCII)


def refuse_others(ctx: click.Context) -> None:
    """Raise `click.UsageError` for an option that says nothing about several services."""
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in ("services", *BESIDE):
            allowed = [one.opts[0] for one in ctx.command.params if one.name in BESIDE]
            raise click.UsageError(
                f"{option.opts[0]} describes a single task and cannot be used with --service; "
                f"allowed with it are {', '.join(allowed)}"
            )


def answer(
    services: Iterable[str],
    types: Sequence[str],
    minimise: Objective,
    form: str | None,
    *,
    reserved_mib: int,
    trunking: bool,
    network_mode: str,
    architecture: str | None,
    **_: Any,
) -> bool:
    """Print what the --service options ask for; whether each of them fits a type.

    Raises `ParameterError` for a service that is not of the form, or of sizes that ECS refuses.
    """
    from slpnb.fleet import packing, size

    on = size.ServiceSettings(reserved_mib=reserved_mib, trunking=trunking)
    demands = [_demand(text, on, network_mode, architecture) for text in services]
    shared = packing.share(demands, types, minimise=minimise, reserved_mib=on.reserved_mib, trunking=on.trunking)
    _print(shared, form)
    return not shared.misfits


def _demand(text: str, on: ServiceSettings, network_mode: str, architecture: str | None) -> Demand:
    from slpnb.errors import ParameterError
    from slpnb.fleet import size
    from slpnb.fleet.packing import Demand

    given = FORM.fullmatch(text)
    if not given:
        raise ParameterError(
            f"--service {text}: must be NAME=MEMORY,CPU,TASKS in MiB, CPU units and tasks, such as web=2560,1024,6"
        )
    cpu, tasks = int(given["cpu"]) or None, int(given["tasks"])
    try:
        needs = size.task(int(given["memory"]), cpu_units=cpu, network_mode=network_mode, architecture=architecture)
        return Demand(given["name"], needs, replace(on, tasks=tasks).tasks)
    except ParameterError as error:
        raise ParameterError(f"--service {text}: {error}") from None


def _print(shared: Shared, form: str | None) -> None:
    """The answer as JSON, CSV or a table; what fits nowhere goes to stderr, whatever the form."""
    for misfit in shared.misfits:
        click.echo(misfit, err=True)
    if form == "json":
        click.echo(json.dumps(shared.record(), indent=2))
    elif shared.packing and form == "csv":
        print_csv(map(shared.row, shared.packing.batches))
    elif shared.packing:
        _print_table(shared, shared.packing)


def _print_table(shared: Shared, found: Packing) -> None:
    from slpnb.fleet.packing import answer

    click.echo(f"{counted(len(shared.demands), 'service')}, {counted(shared.tasks, 'task')}, on shared instances:\n")
    print_table(COLUMNS, map(_row, found.batches), NUMBERS)
    click.echo("\n".join(["", *answer.sentences(shared, found), answer.CAVEAT]))


def _row(batch: Batch) -> Sequence[str]:
    tasks = ", ".join(f"{count} {name}" for name, count in batch.tasks.items())
    left = f"{batch.left_mib} MiB, {batch.left_cpu_units} CPU units"
    price = "" if batch.usd_month is None else f"{batch.usd_month:,.2f}"
    return batch.type_name, str(batch.instances), tasks, left, price
