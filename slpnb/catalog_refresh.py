"""The catalogue from a live account: what it says of its region's types wins over the shipped figures.

Reads only: DescribeInstanceTypes, DescribeInstanceTypeOfferings, the price list, and what the
container instances of the environment's own cluster have registered. The answers go into a file
of the user's own (`catalog.own_file`); branch interfaces are in no API and stay as shipped.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slpnb import catalog
from slpnb.data.build import described
from slpnb.errors import AwsError

if TYPE_CHECKING:
    from slpnb.aws import Aws

COLUMNS = (*catalog.COLUMNS, "registered_mib")
PRICES_FROM = "us-east-1"  # where the price list is answered, and what the shipped prices are of
Row = dict[str, Any]


@dataclass(frozen=True)
class Refreshed:
    """What was written where, and why anything is still the shipped figure."""

    path: Path
    types: int
    priced: int
    live: int
    note: str = ""

    def __str__(self) -> str:
        said = f"{self.path}: {self.types} types, {self.priced} prices, memory of {self.live} as registered"
        return f"{said}; {self.note}" if self.note else said


def refresh(aws: Aws) -> Refreshed:
    """Write the account's own figures into the user's own file (`catalog.own_file`)."""
    costs, note = _prices(aws)
    memory = registered(aws)
    text, count = as_csv(rows(aws, costs, memory))
    path = catalog.own_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    catalog.reload()
    return Refreshed(path, count, len(costs), len(memory), note)


def rows(aws: Aws, costs: Mapping[str, float], memory: Mapping[str, int]) -> Iterator[Row]:
    """One row a type that the region offers; what is not known stays empty, and the shipped figure then counts."""
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


def registered(aws: Aws) -> dict[str, int]:
    """The least MiB of MemTotal, by type, of this environment's container instances.

    What ECS reports is less ECS_RESERVED_MEMORY, which is added back: the catalogue holds what
    the kernel gives, and a plan subtracts the reserve itself.
    """
    cluster = aws.config.cluster.name
    listed = aws.pages(
        "ecs",
        "list_container_instances",
        "containerInstanceArns[]",
        absent=["ClusterNotFoundException"],
        cluster=cluster,
    )
    found: dict[str, int] = {}
    for start in range(0, len(listed), 100):  # DescribeContainerInstances takes a hundred
        answer = aws.read(
            "ecs", "describe_container_instances", cluster=cluster, containerInstances=listed[start : start + 100]
        )
        for one in (answer or {})["containerInstances"]:
            name, mib = _instance(one)
            mib += aws.config.cluster.reserved_memory_mib
            found[name] = min(mib, found.get(name, mib))
    return found


def _instance(one: Mapping[str, Any]) -> tuple[str, int]:
    attributes = {item["name"]: item.get("value", "") for item in one["attributes"]}
    memory = next(item["integerValue"] for item in one["registeredResources"] if item["name"] == "MEMORY")
    return attributes["ecs.instance-type"], memory


def prices(price_list: Iterable[str]) -> dict[str, float]:
    """US dollars an hour by type, of the price list's JSON documents."""
    found = {}
    for document in map(json.loads, price_list):
        for term in document["terms"].get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                price = float(dimension["pricePerUnit"].get("USD", 0))
                if price:
                    found[document["product"]["attributes"]["instanceType"]] = price
    return found


def _prices(aws: Aws) -> tuple[dict[str, float], str]:
    """Linux, on demand, shared tenancy; without access to the price list the shipped prices stay, and that is said."""
    if aws.region != PRICES_FROM:
        return {}, f"prices stay those of {PRICES_FROM}"
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
        return {}, f"prices stay as shipped ({error})"
    return prices(listed), ""


def as_csv(found: Iterable[Row]) -> tuple[str, int]:
    """The rows as the text of the user's own file, sorted by name, and their number."""
    text, ordered = io.StringIO(), sorted(found, key=lambda row: row["instance_type"])
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    return text.getvalue(), len(ordered)
