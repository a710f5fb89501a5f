"""Everything in an account that a runbook could make or break, read without the kit's own lookups."""

from __future__ import annotations

from typing import Any

import boto3
import jmespath

# service, operation, where the items are, what identifies one, extra parameters
LISTINGS: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("ec2", "describe_vpcs", "Vpcs", "VpcId", {}),
    ("ec2", "describe_subnets", "Subnets", "SubnetId", {}),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", {}),
    (
        "ec2",
        "describe_instances",
        "Reservations[].Instances[?State.Name!='terminated'][]",
        "InstanceId",
        {},
    ),
    ("efs", "describe_file_systems", "FileSystems", "FileSystemId", {}),
    ("efs", "describe_access_points", "AccessPoints", "AccessPointId", {}),
    ("ecr", "describe_repositories", "repositories", "repositoryName", {}),
    ("kms", "list_aliases", "Aliases[?!starts_with(AliasName, 'alias/aws/')]", "AliasName", {}),
    ("secretsmanager", "list_secrets", "SecretList[?!DeletedDate && !starts_with(Name, 'rds!')]", "Name", {}),
    ("iam", "list_roles", "Roles", "RoleName", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName", {}),
    ("iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName", {}),
    ("ecs", "list_clusters", "clusterArns[].{arn: @}", "arn", {}),
    ("ecs", "describe_capacity_providers", "capacityProviders[?autoScalingGroupProvider]", "name", {}),
    ("ecs", "list_task_definitions", "taskDefinitionArns[].{arn: @}", "arn", {}),
    ("logs", "describe_log_groups", "logGroups", "logGroupName", {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName", {}),
    (
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        "ResourceId",
        {"ServiceNamespace": "ecs"},
    ),
    (
        "application-autoscaling",
        "describe_scaling_policies",
        "ScalingPolicies",
        "PolicyName",
        {"ServiceNamespace": "ecs"},
    ),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", {}),
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn", {}),
    ("sns", "list_topics", "Topics", "TopicArn", {}),
)
Snapshot = dict[tuple[str, str], Any]  # (operation, identifier): content


def take(endpoint_url: str) -> Snapshot:
    session = boto3.Session("embedded", "embedded", region_name="us-east-1")
    clients = {service: session.client(service, endpoint_url=endpoint_url) for service, *_ in LISTINGS}
    snapshot: Snapshot = {}
    for service, operation, path, identifier, params in LISTINGS:
        for item in _all(clients[service], operation, path, params):
            snapshot[operation, item[identifier]] = _without_clock(item)
    return snapshot | _keys(clients["kms"]) | _records(session.client("route53", endpoint_url=endpoint_url))


def _all(client: Any, operation: str, path: str, params: dict[str, Any]) -> list[Any]:
    if not client.can_paginate(operation):
        return jmespath.search(path, getattr(client, operation)(**params)) or []
    pages = client.get_paginator(operation).paginate(**params)
    return [item for page in pages for item in jmespath.search(path, page) or []]


def _without_clock(value: Any) -> Any:
    """AWS stamps some answers with the moment of asking: that is no change."""
    if isinstance(value, dict):
        return {k: _without_clock(v) for k, v in value.items() if k not in ("Timestamp", "LatestRestorableTime")}
    return [_without_clock(item) for item in value] if isinstance(value, list) else value


def _keys(client: Any) -> Snapshot:
    """KMS keys that are not going: a key pending deletion can no longer be used.

    AWS's own key for EBS volumes appears with the first encrypted volume and stays; moto calls it a customer's.
    """
    keys = [client.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in client.list_keys()["Keys"]]
    return {
        ("list_keys", key["KeyId"]): key
        for key in keys
        if key["KeyState"] != "PendingDeletion"
        and not key["Description"].startswith("Default master key that protects my EBS")
    }


def _records(client: Any) -> Snapshot:
    snapshot: Snapshot = {}
    for zone in client.list_hosted_zones()["HostedZones"]:
        snapshot["list_hosted_zones", zone["Id"]] = zone["Name"]
        for record in client.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            snapshot["list_resource_record_sets", f"{record['Name']} {record['Type']}"] = record
    return snapshot
