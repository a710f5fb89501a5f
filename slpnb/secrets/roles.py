"""IAM roles with one inline policy each, and the instance profile of the one that EC2 uses: part of 40_secrets.

Inline, not managed: the policy lives and dies with its role, and nothing else can come to depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slpnb.aws import Aws, tag_list
from slpnb.plan import Call, Found, Kind, Resource
from slpnb.plan.values import Json

POLICY_NAME = "slpnb"
ABSENT = ("NoSuchEntity",)
HELD = "holds the role"

# IAM answers from replicas, which a new role reaches a little later.
SPREADING = ABSENT


def find_role(aws: Aws, key: str, name: str) -> dict[str, Found]:
    """A role by its name. Facts: ``arn``; with an instance profile also ``profile_arn`` and ``profile_name``."""
    answer = aws.read("iam", "get_role", RoleName=name, absent=ABSENT)
    return {key: _found_role(aws, key, answer["Role"])} if answer else {}


def _found_role(aws: Aws, key: str, role: Mapping[str, Any]) -> Found:
    name = role["RoleName"]
    own = aws.read("iam", "get_role_policy", RoleName=name, PolicyName=POLICY_NAME, absent=ABSENT)
    attributes = {
        "trust": role["AssumeRolePolicyDocument"],
        "policy": own["PolicyDocument"] if own else None,
        "other_policies": _other_policies(aws, name),
    }
    profile = aws.read("iam", "get_instance_profile", InstanceProfileName=name, absent=ABSENT)
    facts = {"arn": role["Arn"]}
    if profile:
        roles = [held["RoleName"] for held in profile["InstanceProfile"]["Roles"]]
        attributes["profile"] = HELD if name in roles else "empty"
        facts |= {"profile_arn": profile["InstanceProfile"]["Arn"], "profile_name": name}
    step = aws.step_of(role.get("Tags"))
    return Found(key, "role", name, role["RoleId"], attributes, step, facts)


def _other_policies(aws: Aws, name: str) -> list[str]:
    """Whatever else was attached to the role by hand: names of inline policies, ARNs of managed ones."""
    inline = aws.pages("iam", "list_role_policies", "PolicyNames", RoleName=name)
    managed = aws.pages("iam", "list_attached_role_policies", "AttachedPolicies[].PolicyArn", RoleName=name)
    return sorted({*inline, *managed} - {POLICY_NAME})


def managed_policy(aws: Aws, name: str) -> dict[str, Any]:
    """The document of one of AWS's own policies, in its current version, to compare with."""
    arn = f"arn:{aws.caller['Arn'].split(':')[1]}:iam::aws:policy/{name}"
    policy = aws.read("iam", "get_policy", PolicyArn=arn)["Policy"]
    version = aws.read("iam", "get_policy_version", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    return dict(version["PolicyVersion"]["Document"])


def _create_role(resource: Resource) -> Iterator[Call]:
    params = {
        "RoleName": resource.name,
        "Description": resource.reason,
        "AssumeRolePolicyDocument": Json(resource.attributes["trust"]),
        "Tags": tag_list(resource.tags),
    }
    yield Call("iam", "create_role", params, {"id": "Role.RoleId"})
    yield _put_policy(resource)
    if "profile" in resource.attributes:
        yield _create_profile(resource)
        yield _fill_profile(resource)


def _put_policy(resource: Resource) -> Call:
    document = Json(resource.attributes["policy"])
    params = {"RoleName": resource.name, "PolicyName": POLICY_NAME, "PolicyDocument": document}
    return Call("iam", "put_role_policy", params, retry=SPREADING)


def _create_profile(resource: Resource) -> Call:
    params = {"InstanceProfileName": resource.name, "Tags": tag_list(resource.tags)}
    return Call("iam", "create_instance_profile", params)


def _fill_profile(resource: Resource) -> Call:
    params = {"InstanceProfileName": resource.name, "RoleName": resource.name}
    return Call("iam", "add_role_to_instance_profile", params, retry=SPREADING)


def _update_role(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if "trust" in changed:
        params = {"RoleName": resource.name, "PolicyDocument": Json(resource.attributes["trust"])}
        yield Call("iam", "update_assume_role_policy", params)
    if "policy" in changed:
        yield _put_policy(resource)
    if "other_policies" in changed:
        yield from (_remove_policy(found.name, policy) for policy in found.attributes["other_policies"])
    if "profile" in changed:
        if "profile" not in found.attributes:
            yield _create_profile(resource)
        yield _fill_profile(resource)


def _remove_policy(role: str, policy: str) -> Call:
    if policy.startswith("arn:"):
        return Call("iam", "detach_role_policy", {"RoleName": role, "PolicyArn": policy}, gone=ABSENT)
    return Call("iam", "delete_role_policy", {"RoleName": role, "PolicyName": policy}, gone=ABSENT)


def _delete_role(found: Found) -> Iterator[Call]:
    # IAM deletes a role only when no policy and no profile holds it.
    name, attributes = found.name, found.attributes
    profile = {"InstanceProfileName": name}
    if attributes.get("profile") == HELD:
        yield Call("iam", "remove_role_from_instance_profile", profile | {"RoleName": name}, gone=ABSENT)
    if "profile" in attributes:
        yield Call("iam", "delete_instance_profile", profile, gone=ABSENT, retry=("DeleteConflict",))
    own = [POLICY_NAME] if attributes["policy"] is not None else []
    yield from (_remove_policy(name, policy) for policy in own + attributes["other_policies"])
    yield Call("iam", "delete_role", {"RoleName": name}, gone=ABSENT, retry=("DeleteConflict",))


KIND = Kind("IAM role", _create_role, _delete_role, _update_role)
