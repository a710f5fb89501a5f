"""What CreateService, UpdateService and RunTask say: with ECS's defaults, and as the scheduler's fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slpnb.ecs.scheduler.state import Breaker, Placement, Share, TargetGroup
from slpnb.local.corrections import elbv2
from slpnb.local.ecs import refusals

PERCENTS = {"maximumPercent": 200, "minimumHealthyPercent": 100}
# What makes UpdateService begin a deployment, besides forceNewDeployment and the task definition.
DEPLOYS: tuple[str, ...] = ("networkConfiguration", "loadBalancers", "capacityProviderStrategy", "serviceRegistries")
DEPLOYS += ("enableExecuteCommand", "enableECSManagedTags", "propagateTags", "platformVersion", "volumeConfigurations")
KEPT: tuple[str, ...] = ("desiredCount", "healthCheckGracePeriodSeconds", "placementStrategy", "placementConstraints")
KEPT += ("availabilityZoneRebalancing", *DEPLOYS)


def complete(request: Mapping[str, Any], strategy: list[dict[str, Any]]) -> dict[str, Any]:
    """A CreateService request with the defaults that ECS fills in; ``strategy`` is the one that holds for it."""
    done = {
        **request,
        "deploymentConfiguration": configuration(request.get("deploymentConfiguration") or {}, {}),
        "capacityProviderStrategy": strategy,
        "launchType": launch_type(strategy),
        "desiredCount": request.get("desiredCount") or 0,
    }
    compatible = _can_rebalance(done)
    refusals.check_rebalancing(request, compatible)
    default = "ENABLED" if compatible else "DISABLED"
    done["availabilityZoneRebalancing"] = request.get("availabilityZoneRebalancing") or default
    return done


def changed(request: Mapping[str, Any]) -> dict[str, Any]:
    """What an UpdateService request says about the service itself."""
    return {name: request[name] for name in KEPT if request.get(name) is not None}


def begins_deployment(request: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether an UpdateService request begins a deployment of a service that was asked for with ``before``."""
    asked = changed(request)
    return bool(request.get("forceNewDeployment")) or any(
        name in asked and asked[name] != before.get(name) for name in DEPLOYS
    )


def launch_type(strategy: list[dict[str, Any]]) -> str | None:
    """EC2 where no capacity provider strategy holds."""
    return None if strategy else "EC2"


def configuration(given: Mapping[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """deploymentConfiguration as ECS returns it: with its defaults."""
    breaker = {"enable": False, "rollback": False}
    done = {"deploymentCircuitBreaker": breaker, **PERCENTS, "strategy": "ROLLING", "bakeTimeInMinutes": 0}
    done |= before | {name: value for name, value in given.items() if value is not None}
    refusals.check_percents(done)
    return done


def fields(request: Mapping[str, Any], groups: Mapping[str, elbv2.TargetGroup]) -> dict[str, Any]:
    """A complete request as the fields of the scheduler's service; ``groups`` are the account's target groups."""
    percents = request["deploymentConfiguration"]
    return {
        "desired": request["desiredCount"],
        "minimum_healthy_percent": percents["minimumHealthyPercent"],
        "maximum_percent": percents["maximumPercent"],
        "breaker": _breaker(percents.get("deploymentCircuitBreaker") or {}),
        "strategy": shares(request["capacityProviderStrategy"]),
        "placement": placement(request),
        "targets": tuple(
            _target_group(groups[one["targetGroupArn"]])
            for one in request.get("loadBalancers") or ()
            if one.get("targetGroupArn") in groups
        ),
        "grace_seconds": request.get("healthCheckGracePeriodSeconds") or 0,
        "rebalancing": request["availabilityZoneRebalancing"] == "ENABLED",
    }


def shares(strategy: list[dict[str, Any]]) -> tuple[Share, ...]:
    """A capacity provider strategy of the API as the scheduler's; a lone provider has all the weight."""
    lone = len(strategy) == 1
    return tuple(
        Share(one["capacityProvider"], one.get("weight") or int(lone), one.get("base") or 0) for one in strategy
    )


def placement(request: Mapping[str, Any]) -> Placement:
    """Placement rules of the API as the scheduler's."""
    constraints, strategy = request.get("placementConstraints") or (), request.get("placementStrategy") or ()
    return Placement(tuple(constraints), tuple(strategy))


def _breaker(given: Mapping[str, Any]) -> Breaker:
    limit = given.get("thresholdConfiguration") or {}
    return Breaker(
        enable=bool(given.get("enable")),
        rollback=bool(given.get("rollback")),
        reset_on_healthy=given.get("resetOnHealthyTask") is not False,
        type=limit.get("type") or "BOUNDED_PERCENT",
        value=limit.get("value") or 50,
    )


def _target_group(group: elbv2.TargetGroup) -> TargetGroup:
    return TargetGroup(
        group.arn,
        group.delay_seconds,
        float(group.health_check_interval_seconds or 30),
        int(group.unhealthy_threshold_count or 2),
    )


def _can_rebalance(request: Mapping[str, Any]) -> bool:
    """Whether it is possible ("Balancing an Amazon ECS service across Availability Zones")."""
    strategy = request.get("placementStrategy") or ()
    spreads = not strategy or (
        strategy[0]["type"] == "spread" and strategy[0].get("field") == "attribute:ecs.availability-zone"
    )
    return bool(spreads and request["deploymentConfiguration"]["maximumPercent"] > 100)
