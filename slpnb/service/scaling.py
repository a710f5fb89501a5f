"""The scaling of 80_service: how many tasks, between which limits, by which metric.

After the first deployment the desired count belongs to Application Auto Scaling: the kit sets it
once and never compares it. Neither a scaling policy nor, in what DescribeScalableTargets answers,
a scalable target shows tags: both are the kit's when the service is. Source of the rules:
Application Auto Scaling User Guide ("Target tracking scaling policies"), Amazon ECS Developer
Guide ("Automatically scale your Amazon ECS service").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.plan import Call, Found, Kind, Resource, Wanted, fields

STEP = "80_service"
SCALES = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
METRIC = "ECSServiceAverageCPUUtilization"
ABSENT = ("ObjectNotFoundException",)
LIMITS = {"resource": "ResourceId", "min_tasks": "MinCapacity", "max_tasks": "MaxCapacity"}
TRACKING = {
    "target_percent": "TargetValue",
    "metric": "PredefinedMetricSpecification.PredefinedMetricType",
    "scale_out_cooldown_seconds": "ScaleOutCooldown",
    "scale_in_cooldown_seconds": "ScaleInCooldown",
}


def resource_id(config: Config) -> str:
    """Application Auto Scaling's name of the service."""
    return f"service/{config.cluster.name}/{config.service.name}"


def desired(config: Config) -> Wanted:
    """The scalable target and its target tracking policy. Pure."""
    return (_target(config), _policy(config))


def _target(config: Config) -> Resource:
    service = config.service
    attributes = {
        "resource": resource_id(config),
        "min_tasks": service.min_tasks,
        "max_tasks": service.max_tasks,
    }
    reason = "from here on auto scaling owns the desired count"
    tags = config.tags(STEP, service.name)
    return Resource("scalable-target", "scalable target", service.name, attributes, reason, tags)


def _policy(config: Config) -> Resource:
    service = config.service
    attributes = {
        "resource": resource_id(config),
        "metric": METRIC,
        "target_percent": float(service.cpu_target_percent),
        "scale_out_cooldown_seconds": service.cooldown_seconds,
        "scale_in_cooldown_seconds": service.cooldown_seconds,
        "scales_in": True,
    }
    reason = f"tasks are added and removed to keep their average CPU at {service.cpu_target_percent} %"
    return Resource("scaling-policy", "scaling policy", service.scaling_policy, attributes, reason)


def observe(aws: Aws, step: str) -> dict[str, Found]:
    """Scalable target and policy of the service's name; ``step`` is whose the service is."""
    own = resource_id(aws.config)
    targets = aws.pages(
        "application-autoscaling", "describe_scalable_targets", "ScalableTargets", ResourceIds=[own], **SCALES
    )
    found = {"scalable-target": _found_target(aws.config, targets[0], step)} if targets else {}
    policies = aws.pages(
        "application-autoscaling", "describe_scaling_policies", "ScalingPolicies", ResourceId=own, **SCALES
    )
    named = [policy for policy in policies if policy["PolicyName"] == aws.config.service.scaling_policy]
    return found | ({"scaling-policy": _found_policy(named[0], step)} if named else {})


def _found_target(config: Config, target: Mapping[str, Any], step: str) -> Found:
    attributes = fields.read(LIMITS, target)
    return Found("scalable-target", "scalable target", config.service.name, target["ResourceId"], attributes, step)


def _found_policy(policy: Mapping[str, Any], step: str) -> Found:
    tracks = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    attributes = {
        "resource": policy["ResourceId"],
        **fields.read(TRACKING, tracks),
        "scales_in": not tracks.get("DisableScaleIn", False),
    }
    return Found("scaling-policy", "scaling policy", policy["PolicyName"], policy["PolicyARN"], attributes, step)


# --- how each kind is written -------------------------------------------------------------------------------


def _create_target(resource: Resource) -> list[Call]:
    # The same call registers and changes; tags are taken only by the first.
    return [_register(resource, {"Tags": dict(resource.tags)})]


def _update_target(resource: Resource, _found: Found, _changed: frozenset[str]) -> list[Call]:
    return [_register(resource, {})]


def _register(resource: Resource, tags: Mapping[str, Any]) -> Call:
    params = {**SCALES, **fields.write(LIMITS, resource.attributes), **tags}
    return Call("application-autoscaling", "register_scalable_target", params)


def _delete_target(found: Found) -> list[Call]:
    params = {**SCALES, "ResourceId": found.attributes["resource"]}
    return [Call("application-autoscaling", "deregister_scalable_target", params, gone=ABSENT)]


def _put_policy(resource: Resource) -> list[Call]:
    attributes = resource.attributes
    tracks = fields.write(TRACKING, attributes) | {"DisableScaleIn": not attributes["scales_in"]}
    params = {
        "PolicyName": resource.name,
        **SCALES,
        "ResourceId": attributes["resource"],
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracks,
    }
    return [Call("application-autoscaling", "put_scaling_policy", params, {"id": "PolicyARN"})]


def _delete_policy(found: Found) -> list[Call]:
    params = {"PolicyName": found.name, **SCALES, "ResourceId": found.attributes["resource"]}
    return [Call("application-autoscaling", "delete_scaling_policy", params, gone=ABSENT)]


KINDS: dict[str, Kind] = {
    "scalable target": Kind(
        "scalable target", _create_target, _delete_target, _update_target, fixed=frozenset({"resource"})
    ),
    "scaling policy": Kind(
        "scaling policy",
        _put_policy,
        _delete_policy,
        lambda resource, _found, _changed: _put_policy(resource),
        fixed=frozenset({"resource"}),
    ),
}
