"""What the catalogue knows, as text for ``slpnb catalog``."""

from __future__ import annotations

from slpnb import catalog
from slpnb.ecs import resources
from slpnb.fleet import monthly


def facts(name: str) -> dict[str, str]:
    """What is known about a type, by label. Raises `ParameterError` with near matches for an unknown one."""
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


def _awsvpc(one: catalog.InstanceType) -> str:
    plain = resources.eni_tasks(one)
    if not one.trunking_compatible:
        return f"{plain}, no trunking"
    return f"{plain}, {resources.eni_tasks(one, trunking=True)} with trunking"


def errors() -> str:
    """The table of `catalog.errors`, and what it says, one sentence per rule."""
    table = catalog.errors()
    lines = [table.to_string(), ""]
    for rule, row in table.iterrows():
        share = f"{row['holds']:.0f} of {row['types']:.0f} types ({row['holds_percent']:.2f} %)"
        spare = f"leaves {row['median_unused_mib']:.0f} MiB unused at the median"
        lines.append(
            f"{rule}: the bound holds for {share}, {spare}, is {row['worst_excess_mib']:.0f} MiB too high at worst"
        )
    return "\n".join(lines)
