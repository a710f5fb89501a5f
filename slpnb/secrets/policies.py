"""IAM and KMS policies of the runbook, as functions that return documents, and the check for least privilege.

Pure. Source of what each needs: Amazon ECS Developer Guide ("Amazon ECS task execution IAM role",
"Amazon ECS task IAM role", "Amazon ECS container instance IAM role"), Amazon EFS User Guide ("Using
IAM to control file system data access"), AWS Secrets Manager User Guide ("Secret encryption and
decryption"), Service Authorization Reference (which action takes which resource).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from slpnb import efs, image
from slpnb.config import Config
from slpnb.plan import Observed, Resource, arn, resolve
from slpnb.plan.shown import show
from slpnb.plan.values import Ref
from slpnb.verdict import Verdict, ng, ok
from slpnb.words import counted

Policy = dict[str, Any]

SHELL = [
    f"ssmmessages:{action}"
    for action in ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
]

# Actions that AWS can grant only on all resources, and why.
ANY_RESOURCE = {
    "ecr:GetAuthorizationToken": "the token is the registry's, not a repository's",
    "ecs:DiscoverPollEndpoint": "the agent calls it before it belongs to a cluster",
} | dict.fromkeys(SHELL, "a channel of Session Manager is no resource")


def log_group(config: Config) -> str:
    """The name of the log group of the task's container, which 70_task makes."""
    return f"/ecs/{config.task.family}"


def execution(config: Config) -> Policy:
    """What ECS itself does to start the task: pull this image, write this log, read these two secrets."""
    region = config.aws.region
    secrets = [Ref("secret/database", "arn"), Ref("secret/salts", "arn")]
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
    return _policy(
        _allow("LogInToTheRegistry", ["ecr:GetAuthorizationToken"], "*"),
        _allow("PullFromThisRepository", PULL, Ref("repository", "arn", image.STEP)),
        _allow("WriteThisLog", WRITE_LOG, arn("logs", f"log-group:{log_group(config)}:*", region)),
        _allow("ReadTheseSecrets", ["secretsmanager:GetSecretValue"], secrets),
        _allow("DecryptThem", ["kms:Decrypt"], Ref("kms-key", "arn"), through),
    )


PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
WRITE_LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]


def task(config: Config) -> Policy:
    """What the container itself may do: mount and write the uploads, only through their access point.

    With ECS Exec, which the agent in the container answers with this role, a shell as well.
    """
    through = {"StringEquals": {"elasticfilesystem:AccessPointArn": Ref("access-point", "arn", efs.STEP)}}
    mount = _allow("MountTheUploads", efs.MOUNTING, Ref("file-system", "arn", efs.STEP), through)
    return _policy(mount, *([_allow("ShellByEcsExec", SHELL, "*")] if config.service.ecs_exec else []))


def instance(config: Config) -> Policy:
    """What the ECS agent of an instance does, in this cluster only.

    AmazonEC2ContainerServiceforEC2Role grants the same, and more, on every cluster: pulling and
    logging are the execution role's here, and the cluster is 50_cluster's to create.
    """
    cluster, region = config.cluster.name, config.aws.region
    instances = arn("ecs", f"container-instance/{cluster}/*", region)
    registering = {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}}
    return _policy(
        _allow("FindTheEndpoint", ["ecs:DiscoverPollEndpoint"], "*"),
        _allow("JoinThisCluster", JOIN, arn("ecs", f"cluster/{cluster}", region)),
        _allow("TakeItsOrders", ["ecs:Poll", "ecs:StartTelemetrySession"], instances),
        _allow("CarryTagsFromTheStart", ["ecs:TagResource"], instances, registering),
    )


JOIN = [
    "ecs:DeregisterContainerInstance",
    "ecs:RegisterContainerInstance",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
]


def trust_tasks(config: Config) -> Policy:
    """Only ECS, and only for tasks of this account and region, may hand out the role."""
    condition = {
        "ArnLike": {"aws:SourceArn": arn("ecs", "*", config.aws.region)},
        "StringEquals": {"aws:SourceAccount": Ref("account")},
    }
    return _policy(_assume("TasksOfThisAccount", "ecs-tasks.amazonaws.com") | {"Condition": condition})


def trust_instances() -> Policy:
    """Only EC2 may hand out the role. EC2 sends no aws:SourceArn; iam:PassRole says who may launch with it."""
    return _policy(_assume("InstancesOfEc2", "ec2.amazonaws.com"))


def key(config: Config) -> Policy:
    """The account's IAM administers the key; it encrypts and decrypts through Secrets Manager alone.

    In a key policy, ``Resource: *`` is the key itself.
    """
    account: dict[str, Any] = {"AWS": arn("iam", "root")}
    through = {
        "StringEquals": {
            "kms:CallerAccount": Ref("account"),
            "kms:ViaService": f"secretsmanager.{config.aws.region}.amazonaws.com",
        }
    }
    return _policy(
        _allow("AdministrationThroughIam", ADMINISTRATION, "*") | {"Principal": account},
        _allow("UseThroughSecretsManager", ["kms:Decrypt", "kms:GenerateDataKey"], "*", through)
        | {"Principal": account},
    )


ADMINISTRATION = [
    f"kms:{action}"
    for action in (
        "CancelKeyDeletion",
        "CreateAlias",
        "DeleteAlias",
        "DescribeKey",
        "DisableKey",
        "EnableKey",
        "EnableKeyRotation",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "ListResourceTags",
        "PutKeyPolicy",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateKeyDescription",
    )
]


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resource: Any, condition: Mapping[str, Any] | None = None) -> Policy:
    statement: Policy = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return statement | ({"Condition": dict(condition)} if condition else {})


def _assume(sid: str, service: str) -> Policy:
    return {"Sid": sid, "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


def table(want: Iterable[Resource], have: Observed) -> pd.DataFrame:
    """Every statement of every wanted policy: who (index), may, on what, and only when. Pure."""
    rows = [
        _row(resource.name, statement, have)
        for resource in want
        for statement in resolve(resource, have).attributes.get("policy", {}).get("Statement", ())
    ]
    return pd.DataFrame(rows, columns=["who", "may", "on", "only when"]).set_index("who")


def _row(name: str, statement: Mapping[str, Any], have: Observed) -> tuple[str, str, str, str]:
    """A role's statement says on what; a key's own statement says who, and what it is on is the key."""
    who, on = (name, _on(statement["Resource"], have)) if "Principal" not in statement else ("the account's IAM", name)
    return who, ", ".join(statement["Action"]), on, _when(statement, have)


def _on(resource: Any, have: Observed) -> str:
    return ", ".join(show(item, have) for item in _list(resource))


def _when(statement: Mapping[str, Any], have: Observed) -> str:
    conditions = [(key, value) for test in statement.get("Condition", {}).values() for key, value in test.items()]
    return ", ".join(f"{key} is {show(value, have)}" for key, value in conditions) or "always"


def least_privilege(subject: str, policy: Mapping[str, Any], on: str = "") -> Verdict:
    """Whether a policy names every action, and a resource for each action that takes one.

    ``on`` says what ``Resource: *`` stands for in a policy of a resource's own, such as "this key".
    """
    grants = [(action, resource) for statement in _allowed(policy) for action, resource in _grants(statement)]
    wild = sorted({action for action, _ in grants if "*" in action})
    loose = sorted({action for action, resource in grants if resource == "*" and not on and action not in ANY_RESOURCE})
    if wild or loose:
        problems = [f"{action} is not one action" for action in wild]
        return ng(subject, "; ".join(problems + [f"{action} is allowed on any resource" for action in loose]))
    excused = sorted({action for action, resource in grants if resource == "*" and not on})
    reasons = "".join(f"; on any resource {action}, since {ANY_RESOURCE[action]}" for action in excused)
    count = len({action for action, _ in grants})
    return ok(subject, f"{counted(count, 'action')}{f' on {on}' if on else ''}{reasons}")


def _allowed(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (statement for statement in _list(policy["Statement"]) if statement["Effect"] == "Allow")


def _grants(statement: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each action with each resource; what a statement excludes (NotAction, NotResource) leaves everything else."""
    actions = _list(statement.get("Action", "*"))
    resources = _list(statement.get("Resource", "*"))
    return ((action, resource) for action in actions for resource in resources)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
