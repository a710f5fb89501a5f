"""80_service: the service behind its load balancer, its scaling, its alarms and its name.

This module contains the ECS service itself and puts the parts of the step together: `slpnb.service.load_balancer`,
`slpnb.service.scaling`, `slpnb.service.alarms` and `slpnb.service.domain`. Waiting for the requested revision is
`slpnb.service.stability`. Source of the rules: Amazon ECS Developer Guide ("Amazon ECS service definition
parameters", "Balancing an Amazon ECS service across Availability Zones"), ECS API Reference
(CreateService, UpdateService) and docs/ecs-facts.md, "Deployments".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from slpnb import cluster, efs, network, task
from slpnb.aws import Aws, batches, observation, same_observation, tag_list
from slpnb.config import Config
from slpnb.ecs.placement import SPREAD_ZONES, TEMPLATES
from slpnb.errors import Refusal
from slpnb.plan import Call, Found, Kind, Observed, Plan, Resource, Wait, Wanted, compare, fields, read_back
from slpnb.plan.values import Ref
from slpnb.service import alarms, domain, health, load_balancer, scaling
from slpnb.verdict import Verdicts

STEP = "80_service"
ABSENT = ("ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException")
SERVICES_AT_ONCE = 10  # DescribeServices takes no more
SERVICE = {
    "scheduling": "schedulingStrategy || 'REPLICA'",
    "controller": "deploymentController.type || 'ECS'",
    "task_definition": "taskDefinition",
    "minimum_healthy_percent": "deploymentConfiguration.minimumHealthyPercent",
    "maximum_percent": "deploymentConfiguration.maximumPercent",
    "circuit_breaker": "deploymentConfiguration.deploymentCircuitBreaker",
    "placement_strategy": "placementStrategy || `[]`",
    "placement_constraints": "placementConstraints || `[]`",
    "zone_rebalancing": "availabilityZoneRebalancing || 'DISABLED'",
    "load_balancer": "loadBalancers || `[]`",
    "health_check_grace_seconds": "healthCheckGracePeriodSeconds || `0`",
    "network": "networkConfiguration.awsvpcConfiguration",
    "propagate_tags": "propagateTags || 'NONE'",
    "managed_tags": "enableECSManagedTags || `false`",
    "ecs_exec": "enableExecuteCommand || `false`",
}
REGISTRATION = {"target_group": "targetGroupArn", "container": "containerName", "port": "containerPort"}
INTERFACES = {
    "subnets": "subnets",
    "security_groups": "securityGroups || `[]`",
    "public_ip": "assignPublicIp || 'DISABLED'",
}


def desired(config: Config) -> Wanted:
    """Load balancer, service, scaling, alarms and DNS alias, in the order in which they can be made. Pure."""
    parts = (load_balancer.desired(config), (_service(config),), scaling.desired(config), alarms.desired(config))
    return (*(resource for part in parts for resource in part), *domain.desired(config))


def _service(config: Config) -> Resource:
    service = config.service
    strategy, constraints = TEMPLATES[service.placement]
    attributes = {
        "name": service.name,
        "cluster": Ref("cluster", step=cluster.STEP),
        "task_definition": Ref("task-definition", "revision", step=task.STEP),
        "scheduling": "REPLICA",
        "controller": "ECS",
        "minimum_healthy_percent": service.minimum_healthy_percent,
        "maximum_percent": service.maximum_percent,
        "circuit_breaker": {"enable": service.circuit_breaker, "rollback": service.circuit_breaker},
        "placement_strategy": [dict(rule) for rule in strategy],
        "placement_constraints": [dict(rule) for rule in constraints],
        "zone_rebalancing": "ENABLED" if rebalances(config) else "DISABLED",
        "health_check_grace_seconds": service.health_check_grace_seconds,
        "load_balancer": [_registers(config)],
        "network": interfaces(config),
        "propagate_tags": "SERVICE",
        "managed_tags": True,
        "ecs_exec": service.ecs_exec,
    }
    reason = "has no launch type, so it uses the cluster's capacity provider, which makes the group grow"
    tags, once = config.tags(STEP, service.name), {"desired_tasks": service.desired_tasks}
    return Resource("service", "service", service.name, attributes, reason, tags, once)


def _registers(config: Config) -> dict[str, Any]:
    task = config.task
    return {"target_group": Ref("target-group"), "container": task.container_name, "port": task.container_port}


def interfaces(config: Config) -> dict[str, Any] | None:
    """Where the tasks' own interfaces go; on EC2 they never get a public address. None but in awsvpc mode."""
    if config.task.network_mode != "awsvpc":
        return None
    return {
        "subnets": [Ref(f"subnet/{zone}") for zone in config.zones],
        "security_groups": [Ref("security-group/tasks", step=network.STEP)],
        "public_ip": "DISABLED",
    }


def rebalances(config: Config) -> bool:
    """Whether ECS can rebalance this service over the zones.

    Not with a maximum of 100 %, nor when the first placement strategy is another than the spread
    over zones ("Balancing an Amazon ECS service across Availability Zones").
    """
    strategy, _ = TEMPLATES[config.service.placement]
    return config.service.maximum_percent > 100 and (not strategy or strategy[0] == SPREAD_ZONES)


# --- what AWS holds -----------------------------------------------------------------------------------------


@observation
def observe(aws: Aws) -> Observed:
    """What AWS holds of this step, in the order in which it is made, and what it refers to.

    Raises `Refusal` when certificate, hosted zone or topic is missing before anything was made
    for them; afterwards what was made can still be seen and destroyed without them.
    """
    ways_in = load_balancer.observe(aws)
    balancer = ways_in.get("load-balancer")
    foreign = _foreign(aws, needed=balancer is None or balancer.step != STEP)
    earlier = {**network.find_vpc(aws), **network.find_subnets(aws), **network.find_security_groups(aws)}
    earlier |= {**cluster.find_cluster(aws), **_only("task-definition", task.find_definitions(aws))}
    earlier |= _only("file-system", efs.observe(aws) if aws.config.service.alarms else {})  # two alarms watch it
    own = {**ways_in, **_find_service(aws, earlier)}
    own |= domain.observe(aws, balancer, foreign.get("hosted-zone"))
    own |= scaling.observe(aws, own["service"].step if "service" in own else STEP)
    return {**foreign, **earlier, **own, **alarms.observe(aws, {**earlier, **own})}


def _foreign(aws: Aws, needed: bool) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for find in (domain.find_certificate, domain.find_hosted_zone, alarms.find_topic):
        try:
            found |= find(aws)
        except Refusal:
            if needed:
                raise
    return found


def _only(key: str, found: Observed) -> dict[str, Found]:
    return {key: found[key]} if key in found else {}


def _find_service(aws: Aws, earlier: Mapping[str, Found]) -> dict[str, Found]:
    """The service that this step made, by its tags, else whatever has its name in this cluster."""
    alive = [one for one in _described(aws) if one["status"] != "INACTIVE"]
    steps = {one["serviceArn"]: aws.step_of(one.get("tags")) for one in alive}
    picked = load_balancer.pick(alive, steps, "service", aws.config.service.name)
    return {"service": _found(*picked, earlier)} if picked else {}


def _described(aws: Aws) -> Iterator[dict[str, Any]]:
    own = {"cluster": aws.config.cluster.name, "absent": ABSENT}
    for arns in batches(aws.pages("ecs", "list_services", "serviceArns", **own), SERVICES_AT_ONCE):
        yield from aws.pages("ecs", "describe_services", "services", services=arns, include=["TAGS"], **own)


def _found(service: Mapping[str, Any], step: str, earlier: Mapping[str, Found]) -> Found:
    name, arn, network = service["serviceName"], service["serviceArn"], service.get("networkConfiguration", {})
    found = fields.read(SERVICE, service)
    attributes = found | {
        "name": name,
        "cluster": service["clusterArn"],
        "task_definition": found["task_definition"].rpartition("/")[2],
        "circuit_breaker": {key: (found["circuit_breaker"] or {}).get(key, False) for key in ("enable", "rollback")},
        "placement_strategy": [_plain_rule(rule) for rule in found["placement_strategy"]],
        "load_balancer": [fields.read(REGISTRATION, one) for one in found["load_balancer"]],
        "network": _found_network(network.get("awsvpcConfiguration"), earlier),
    }
    return Found("service", "service", name, arn, attributes, step, {"status": service["status"], "described": service})


def _plain_rule(rule: Mapping[str, str]) -> dict[str, str]:
    """A placement rule as the console's templates write it: AWS answers MEMORY and host for memory and instanceId."""
    words = {"MEMORY": "memory", "CPU": "cpu", "host": "instanceId"}
    return {key: words.get(value, value) for key, value in rule.items()}


def _found_network(settings: Mapping[str, Any] | None, earlier: Mapping[str, Found]) -> dict[str, Any] | None:
    if not settings:
        return None
    order = [found.id for found in earlier.values() if found.kind == "subnet"]
    found = fields.read(INTERFACES, settings)
    known = sorted(found["subnets"], key=lambda one: (order.index(one) if one in order else len(order), one))
    return found | {"subnets": known, "security_groups": sorted(found["security_groups"])}


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure. Raises `Refusal` on a name that is someone else's."""
    keys = {resource.key for resource in want}
    service = have.get("service")
    records = [have[key] for key in sorted(keys) if key.startswith("dns-alias") and key in have]
    if service is not None and "service" in keys and service.facts["status"] == "DRAINING":
        raise Refusal(f"service {service.name} is still DRAINING: its last tasks are ending; run again when it is gone")
    for record in (one for one in records if one.step != STEP):
        raise Refusal(
            f"{record.name} has {'an' if record.attributes['type'] == 'A' else 'a'} {record.attributes['type']} record "
            "that does not lead to the kit's load balancer: it is someone else's and is left alone; "
            "choose another service.host_name, or delete the record by hand"
        )
    return compare(STEP, KINDS, want, have)


def part(plan: Plan, *keys: str) -> Plan:
    """The same plan with the changes of these resources alone, to look at. Pure."""
    return replace(plan, changes=tuple(change for change in plan.changes if change.key in keys))


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read everything back, then ask what a visitor would: name, certificate, ports, healthy targets, the revision."""
    have = observe(aws)
    return read_back(want, have) + health.check(aws, have)


# --- how the service is written -----------------------------------------------------------------------------


def _create(resource: Resource) -> list[Call]:
    params = {
        "cluster": resource.attributes["cluster"],
        "serviceName": resource.name,
        "desiredCount": resource.once["desired_tasks"],
        **_settings(resource.attributes),
        "tags": tag_list(resource.tags, "key", "value"),
    }
    return [Call("ecs", "create_service", params, {"id": "service.serviceArn"})]


def _update(resource: Resource, found: Found, changed: frozenset[str]) -> list[Call]:
    own = {"cluster": found.attributes["cluster"], "service": found.name}
    # Only what differs: naming the load balancer starts a new deployment.
    return [Call("ecs", "update_service", {**own, **_settings(resource.attributes, changed)})]


def _settings(attributes: Mapping[str, Any], changed: frozenset[str] | None = None) -> dict[str, Any]:
    """The parameters, the same in CreateService and UpdateService, that hold the changed attributes."""
    registered = [fields.write(REGISTRATION, one) for one in attributes["load_balancer"]]
    interfaces = attributes["network"] and fields.write(INTERFACES, attributes["network"])
    return fields.write(SERVICE, {**attributes, "load_balancer": registered, "network": interfaces}, changed)


def _delete(found: Found) -> list[Call]:
    own = {"cluster": found.attributes["cluster"], "service": found.name}
    question = {"cluster": own["cluster"], "services": [found.name]}
    # Targets are drained before tasks are stopped: with ELB's longest delay that alone takes an hour.
    drained = Wait("describe_services", question, "services[0].status || 'INACTIVE'", "INACTIVE", timeout_seconds=7200)
    return [
        Call("ecs", "update_service", {**own, "desiredCount": 0}, gone=ABSENT),
        Call("ecs", "delete_service", {**own, "force": True}, wait=drained, gone=ABSENT),
    ]


KINDS: dict[str, Kind] = {
    **load_balancer.KINDS,
    "service": Kind(
        "ECS service", _create, _delete, _update, fixed=frozenset({"name", "cluster", "scheduling", "controller"})
    ),
    **scaling.KINDS,
    **alarms.KINDS,
    **domain.KINDS,
}
