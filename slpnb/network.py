"""20_network: the existing VPC, and the security groups of load balancer, instances, tasks and EFS.

Rules name the group that traffic comes from, never an address range, except for the load
balancer's ports and one optional SSH address. Source: Amazon VPC User Guide ("Security group
rules"), Amazon ECS Developer Guide ("Dynamic host port mapping"), docs/ecs-facts.md, "EFS".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from slpnb.aws import Aws, observation, same_observation, tag_list, tag_map
from slpnb.config import Config
from slpnb.ecs.resources import EPHEMERAL_PORTS
from slpnb.errors import Refusal
from slpnb.plan import Call, Found, Id, Kind, Observed, Plan, Resource, Wanted, compare, read_back
from slpnb.plan.values import Ref
from slpnb.verdict import Verdict, Verdicts, ng, ok

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


def carries_tcp(rule: Rule) -> bool:
    """Whether a rule admits TCP on its ports. Pure."""
    return rule["protocol"] in ("tcp", EVERY_PROTOCOL)


def _sorted(rules: Iterator[Rule] | list[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: (rule["from_port"], rule["to_port"], str(rule["source"])))


@observation
def observe(aws: Aws) -> Observed:
    """The VPC and subnets in the parameters, and this environment's security groups."""
    return {**find_vpc(aws), **find_subnets(aws), **find_security_groups(aws)}


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
    found = [
        _found_group(aws, group, names.get(group["GroupName"], group["GroupName"]))
        for group in aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=inside)
        if aws.step_of(group.get("Tags")) == STEP or group["GroupName"] in names
    ]
    order = [f"security-group/{role}" for role in ROLES]
    return {group.key: group for group in sorted(found, key=lambda g: order.index(g.key) if g.key in order else 99)}


def _found_group(aws: Aws, group: Mapping[str, Any], role: str) -> Found:
    rules = [rule for permission in group["IpPermissions"] for rule in _found_rules(permission)]
    attributes = {"description": group["Description"], "vpc": group["VpcId"], "ingress": _sorted(rules)}
    step = aws.step_of(group.get("Tags"))
    return Found(f"security-group/{role}", "security group", group["GroupName"], group["GroupId"], attributes, step)


def _found_rules(permission: Mapping[str, Any]) -> Iterator[Rule]:
    ports = permission.get("FromPort", 0), permission.get("ToPort", 65535)
    for sources, name in SOURCES.items():
        for one in permission.get(sources, []):
            yield _rule(*ports, one[name], one.get("Description", ""), permission["IpProtocol"])


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
    open_rules = [rule for rule in group.attributes["ingress"] if rule["source"] in WORLD]
    subject = f"open to the world: {group.name}"
    excess = [rule for rule in open_rules if not any(_is_only(rule, port) for port in allowed)]
    if excess:
        return ng(subject, ", ".join(dict.fromkeys(map(_ports, excess))))
    return ok(subject, ", ".join(dict.fromkeys(str(rule["from_port"]) for rule in open_rules)) or "nothing")


def _is_only(rule: Rule, port: int) -> bool:
    return (rule["protocol"], rule["from_port"], rule["to_port"]) == ("tcp", port, port)


def _ports(rule: Rule) -> str:
    if rule["protocol"] == EVERY_PROTOCOL:
        return "every protocol"
    return f"{'ports' if rule['protocol'] == 'tcp' else rule['protocol']} {rule['from_port']}-{rule['to_port']}"


# --- how each kind is written -------------------------------------------------------------------------------

ABSENT = ("InvalidGroup.NotFound",)
SEEN = ("InvalidPermission.Duplicate", "InvalidPermission.NotFound")


def _create_group(resource: Resource) -> list[Call]:
    attributes, own = resource.attributes, Ref(resource.key)
    params = {
        "GroupName": resource.name,
        "Description": attributes["description"],
        "VpcId": attributes["vpc"],
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tag_list(resource.tags)}],
    }
    create = Call("ec2", "create_security_group", params, {"id": "GroupId"})
    return [create, *_authorize(own, attributes["ingress"])]


def _authorize(group: Id, rules: list[Rule]) -> list[Call]:
    permissions = [_permission(rule) for rule in rules]
    params = {"GroupId": group, "IpPermissions": permissions}
    return [Call("ec2", "authorize_security_group_ingress", params, gone=SEEN)] if rules else []


def _permission(rule: Rule) -> dict[str, Any]:
    sources = _sources(rule["source"])
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": rule["from_port"],  # EC2 ignores the ports where the protocol has none
        "ToPort": rule["to_port"],
        sources: [{SOURCES[sources]: rule["source"], "Description": rule["why"]}],
    }


def _sources(source: Id) -> str:
    """Where a permission holds such a source."""
    if isinstance(source, Ref) or source.startswith("sg-"):
        return "UserIdGroupPairs"
    if source.startswith("pl-"):
        return "PrefixListIds"
    return "Ipv6Ranges" if ":" in source else "IpRanges"


def _update_group(resource: Resource, found: Found, _changed: frozenset[str]) -> list[Call]:
    want, have = resource.attributes["ingress"], found.attributes["ingress"]
    excess = [rule for rule in have if rule not in want]
    # First remove what is too much: a rule whose description alone changed would be refused as a duplicate.
    params = {"GroupId": found.id, "IpPermissions": [_permission(rule) for rule in excess]}
    revoke = [Call("ec2", "revoke_security_group_ingress", params, gone=SEEN)] if excess else []
    return revoke + _authorize(found.id, [rule for rule in want if rule not in have])


def _delete_group(found: Found) -> list[Call]:
    # Network interfaces of a load balancer or an instance linger for minutes after it is gone.
    return [Call("ec2", "delete_security_group", {"GroupId": found.id}, gone=ABSENT, retry=("DependencyViolation",))]


KINDS: dict[str, Kind] = {
    "security group": Kind(
        "security group", _create_group, _delete_group, _update_group, fixed=frozenset({"description", "vpc"})
    ),
}
