"""What ECS refuses, with its own messages and error codes.

Sources: Amazon ECS API reference (the errors of each operation) and Developer Guide, "API
failures messages"; texts as issues of public tools quote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slpnb.ecs import cluster_query
from slpnb.errors import ParameterError
from slpnb.local.base.refusal import Refusal
from slpnb.local.corrections.elbv2 import TargetGroup
from slpnb.local.corrections.iam import ECS, identities


def invalid(message: str) -> Refusal:
    """InvalidParameterException: what most refusals are."""
    return Refusal("InvalidParameterException", message)


def unsupported(what: str) -> Refusal:
    """What ECS can do and the embedded AWS does not simulate: reported, not faked."""
    return Refusal("UnsupportedFeatureException", f"{what} is not simulated by the embedded AWS (slpnb.local.ecs)")


def check_linked() -> None:
    """ECS acts by its service-linked role, which its first use makes, too late for that first use."""
    if not identities().serves(ECS):
        why = "Unable to assume the service linked role."
        raise invalid(f"{why} Please verify that the ECS service linked role exists.")


def check_launch(request: Mapping[str, Any]) -> None:
    """launchType and a strategy exclude each other; only EC2 is simulated."""
    if request.get("launchType") and request.get("capacityProviderStrategy"):
        raise invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    if request.get("launchType") not in (None, "EC2"):
        raise unsupported(f"launch type {request['launchType']}")


def check_kind(request: Mapping[str, Any]) -> None:
    """Replica services under ECS's own rolling updates are what the scheduler models."""
    if request.get("schedulingStrategy") not in (None, "REPLICA"):
        raise unsupported(f"scheduling strategy {request['schedulingStrategy']}")
    controller = (request.get("deploymentController") or {}).get("type", "ECS")
    strategy = (request.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
    if (controller, strategy) != ("ECS", "ROLLING"):
        raise unsupported(f"deployment controller {controller} with strategy {strategy}")


def check_count(request: Mapping[str, Any]) -> None:
    """A service wants no fewer than 0 tasks."""
    if (request.get("desiredCount") or 0) < 0:
        raise invalid("desiredCount cannot be negative.")


def check_constraints(request: Mapping[str, Any]) -> None:
    """Each expression of the placement constraints is one of the cluster query language."""
    for rule in request.get("placementConstraints") or ():
        try:
            if rule["type"] == "memberOf":
                cluster_query.parse(rule.get("expression") or "")
        except ParameterError as error:
            raise invalid(f"Invalid expression: {error}") from error


def check_network(request: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """awsvpc tasks need subnets; others must not have them."""
    given = bool(request.get("networkConfiguration"))
    if definition["networkMode"] == "awsvpc" and not given:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if definition["networkMode"] != "awsvpc" and given:
        raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")


def check_load_balancers(
    request: Mapping[str, Any], definition: Mapping[str, Any], groups: Mapping[str, TargetGroup]
) -> None:
    """Each target group exists, is behind a load balancer, and speaks to a port that the container has."""
    if request.get("healthCheckGracePeriodSeconds") is not None and not request.get("loadBalancers"):
        raise invalid("Health check grace period is only valid for services configured to use load balancers")
    for balancer in request.get("loadBalancers") or ():
        _check_container(balancer, definition)
        arn = balancer.get("targetGroupArn")
        if arn not in groups:
            raise invalid(f"Unable to find the target group {arn}")
        if not groups[arn].load_balancer_arns:
            raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
        _check_target_type(arn, groups[arn].target_type, definition["networkMode"])


def _check_container(balancer: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    name, port = balancer.get("containerName"), balancer.get("containerPort")
    containers = {one["name"]: one for one in definition["containerDefinitions"]}
    if name not in containers:
        raise invalid(f"The container {name} does not exist in the task definition.")
    if port not in {mapping.get("containerPort") for mapping in containers[name].get("portMappings", ())}:
        raise invalid(f"The container {name} did not have a container port {port} defined.")


def _check_target_type(arn: str, target_type: str, mode: str) -> None:
    if (target_type == "ip") != (mode == "awsvpc"):
        raise invalid(
            f"The provided target group {arn} has target type {target_type}, which is incompatible "
            f"with the {mode} network mode specified in the task definition."
        )


def check_percents(configuration: Mapping[str, Any]) -> None:
    """0/100 is allowed, 100/100 is allowed (and blocks every deployment); a maximum below 100 is not."""
    low, high = configuration["minimumHealthyPercent"], configuration["maximumPercent"]
    if high < 100 or low < 0:
        raise invalid("maximumPercent must be at least 100 and minimumHealthyPercent must be at least 0.")
    if low > 100:
        raise invalid("minimumHealthyPercent cannot exceed 100.")


def check_rebalancing(request: Mapping[str, Any], compatible: bool) -> None:
    """Availability Zone rebalancing asked for where it cannot be."""
    if request.get("availabilityZoneRebalancing") == "ENABLED" and not compatible:
        raise invalid(
            "Availability Zone rebalancing needs a maximumPercent above 100, and Availability Zone spread as the "
            "first placement strategy or none."
        )
