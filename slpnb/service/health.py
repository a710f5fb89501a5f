"""What 80_service checks beyond its attributes: what a visitor to the service would notice.

Certificate, ports, healthy targets in each zone, the deployment, the capacity provider, and the
version that answers. Source: docs/ecs-facts.md, "Success of a release".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from slpnb import network
from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.errors import VerificationError
from slpnb.plan import Found, Observed
from slpnb.service import stability, visit
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn


def check(aws: Aws, have: Observed) -> Verdicts:
    """Every check, in the order of a visitor's request: name, certificate, port, target, revision, version."""
    config = aws.config
    looked = (_certificate(config, have), reachable(config, have), capacity(have), _revision(aws, have))
    return Verdicts.of([*looked[:2], *_targets(aws, have), *looked[2:], _answers(aws)])


def _certificate(config: Config, have: Observed) -> Verdict:
    subject, wanted = "certificate", ", ".join(config.service.names)
    found = have.get("certificate")
    if found is None:
        return ng(subject, f"none of {config.service.certificate_domain} is ISSUED and valid for {wanted} any more")
    return ok(subject, f"issued for {', '.join(found.attributes['names'])}; covers {wanted}")


def reachable(config: Config, have: Observed) -> Verdict:
    """Which ports of the load balancer the world can reach, by the rules of its security groups."""
    subject, balancer = "ports open to the world", have.get("load-balancer")
    carried = balancer.attributes["security_groups"] if balancer else []
    groups = [found for found in have.values() if found.kind == "security group" and found.id in carried]
    source = config.network.http_from_cidr
    open_ports = sorted({port for group in groups for port in _open(group, source)})
    listening = [port for port in (443, 80) if f"listener/{'https' if port == 443 else 'http'}" in have]
    shut = [port for port in listening if not any(low <= port <= high for low, high in open_ports)]
    seen = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in open_ports) or "none"
    if shut:
        return ng(subject, f"{seen}; listeners on {', '.join(map(str, shut))} cannot be reached from {source}")
    return ok(subject, seen)


def _open(group: Found, source: str) -> Iterator[tuple[int, int]]:
    for rule in group.attributes["ingress"]:
        if network.carries_tcp(rule) and rule["source"] in (*network.WORLD, source):
            yield rule["from_port"], rule["to_port"]


def _targets(aws: Aws, have: Observed) -> Iterator[Verdict]:
    """One verdict per zone: how many targets are there, and how many of them are healthy."""
    group, service = have.get("target-group"), have.get("service")
    if group is None or service is None:
        yield ng("targets", "no target group or no service")
        return
    targets = stability.targets(aws, group.id)
    zones = _zones(aws, targets, have)
    yield from targets_by_zone(aws.config, targets, zones, service.facts["described"]["desiredCount"])


def targets_by_zone(
    config: Config, targets: list[dict[str, Any]], zones: Mapping[str, str], desired: int
) -> Iterator[Verdict]:
    """Whether each zone has healthy targets, as far as there are enough tasks for it. Pure."""
    every, healthy = Counter[str](), Counter[str]()
    for target in targets:
        zone = zones.get(target["Target"]["Id"], "")
        every[zone] += 1
        healthy[zone] += target["TargetHealth"]["State"] == "healthy"
    for zone in config.zones:
        subject, seen = f"targets in {zone}", f"{healthy[zone]} of {every[zone]} healthy"
        if every[zone] > healthy[zone]:
            states = sorted({_state(one) for one in targets if zones.get(one["Target"]["Id"]) == zone} - {"healthy"})
            yield ng(subject, f"{seen}: {', '.join(states)}") if not healthy[zone] else warn(subject, seen)
        elif every[zone]:
            yield ok(subject, seen)
        elif desired < len(config.zones):
            yield skip(subject, f"no task here: {desired} wanted for {len(config.zones)} zones")
        else:
            yield warn(subject, f"no task here, though {desired} are wanted for {len(config.zones)} zones")


def _state(target: Mapping[str, Any]) -> str:
    health = target["TargetHealth"]
    return f"{health['State']} ({health['Reason']})" if health.get("Reason") else str(health["State"])


def _zones(aws: Aws, targets: list[dict[str, Any]], have: Observed) -> dict[str, str]:
    """The availability zone of each target: its instance's, or that of the subnet that its address is in."""
    names = {one["Target"]["Id"] for one in targets}
    instances = sorted(name for name in names if name.startswith("i-"))
    subnets = [found.attributes for found in have.values() if found.kind == "subnet"]
    known = {name: _zone_of(name, subnets) for name in names.difference(instances)}
    if instances:
        path = "Reservations[].Instances[]"
        for one in aws.pages("ec2", "describe_instances", path, InstanceIds=instances):
            known[one["InstanceId"]] = one["Placement"]["AvailabilityZone"]
    return known


def _zone_of(address: str, subnets: list[Mapping[str, Any]]) -> str:
    inside = (subnet["zone"] for subnet in subnets if ip_address(address) in ip_network(subnet["cidr"]))
    return str(next(inside, ""))


def capacity(have: Observed) -> Verdict:
    """A service with a launch type, or with no strategy at all, never makes the group grow."""
    subject, service, cluster = "capacity", have.get("service"), have.get("cluster")
    if service is None or cluster is None:
        return ng(subject, "no service or no cluster")
    described = service.facts["described"]
    strategy = described.get("capacityProviderStrategy") or cluster.facts["strategy"]
    if described.get("launchType") or not strategy:
        return ng(subject, "the service has no capacity provider: its tasks never make the group grow")
    return ok(subject, f"from capacity provider {', '.join(item['capacityProvider'] for item in strategy)}")


def _revision(aws: Aws, have: Observed) -> Verdict:
    subject, definition = "deployment", have.get("task-definition")
    if definition is None or "service" not in have:
        return ng(subject, "no service, or no revision of the task definition")
    try:
        service = stability.describe(aws)
    except VerificationError as error:
        return ng(subject, str(error))
    look = stability.judge(service, definition.facts["revision"], stability.healthy_targets(aws, service))
    return ok(subject, look.seen) if look.outcome == "completed" else ng(subject, look.seen)


def _answers(aws: Aws) -> Verdict:
    """Ask the service itself, by its name and through its load balancer, for its version."""
    config = aws.config
    path, wanted = config.service.health_check.path, config.image.tag
    address = f"https://{config.service.host_name}{path}"
    door = aws.front_door()
    if aws.simulated and not door:
        return skip("version", f"{address} was not requested: the tasks are simulated, so nothing answers")
    if path != "/VERSION.txt":
        return skip("version", f"{path} does not report the version; /VERSION.txt would")
    try:
        text = visit.get(address, door).text.strip()
    except OSError as error:
        return ng("version", f"{address} does not answer: {error}")
    return ok("version", f"{address} answers {text}") if text == wanted else ng("version", f"{text}, not {wanted}")
