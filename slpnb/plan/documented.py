"""What AWS documents about a request and its service model does not hold: most names, by request and member.

A member's place is a path as in `slpnb.plan.service_model`, with [] for any item of a list.
"""

from __future__ import annotations

from slpnb.config import allowed
from slpnb.config.allowed import Text

_PERMISSIONS = "IpPermissions[]"
TEXTS: dict[tuple[str, str], Text] = {
    ("CreateCluster", "clusterName"): allowed.ECS_NAME,
    ("CreateService", "serviceName"): allowed.ECS_NAME,
    ("CreateCapacityProvider", "name"): allowed.CAPACITY_PROVIDER,
    ("RegisterTaskDefinition", "family"): allowed.ECS_NAME,
    ("RegisterTaskDefinition", "volumes[].name"): allowed.ECS_NAME,
    ("RegisterTaskDefinition", "containerDefinitions[].name"): allowed.ECS_NAME,
    ("RegisterTaskDefinition", "containerDefinitions[].mountPoints[].containerPath"): allowed.CONTAINER_PATH,
    ("CreateSecurityGroup", "GroupName"): allowed.GROUP_NAME,
    ("CreateSecurityGroup", "Description"): allowed.GROUP_DESCRIPTION,
    ("AuthorizeSecurityGroupIngress", f"{_PERMISSIONS}.IpRanges[].Description"): allowed.GROUP_DESCRIPTION,
    ("AuthorizeSecurityGroupIngress", f"{_PERMISSIONS}.UserIdGroupPairs[].Description"): allowed.GROUP_DESCRIPTION,
    ("CreateLaunchTemplate", "LaunchTemplateName"): allowed.LAUNCH_TEMPLATE,
    ("CreateAutoScalingGroup", "AutoScalingGroupName"): allowed.AUTO_SCALING_GROUP,
    ("CreateLoadBalancer", "Name"): allowed.LOAD_BALANCER,
    ("CreateTargetGroup", "Name"): allowed.TARGET_GROUP,
    ("CreateTargetGroup", "HealthCheckPath"): allowed.HEALTH_CHECK_PATH,
    ("CreateAlias", "AliasName"): allowed.KMS_ALIAS,
    ("CreateSecret", "Name"): allowed.SECRET,
    ("ChangeResourceRecordSets", "ChangeBatch.Changes[].ResourceRecordSet.Name"): allowed.RECORD,
}
