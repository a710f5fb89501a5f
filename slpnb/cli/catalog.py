"""``slpnb catalog``: what is known of the instance types, how good the estimates are, and how to renew it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from slpnb import catalog
from slpnb.cli.options import environment_or_staging, load, parameter_options
from slpnb.cli.tables import print_table

if TYPE_CHECKING:
    import pandas as pd

    from slpnb.catalog import InstanceType


@click.group("catalog")
def command() -> None:
    """Instance types: registered memory, network interfaces, prices."""


@command.command("show")
@click.argument("types", nargs=-1, required=True, metavar="TYPE...")
def show(types: Sequence[str]) -> None:
    """Show what is known about each TYPE, and from where.

    Registered memory, CPU, interfaces, zones and price.

    \b
    slpnb catalog show c6i.large c6g.xlarge
    """
    facts = [_facts(name) for name in types]
    print_table(("", *types), [[label, *(one[label] for one in facts)] for label in facts[0]])


@command.command("errors")
def errors() -> None:
    """Say how far off the memory estimates are.

    Each estimate is of a measured type that it has not seen. sibling: each type from the rest of
    its family. formula: each type as if nothing of its family had been measured. A bound holds when
    the type registered at least that much.

    \b
    slpnb catalog errors
    """
    columns = ("estimate", "the bound holds for", "unused at the median", "too high at worst")
    print_table(columns, [_error(str(rule), row) for rule, row in catalog.errors().iterrows()])


@command.command("refresh")
@environment_or_staging
@parameter_options
def refresh(environment: str, **options: Any) -> None:
    """Read an account's types, prices and memory into a file.

    The file overrides the shipped data. ENVIRONMENT (staging) only selects the account, and what
    its cluster reserves. The file is the one that SLPNB_CATALOG names, else
    ~/.config/slpnb/catalog.csv; delete it to undo this. What the account does not report stays as
    it was.

    \b
    slpnb catalog refresh --backend aws
    SLPNB_CATALOG=eu.csv slpnb catalog refresh production --backend aws
    """
    from slpnb import runbook
    from slpnb.cluster import catalog_refresh

    click.echo(str(catalog_refresh.refresh(runbook.connect_backend(load(environment, options))[0])))


def _facts(name: str) -> dict[str, str]:
    """What is known about a type, by label. Raises `ParameterError` with near matches for an unknown one."""
    from slpnb.fleet import monthly

    one, memory = catalog.instance_type(name), catalog.registered_memory(name)
    how, _, _ = repr(memory).partition("   at least")
    price = "not sold on demand" if one.usd_per_hour is None else f"{one.usd_per_hour:.4f} an hour"
    month = monthly(name, 1)
    return {
        "sold with": f"{one.nominal_mib} MiB",
        "registers": how.replace("   ", ", "),
        "at least": f"{memory.at_least_mib} MiB",
        "CPU": f"{one.vcpus} vCPU, {one.cpu_units} units",
        "architecture": one.architecture,
        "GPUs": str(one.gpus),
        "awsvpc tasks": _awsvpc(one),
        "hypervisor": one.hypervisor,
        "generation": "current" if one.current_generation else "earlier",
        "burstable": "yes" if one.burstable else "no",
        "zones": ", ".join(one.zones) or "none known",
        "US dollars": price if month is None else f"{price}, {month:,.2f} a month",
    }


def _awsvpc(one: InstanceType) -> str:
    from slpnb.ecs import resources

    plain = resources.eni_tasks(one)
    if not one.trunking_compatible:
        return f"{plain}, no trunking"
    return f"{plain}, {resources.eni_tasks(one, trunking=True)} with trunking"


def _error(rule: str, row: pd.Series[float]) -> tuple[str, ...]:
    """One rule of `catalog.errors`, with its units."""
    return (
        rule,
        f"{row['holds']:.0f} of {row['types']:.0f} types ({row['holds_percent']:.2f} %)",
        f"{row['median_unused_mib']:.0f} MiB",
        f"{row['worst_excess_mib']:.0f} MiB",
    )
