"""Everything that the account holds, as its own API describes it: to compare before and after.

A run and its destruction must leave the snapshot unchanged: nothing of the kit's is left, nothing of
anyone else's was touched. What AWS keeps of deleted resources for a while (terminated instances, keys and
secrets pending deletion, inactive clusters and task definitions), and the service-linked roles that it makes for
itself, do not count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jmespath

from slpnb.local.base.inprocess import client

# service, operation, what to keep of the answer (JMESPath), parameters
READS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("acm", "list_certificates", "CertificateSummaryList", {}),
    ("application-autoscaling", "describe_scalable_targets", "ScalableTargets", {"ServiceNamespace": "ecs"}),
    ("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", {"ServiceNamespace": "ecs"}),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", {}),
    ("ec2", "describe_instances", "Reservations[].Instances[] | [?State.Name!='terminated']", {}),
    ("ec2", "describe_internet_gateways", "InternetGateways", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", {}),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", {}),
    ("ec2", "describe_route_tables", "RouteTables", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", {}),
    ("ec2", "describe_subnets", "Subnets", {}),
    ("ec2", "describe_volumes", "Volumes", {}),
    ("ec2", "describe_vpcs", "Vpcs", {}),
    ("ecr", "describe_repositories", "repositories", {}),
    ("ecs", "list_clusters", "clusterArns", {}),
    ("ecs", "list_task_definitions", "taskDefinitionArns", {"status": "ACTIVE"}),
    ("efs", "describe_access_points", "AccessPoints", {}),
    ("efs", "describe_file_systems", "FileSystems", {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", {}),
    ("iam", "list_policies", "Policies", {"Scope": "Local"}),
    ("iam", "list_roles", "Roles[?!starts_with(Path, '/aws-service-role/')]", {}),
    ("kms", "list_aliases", "Aliases[?!starts_with(AliasName, 'alias/aws/')]", {}),
    ("kms", "list_keys", "Keys", {}),
    ("logs", "describe_log_groups", "logGroups", {}),
    ("rds", "describe_db_instances", "DBInstances", {}),
    ("route53", "list_hosted_zones", "HostedZones", {}),
    ("secretsmanager", "list_secrets", "SecretList[?!DeletedDate]", {}),
    ("sns", "list_topics", "Topics", {}),
)
# What changes although no one touched the resource: what uses it, and timestamps.
VOLATILE = frozenset({"AvailableIpAddressCount", "InUse", "InUseBy", "LatestRestorableTime", "Timestamp"})


def snapshot() -> dict[str, list[str]]:
    """Every resource as one line of JSON, sorted, by the operation that lists it."""
    held = {
        f"{service} {operation}": _read(service, operation, path, params) for service, operation, path, params in READS
    }
    held["kms list_keys"] = [line for line in held["kms list_keys"] if _lives(json.loads(line)["KeyId"])]
    held["route53 records"] = _records()
    return held


def _read(service: str, operation: str, path: str, params: Mapping[str, Any]) -> list[str]:
    api = client(service)
    pages = (
        api.get_paginator(operation).paginate(**params)
        if api.can_paginate(operation)
        else [getattr(api, operation)(**params)]
    )
    found = (_still(item) for page in pages for item in jmespath.search(path, page) or ())
    return sorted(json.dumps(item, default=str, sort_keys=True) for item in found)


def _lives(key: str) -> bool:
    """Neither pending deletion nor one of AWS's own, which appear with the first use of a service."""
    facts = client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return bool(facts["KeyState"] != "PendingDeletion" and facts["KeyManager"] == "CUSTOMER")


def _records() -> list[str]:
    zones = client("route53").list_hosted_zones()["HostedZones"]
    asked = ("route53", "list_resource_record_sets", "ResourceRecordSets")
    return [line for zone in zones for line in _read(*asked, {"HostedZoneId": zone["Id"]})]


def _still(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _still(item) for key, item in value.items() if key not in VOLATILE}
    return [_still(item) for item in value] if isinstance(value, list) else value
