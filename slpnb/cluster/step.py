"""50_cluster: the instances: launch template, Auto Scaling group, capacity provider, and the ECS cluster.

Source of the rules: Amazon ECS Developer Guide ("Amazon ECS-optimized Linux AMIs", "Amazon ECS
container agent configuration", "Amazon ECS capacity providers for the EC2 launch type"), Amazon
EC2 Auto Scaling User Guide, and docs/ecs-facts.md, "Registered memory".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from slpnb import image, network, secrets
from slpnb.aws import Aws, observation, same_observation
from slpnb.cluster import instances
from slpnb.cluster.calls import GROUP, KINDS, SCALING, template_attributes
from slpnb.config import Config
from slpnb.plan import Found, Observed, Plan, Resource, Wanted, compare, fields, find_account, read_back
from slpnb.plan.values import Ref
from slpnb.verdict import Verdicts

STEP = "50_cluster"
# EC2's status checks need a few minutes after a boot; the console's default. The API's own is 0.
GRACE_SECONDS = 300
LATEST = "$Latest"


def desired(config: Config) -> Wanted:
    """The cluster before its instances, so that they find it; the capacity provider ties both together. Pure."""
    return (_cluster(config), _launch_template(config), _group(config), _provider(config))


def _cluster(config: Config) -> Resource:
    name, attributes = config.cluster.name, {"container_insights": config.cluster.container_insights}
    reason = "made before the instances, whose agents look for it at boot"
    return Resource("cluster", "ECS cluster", name, attributes, reason, config.tags(STEP, name))


def _launch_template(config: Config) -> Resource:
    cluster, name = config.cluster, group_name(config)
    attributes = {
        "ami": Ref("ami"),
        "instance_type": cluster.instance_type,
        "instance_profile": Ref("role/instance", "profile_name", step=secrets.STEP),
        "security_groups": [Ref("security-group/instances", step=network.STEP)],
        "public_ip": cluster.public_ip,
        "metadata": METADATA,
        "root_volume": {"device": "/dev/xvda", "gib": cluster.root_volume_gib, "type": "gp3", "encrypted": True},
        "agent": agent(config),
        "tags": config.tags(STEP, name),
        "default_version": "the latest",
    }
    reason = "what a new instance starts from; after a change, running instances keep the old version"
    return Resource("launch-template", "launch template", name, attributes, reason, config.tags(STEP, name))


# One hop reaches the instance itself and the agent; a container behind Docker's bridge is a second
# hop away and gets no answer, so a task cannot borrow the instance's role. In awsvpc mode
# ECS_AWSVPC_BLOCK_IMDS does the same; every task asks the task metadata endpoint for its own role.
METADATA = {"tokens": "required", "hop_limit": 1}


def agent(config: Config) -> dict[str, str]:
    """The ECS agent's settings on each instance ("Amazon ECS container agent configuration"). Pure."""
    return {
        "ECS_CLUSTER": config.cluster.name,
        "ECS_RESERVED_MEMORY": str(config.cluster.reserved_memory_mib),
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_CONTAINER_STOP_TIMEOUT": f"{config.task.stop_timeout_seconds}s",
        # Images are named by digest: one that is on the instance is the right one, and needs no registry. With
        # prefer-cached the agent would never clean up, and each release would leave its image on the disk.
        "ECS_IMAGE_PULL_BEHAVIOR": "once",
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "false",
    }


def _group(config: Config) -> Resource:
    cluster, name = config.cluster, group_name(config)
    attributes = {
        "launch_template": Ref("launch-template"),
        "version": LATEST,
        "subnets": [Ref(f"subnet/{zone}") for zone in config.zones],
        "min": cluster.min_instances,
        "max": cluster.max_instances,
        "scale_in_protection": cluster.termination_protection,
        "health_check": "EC2",
        "grace_seconds": GRACE_SECONDS,
        "warmup_seconds": cluster.instance_warmup_seconds,
        "capacity_rebalance": False,
        "AmazonECSManaged": "propagated",
    }
    reason = f"{len(config.zones)} zones; managed scaling decides how many instances, between min and max"
    return Resource("auto-scaling-group", "Auto Scaling group", name, attributes, reason, config.tags(STEP, name))


def _provider(config: Config) -> Resource:
    cluster, name = config.cluster, provider_name(config)
    attributes = {
        "group": Ref("auto-scaling-group"),
        "managed_scaling": {
            "status": "ENABLED",
            "targetCapacity": cluster.target_capacity_percent,
            "minimumScalingStepSize": 1,
            "maximumScalingStepSize": max(1, cluster.max_instances),
            "instanceWarmupPeriod": cluster.instance_warmup_seconds,
        },
        "termination_protection": _enabled(cluster.termination_protection),
        "draining": "ENABLED",
        "cluster": Ref("cluster"),
        "default_strategy": {"base": 0, "weight": 1},
    }
    reason = "the cluster's default strategy: a service without one never makes the group grow"
    tags, once = config.tags(STEP, name), {"instances_to_wait_for": cluster.min_instances}
    return Resource("capacity-provider", "capacity provider", name, attributes, reason, tags, once)


def _enabled(on: bool) -> str:
    return "ENABLED" if on else "DISABLED"


def group_name(config: Config) -> str:
    """The name of the Auto Scaling group, its launch template and its instances."""
    return f"{config.prefix}-instances"


def provider_name(config: Config) -> str:
    """The name of the capacity provider."""
    return f"{config.prefix}-capacity"


@observation
def observe(aws: Aws) -> Observed:
    """What AWS holds of this step, in the order in which it is made, and what it refers to."""
    foreign = {**network.find_subnets(aws), **instances.find_routes(aws), **image.find_ami(aws)}
    roles = secrets.find_roles(aws)
    earlier = {**network.find_security_groups(aws), **find_account(aws), **roles}
    setting = instances.find_trunking(aws, roles.get("role/instance")) if aws.config.cluster.awsvpc_trunking else {}
    cluster = find_cluster(aws)
    joined = instances.as_found(aws, STEP) if cluster else {}
    own = {**cluster, **joined, **_find_launch_template(aws), **_find_group(aws), **_find_provider(aws, cluster)}
    return {**foreign, **setting, **earlier, **own}


def find_cluster(aws: Aws) -> dict[str, Found]:
    """The ECS cluster in the parameters."""
    question = {"clusters": [aws.config.cluster.name], "include": ["TAGS", "SETTINGS", "ATTACHMENTS"]}
    clusters = aws.pages("ecs", "describe_clusters", "clusters", **question)
    return _only(_found_cluster(aws, cluster) for cluster in clusters if cluster["status"] != "INACTIVE")


def _found_cluster(aws: Aws, cluster: Mapping[str, Any]) -> Found:
    name, settings = cluster["clusterName"], {item["name"]: item["value"] for item in cluster.get("settings", [])}
    attributes = {"container_insights": settings.get("containerInsights", "disabled")}
    facts = {
        "providers": tuple(cluster.get("capacityProviders", ())),
        "strategy": tuple(cluster.get("defaultCapacityProviderStrategy", ())),
    }
    step = aws.step_of(cluster.get("tags"))
    return Found("cluster", "ECS cluster", name, cluster["clusterArn"], attributes, step, facts)


def _find_launch_template(aws: Aws) -> dict[str, Found]:
    name, absent = group_name(aws.config), ("InvalidLaunchTemplateName.NotFoundException",)
    templates = aws.pages(
        "ec2", "describe_launch_templates", "LaunchTemplates", LaunchTemplateNames=[name], absent=absent
    )
    return _only(_found_launch_template(aws, template) for template in templates)


def _only(found: Iterable[Found]) -> dict[str, Found]:
    """What a question by name found, by its key: one or none."""
    return {one.key: one for one in found}


def _found_launch_template(aws: Aws, template: Mapping[str, Any]) -> Found:
    identifier, latest = template["LaunchTemplateId"], template["LatestVersionNumber"]
    question = {"LaunchTemplateId": identifier, "Versions": [LATEST]}
    versions = aws.read("ec2", "describe_launch_template_versions", **question)["LaunchTemplateVersions"]
    default = template["DefaultVersionNumber"]
    attributes = template_attributes(versions[0]["LaunchTemplateData"]) | {
        "default_version": "the latest" if default == latest else f"version {default} of {latest}"
    }
    step = aws.step_of(template.get("Tags"))
    facts = {"latest": str(latest)}
    return Found(
        "launch-template", "launch template", template["LaunchTemplateName"], identifier, attributes, step, facts
    )


def _find_group(aws: Aws) -> dict[str, Found]:
    names = [group_name(aws.config)]
    groups = aws.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=names)
    # A group that is being deleted cannot be brought back, nor made again until it is gone.
    return _only(_found_group(aws, group) for group in groups if "Status" not in group)


def _found_group(aws: Aws, group: Mapping[str, Any]) -> Found:
    found, tags = fields.read(GROUP, group), group.get("Tags", [])
    managed = [tag["PropagateAtLaunch"] for tag in tags if tag["Key"] == "AmazonECSManaged"]
    attributes = found | {
        "subnets": _in_order(aws, (found["subnets"] or "").split(",")),
        "AmazonECSManaged": ("propagated" if managed[0] else "not propagated") if managed else None,
    }
    protected = tuple(item["InstanceId"] for item in group["Instances"] if item.get("ProtectedFromScaleIn"))
    name, arn = group["AutoScalingGroupName"], group["AutoScalingGroupARN"]
    step = aws.step_of(tags)
    return Found("auto-scaling-group", "Auto Scaling group", name, arn, attributes, step, {"protected": protected})


def _in_order(aws: Aws, subnets: Iterable[str]) -> list[str]:
    """Subnets in the order of their zones, as they are wanted; AWS keeps them as text in any order."""
    known = [found.id for found in network.find_subnets(aws).values()]
    return sorted(subnets, key=lambda subnet: (known.index(subnet) if subnet in known else len(known), subnet))


def _find_provider(aws: Aws, cluster: Mapping[str, Found]) -> dict[str, Found]:
    question = {"capacityProviders": [provider_name(aws.config)], "include": ["TAGS"]}
    providers = aws.pages("ecs", "describe_capacity_providers", "capacityProviders", **question)
    alive = (provider for provider in providers if provider["status"] != "INACTIVE")
    return _only(_found_provider(aws, provider, cluster.get("cluster")) for provider in alive)


def _found_provider(aws: Aws, provider: Mapping[str, Any], cluster: Found | None) -> Found:
    name, group = provider["name"], provider["autoScalingGroupProvider"]
    tied = cluster is not None and name in cluster.facts["providers"]
    strategy = [item for item in (cluster.facts["strategy"] if cluster else ()) if item["capacityProvider"] == name]
    attributes = {
        "group": group["autoScalingGroupArn"],
        **fields.read(SCALING, group),
        "cluster": cluster.id if cluster and tied else None,
        "default_strategy": _strategy(strategy),
    }
    others = [item for item in (cluster.facts["providers"] if cluster else ()) if item != name]
    facts = {"cluster": cluster.name if cluster and tied else "", "others": tuple(others)}
    step = aws.step_of(provider.get("tags"))
    return Found(
        "capacity-provider", "capacity provider", name, provider["capacityProviderArn"], attributes, step, facts
    )


def _strategy(items: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    return next(({"base": item.get("base", 0), "weight": item.get("weight", 0)} for item in items), None)


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure. Raises `Refusal` on a name that is someone else's.

    Container instances come and go with the group: they are in a plan only when everything goes.
    """
    if want:
        have = {key: found for key, found in have.items() if found.kind != "container instance"}
    return compare(STEP, KINDS, want, have)


def registered(aws: Aws) -> pd.DataFrame:
    """The container instances as AWS holds them now: instance 1, 2, … (index), what each registers and should."""
    return instances.table(instances.find(aws), aws.config.cluster.reserved_memory_mib)


def preflight(config: Config, have: Observed) -> Verdicts:
    """What would keep instances from starting or from reaching ECS, judged from facts before anything is made. Pure."""
    return instances.suitable(config, have) + instances.reachable(config, have)


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read everything back, then wait for the instances and compare each with what its type should register."""
    found = instances.settle(aws, group_name(aws.config))
    return read_back(want, observe(aws)) + instances.check(aws, group_name(aws.config), found)
