"""70_task: the task definition, registered whole from the parameters, and the log that its container writes.

A revision is never made from an older one: tools that copy only the family and the containers drop
volumes, roles and network mode. The document itself is in `slpnb.task.task_definition`. Source of the rules:
Amazon ECS API reference (RegisterTaskDefinition, DeleteTaskDefinitions), docs/ecs-facts.md, "RegisterTaskDefinition".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from slpnb import efs, image, secrets
from slpnb.aws import Aws, batches, observation, same_observation, tag_list
from slpnb.config import Config
from slpnb.ecs import placement, resources
from slpnb.plan import Call, Found, Kind, Observed, Plan, Resource, Wanted, compare, find_account, read_back
from slpnb.secrets.policies import log_group
from slpnb.task.task_definition import definition, parts, whole
from slpnb.verdict import Verdict, Verdicts, ng, ok

STEP = "70_task"


def desired(config: Config) -> Wanted:
    """The log group, and the task definition. Pure. Raises `Refusal` for a volume that is not shared."""
    return (_log_group(config), _definition(config))


def _log_group(config: Config) -> Resource:
    name, attributes = log_group(config), {"retention_days": config.task.log_retention_days}
    reason = "keeps what the container writes, but not forever"
    return Resource("log-group", "log group", name, attributes, reason, config.tags(STEP, name))


def _definition(config: Config) -> Resource:
    name, attributes = config.task.family, parts(definition(config))
    reason = "whole, from the parameters; each change registers a new revision, and the old ones stay for a rollback"
    return Resource("task-definition", "task definition", name, attributes, reason, config.tags(STEP, name))


@observation
def observe(aws: Aws) -> Observed:
    """The log group and the revisions of this environment, and what the task definition refers to."""
    uploads = {key: found for key, found in efs.observe(aws).items() if key in ("file-system", "access-point")}
    foreign = {**find_account(aws), **image.find_repository(aws), **uploads}
    roles = {**secrets.find_secrets(aws), **secrets.find_roles(aws)}
    return {**foreign, **roles, **_find_log_group(aws), **find_definitions(aws)}


def _find_log_group(aws: Aws) -> dict[str, Found]:
    name = log_group(aws.config)
    groups = aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return next(({"log-group": _found_log_group(aws, group)} for group in groups if group["logGroupName"] == name), {})


def _found_log_group(aws: Aws, group: Mapping[str, Any]) -> Found:
    arn = group["arn"].removesuffix(":*")
    tags = aws.read("logs", "list_tags_for_resource", resourceArn=arn)
    attributes = {"retention_days": group.get("retentionInDays")}
    return Found("log-group", "log group", group["logGroupName"], arn, attributes, aws.step_of(tags.get("tags")))


def find_definitions(aws: Aws) -> dict[str, Found]:
    """The newest ACTIVE revision that this step registered, and the older and inactive ones.

    Facts of "task-definition": ``revision`` (family:number). "task-definition/older" is there only
    to be destroyed: a rollback needs it.
    """
    ours = [found for found in _revisions(aws) if found.step == STEP]
    active = [found for found in ours if found.facts["status"] == "ACTIVE"]
    newest = active[-1:]
    older = [found for found in ours if found not in newest]
    found = [*([_older(older)] if older else ()), *newest]
    return {one.key: one for one in found}


def _revisions(aws: Aws) -> Iterator[Found]:
    """Every revision of the family, oldest first."""
    family = aws.config.task.family
    for status in ("INACTIVE", "ACTIVE"):
        question = {"familyPrefix": family, "status": status, "sort": "ASC"}
        for arn in aws.pages("ecs", "list_task_definitions", "taskDefinitionArns", **question):
            if arn.rpartition("/")[2].rpartition(":")[0] == family:
                yield _found_revision(aws, arn)


def _found_revision(aws: Aws, arn: str) -> Found:
    answer = aws.read("ecs", "describe_task_definition", taskDefinition=arn, include=["TAGS"])
    document, name = answer["taskDefinition"], aws.config.task.family
    facts = {
        "revision": f"{name}:{document['revision']}",
        "status": document["status"],
        "revisions": ((arn, document["status"]),),
    }
    step = aws.step_of(answer.get("tags"))
    alone = len(document["containerDefinitions"]) == 1
    attributes = parts(document) if alone else {"containers": len(document["containerDefinitions"])}
    return Found("task-definition", "task definition", name, arn, attributes, step, facts)


def _older(revisions: list[Found]) -> Found:
    statuses = tuple(pair for found in revisions for pair in found.facts["revisions"])
    name = f"{revisions[0].name}, {len(revisions)} older revision{'s' if len(revisions) > 1 else ''}"
    key = "task-definition/older"
    return Found(key, "older revisions", name, key, {}, STEP, {"revisions": statuses})


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure. Old revisions go only when nothing is wanted."""
    if want:
        have = {key: found for key, found in have.items() if key != "task-definition/older"}
    return compare(STEP, KINDS, _complete(want, have), have)


def _complete(want: Wanted, have: Observed) -> Wanted:
    """Explicitly want every field that AWS holds and the parameters do not name to be absent."""
    found = have.get("task-definition")
    nothing = dict.fromkeys(found.attributes, None) if found else {}
    return tuple(_with(nothing, resource) if resource.key == "task-definition" else resource for resource in want)


def _with(nothing: Mapping[str, Any], resource: Resource) -> Resource:
    return replace(resource, attributes={**nothing, **resource.attributes})


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read everything back, then check the revision, as AWS holds it, for what its tasks need."""
    have = observe(aws)
    found = have.get("task-definition")
    return read_back(_complete(want, have), have) + (checks(aws.config, found) if found else Verdicts())


def checks(config: Config, found: Found) -> Verdicts:
    """Whether a registered revision names its image by digest, holds no secret, and fits the instances. Pure."""
    return Verdicts((_by_digest(found), _by_reference(found))) + fits(config, whole(found.attributes))


def _by_digest(found: Found) -> Verdict:
    name = str(found.attributes.get("container.image", ""))
    if "@sha256:" not in name:
        return ng("image by digest", "the image is named by a tag, which can be moved under the service")
    return ok("image by digest", f"…@{name.partition('@')[2][:19]}…")


def _by_reference(found: Found) -> Verdict:
    values = found.attributes.get("container.environment") or []
    clear = [item["name"] for item in values if any(word in item["name"] for word in ("PASSWORD", "_KEY", "_SALT"))]
    if clear:
        return ng("secrets by reference", f"{', '.join(clear)} in clear text")
    return ok("secrets by reference", f"{len(found.attributes.get('container.secrets') or [])}, none in clear text")


def fits(config: Config, document: Mapping[str, Any]) -> Verdicts:
    """Whether one task of a task definition fits an empty instance as in the parameters, with the numbers. Pure."""
    cluster = config.cluster
    fit = placement.fit(
        resources.task_needs(document),
        cluster.instance_type,
        reserved_mib=cluster.reserved_memory_mib,
        trunking=cluster.awsvpc_trunking,
    )
    subject, seen = f"fits a {cluster.instance_type}", repr(fit).replace("\n", "; ")
    return Verdicts((ok(subject, seen) if fit else ng(subject, seen),))


# --- how each kind is written -------------------------------------------------------------------------------

ABSENT = ("ResourceNotFoundException",)
UNKNOWN = ("ClientException", "InvalidParameterException")  # what ECS says of a revision that is gone
DELETED_AT_ONCE = 10  # DeleteTaskDefinitions takes no more


def _create_log_group(resource: Resource) -> list[Call]:
    params = {"logGroupName": resource.name, "tags": dict(resource.tags)}
    return [Call("logs", "create_log_group", params), _retain(resource)]


def _retain(resource: Resource) -> Call:
    params = {"logGroupName": resource.name, "retentionInDays": resource.attributes["retention_days"]}
    return Call("logs", "put_retention_policy", params)


def _delete_log_group(found: Found) -> list[Call]:
    return [Call("logs", "delete_log_group", {"logGroupName": found.name}, gone=ABSENT)]


def _register(resource: Resource) -> list[Call]:
    params = whole(resource.attributes) | {"tags": tag_list(resource.tags, "key", "value")}
    numbered = "join(':', [taskDefinition.family, to_string(taskDefinition.revision)])"
    binds = {"id": "taskDefinition.taskDefinitionArn", "revision": numbered}
    return [Call("ecs", "register_task_definition", params, binds)]


def _delete_revisions(found: Found) -> Iterator[Call]:
    """Deregister what is active, then delete all: a revision that tasks still run goes when they have stopped."""
    revisions = found.facts["revisions"]
    for arn in (arn for arn, status in revisions if status == "ACTIVE"):
        yield Call("ecs", "deregister_task_definition", {"taskDefinition": arn}, gone=UNKNOWN)
    for some in batches([arn for arn, _ in revisions], DELETED_AT_ONCE):
        yield Call("ecs", "delete_task_definitions", {"taskDefinitions": some}, gone=UNKNOWN)


KINDS: dict[str, Kind] = {
    "log group": Kind(
        "CloudWatch log group",
        _create_log_group,
        _delete_log_group,
        lambda resource, _found, _changed: [_retain(resource)],
    ),
    "task definition": Kind(
        "task definition", _register, _delete_revisions, lambda resource, _found, _changed: _register(resource)
    ),
    "older revisions": Kind("task definition", _register, _delete_revisions),
}
