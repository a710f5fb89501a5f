"""Errors that pass: AWS has not caught up yet with what was done a moment ago, so the same call is tried again.

That is a property of the error, by its code and what it says, whichever call meets it. A denied call never is
one: a permission does not come by waiting. Source of each kind: beside it; docs/ecs-facts.md, "First use and
propagation". Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from slpnb.aws import error_code, error_message


@dataclass(frozen=True)
class Passing:
    """One kind of error that passes: the codes that a service (boto3's name) gives it, and words of its message."""

    service: str
    codes: tuple[str, ...]
    says: str = ""  # a regular expression; empty: whatever it says


# Using service-linked roles for Amazon ECS; aws-cloudformation/cloudformation-coverage-roadmap#818: "Recreating the
# stack succeeds". aws-samples/amazon-bedrock-samples#253 for Application Auto Scaling.
FIRST_USE = (
    Passing("ecs", ("InvalidParameterException", "ClientException"), r"(?i)service.linked role"),
    Passing("application-autoscaling", ("ValidationException",), "Unable to assume IAM role"),
)
# IAM User Guide, "Troubleshoot IAM: Changes that I make are not always immediately visible"; the messages:
# terraform-provider-aws#5217 and #24910 (profiles), #21716 (EFS), #14449 (Secrets Manager).
NEW_ROLE = (
    Passing("iam", ("NoSuchEntity",), r"(?i)^(the )?(role|instance profile)\b"),
    Passing("iam", ("MalformedPolicyDocument",), "Invalid principal"),
    Passing("autoscaling", ("ValidationError",), "Invalid IAM Instance Profile"),
    Passing("ec2", ("InvalidParameterValue",), "Invalid IAM Instance Profile"),
    Passing("ecs", ("InvalidParameterException", "ClientException"), r"(?i)\brole\b.*(not valid|invalid|be assumed)"),
    Passing("efs", ("InvalidPolicyException",), r"(?i)principal"),
    Passing("kms", ("MalformedPolicyDocumentException",), r"(?i)principal"),
    Passing("secretsmanager", ("MalformedPolicyDocumentException",), r"(?i)principal"),
)
# Amazon EC2 API reference, "Eventual consistency"; AWS KMS Developer Guide, "AWS KMS eventual consistency".
NEW_RESOURCE = (
    Passing("ec2", ("InvalidGroup.NotFound", "InvalidLaunchTemplateId.VersionNotFound")),
    Passing("elbv2", ("InvalidSecurityGroup",)),
    Passing("efs", ("SecurityGroupNotFound", "IncorrectFileSystemLifeCycleState")),
    Passing("autoscaling", ("ValidationError",), r"launch template.* does not exist"),
    Passing("ecs", ("InvalidParameterException",), "does not have an associated load balancer"),
    Passing("application-autoscaling", ("ValidationException",), "ECS service doesn't exist"),
    Passing("kms", ("NotFoundException", "DisabledException", "KMSInvalidStateException")),
    Passing("secretsmanager", ("EncryptionFailure",)),
)
# The API reference of each operation, "Errors": an earlier change or deletion is still under way.
STILL_BUSY = (
    Passing("autoscaling", ("ScalingActivityInProgress", "ResourceContention", "ResourceInUse")),
    Passing("ec2", ("DependencyViolation",)),
    Passing("ecs", ("UpdateInProgressException", "ResourceInUseException")),
    Passing("ecs", ("ClusterContainsContainerInstancesException", "ClusterContainsTasksException")),
    Passing("efs", ("FileSystemInUse",)),
    Passing("elbv2", ("ResourceInUse",)),
    Passing("iam", ("DeleteConflict", "EntityTemporarilyUnmodifiable", "ConcurrentModification")),
    Passing("logs", ("OperationAbortedException",)),
    Passing("route53", ("PriorRequestNotComplete",)),
)


def passes(service: str, error: ClientError) -> bool:
    """Whether the same call may succeed a little later."""
    code, message = error_code(error), error_message(error)
    return any(code in one.codes and re.search(one.says, message) for one in _of(service))


def _of(service: str) -> Iterator[Passing]:
    return (one for one in (*FIRST_USE, *NEW_ROLE, *NEW_RESOURCE, *STILL_BUSY) if one.service == service)
