"""The catalogue from a live account: what it says of its region's types wins over the shipped figures.

Reads only: DescribeInstanceTypes, DescribeInstanceTypeOfferings, the price list, and what the
container instances of the account's clusters have registered. The answers go into a file of the
user's own (`catalog.own_file`), value by value: what the account does not say now keeps what the
file had, else what is shipped (branch interfaces always, they are in no API).
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slpnb import catalog
from slpnb.catalog import InstanceType
from slpnb.catalog.data.build import described
from slpnb.cluster import instances
from slpnb.errors import AwsError, ParameterError

if TYPE_CHECKING:
    from slpnb.aws import Aws

COLUMNS = (*catalog.COLUMNS, "registered_mib")
PRICES_FROM = "us-east-1"  # where the price list is answered, and what the shipped prices are of
# Boots and kernels differ by less (data/README.md: Amazon Linux 2 reads 14 MiB more); a reserve is usually more.
SLACK_MIB = 32
SHOWN = 20  # changed types that are listed one by one
Row = dict[str, Any]


@dataclass(frozen=True)
class Refreshed:
    """What was written where, what it changes, and why anything is still the earlier figure."""

    path: Path
    types: int
    priced: int
    live: int
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.path}: {self.types} types, {self.priced} prices, registered memory of {self.live}"
        more = f"... and {len(self.changes) - SHOWN} more"
        listed = [*self.changes[:SHOWN], *([more] if len(self.changes) > SHOWN else [])]
        return "\n".join([said, *self.notes, *(listed or ["nothing new"])])


def refresh(aws: Aws) -> Refreshed:
    """Write the account's own figures into the user's own file (`catalog.own_file`).

    Raises `ParameterError` where that would be no file, or one of figures that were never measured: the
    embedded AWS is only written where ``SLPNB_CATALOG`` names a file for it. Raises `AwsError` when
    the account does not answer; then the file stays as it was.
    """
    path = _target(aws)
    costs, said = _prices(aws)
    memory, doubts = registered(aws)
    before = catalog.types(), _memory(memory)
    found = kept(rows(aws, costs, memory), _file(path))
    if not found:
        raise AwsError("ec2 describe_instance_types: no instance types returned, so the file is left unchanged")
    write(path, as_csv(found))
    catalog.reload()
    changes = changed(*before, catalog.types(), _memory(memory))
    return Refreshed(path, len(found), len(costs), len(memory), tuple([*said, *doubts]), tuple(changes))


def _target(aws: Aws) -> Path:
    path = catalog.own_file()
    if path.exists() and not path.is_file():
        raise ParameterError(f"{path}, which SLPNB_CATALOG names, is not a writable file")
    if aws.simulated and not os.environ.get("SLPNB_CATALOG"):
        raise ParameterError(
            "the embedded AWS knows no more than the shipped catalogue: query an account with --backend aws, "
            "or name a file in SLPNB_CATALOG to try it"
        )
    return path


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader sees the old one or the new one. A link is followed."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# What the account says


def rows(aws: Aws, costs: Mapping[str, float], memory: Mapping[str, int]) -> Iterator[Row]:
    """One row per type offered in the region; unknown values stay empty, and the shipped figure is then used."""
    zones: dict[str, list[str]] = {}
    for offer in aws.pages(
        "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings[]", LocationType="availability-zone"
    ):
        zones.setdefault(offer["InstanceType"], []).append(offer["Location"])
    for facts in aws.pages("ec2", "describe_instance_types", "InstanceTypes[]"):
        name = facts["InstanceType"]
        if not name.startswith("mac"):  # no ECS-optimized AMI runs there
            found = {"zones": " ".join(sorted(zones.get(name, ()))), "usd_per_hour": costs.get(name)}
            yield {"instance_type": name, **described(facts), **found, "registered_mib": memory.get(name)}


def registered(aws: Aws) -> tuple[dict[str, int], list[str]]:
    """The least MiB of MemTotal, by type, of the account's container instances, and what was not believed.

    What ECS reports is less ECS_RESERVED_MEMORY, which no API tells: for the environment's own
    cluster the parameters know it and it is added back, so that the catalogue holds what the kernel
    gives. In other clusters it would look like memory that is missing, so figures below what was
    measured are left out, as are those above it in the own one, whose instances are older than the
    parameter. The own cluster's figures count before the others'.
    """
    own, others, doubts = dict[str, int](), dict[str, int](), list[str]()
    for cluster in sorted(aws.pages("ecs", "list_clusters", "clusterArns[]")):
        is_own = cluster.rpartition("/")[2] == aws.config.cluster.name
        for name, mib in _instances(aws, cluster):
            total = mib + aws.config.cluster.reserved_memory_mib * is_own
            found = own if is_own else others
            if believable(name, total, own=is_own):
                found[name] = min(total, found.get(name, total))
            else:
                doubts.append(f"{name}: an instance registers {mib} MiB, possibly because of its reserve: left out")
    return others | own, sorted(set(doubts))


def believable(name: str, mib: int, *, own: bool) -> bool:
    """Whether a type's kernel can have given so much: within what was measured, or less where the reserve is known."""
    measured = catalog.measured()
    if name not in measured.index:
        return name not in catalog.types() or mib < catalog.instance_type(name).nominal_mib
    lowest, highest = int(measured["lowest_mib"][name]), int(measured["highest_mib"][name])
    return mib <= highest + SLACK_MIB and (own or mib >= lowest - SLACK_MIB)


def _instances(aws: Aws, cluster: str) -> Iterator[tuple[str, int]]:
    """Type and registered MiB of a cluster's Linux instances; external ones have no type."""
    for one in instances.described(aws, cluster):
        attributes = instances.ecs_attributes(one)
        mib = instances.amounts(one.get("registeredResources", ())).get("MEMORY")
        name = attributes.get("ecs.instance-type")
        if name and mib and attributes.get("ecs.os-type", "linux") == "linux":
            yield name, mib


def prices(price_list: Iterable[str]) -> dict[str, float]:
    """US dollars per hour by type, from the price list's JSON documents."""
    found = {}
    for document in map(json.loads, price_list):
        for term in document["terms"].get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                price = float(dimension["pricePerUnit"].get("USD", 0))
                if price:
                    found[document["product"]["attributes"]["instanceType"]] = price
    return found


def _prices(aws: Aws) -> tuple[dict[str, float], list[str]]:
    """Linux, on demand, shared tenancy; without access to the price list prices are kept, and that is said."""
    if aws.region != PRICES_FROM:
        return {}, [f"prices are kept: they are for {PRICES_FROM}, not for {aws.region}"]
    wanted = {
        "regionCode": aws.region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    try:
        listed = aws.pages("pricing", "get_products", "PriceList[]", ServiceCode="AmazonEC2", Filters=filters)
    except AwsError as error:
        return {}, [f"prices are kept: the price list could not be read ({error})"]
    return prices(listed), []


# The file


def kept(found: Iterable[Row], earlier: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """The rows, with what the file had where the account does not say it now."""
    return [_completed(row, earlier.get(row["instance_type"], {})) for row in found]


def _completed(row: Row, earlier: Mapping[str, str]) -> Row:
    return row | {name: earlier.get(name) for name, value in row.items() if value in (None, "")}


def _file(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["instance_type"]: row for row in csv.DictReader(file) if row.get("instance_type")}


def as_csv(found: Iterable[Row]) -> str:
    """The rows as the text of the user's own file, sorted by name."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(found, key=lambda row: row["instance_type"]))
    return text.getvalue()


# What it changes


def changed(
    types: Mapping[str, InstanceType],
    memory: Mapping[str, int],
    new_types: Mapping[str, InstanceType],
    new_memory: Mapping[str, int],
) -> list[str]:
    """What the catalogue now says differently, one line per type, sorted; memory is the safe bound in MiB."""
    lines = []
    for name in sorted(new_types.keys() | types.keys()):
        if name not in types or name not in new_types:
            lines.append(f"{name}: {'new' if name in new_types else 'gone'}")
            continue
        said = list(_differences(types[name], new_types[name]))
        if memory.get(name) != new_memory.get(name):
            said.append(f"at least {memory.get(name)} MiB -> {new_memory.get(name)} MiB")
        lines += [f"{name}: {', '.join(said)}"] if said else []
    return lines


def _differences(before: InstanceType, after: InstanceType) -> Iterator[str]:
    for field in fields(InstanceType):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            yield f"{field.name} {_text(old)} -> {_text(new)}"


def _text(value: Any) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)


def _memory(names: Iterable[str]) -> dict[str, int]:
    """The safe bound of those that the catalogue knows."""
    known = catalog.types()
    return {name: catalog.registered_memory(name).at_least_mib for name in names if name in known}
