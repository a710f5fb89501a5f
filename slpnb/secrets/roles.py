"""IAM roles with one inline policy each, and the instance profile of the one that EC2 uses: part of 40_secrets.

Inline, not managed: the policy lives and dies with its role, and nothing else can come to depend on it. Managed
policies are those that the parameters name; whatever else was attached by hand is shown and detached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slpnb.aws import Aws, tag_list
from slpnb.config import Config
from slpnb.errors import AwsError
from slpnb.plan import Call, Found, Kind, Observed, Resource
from slpnb.plan.values import Join, Json, Ref
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

POLICY_NAME = "slpnb"
ABSENT = ("NoSuchEntity",)
HELD = "holds the role"
OF_AWS = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/")
SESSION_MANAGER = "AmazonSSMManagedInstanceCore"


def managed(config: Config, role: str) -> list[str | Join]:
    """The managed policies that the parameters give a role: AWS's own first, then the others, each by its ARN. Pure."""
    names = named(config, role)
    return [name if name.startswith("arn:") else _of_aws(name) for name in sorted(names, key=_order)]


def named(config: Config, role: str) -> set[str]:
    """The same as the parameters name them: one of AWS's own by its name alone. Pure."""
    section = config.secrets
    lists = {
        "execution": section.execution_policies,
        "task": section.task_policies,
        "instance": section.instance_policies + [SESSION_MANAGER] * config.cluster.session_manager,
    }
    return {OF_AWS.sub("", name) for name in lists[role]}


def _of_aws(name: str) -> Join:
    return Join(("arn:", Ref("account", "partition"), f":iam::aws:policy/{name}"))


def _order(policy: str) -> tuple[bool, str]:
    """AWS's own before the account's, whether by name or by ARN."""
    name = OF_AWS.sub("", policy)
    return name.startswith("arn:"), name


def find_policies(aws: Aws, names: Iterable[str]) -> dict[str, Found]:
    """Those of the named managed policies that there are. Fact: ``untold``, why AWS did not say."""
    found = (_find_policy(aws, name) for name in names)
    return {policy.key: policy for policy in found if policy}


def _find_policy(aws: Aws, name: str) -> Found | None:
    arn = name if name.startswith("arn:") else f"arn:{aws.caller['Arn'].split(':')[1]}:iam::aws:policy/{name}"
    try:
        there, untold = bool(aws.read("iam", "get_policy", PolicyArn=arn, absent=ABSENT)), ""
    except AwsError as error:
        there, untold = True, error.brief
    key = f"managed-policy/{name}"
    return Found(key, "managed policy", name.rpartition("/")[2], key, {}, facts={"untold": untold}) if there else None


def attachable(config: Config, have: Observed) -> Verdicts:
    """Whether there is each managed policy that the parameters name. Pure."""
    asked = {name: role for role in ("execution", "task", "instance") for name in named(config, role)}
    return Verdicts.of(_attachable(name, asked[name], have) for name in sorted(asked))


def _attachable(name: str, role: str, have: Observed) -> Verdict:
    shown, subject = name.rpartition("/")[2], f"managed policy of the {role} role"
    found = have.get(f"managed-policy/{name}")
    if found:
        untold = found.facts["untold"]
        return skip(subject, f"whether {shown} exists: {untold}") if untold else ok(subject, f"{shown} exists")
    key = "cluster.session_manager" if name == SESSION_MANAGER else f"secrets.{role}_policies"
    return ng(subject, f"{key} asks for {shown}, which does not exist: an ARN, or a name of AWS's own, is allowed")


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
        "managed_policies": sorted(_attached(aws, name), key=_order),
        "other_inline_policies": sorted({*_inline(aws, name)} - {POLICY_NAME}),
    }
    profile = aws.read("iam", "get_instance_profile", InstanceProfileName=name, absent=ABSENT)
    facts = {"arn": role["Arn"]}
    if profile:
        roles = [held["RoleName"] for held in profile["InstanceProfile"]["Roles"]]
        attributes["profile"] = HELD if name in roles else "empty"
        facts |= {"profile_arn": profile["InstanceProfile"]["Arn"], "profile_name": name}
    step = aws.step_of(role.get("Tags"))
    return Found(key, "role", name, role["RoleId"], attributes, step, facts)


def _inline(aws: Aws, name: str) -> list[str]:
    return aws.pages("iam", "list_role_policies", "PolicyNames", RoleName=name)


def _attached(aws: Aws, name: str) -> list[str]:
    return aws.pages("iam", "list_attached_role_policies", "AttachedPolicies[].PolicyArn", RoleName=name)


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
    yield from (_attach(resource.name, policy) for policy in resource.attributes["managed_policies"])
    if "profile" in resource.attributes:
        yield _create_profile(resource)
        yield _fill_profile(resource)


def _put_policy(resource: Resource) -> Call:
    document = Json(resource.attributes["policy"])
    params = {"RoleName": resource.name, "PolicyName": POLICY_NAME, "PolicyDocument": document}
    return Call("iam", "put_role_policy", params)


def _create_profile(resource: Resource) -> Call:
    params = {"InstanceProfileName": resource.name, "Tags": tag_list(resource.tags)}
    return Call("iam", "create_instance_profile", params)


def _fill_profile(resource: Resource) -> Call:
    params = {"InstanceProfileName": resource.name, "RoleName": resource.name}
    return Call("iam", "add_role_to_instance_profile", params)


def _update_role(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    if "trust" in changed:
        params = {"RoleName": resource.name, "PolicyDocument": Json(resource.attributes["trust"])}
        yield Call("iam", "update_assume_role_policy", params)
    if "policy" in changed:
        yield _put_policy(resource)
    want, have = resource.attributes["managed_policies"], found.attributes["managed_policies"]
    yield from (_attach(found.name, policy) for policy in want if policy not in have)
    yield from (_detach(found.name, policy) for policy in have if policy not in want)
    yield from (_delete_inline(found.name, policy) for policy in found.attributes["other_inline_policies"])
    if "profile" in changed:
        if "profile" not in found.attributes:
            yield _create_profile(resource)
        yield _fill_profile(resource)


def _attach(role: str, policy: str | Join) -> Call:
    return Call("iam", "attach_role_policy", {"RoleName": role, "PolicyArn": policy})


def _detach(role: str, policy: str) -> Call:
    return Call("iam", "detach_role_policy", {"RoleName": role, "PolicyArn": policy}, gone=ABSENT)


def _delete_inline(role: str, policy: str) -> Call:
    return Call("iam", "delete_role_policy", {"RoleName": role, "PolicyName": policy}, gone=ABSENT)


def _delete_role(found: Found) -> Iterator[Call]:
    # IAM deletes a role only when no policy and no profile holds it.
    name, attributes = found.name, found.attributes
    profile = {"InstanceProfileName": name}
    if attributes.get("profile") == HELD:
        yield Call("iam", "remove_role_from_instance_profile", profile | {"RoleName": name}, gone=ABSENT)
    if "profile" in attributes:
        yield Call("iam", "delete_instance_profile", profile, gone=ABSENT)
    own = [POLICY_NAME] if attributes["policy"] is not None else []
    yield from (_delete_inline(name, policy) for policy in own + attributes["other_inline_policies"])
    yield from (_detach(name, policy) for policy in attributes["managed_policies"])
    yield Call("iam", "delete_role", {"RoleName": name}, gone=ABSENT)


KIND = Kind("IAM role", _create_role, _delete_role, _update_role)
