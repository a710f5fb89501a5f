"""Build instance_types.csv from the sources, and check what the catalogue claims of itself.

``python -m slpnb.catalog.data.build`` writes the table again, ``--check`` prints the errors of the
memory estimates on types that they have not seen.

The sources are the CSV files next to this one and the catalogue that ships with moto. What the
measurements say (registered_memory.csv, CC BY-SA 4.0) stays in a file of its own and is joined
when the catalogue is read.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import click

from slpnb.catalog import instance_types
from slpnb.catalog.instance_types import COLUMNS

HERE = Path(__file__).parent
REGION = "us-east-1"
ACCELERATORS = ("FpgaInfo", "GpuInfo", "InferenceAcceleratorInfo", "MediaAcceleratorInfo", "NeuronInfo")

Row = dict[str, Any]


def rows() -> Iterator[Row]:
    """Every type known to a source, sorted by name.

    Macs are left out, since no ECS-optimized AMI runs there. retired_types.csv describes the
    measured types that AWS's own description, and so moto's, no longer names.
    """
    recorded = {name: described(facts) for name, facts in _moto("instance_types.json.gz").items()}
    retired = {"current_generation": "false", "burstable": "false"}
    known: dict[str, Row] = {name: {**row, **retired} for name, row in source("retired_types").items()} | recorded
    zones, enis, prices = _zones(), source("eni_limits"), source("on_demand_us_east_1")
    for name in sorted(name for name in known if not name.startswith("mac")):
        limits = enis.get(name, {"branch_interfaces": "0", "trunking_compatible": "false"})
        yield {
            **known[name],
            "instance_type": name,
            "branch_interfaces": limits["branch_interfaces"],
            "trunking_compatible": limits["trunking_compatible"],
            "zones": " ".join(zones.get(name, ())),
            "usd_per_hour": prices.get(name, {}).get("usd_per_hour", ""),
        }


def table() -> str:
    """instance_types.csv as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return text.getvalue()


def source(name: str) -> dict[str, dict[str, str]]:
    """A CSV of sources/ as rows by instance type."""
    with (HERE / "sources" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["instance_type"]: row for row in csv.DictReader(file)}


def _moto(name: str) -> Any:
    content = resources.files("moto").joinpath("ec2", "resources", name).read_bytes()
    return json.loads(gzip.decompress(content))


def _zones() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for offer in _moto(f"instance_type_offerings/availability-zone/{REGION}.json.gz"):
        found.setdefault(offer["InstanceType"], []).append(offer["Location"])
    return {name: sorted(zones) for name, zones in found.items()}


def described(facts: Mapping[str, Any]) -> Row:
    """What DescribeInstanceTypes says of a type, as columns."""
    gpus = facts.get("GpuInfo", {}).get("Gpus", [])
    return {
        "architecture": next(a for a in facts["ProcessorInfo"]["SupportedArchitectures"] if a != "i386"),
        "vcpus": facts["VCpuInfo"]["DefaultVCpus"],
        "nominal_mib": facts["MemoryInfo"]["SizeInMiB"],
        # ECS counts NVIDIA GPUs only ("Amazon ECS task definitions for GPU workloads")
        "gpus": sum(gpu["Count"] for gpu in gpus if gpu["Manufacturer"] == "NVIDIA"),
        "accelerated": _flag(any(key in facts for key in ACCELERATORS)),
        "hypervisor": facts.get("Hypervisor") or "metal",
        "interfaces": facts["NetworkInfo"]["MaximumNetworkInterfaces"],
        "current_generation": _flag(facts["CurrentGeneration"]),
        "burstable": _flag(facts["BurstablePerformanceSupported"]),
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"


@click.command()
@click.option("--check", is_flag=True, help="Print the errors of the memory estimates instead of writing the table.")
def main(check: bool) -> None:
    """Build slpnb/catalog/data/instance_types.csv, or check the estimates."""
    if check:
        click.echo(instance_types.errors().to_string())
        return
    target = HERE / "instance_types.csv"
    target.write_text(table(), encoding="utf-8")
    click.echo(f"{target.name}: {len(target.read_text(encoding='utf-8').splitlines()) - 1} instance types")


if __name__ == "__main__":
    main()
