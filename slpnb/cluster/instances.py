"""The container instances of the cluster: what each registers, what it should register, and why one may be missing.

Source of the rules: docs/ecs-facts.md, "Registered memory", Amazon ECS Developer Guide
("Amazon ECS container instances", "Amazon ECS interface VPC endpoints", "Increasing Amazon ECS
Linux container instance network interfaces").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from slpnb import catalog, network
from slpnb.aws import Aws, batches
from slpnb.config import Config
from slpnb.ecs.resources import ATTRIBUTE_TRUNK
from slpnb.plan import Found, Observed
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip, warn

CAUSES = (
    "no route to ECS (public address, route, NAT), an instance profile without the ECS policy, "
    "another cluster's name in its user data, or an AMI without the ECS agent"
)
# What an instance without a route to the internet needs: the agent's three, ECR's two, and the logs ("Amazon ECS
# interface VPC endpoints"); image layers come from S3, through a gateway endpoint of the route table.
ENDPOINTS = ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "s3")
TRUNKING = "awsvpcTrunking"
NOT_TOLD = ("AccessDeniedException", "ClientException")
# An account-wide change, in this Region, of which every cluster hears: the company's to make, so the kit only says it.
OPT_IN = (
    "the caller's own setting does not count; to opt in for every role of the account in this Region: "
    f"aws ecs put-account-setting-default --name {TRUNKING} --value enabled"
)
ASK = "50_cluster looks at the instances instead"
BATCH = 100  # DescribeContainerInstances takes no more at once
WAIT_SECONDS, LOOK_SECONDS = 300, 10


@dataclass(frozen=True, order=True)
class Registered:
    """A container instance as ECS holds it: amounts are what it registered, MiB and CPU units."""

    zone: str
    type_name: str
    memory_mib: int
    cpu_units: int
    architecture: str
    status: str
    connected: bool
    ec2_id: str
    arn: str
    trunk: bool = False


def find(aws: Aws) -> list[Registered]:
    """The container instances of the cluster, sorted by zone and type; none when there is no such cluster."""
    return sorted(map(_registered, described(aws, aws.config.cluster.name)))


def described(aws: Aws, cluster: str) -> Iterator[dict[str, Any]]:
    """The container instances of a cluster as ECS describes them; none when there is no such cluster."""
    own = {"cluster": cluster, "absent": ("ClusterNotFoundException",)}
    for arns in batches(aws.pages("ecs", "list_container_instances", "containerInstanceArns", **own), BATCH):
        question = {"containerInstances": arns, **own}
        yield from aws.pages("ecs", "describe_container_instances", "containerInstances", **question)


def amounts(resources: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How much of each resource, such as MEMORY in MiB, ECS says. Pure."""
    return {one["name"]: one.get("integerValue", 0) for one in resources}


def ecs_attributes(instance: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a container instance, such as ecs.instance-type. Pure."""
    return {one["name"]: one.get("value", "") for one in instance.get("attributes", [])}


def _registered(item: Mapping[str, Any]) -> Registered:
    registered, attributes = amounts(item["registeredResources"]), ecs_attributes(item)
    return Registered(
        zone=attributes.get("ecs.availability-zone", ""),
        type_name=attributes.get("ecs.instance-type", ""),
        memory_mib=registered.get("MEMORY", 0),
        cpu_units=registered.get("CPU", 0),
        architecture=attributes.get("ecs.cpu-architecture", ""),
        status=item["status"],
        connected=bool(item.get("agentConnected")),
        ec2_id=item.get("ec2InstanceId", ""),
        arn=item["containerInstanceArn"],
        trunk=ATTRIBUTE_TRUNK in attributes,
    )


def as_found(aws: Aws, step: str) -> dict[str, Found]:
    """The cluster's container instances by number, so that plans and commands name them without their ids."""
    cluster = aws.config.cluster.name
    numbered = (_as_found(number, one, cluster, step) for number, one in enumerate(find(aws), 1))
    return {found.key: found for found in numbered}


def _as_found(number: int, one: Registered, cluster: str, step: str) -> Found:
    facts = {"cluster": cluster, "instance_id": one.ec2_id}
    key, name = f"container-instance/{number}", f"{number} in {one.zone}"
    return Found(key, "container instance", name, one.arn, {}, step, facts)


def table(registered: Sequence[Registered], reserved_mib: int) -> pd.DataFrame:
    """The instances as a table (index: 1, 2, ...), without ids: what each registers, and what its type should. Pure."""
    rows = [
        {
            "zone": one.zone,
            "type": one.type_name,
            "registers_mib": one.memory_mib,
            "expected_at_least_mib": expected_mib(one.type_name, reserved_mib),
            "cpu_units": one.cpu_units,
            "architecture": one.architecture,
            "status": one.status,
        }
        for one in registered
    ]
    columns = ["zone", "type", "registers_mib", "expected_at_least_mib", "cpu_units", "architecture", "status"]
    index = pd.Index(range(1, len(rows) + 1), name="instance")
    return pd.DataFrame(rows, columns=columns, index=index)


def expected_mib(type_name: str, reserved_mib: int) -> int:
    """MiB that an instance of a type registers at least, less ECS_RESERVED_MEMORY. Pure."""
    return catalog.registered_memory(type_name).at_least_mib - reserved_mib


# --- after the fact -----------------------------------------------------------------------------------------


def settle(aws: Aws, group: str) -> list[Registered]:
    """The registered instances, once every instance in service has registered or five minutes have passed.

    A run that was stopped while it waited has nothing left to write, and comes here.
    """
    waited = 0
    registered = find(aws)
    while waited < WAIT_SECONDS and _missing(in_service(aws, group), registered):
        aws.wait(LOOK_SECONDS)
        waited += LOOK_SECONDS
        registered = find(aws)
    return registered


def in_service(aws: Aws, group: str) -> dict[str, str]:
    """The zone of each instance that the Auto Scaling group holds in service, by id."""
    groups = aws.pages(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[group]
    )
    items = (item for found in groups for item in found["Instances"] if item["LifecycleState"] == "InService")
    return {item["InstanceId"]: item["AvailabilityZone"] for item in items}


def _missing(running: Iterable[str], registered: Iterable[Registered]) -> set[str]:
    return set(running) - {one.ec2_id for one in registered if one.status == "ACTIVE"}


def check(aws: Aws, group: str, registered: Sequence[Registered]) -> Verdicts:
    """One verdict per instance, one for each that never registered, and one for the number of them."""
    running = in_service(aws, group)
    return judge(aws.config, registered, running, _activity(aws, group, len(running)))


def _activity(aws: Aws, group: str, running: int) -> str:
    """Why the group has fewer instances than its minimum, in EC2 Auto Scaling's words; empty when it has enough."""
    if running >= aws.config.cluster.min_instances:
        return ""
    activities = aws.pages(
        "autoscaling",
        "describe_scaling_activities",
        "Activities",
        AutoScalingGroupName=group,
        absent=("ValidationError",),
    )
    return next((item.get("StatusMessage", "") for item in activities if item["StatusCode"] == "Failed"), "")


def judge(config: Config, registered: Sequence[Registered], running: Mapping[str, str], activity: str = "") -> Verdicts:
    """The verdicts of `check`, from facts. Pure."""
    each = (_judge_one(config, number, one) for number, one in enumerate(registered, 1))
    return Verdicts((_count(config, len(running), activity), *each)) + unregistered(running, registered)


def unregistered(running: Mapping[str, str], registered: Sequence[Registered]) -> Verdicts:
    """One failed verdict for each instance in service (its zone by its id) that ECS does not know of. Pure."""
    missing = sorted(running[instance] for instance in _missing(running, registered))
    why = f"in service, but not an ACTIVE container instance: {CAUSES}"
    return Verdicts.of(ng(f"instance in {zone}", why) for zone in missing)


def _count(config: Config, running: int, activity: str) -> Verdict:
    wanted, subject = config.cluster.min_instances, "instances in service"
    if running >= wanted:
        return ok(subject, f"{running}, at least {wanted} wanted")
    return ng(subject, f"{running} of {wanted}: {activity or 'the scaling activities of the group say why'}")


def _judge_one(config: Config, number: int, one: Registered) -> Verdict:
    subject = f"instance {number}, {one.type_name} in {one.zone}"
    least = expected_mib(one.type_name, config.cluster.reserved_memory_mib)
    units = catalog.instance_type(one.type_name).cpu_units
    if one.status != "ACTIVE" or not one.connected:
        agent = "connected" if one.connected else "not connected"
        return ng(subject, f"{one.status}, its agent is {agent}: no task is placed on it")
    if one.memory_mib < least or one.cpu_units < units:
        seen = f"registers {one.memory_mib} MiB and {one.cpu_units} CPU units"
        return ng(subject, f"{seen}, its type should register at least {least} MiB and {units}")
    if one.architecture != config.task.architecture:
        return ng(subject, f"is {one.architecture}, the task definition asks for {config.task.architecture}")
    if config.cluster.awsvpc_trunking and not one.trunk:
        return ng(subject, f"has no trunk interface: launched before its role opted in to {TRUNKING}; replace it")
    return ok(subject, f"ACTIVE, {one.architecture}, registers {one.memory_mib} MiB (at least {least} expected)")


# --- before anything is made --------------------------------------------------------------------------------


def find_routes(aws: Aws) -> dict[str, Found]:
    """For each zone in the parameters, where its subnet's default route leads, and which endpoints it reaches."""
    subnets = network.find_subnets(aws)
    vpc = [{"Name": "vpc-id", "Values": [network.find_vpc(aws)["vpc"].id]}]
    tables = aws.pages("ec2", "describe_route_tables", "RouteTables", Filters=vpc)
    endpoints = aws.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=vpc)
    return {f"routes/{subnet.name}": _found_routes(subnet, tables, endpoints) for subnet in subnets.values()}


def _found_routes(subnet: Found, tables: Iterable[Mapping[str, Any]], endpoints: Iterable[Mapping[str, Any]]) -> Found:
    own = _table_of(subnet.id, list(tables))
    services = sorted(_service(item) for item in endpoints if _serves(item, own.get("RouteTableId", "")))
    attributes = {"default": _default_route(own.get("Routes", [])), "endpoints": services}
    identifier = own.get("RouteTableId", f"routes of {subnet.name}")
    return Found(f"routes/{subnet.name}", "route table", subnet.name, identifier, attributes)


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The subnet's own route table, else the VPC's main one ("Subnet route tables")."""
    main: Mapping[str, Any] = {}
    for one in tables:
        for association in one.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return one
            main = one if association.get("Main") else main
    return main


def _default_route(routes: Iterable[Mapping[str, Any]]) -> str:
    for route in routes:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            target = str(route.get("GatewayId", ""))
            return "internet gateway" if target.startswith("igw-") else _other_target(route)
    return "none"


def _other_target(route: Mapping[str, Any]) -> str:
    return "NAT gateway" if route.get("NatGatewayId") else "another device"


def _service(endpoint: Mapping[str, Any]) -> str:
    """com.amazonaws.us-east-1.ecr.dkr -> ecr.dkr."""
    return str(endpoint["ServiceName"]).split(".", 3)[-1]


def _serves(endpoint: Mapping[str, Any], route_table: str) -> bool:
    """A gateway endpoint serves the route tables that name it; an interface endpoint with private DNS the whole VPC."""
    if endpoint.get("VpcEndpointType") == "Gateway":
        return route_table in endpoint.get("RouteTableIds", [])
    return bool(endpoint.get("PrivateDnsEnabled"))


def find_trunking(aws: Aws, role: Found | None) -> dict[str, Found]:
    """Whether the instance role may have trunks: its effective setting, whatever the caller's is.

    A role that is not there yet will have the account's default, which is the root user's. ``value`` is None
    where AWS does not tell: another principal's setting is the root user's to read (docs/ecs-facts.md).
    """
    principal = role.facts["arn"] if role else f"arn:{aws.caller['Arn'].split(':')[1]}:iam::{aws.account_id}:root"
    question = {"name": TRUNKING, "effectiveSettings": True, "principalArn": principal}
    settings = aws.pages("ecs", "list_account_settings", "settings", absent=NOT_TOLD, **question)
    key, value = f"account-setting/{TRUNKING}", next((item["value"] for item in settings), None)
    return {key: Found(key, "account setting", TRUNKING, key, {"value": value})}


def reachable(config: Config, have: Observed) -> Verdicts:
    """Whether an instance in each subnet could reach ECS and ECR: without that it never registers. Pure."""
    return Verdicts.of(
        _reachable_from(config, have, zone, name) for zone, name in sorted(config.network.subnets.items())
    )


def _reachable_from(config: Config, have: Observed, zone: str, subnet: str) -> Verdict:
    subject, routes = f"route to ECS from {zone}", have.get(f"routes/{subnet}")
    if routes is None:
        return ng(subject, f"the routes of {subnet} are not known")
    default, endpoints = routes.attributes["default"], routes.attributes["endpoints"]
    missing = [name for name in ENDPOINTS if name not in endpoints]
    if not missing:
        return ok(subject, "VPC endpoints for ECS, ECR, S3, logs and secrets")
    if default == "internet gateway":
        return _through_the_gateway(config, subject)
    if default == "none":
        return ng(subject, f"{subnet} has no default route, and no VPC endpoints for {', '.join(missing)}")
    return ok(subject, f"the default route leads to a {default}" if default == "NAT gateway" else f"through {default}")


def _through_the_gateway(config: Config, subject: str) -> Verdict:
    if not config.cluster.public_ip:
        return ng(
            subject, "the route leads to an internet gateway, but cluster.public_ip is false: no address to use it with"
        )
    if config.task.network_mode == "awsvpc":
        why = "but awsvpc tasks get none: WordPress itself cannot leave the VPC without NAT"
        return warn(subject, f"instances have a public address and an internet gateway, {why}")
    return ok(subject, "public address and a route to an internet gateway")


def suitable(config: Config, have: Observed) -> Verdicts:
    """Whether instances of the type could start from the AMI in each zone, and carry the tasks' interfaces. Pure."""
    return Verdicts.of(_suitable(config, have))


def _suitable(config: Config, have: Observed) -> Iterator[Verdict]:
    facts = catalog.instance_type(config.cluster.instance_type)
    ami = have.get("ami")
    yield _starts(facts, ami.attributes["architecture"] if ami else "")
    if config.cluster.awsvpc_trunking:
        yield _trunks(facts, have)


def _starts(facts: catalog.InstanceType, architecture: str) -> Verdict:
    subject = f"{facts.name} starts from the AMI"
    if not architecture:
        return skip(subject, "the AMI's architecture is not known")
    if architecture != facts.architecture:
        return ng(subject, f"the AMI is {architecture}, the type {facts.architecture}: no instance would start")
    return ok(subject, f"both are {architecture}")


def _trunks(facts: catalog.InstanceType, have: Observed) -> Verdict:
    subject, found = "ENI trunking", have.get(f"account-setting/{TRUNKING}")
    if not facts.trunking_compatible:
        return ng(subject, f"{facts.name} does not support it")
    value = found.attributes["value"] if found else "disabled"
    if value is None:
        return skip(subject, f"AWS tells only the root user the setting of the instance role; {ASK}")
    if value not in ("enabled", "on"):
        return ng(subject, f"cluster.awsvpc_trunking is true, but {TRUNKING} is {value} for its role; {OPT_IN}")
    return ok(subject, f"on for the instance role, {facts.branch_interfaces} branch interfaces per instance")
