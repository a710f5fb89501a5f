"""40_secrets: the key, the secrets for the database and WordPress, and the three roles that may use them.

A secret's value is generated when the plan is applied, goes to Secrets Manager, and is never shown or
compared. Source: AWS Secrets Manager User Guide ("Secret encryption and decryption", "Delete an AWS Secrets
Manager secret"), AWS KMS Developer Guide ("Deleting AWS KMS keys"), docs/ecs-facts.md, "WordPress behind a load
balancer".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from secrets import token_urlsafe
from typing import Any

from slpnb import efs, image
from slpnb.aws import TAG_ENVIRONMENT, TAG_STEP, Aws, observation, same_observation, tag_list
from slpnb.config import Config
from slpnb.plan import (
    Call,
    Found,
    Id,
    Kind,
    Observed,
    Plan,
    Resource,
    Wanted,
    compare,
    fields,
    find_account,
    read_back,
)
from slpnb.plan.values import Json, Ref, Secret
from slpnb.secrets import policies, roles
from slpnb.verdict import Verdict, Verdicts, ng, ok

STEP = "40_secrets"
SECRETS = ("database", "salts")
ROLES = ("execution", "task", "instance")
# The names of wp-config.php. One set for all tasks: with salts of its own, each task would log out
# whoever the load balancer sends over from another (docs/ecs-facts.md, "WordPress behind a load balancer").
SALTS = (
    "AUTH_KEY",
    "SECURE_AUTH_KEY",
    "LOGGED_IN_KEY",
    "NONCE_KEY",
    "AUTH_SALT",
    "SECURE_AUTH_SALT",
    "LOGGED_IN_SALT",
    "NONCE_SALT",
)
ABSENT = {
    "kms": ("NotFoundException",),
    "secretsmanager": ("ResourceNotFoundException",),
    "rds": ("DBInstanceNotFound", "DBInstanceNotFoundFault"),
}
AVAILABLE, ENABLED, PENDING = "available", "Enabled", "PendingDeletion"


def secret_name(config: Config, role: str) -> str:
    """The name of a secret: ``<prefix>/database``, ``<prefix>/salts``."""
    return f"{config.prefix}/{role}"


def desired(config: Config) -> Wanted:
    """The key, both secrets, and the three roles. Pure: the values of the secrets do not exist yet."""
    return (_key(config), _database_secret(config), _salts_secret(config), *_roles(config))


def _key(config: Config) -> Resource:
    name = config.secrets.kms_alias
    attributes = {
        "description": f"secrets of {config.prefix}",
        "state": ENABLED,
        "rotation": True,
        "alias": name,
        "policy": policies.key(config),
    }
    reason = "this environment's own key: one place says who may decrypt, and the right can be revoked"
    return Resource("kms-key", "key", name, attributes, reason, config.tags(STEP, name))


def _database_secret(config: Config) -> Resource:
    secrets = config.secrets
    value = {
        "host": Ref("database", "host"),
        "port": Ref("database", "port"),
        "dbname": secrets.database_name,
        "username": secrets.database_user,
        "password": Secret(lambda: token_urlsafe(24), _shell(32)),  # 32 characters, all allowed by RDS
    }
    description = f"{secrets.database_user} on {secrets.database_name} of {secrets.database_instance}"
    return _secret(config, "database", description, value, "tells WordPress where its database is")


def _salts_secret(config: Config) -> Resource:
    value = {name: Secret(lambda: token_urlsafe(48), _shell(64)) for name in SALTS}
    return _secret(
        config, "salts", "WordPress keys and salts", value, "shared by all tasks, so that no one is logged out"
    )


def _secret(config: Config, role: str, description: str, value: Mapping[str, Any], reason: str) -> Resource:
    name = secret_name(config, role)
    attributes = {"description": description, "kms_key": Ref("kms-key"), "state": AVAILABLE}
    return Resource(f"secret/{role}", "secret", name, attributes, reason, config.tags(STEP, name), value)


def _shell(length: int) -> str:
    """How a reader would generate such a value by hand."""
    return (
        f"$(aws secretsmanager get-random-password --exclude-punctuation --password-length {length} "
        "--query RandomPassword --output text)"
    )


def _roles(config: Config) -> Iterator[Resource]:
    trust, on_ec2 = policies.trust_tasks(config), {"profile": roles.HELD}
    documents: dict[str, dict[str, Any]] = {
        "execution": {"trust": trust, "policy": policies.execution(config)},
        "task": {"trust": trust, "policy": policies.task(config)},
        "instance": {"trust": policies.trust_instances(), "policy": policies.instance(config), **on_ec2},
    }
    for role, attributes in documents.items():
        name = config.secrets.role_name(role)
        attributes = {**attributes, "managed_policies": roles.managed(config, role), "other_inline_policies": []}
        yield Resource(f"role/{role}", "role", name, attributes, WHY[role], config.tags(STEP, name))


WHY = {
    "execution": "what ECS may do to start a task: pull the image, read the secrets, write the log",
    "task": "what the container may do: mount the uploads",
    "instance": "what the ECS agent may do: join this cluster",
}


@observation
def observe(aws: Aws) -> Observed:
    """Key, secrets and roles of this environment, and what their policies refer to."""
    uploads = {key: found for key, found in efs.observe(aws).items() if key in ("file-system", "access-point")}
    foreign = find_account(aws) | find_database(aws) | image.find_repository(aws) | uploads
    named = {name for role in ROLES for name in roles.named(aws.config, role)}
    foreign |= roles.find_policies(aws, sorted(named))
    return foreign | find_key(aws) | find_secrets(aws, pending=True) | find_roles(aws)


def find_database(aws: Aws) -> dict[str, Found]:
    """The existing RDS instance by its identifier, if there is one. Facts: ``host``, ``port``, ``status``."""
    name = aws.config.secrets.database_instance
    answer = aws.read("rds", "describe_db_instances", DBInstanceIdentifier=name, absent=ABSENT["rds"])
    if not answer:
        return {}
    instance = answer["DBInstances"][0]
    endpoint = instance.get("Endpoint", {})  # it has none while it is being created
    facts = {"host": endpoint.get("Address"), "port": endpoint.get("Port"), "status": instance["DBInstanceStatus"]}
    attributes = {"engine": instance["Engine"], "version": instance["EngineVersion"]}
    return {"database": Found("database", "RDS instance", name, name, attributes, facts=facts)}


def find_key(aws: Aws) -> dict[str, Found]:
    """This environment's key: by its alias, or by its tags when a run ended before the alias was made.

    One that is pending deletion can be restored, and what it encrypted with it: it is found
    too, as nobody's, so that destroying does not count it. A foreign key under the alias is found
    as foreign.
    """
    answer = aws.read("kms", "describe_key", KeyId=aws.config.secrets.kms_alias, absent=ABSENT["kms"])
    aliased = answer["KeyMetadata"] if answer else None
    if aliased and _key_step(aws, aliased) == STEP:
        return _found_key(aws, aliased, aliased)
    ours = list(_tagged_keys(aws))
    ours.sort(key=lambda key: key["KeyState"] == PENDING)
    chosen = ours[0] if ours else aliased
    return _found_key(aws, chosen, aliased) if chosen else {}


def _tagged_keys(aws: Aws) -> Iterator[dict[str, Any]]:
    """By the tagging API: other people's keys, which may deny everyone, are not asked."""
    tags = {TAG_ENVIRONMENT: aws.config.environment, TAG_STEP: STEP}
    asked: dict[str, Any] = {
        "ResourceTypeFilters": ["kms:key"],
        "TagFilters": [{"Key": name, "Values": [value]} for name, value in tags.items()],
    }
    for arn in aws.pages("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList[].ResourceARN", **asked):
        if answer := aws.read("kms", "describe_key", KeyId=arn, absent=ABSENT["kms"]):
            yield answer["KeyMetadata"]


def _key_step(aws: Aws, key: Mapping[str, Any]) -> str:
    tags = aws.pages("kms", "list_resource_tags", "Tags", KeyId=key["KeyId"], absent=ABSENT["kms"])
    return aws.step_of(tags)


def _found_key(aws: Aws, key: Mapping[str, Any], aliased: Mapping[str, Any] | None) -> dict[str, Found]:
    identifier, alias, step = key["KeyId"], aws.config.secrets.kms_alias, _key_step(aws, key)
    if step != STEP:
        return {"kms-key": Found("kms-key", "key", alias, identifier, {})}  # its policy may deny us, and is not needed
    policy = aws.read("kms", "get_key_policy", KeyId=identifier, PolicyName="default")
    rotation = aws.read("kms", "get_key_rotation_status", KeyId=identifier)
    attributes = {
        "description": key.get("Description", ""),
        "state": key["KeyState"],
        "rotation": rotation.get("KeyRotationEnabled", False),
        "alias": alias if aliased and aliased["KeyId"] == identifier else None,
        "policy": json.loads(policy["Policy"]),
    }
    pending = key["KeyState"] == PENDING
    facts = {"arn": key["Arn"], "taken_back": pending, **_recovery(aws)}
    return {"kms-key": Found("kms-key", "key", alias, identifier, attributes, "" if pending else step, facts)}


def find_secrets(aws: Aws, pending: bool = False) -> dict[str, Found]:
    """This environment's secrets by name, without their values. Facts: ``arn``, ``current`` (a value is there).

    One that is pending deletion keeps its name: with ``pending`` it is found too, as nobody's,
    so that it can be restored and destroying does not count it.
    """
    found = {f"secret/{role}": _find_secret(aws, role) for role in SECRETS}
    return {key: secret for key, secret in found.items() if secret and (pending or _is_available(secret))}


def _is_available(secret: Found) -> bool:
    return bool(secret.attributes["state"] == AVAILABLE)


def _find_secret(aws: Aws, role: str) -> Found | None:
    name = secret_name(aws.config, role)
    secret = aws.read("secretsmanager", "describe_secret", SecretId=name, absent=ABSENT["secretsmanager"])
    if not secret:
        return None
    pending, step = "DeletedDate" in secret, aws.step_of(secret.get("Tags"))
    attributes = {
        "description": secret.get("Description", ""),
        "kms_key": secret.get("KmsKeyId", "").rpartition("/")[2],  # an id, or the id at the end of an ARN
        "state": "pending deletion" if pending else AVAILABLE,
    }
    stages = [stage for stages in secret.get("VersionIdsToStages", {}).values() for stage in stages]
    facts = {"arn": secret["ARN"], "current": "AWSCURRENT" in stages, "taken_back": pending and step == STEP}
    facts |= _recovery(aws)
    return Found(f"secret/{role}", "secret", name, secret["ARN"], attributes, "" if pending else step, facts)


def _recovery(aws: Aws) -> dict[str, int]:
    return {"recovery_days": aws.config.secrets.recovery_days}


def find_roles(aws: Aws) -> dict[str, Found]:
    """This environment's roles by name; see `roles.find_role` for their facts."""
    found: dict[str, Found] = {}
    for role in ROLES:
        found |= roles.find_role(aws, f"role/{role}", aws.config.secrets.role_name(role))
    return found


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure.

    Raises `Refusal` when a key, secret or role of a wanted name is someone else's.
    """
    return compare(STEP, KINDS, want, have)


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read everything back but the values, then ask of each policy, as AWS holds it, whether it grants too much."""
    have = observe(aws)
    values = (_value(have[key]) for key in ("secret/database", "secret/salts") if key in have)
    return read_back(want, have) + Verdicts.of(values) + Verdicts.of(_grants(have))


def _value(secret: Found) -> Verdict:
    if not secret.facts["current"]:
        return ng(f"value of {secret.name}", "no current value: a task that needs it could not start")
    return ok(f"value of {secret.name}", "there is a current value; it was not read")


def _grants(have: Observed) -> Iterator[Verdict]:
    if "kms-key" in have:
        key = have["kms-key"]
        yield policies.least_privilege(f"grants of {key.name}", key.attributes["policy"], on="this key")
    for role in ROLES:
        found = have.get(f"role/{role}")
        if found and found.attributes["policy"]:
            yield policies.least_privilege(f"grants of {found.name}", found.attributes["policy"])


# --- how each kind is written -------------------------------------------------------------------------------


def _create_key(resource: Resource) -> Iterator[Call]:
    params = {
        "Description": resource.attributes["description"],
        "Policy": Json(resource.attributes["policy"]),
        "Tags": tag_list(resource.tags, "TagKey", "TagValue"),
    }
    yield Call("kms", "create_key", params, {"id": "KeyMetadata.KeyId", "arn": "KeyMetadata.Arn"})
    yield from _set_key(resource, Ref(resource.key), frozenset({"rotation", "alias"}))


def _update_key(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if found.attributes["state"] == PENDING:
        yield Call("kms", "cancel_key_deletion", {"KeyId": found.id})
    if "state" in changed:
        yield Call("kms", "enable_key", {"KeyId": found.id})
    yield from _set_key(resource, found.id, changed)


def _set_key(resource: Resource, own: Id, changed: frozenset[str]) -> Iterator[Call]:
    attributes, key = resource.attributes, {"KeyId": own}
    if "description" in changed:
        yield Call("kms", "update_key_description", key | {"Description": attributes["description"]})
    if "rotation" in changed:
        yield Call("kms", "enable_key_rotation", key)
    if "alias" in changed:
        alias = {"AliasName": attributes["alias"], "TargetKeyId": own}
        yield Call("kms", "create_alias", alias)
    if "policy" in changed:
        policy = {"PolicyName": "default", "Policy": Json(attributes["policy"])}
        yield Call("kms", "put_key_policy", key | policy)


SECRET = {"description": "Description", "kms_key": "KmsKeyId"}


def _create_secret(resource: Resource) -> list[Call]:
    params = {
        "Name": resource.name,
        **fields.write(SECRET, resource.attributes),
        "SecretString": Json(dict(resource.once)),
        "Tags": tag_list(resource.tags),
    }
    return [Call("secretsmanager", "create_secret", params, {"arn": "ARN"})]


def _update_secret(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    own = {"SecretId": found.id}
    if "state" in changed:
        yield Call("secretsmanager", "restore_secret", own)
    if params := fields.write(SECRET, resource.attributes, changed):
        yield Call("secretsmanager", "update_secret", own | params)


def _delete_key(found: Found) -> Iterator[Call]:
    if alias := found.attributes["alias"]:
        yield Call("kms", "delete_alias", {"AliasName": alias}, gone=ABSENT["kms"])
    # After the secrets, and for as many days: as long as one can be recovered, it can be decrypted.
    params = {"KeyId": found.id, "PendingWindowInDays": found.facts["recovery_days"]}
    yield Call("kms", "schedule_key_deletion", params, gone=ABSENT["kms"])


def _delete_secret(found: Found) -> list[Call]:
    params = {"SecretId": found.id, "RecoveryWindowInDays": found.facts["recovery_days"]}
    return [Call("secretsmanager", "delete_secret", params, gone=ABSENT["secretsmanager"])]


KINDS: dict[str, Kind] = {
    "key": Kind("KMS key", _create_key, _delete_key, _update_key),
    "secret": Kind("secret", _create_secret, _delete_secret, _update_secret),
    "role": roles.KIND,
}
