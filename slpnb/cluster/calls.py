"""The API calls of 50_cluster: how launch template, group, capacity provider and cluster are written and removed.

Source: Amazon ECS API reference (CreateCapacityProvider, PutClusterCapacityProviders,
DeleteCluster), Amazon EC2 Auto Scaling API reference (CreateAutoScalingGroup,
SetInstanceProtection, DeleteAutoScalingGroup), Amazon EC2 API reference (launch templates).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slpnb.aws import batches, tag_list, tag_map
from slpnb.cluster.instances import CAUSES
from slpnb.plan import Call, Found, Id, Kind, Resource, Wait, fields
from slpnb.plan.values import Ref

PROTECTED_AT_ONCE = 50  # SetInstanceProtection takes no more instances in one call
BOOT_SECONDS = 900
HEADER, FOOTER = "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'EOF'\n", "EOF\n"


# --- cluster ------------------------------------------------------------------------------------------------


def _create_cluster(resource: Resource) -> list[Call]:
    params = {
        "clusterName": resource.name,
        "settings": _settings(resource),
        "tags": tag_list(resource.tags, "key", "value"),
    }
    return [Call("ecs", "create_cluster", params, {"id": "cluster.clusterArn"})]


def _update_cluster(resource: Resource, _found: Found, _changed: frozenset[str]) -> list[Call]:
    return [Call("ecs", "update_cluster_settings", {"cluster": resource.name, "settings": _settings(resource)})]


def _settings(resource: Resource) -> list[dict[str, str]]:
    return [{"name": "containerInsights", "value": resource.attributes["container_insights"]}]


def _delete_cluster(found: Found) -> list[Call]:
    gone = ("ClusterNotFoundException",)
    return [Call("ecs", "delete_cluster", {"cluster": found.name}, gone=gone)]


def _deregister(found: Found) -> list[Call]:
    # ECS forgets an instance that is terminated, unless its agent had lost its connection before: be sure.
    # For one that it has already forgotten, it answers InvalidParameterException.
    params = {"cluster": found.facts["cluster"], "containerInstance": found.id, "force": True}
    gone = ("InvalidParameterException", "ClusterNotFoundException")
    return [Call("ecs", "deregister_container_instance", params, gone=gone)]


# --- launch template ----------------------------------------------------------------------------------------


def _create_template(resource: Resource) -> list[Call]:
    params = {
        "LaunchTemplateName": resource.name,
        "VersionDescription": "slpnb",
        "LaunchTemplateData": template_data(resource.attributes),
        "TagSpecifications": [{"ResourceType": "launch-template", "Tags": tag_list(resource.tags)}],
    }
    return [Call("ec2", "create_launch_template", params, {"id": "LaunchTemplate.LaunchTemplateId"})]


def template_data(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The whole LaunchTemplateData: a version is never made from another one (SourceVersion). Pure."""
    volume, tags = attributes["root_volume"], tag_list(attributes["tags"])
    return {
        "ImageId": attributes["ami"],
        "InstanceType": attributes["instance_type"],
        "IamInstanceProfile": {"Name": attributes["instance_profile"]},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "AssociatePublicIpAddress": attributes["public_ip"],
                "DeleteOnTermination": True,
                "Groups": attributes["security_groups"],
            }
        ],
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": attributes["metadata"]["tokens"],
            "HttpPutResponseHopLimit": attributes["metadata"]["hop_limit"],
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": volume["device"],
                "Ebs": {
                    "VolumeSize": volume["gib"],
                    "VolumeType": volume["type"],
                    "Encrypted": volume["encrypted"],
                    "DeleteOnTermination": True,
                },
            }
        ],
        "UserData": base64.b64encode(user_data(attributes["agent"]).encode()).decode(),
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }


def template_attributes(data: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `template_data`: what a LaunchTemplateData says, in the attributes that are compared. Pure."""
    interface: Mapping[str, Any] = next(iter(data.get("NetworkInterfaces", [])), {})
    disk: Mapping[str, Any] = next(iter(data.get("BlockDeviceMappings", [])), {})
    volume, options = disk.get("Ebs", {}), data.get("MetadataOptions", {})
    tagged = {item["ResourceType"]: tag_map(item["Tags"]) for item in data.get("TagSpecifications", [])}
    return {
        "ami": data.get("ImageId"),
        "instance_type": data.get("InstanceType"),
        "instance_profile": data.get("IamInstanceProfile", {}).get("Name"),
        "security_groups": sorted(interface.get("Groups", [])),
        "public_ip": _true(interface.get("AssociatePublicIpAddress")),
        "metadata": {"tokens": options.get("HttpTokens"), "hop_limit": _int(options.get("HttpPutResponseHopLimit"))},
        "root_volume": {
            "device": disk.get("DeviceName"),
            "gib": _int(volume.get("VolumeSize")),
            "type": volume.get("VolumeType"),
            "encrypted": _true(volume.get("Encrypted")),
        },
        "agent": _settings_in(base64.b64decode(data.get("UserData", "")).decode("utf-8", "replace")),
        "tags": tagged.get("instance"),
    }


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _true(value: Any) -> bool:
    """EC2 answers with booleans; some implementations of its protocol answer with their text."""
    return str(value).lower() == "true"


def user_data(settings: Mapping[str, str]) -> str:
    """The boot script that writes the ECS agent's settings. Pure."""
    return HEADER + "".join(f"{name}={value}\n" for name, value in settings.items()) + FOOTER


def _settings_in(script: str) -> Any:
    """The agent's settings in a boot script; the script itself when it does anything else."""
    lines = script.removeprefix(HEADER).removesuffix(FOOTER).splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    return settings if user_data(settings) == script else script


def _update_template(resource: Resource, found: Found, changed: frozenset[str]) -> list[Call]:
    own, version = {"LaunchTemplateId": found.id}, found.facts["latest"]
    if changed == {"default_version"}:  # an earlier run was stopped between the two calls below
        return [Call("ec2", "modify_launch_template", own | {"DefaultVersion": version})]
    params = own | {"VersionDescription": "slpnb", "LaunchTemplateData": template_data(resource.attributes)}
    made = {"version": "to_string(LaunchTemplateVersion.VersionNumber)"}
    return [
        Call("ec2", "create_launch_template_version", params, made),
        Call("ec2", "modify_launch_template", own | {"DefaultVersion": Ref(resource.key, "version")}),
    ]


def _delete_template(found: Found) -> list[Call]:
    gone = ("InvalidLaunchTemplateId.NotFound",)
    return [Call("ec2", "delete_launch_template", {"LaunchTemplateId": found.id}, gone=gone)]


# --- Auto Scaling group -------------------------------------------------------------------------------------


def _create_group(resource: Resource) -> Iterator[Call]:
    name, ask = {"AutoScalingGroupName": resource.name}, {"AutoScalingGroupNames": [resource.name]}
    params = name | _group_settings(resource.attributes) | {"Tags": _group_tags(resource)}
    in_service = "length(AutoScalingGroups[0].Instances[?LifecycleState=='InService'])"
    enough = f"{in_service} >= `{resource.attributes['min']}`"
    hint = "the group's scaling activities say why an instance did not start (describe-scaling-activities)"
    started = Wait("describe_auto_scaling_groups", ask, enough, True, timeout_seconds=BOOT_SECONDS, hint=hint)
    yield Call("autoscaling", "create_auto_scaling_group", params, wait=started)
    # Creating a group returns nothing: its ARN has to be looked up.
    yield Call("autoscaling", "describe_auto_scaling_groups", ask, {"id": "AutoScalingGroups[0].AutoScalingGroupARN"})


GROUP = {
    "launch_template": "LaunchTemplate.LaunchTemplateId",
    "version": "LaunchTemplate.Version",
    "min": "MinSize",
    "max": "MaxSize",
    "subnets": "VPCZoneIdentifier",
    "health_check": "HealthCheckType",
    "grace_seconds": "HealthCheckGracePeriod",
    "warmup_seconds": "DefaultInstanceWarmup",
    "scale_in_protection": "NewInstancesProtectedFromScaleIn || `false`",
    "capacity_rebalance": "CapacityRebalance || `false`",
}


def _group_settings(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """DesiredCapacity is left out: a new group begins with its minimum, and then managed scaling decides."""
    subnets = ",".join(map(str, attributes["subnets"]))
    return fields.write(GROUP, {**attributes, "subnets": subnets})


def _group_tags(resource: Resource) -> list[dict[str, Any]]:
    """The kit's tags for the group alone (the launch template has the instances'); ECS's own for both."""
    both = {"ResourceId": resource.name, "ResourceType": "auto-scaling-group"}
    own = [both | tag | {"PropagateAtLaunch": False} for tag in tag_list(resource.tags)]
    return [both | {"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True}, *own]


def _update_group(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if changed - {"AmazonECSManaged"}:
        params = {"AutoScalingGroupName": resource.name} | _group_settings(resource.attributes)
        yield Call("autoscaling", "update_auto_scaling_group", params)
    if "AmazonECSManaged" in changed:
        yield Call("autoscaling", "create_or_update_tags", {"Tags": _group_tags(resource)})
    if "scale_in_protection" in changed and not resource.attributes["scale_in_protection"]:
        yield from _unprotect(found)


def _unprotect(found: Found) -> Iterator[Call]:
    for some in batches(found.facts["protected"], PROTECTED_AT_ONCE):
        params = {"AutoScalingGroupName": found.name, "InstanceIds": list(some), "ProtectedFromScaleIn": False}
        # ValidationError: the instance has left the group meanwhile.
        yield Call("autoscaling", "set_instance_protection", params, gone=("ValidationError",))


def _delete_group(found: Found) -> Iterator[Call]:
    """Lift the protection, scale to zero, then force the deletion: terminating instances are not waited for twice."""
    yield from _unprotect(found)
    name = {"AutoScalingGroupName": found.name}
    none = name | {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0, "NewInstancesProtectedFromScaleIn": False}
    yield Call("autoscaling", "update_auto_scaling_group", none)
    ask, hint = {"AutoScalingGroupNames": [found.name]}, "instances are terminating; run again"
    gone = Wait("describe_auto_scaling_groups", ask, "length(AutoScalingGroups)", 0, hint=hint)
    yield Call("autoscaling", "delete_auto_scaling_group", name | {"ForceDelete": True}, wait=gone)


# --- capacity provider --------------------------------------------------------------------------------------


def _create_provider(resource: Resource) -> list[Call]:
    attributes = resource.attributes
    params = {
        "name": resource.name,
        "autoScalingGroupProvider": {"autoScalingGroupArn": attributes["group"], **fields.write(SCALING, attributes)},
        "tags": tag_list(resource.tags, "key", "value"),
    }
    made = {"id": "capacityProvider.capacityProviderArn"}
    return [Call("ecs", "create_capacity_provider", params, made), _tie(resource, ())]


SCALING = {
    "managed_scaling": "managedScaling",
    "termination_protection": "managedTerminationProtection",
    "draining": "managedDraining || 'ENABLED'",
}


def _tie(resource: Resource, others: Sequence[str]) -> Call:
    """Give the cluster its provider and default strategy, and wait until the first instances have registered."""
    cluster, strategy = resource.attributes["cluster"], resource.attributes["default_strategy"]
    params = {
        "cluster": cluster,
        "capacityProviders": [resource.name, *others],
        "defaultCapacityProviderStrategy": [{"capacityProvider": resource.name, **strategy}],
    }
    enough = f"clusters[0].registeredContainerInstancesCount >= `{resource.once['instances_to_wait_for']}`"
    ask = {"clusters": [cluster]}
    hint = f"an instance that runs without registering has {CAUSES}"
    wait = Wait("describe_clusters", ask, enough, True, timeout_seconds=BOOT_SECONDS, hint=hint)
    return Call("ecs", "put_cluster_capacity_providers", params, wait=wait)


def _update_provider(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if changed & SCALING.keys():
        params = {"name": resource.name, "autoScalingGroupProvider": fields.write(SCALING, resource.attributes)}
        yield Call("ecs", "update_capacity_provider", params)
    if changed & {"cluster", "default_strategy"}:
        yield _tie(resource, found.facts["others"])


def _delete_provider(found: Found) -> Iterator[Call]:
    """Lift termination protection first, or the instances could not be terminated; then detach; then delete."""
    if found.attributes["termination_protection"] == "ENABLED":
        lifted = {"managedTerminationProtection": "DISABLED"}
        params = {"name": found.name, "autoScalingGroupProvider": lifted}
        yield Call("ecs", "update_capacity_provider", params)
    if found.facts["cluster"]:
        yield _untie(found)
    left = "length(capacityProviders[?status!='INACTIVE'])"
    hint = "a service still uses the capacity provider: destroy 80_service first"
    gone = Wait("describe_capacity_providers", {"capacityProviders": [found.name]}, left, 0, hint=hint)
    yield Call("ecs", "delete_capacity_provider", {"capacityProvider": found.name}, wait=gone)


def _untie(found: Found) -> Call:
    cluster: Id = found.facts["cluster"]
    params = {
        "cluster": cluster,
        "capacityProviders": list(found.facts["others"]),
        "defaultCapacityProviderStrategy": [],
    }
    ask = {"clusters": [cluster], "include": ["ATTACHMENTS"]}
    done = Wait("describe_clusters", ask, "clusters[0].attachmentsStatus == 'UPDATE_IN_PROGRESS'", False)
    return Call("ecs", "put_cluster_capacity_providers", params, wait=done)


KINDS: dict[str, Kind] = {
    "ECS cluster": Kind("ECS cluster", _create_cluster, _delete_cluster, _update_cluster),
    "container instance": Kind("container instance", lambda _: (), _deregister),  # the group makes them
    "launch template": Kind("launch template", _create_template, _delete_template, _update_template),
    "Auto Scaling group": Kind("Auto Scaling group", _create_group, _delete_group, _update_group),
    "capacity provider": Kind(
        "capacity provider", _create_provider, _delete_provider, _update_provider, fixed=frozenset({"group"})
    ),
}
