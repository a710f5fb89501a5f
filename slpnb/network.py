"""20_network: the existing VPC, and the security groups of load balancer, instances, tasks and EFS.

Rules name the group that traffic comes from, never an address range, except for the load
balancer's ports and one optional SSH address. Source: Amazon VPC User Guide ("Security group
rules"), Amazon ECS Developer Guide ("Dynamic host port mapping"), docs/ecs-facts.md, "EFS".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import collapse_addresses, ip_network
from typing import Any

import pandas as pd

from slpnb.aws import Aws, observation, same_observation, tag_list, tag_map
from slpnb.config import Config
from slpnb.ecs.resources import EPHEMERAL_PORTS
from slpnb.errors import AwsError, Refusal
from slpnb.plan import Call, Found, Id, Kind, Observed, Plan, Resource, Wanted, compare, read_back
from slpnb.plan.values import Ref
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

STEP = "20_network"
NFS_PORT = 2049
ROLES = ("load-balancer", "instances", "tasks", "efs")
WORLD = ("0.0.0.0/0", "::/0")
EVERY_PROTOCOL = "-1"
# Where a permission holds its sources, and what EC2 calls one there
SOURCES = {
    "UserIdGroupPairs": "GroupId",
    "PrefixListIds": "PrefixListId",
    "Ipv6Ranges": "CidrIpv6",
    "IpRanges": "CidrIp",
}

Rule = dict[str, Any]  # protocol, from_port, to_port, source (a group's or prefix list's id, an address range), why
DIRECTIONS = ("ingress", "egress")


def group_name(config: Config, role: str) -> str:
    """The name of a security group: the parameter's own for the load balancer, with a suffix for the others."""
    base = config.network.security_group
    return base if role == "load-balancer" else f"{base}-{role}"


def desired(config: Config) -> Wanted:
    """One security group for each role that this network mode needs, with its rules. Pure."""
    roles = [role for role in ROLES if role != "tasks" or config.task.network_mode == "awsvpc"]
    return tuple(_group(config, role) for role in roles)


def _group(config: Config, role: str) -> Resource:
    rules = {
        "load-balancer": _from_the_world,
        "instances": _to_the_instances,
        "tasks": _to_the_tasks,
        "efs": _to_the_uploads,
    }[role]
    name = group_name(config, role)
    attributes = {
        "description": f"slpnb {config.environment} {role}",
        "vpc": Ref("vpc"),
        "ingress": _sorted(rules(config)),
        "egress": [EVERYWHERE],
    }
    return Resource(f"security-group/{role}", "security group", name, attributes, WHY[role], config.tags(STEP, name))


WHY = {
    "load-balancer": "the only group open to the internet: HTTPS, and HTTP to redirect it",
    "instances": "the instances take traffic only from the load balancer",
    "tasks": "in awsvpc mode each task has its own address, open only to the load balancer",
    "efs": "the file system admits only those who mount it",
}


def _from_the_world(config: Config) -> Iterator[Rule]:
    for port in config.network.ports_open:
        yield _rule(port, port, config.network.http_from_cidr, "HTTPS" if port == 443 else "HTTP, redirected to HTTPS")


def _to_the_instances(config: Config) -> Iterator[Rule]:
    task, balancer = config.task, Ref("security-group/load-balancer")
    if task.network_mode == "host":
        yield _rule(task.container_port, task.container_port, balancer, "container port on the instance")
    elif task.network_mode == "bridge":
        ports = [task.host_port] if task.host_port else EPHEMERAL_PORTS  # host port 0: where Docker maps it
        yield _rule(ports[0], ports[-1], balancer, "host ports of the tasks")
    if config.network.ssh_from_cidr:
        yield _rule(22, 22, config.network.ssh_from_cidr, "SSH from one address")


def _to_the_tasks(config: Config) -> Iterator[Rule]:
    port = config.task.container_port
    yield _rule(port, port, Ref("security-group/load-balancer"), "container port")


def _to_the_uploads(config: Config) -> Iterator[Rule]:
    who = config.mounts_from if config.network.nfs_from == "auto" else config.network.nfs_from
    if who != "nobody":
        yield _rule(NFS_PORT, NFS_PORT, Ref(f"security-group/{who}"), f"NFS from the {who}")


def _rule(from_port: int, to_port: int, source: Any, why: str, protocol: str = "tcp") -> Rule:
    return {"protocol": protocol, "from_port": from_port, "to_port": to_port, "source": source, "why": why}


# What EC2 gives each new group, and a second one where the VPC has IPv6: both are let be, and the first is needed.
EVERYWHERE, EVERYWHERE_IPV6 = (_rule(-1, -1, world, "", EVERY_PROTOCOL) for world in WORLD)


def carries_tcp(rule: Rule) -> bool:
    """Whether a rule admits TCP on its ports. Pure."""
    return rule["protocol"] in ("tcp", EVERY_PROTOCOL)


def _sorted(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: (rule["from_port"], rule["to_port"], rule["protocol"], str(rule["source"])))


@observation
def observe(aws: Aws) -> Observed:
    """The VPC and subnets in the parameters, the VPC's DNS, and this environment's security groups."""
    return {**find_vpc(aws), **find_dns(aws), **find_subnets(aws), **find_security_groups(aws)}


def existing(have: Observed) -> pd.DataFrame:
    """The VPC and subnets that are used and never changed: name (index), kind, zone, range. Pure."""
    foreign = [found for found in have.values() if found.kind in ("VPC", "subnet")]
    rows = [
        (found.name, found.kind, found.attributes.get("zone", "all"), found.attributes["cidr"]) for found in foreign
    ]
    return pd.DataFrame(rows, columns=["name", "kind", "zone", "range"]).set_index("name")


def find_vpc(aws: Aws) -> dict[str, Found]:
    """The existing VPC, by its Name tag. Raises `Refusal` when absent, ambiguous, or not as the parameters say."""
    wanted = aws.config.network
    vpcs = aws.pages("ec2", "describe_vpcs", "Vpcs", Filters=[{"Name": "tag:Name", "Values": [wanted.vpc_name]}])
    if len(vpcs) != 1:
        raise Refusal(
            f"{len(vpcs)} VPCs are named {wanted.vpc_name} (network.vpc_name) in {aws.region}; exactly one is needed"
        )
    vpc = vpcs[0]
    if vpc["CidrBlock"] != wanted.vpc_cidr:
        raise Refusal(f"VPC {wanted.vpc_name} is {vpc['CidrBlock']}, network.vpc_cidr says {wanted.vpc_cidr}")
    if vpc.get("InstanceTenancy", "default") != wanted.vpc_tenancy:
        raise Refusal(
            f"VPC {wanted.vpc_name} has tenancy {vpc['InstanceTenancy']}, network.vpc_tenancy says {wanted.vpc_tenancy}"
        )
    attributes = {"cidr": vpc["CidrBlock"], "tenancy": vpc.get("InstanceTenancy", "default")}
    return {"vpc": Found("vpc", "VPC", wanted.vpc_name, vpc["VpcId"], attributes)}


def find_dns(aws: Aws) -> dict[str, Found]:
    """Whether the VPC resolves names at all (``support``), and those of AWS's own resources in it (``hostnames``)."""
    vpc = find_vpc(aws)["vpc"]
    attributes = {
        name: aws.read("ec2", "describe_vpc_attribute", VpcId=vpc.id, Attribute=attribute)[key]["Value"]
        for name, (attribute, key) in DNS.items()
    }
    return {"dns": Found("dns", "DNS of the VPC", vpc.name, f"{vpc.id}/dns", attributes)}


DNS = {
    "support": ("enableDnsSupport", "EnableDnsSupport"),
    "hostnames": ("enableDnsHostnames", "EnableDnsHostnames"),
}


def find_subnets(aws: Aws) -> dict[str, Found]:
    """The existing subnet of each zone, by Name tag inside the VPC. Raises `Refusal` when absent or in another zone."""
    vpc = find_vpc(aws)["vpc"]
    subnets = aws.pages("ec2", "describe_subnets", "Subnets", Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])
    by_name = {tag_map(subnet.get("Tags")).get("Name"): subnet for subnet in subnets}
    found = {}
    for zone, name in sorted(aws.config.network.subnets.items()):
        subnet = by_name.get(name)
        if subnet is None:
            raise Refusal(f"VPC {vpc.name} has no subnet named {name} (network.subnets.{zone})")
        if subnet["AvailabilityZone"] != zone:
            raise Refusal(f"subnet {name} is in {subnet['AvailabilityZone']}, network.subnets says {zone}")
        found[f"subnet/{zone}"] = _found_subnet(zone, name, subnet)
    return found


def _found_subnet(zone: str, name: str, subnet: Mapping[str, Any]) -> Found:
    attributes = {"zone": zone, "cidr": subnet["CidrBlock"], "free_addresses": subnet.get("AvailableIpAddressCount", 0)}
    return Found(f"subnet/{zone}", "subnet", name, subnet["SubnetId"], attributes, facts={"vpc": subnet["VpcId"]})


def find_security_groups(aws: Aws) -> dict[str, Found]:
    """This environment's security groups: by tag, or by name inside the VPC, where a foreign one stands in the way."""
    inside = [{"Name": "vpc-id", "Values": [find_vpc(aws)["vpc"].id]}]
    names = {group_name(aws.config, role): role for role in ROLES}
    groups = [
        group
        for group in aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=inside)
        if aws.step_of(group.get("Tags")) == STEP or group["GroupName"] in names
    ]
    rules = _find_rules(aws, [group["GroupId"] for group in groups])
    found = [_found_group(aws, group, names.get(group["GroupName"], group["GroupName"]), rules) for group in groups]
    order = [f"security-group/{role}" for role in ROLES]
    return {group.key: group for group in sorted(found, key=lambda g: order.index(g.key) if g.key in order else 99)}


@dataclass(frozen=True)
class _FoundRule:
    """A rule with the id by which it is taken back, whatever it says."""

    group: str
    id: str
    direction: str
    rule: Rule


def _find_rules(aws: Aws, groups: list[str]) -> list[_FoundRule]:
    inside = [{"Name": "group-id", "Values": groups}]
    found = aws.pages("ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=inside) if groups else []
    return [_found_rule(rule) for rule in found]


def _found_rule(found: Mapping[str, Any]) -> _FoundRule:
    names = ("CidrIpv4", "CidrIpv6", "PrefixListId")
    source = next((found[name] for name in names if found.get(name)), None) or found["ReferencedGroupInfo"]["GroupId"]
    # A description of an outbound rule is not compared: EC2's own rule has none, and none can be put back.
    why = "" if found["IsEgress"] else found.get("Description") or ""
    rule = _rule(found["FromPort"], found["ToPort"], source, why, found["IpProtocol"])
    return _FoundRule(
        found["GroupId"], found["SecurityGroupRuleId"], "egress" if found["IsEgress"] else "ingress", rule
    )


def _found_group(aws: Aws, group: Mapping[str, Any], role: str, rules: Iterable[_FoundRule]) -> Found:
    own = [found for found in rules if found.group == group["GroupId"] and found.rule != EVERYWHERE_IPV6]
    attributes = {"description": group["Description"], "vpc": group["VpcId"]} | {
        direction: _sorted(found.rule for found in own if found.direction == direction) for direction in DIRECTIONS
    }
    lists = sorted({found.rule["source"] for found in own if found.rule["source"].startswith("pl-")})
    facts = {"rules": tuple(own), "prefix_lists": {name: _ranges(aws, name) for name in lists}}
    step = aws.step_of(group.get("Tags"))
    return Found(
        f"security-group/{role}", "security group", group["GroupName"], group["GroupId"], attributes, step, facts
    )


def _ranges(aws: Aws, prefix_list: str) -> list[str] | None:
    """What a prefix list, which no group of the kit's needs, lets in; None where it may not be read."""
    try:
        return aws.pages("ec2", "get_managed_prefix_list_entries", "Entries[].Cidr", PrefixListId=prefix_list)
    except AwsError:
        return None


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure."""
    return compare(STEP, KINDS, want, have)


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read the groups back, then look for any port that the world can reach and should not."""
    have = observe(aws)
    return read_back(want, have) + Verdicts.of(
        _exposure(found) for found in have.values() if found.kind == "security group"
    )


def _exposure(group: Found) -> Verdict:
    allowed = {80, 443} if group.key == "security-group/load-balancer" else set()
    lists = group.facts["prefix_lists"]
    open_rules = [
        rule for rule in group.attributes["ingress"] if _is_world(lists.get(rule["source"], [rule["source"]]))
    ]
    subject = f"open to the world: {group.name}"
    excess = [rule for rule in open_rules if not any(_is_only(rule, port) for port in allowed)]
    if excess:
        return ng(subject, ", ".join(dict.fromkeys(map(_ports, excess))))
    if None in lists.values():
        return skip(
            subject, "a rule names a prefix list that may not be read: ec2:GetManagedPrefixListEntries is denied"
        )
    return ok(subject, ", ".join(dict.fromkeys(str(rule["from_port"]) for rule in open_rules)) or "nothing")


def _is_world(sources: Iterable[str] | None) -> bool:
    """Whether these sources together are every address: a prefix list may hold the world in halves."""
    ranges = [ip_network(source) for source in sources or () if "/" in source]
    return any(
        joined.prefixlen == 0
        for version in (4, 6)
        for joined in collapse_addresses(one for one in ranges if one.version == version)  # type: ignore[type-var]
    )


def _is_only(rule: Rule, port: int) -> bool:
    return (rule["protocol"], rule["from_port"], rule["to_port"]) == ("tcp", port, port)


def _ports(rule: Rule) -> str:
    if rule["protocol"] == EVERY_PROTOCOL:
        return "every protocol"
    return f"{'ports' if rule['protocol'] == 'tcp' else rule['protocol']} {rule['from_port']}-{rule['to_port']}"


# --- how each kind is written -------------------------------------------------------------------------------

ABSENT = ("InvalidGroup.NotFound",)
THERE = ("InvalidPermission.Duplicate",)
TAKEN_BACK = ("InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound")


def _create_group(resource: Resource) -> list[Call]:
    attributes, own = resource.attributes, Ref(resource.key)
    params = {
        "GroupName": resource.name,
        "Description": attributes["description"],
        "VpcId": attributes["vpc"],
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tag_list(resource.tags)}],
    }
    create = Call("ec2", "create_security_group", params, {"id": "GroupId"})
    return [create, *_send("authorize_security_group_ingress", own, attributes["ingress"])]


def _send(operation: str, group: Id, rules: list[Rule]) -> list[Call]:
    params = {"GroupId": group, "IpPermissions": [_permission(rule) for rule in rules]}
    return [Call("ec2", operation, params, gone=THERE)] if rules else []


def _permission(rule: Rule) -> dict[str, Any]:
    sources = _sources(rule["source"])
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": rule["from_port"],
        "ToPort": rule["to_port"],
        sources: [{SOURCES[sources]: rule["source"]} | ({"Description": rule["why"]} if rule["why"] else {})],
    }


def _sources(source: Id) -> str:
    """Where a permission holds such a source."""
    if isinstance(source, Ref) or source.startswith("sg-"):
        return "UserIdGroupPairs"
    if source.startswith("pl-"):
        return "PrefixListIds"
    return "Ipv6Ranges" if ":" in source else "IpRanges"


def _update_group(resource: Resource, found: Found, _changed: frozenset[str]) -> Iterator[Call]:
    for direction in DIRECTIONS:
        have = [one for one in found.facts["rules"] if one.direction == direction]
        yield from _set_rules(direction, found.id, resource.attributes[direction], have)


def _set_rules(direction: str, group: Id, want: list[Rule], have: list[_FoundRule]) -> Iterator[Call]:
    """First what is missing, last what is too much: what is wanted before and after is never cut off."""
    admits, wanted = [_admits(one.rule) for one in have], [_admits(rule) for rule in want]
    reworded = [rule for rule in want if _admits(rule) in admits and all(rule != one.rule for one in have)]
    excess = [one.id for one in have if _admits(one.rule) not in wanted]
    missing = [rule for rule in want if _admits(rule) not in admits]
    yield from _send(f"authorize_security_group_{direction}", group, missing)
    yield from _send(f"update_security_group_rule_descriptions_{direction}", group, reworded)
    if excess:
        params = {"GroupId": group, "SecurityGroupRuleIds": excess}
        yield Call("ec2", f"revoke_security_group_{direction}", params, gone=TAKEN_BACK)


def _admits(rule: Rule) -> Rule:
    """A rule without its description, which EC2 does not tell rules apart by."""
    return {name: value for name, value in rule.items() if name != "why"}


def _delete_group(found: Found) -> list[Call]:
    # Network interfaces of a load balancer or an instance linger for minutes after it is gone.
    return [Call("ec2", "delete_security_group", {"GroupId": found.id}, gone=ABSENT)]


KINDS: dict[str, Kind] = {
    "security group": Kind(
        "security group", _create_group, _delete_group, _update_group, fixed=frozenset({"description", "vpc"})
    ),
}
