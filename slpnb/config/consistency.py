"""Whether the parameters agree with each other and with the catalogue: what no field can say alone.

Each rule of `RULES` yields the key at fault and the rest of the sentence. Pure.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from ipaddress import ip_network

from slpnb.config.parameters import Parameters
from slpnb.errors import ParameterError

Contradiction = tuple[str, str]  # dotted key, sentence
Rule = Callable[[Parameters], Iterator[Contradiction]]

# A setting, what it must not be, and the setting that it is compared with.
ORDER = (
    ("cluster.min_instances", "above", "cluster.max_instances"),
    ("service.desired_tasks", "below", "service.min_tasks"),
    ("service.desired_tasks", "above", "service.max_tasks"),
    ("task.container_reservation_mib", "above", "task.container_memory_mib"),
    ("task.container_memory_mib", "above", "task.memory_mib"),
    ("task.health_check.timeout_seconds", "not below", "task.health_check.interval_seconds"),
    ("service.health_check.timeout_seconds", "not below", "service.health_check.interval_seconds"),
)
COMPARED = {"above": operator.gt, "below": operator.lt, "not below": operator.ge}


def _order(p: Parameters) -> Iterator[Contradiction]:
    for key, wrong, other in ORDER:
        value, bound = operator.attrgetter(key, other)(p)
        if COMPARED[wrong](value, bound):
            yield key, f"is {value}, {wrong} {other} {bound}"


def _throughput(p: Parameters) -> Iterator[Contradiction]:
    provisioned = p.efs.throughput_mode == "provisioned"
    if provisioned and p.efs.provisioned_mibps is None:
        yield "efs.provisioned_mibps", "is null, but efs.throughput_mode provisioned needs a figure in MiB/s"
    if not provisioned and p.efs.provisioned_mibps is not None:
        yield (
            "efs.provisioned_mibps",
            f"is {p.efs.provisioned_mibps:g}, but efs.throughput_mode is {p.efs.throughput_mode}",
        )


def _addresses(p: Parameters) -> Iterator[Contradiction]:
    for key in ("vpc_cidr", "http_from_cidr", "ssh_from_cidr"):
        value = getattr(p.network, key)
        try:
            size = ip_network(value).prefixlen if value else 32
        except ValueError:
            yield f"network.{key}", f"is {value!r}, must be an IPv4 range such as 172.30.0.0/16"
            continue
        if key == "ssh_from_cidr" and size != 32:
            yield f"network.{key}", f"is {value!r}, must be one address (a /32) or empty"


def _ecs_exec(p: Parameters) -> Iterator[Contradiction]:
    # Amazon ECS Developer Guide, "Monitor Amazon ECS containers with ECS Exec", considerations
    if p.service.ecs_exec and p.task.read_only_root:
        yield "service.ecs_exec", "is true, but task.read_only_root is true too: its agent must write in the container"


def _domains(p: Parameters) -> Iterator[Contradiction]:
    if not p.service.host_name.endswith("." + p.service.hosted_zone):
        yield (
            "service.host_name",
            f"is {p.service.host_name!r}, not below service.hosted_zone {p.service.hosted_zone!r}",
        )


def _zones(p: Parameters) -> Iterator[Contradiction]:
    for zone in p.zones:
        if zone[:-1] != p.aws.region:
            yield "network.subnets", f"names zone {zone!r}, which is not in aws.region {p.aws.region}"


def _types(p: Parameters) -> Iterator[Contradiction]:
    from slpnb.catalog import instance_type  # here: other mistakes are reported without reading the catalogue

    named = [("cluster.instance_type", p.cluster.instance_type)]
    for key, name in [*named, *(("sizing.candidates", name) for name in p.sizing.candidates)]:
        try:
            instance_type(name)
        except ParameterError as error:
            yield key, f"is {name!r}: {error}"


RULES: tuple[Rule, ...] = (_order, _throughput, _addresses, _ecs_exec, _domains, _zones, _types)
