"""30_efs: the shared uploads: an encrypted file system, its access point, a mount target in each zone.

Source of the rules: Amazon EFS User Guide ("Working with access points", "Using IAM to control
file system data access", "Creating mount targets") and docs/ecs-facts.md, "EFS".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from slpnb import network
from slpnb.aws import Aws, observation, same_observation, tag_list
from slpnb.config import Config
from slpnb.efs.mount import mountable, policy, resolvable
from slpnb.plan import (
    Call,
    Found,
    Id,
    Kind,
    Observed,
    Plan,
    Resource,
    Wait,
    Wanted,
    compare,
    fields,
    find_account,
    read_back,
)
from slpnb.plan.values import Json, Ref, substitute
from slpnb.verdict import Verdicts

STEP = "30_efs"
FILE_SYSTEM = {"encrypted": "Encrypted", "performance_mode": "PerformanceMode"}
THROUGHPUT = {"throughput_mode": "ThroughputMode", "provisioned_mibps": "ProvisionedThroughputInMibps"}
ACCESS_POINT = {
    "file_system": "FileSystemId",
    "uid": "PosixUser.Uid",
    "gid": "PosixUser.Gid",
    "directory": "RootDirectory.Path",
    "permissions": "RootDirectory.CreationInfo.Permissions",
}
MOUNT_TARGET = {"file_system": "FileSystemId", "subnet": "SubnetId", "security_groups": "SecurityGroups"}
MISSING = ("FileSystemNotFound", "AccessPointNotFound", "MountTargetNotFound", "PolicyNotFound")


def desired(config: Config) -> Wanted:
    """The file system, its access point, its policy, and one mount target in each zone. Pure."""
    return (_file_system(config), _access_point(config), _policy(config), *_mount_targets(config))


def _file_system(config: Config) -> Resource:
    efs = config.efs
    attributes = {
        "encrypted": True,
        "performance_mode": efs.performance_mode,
        "throughput_mode": efs.throughput_mode,
        "provisioned_mibps": efs.provisioned_mibps,
        "transition_to_ia_days": efs.transition_to_ia_days,
        "backups": efs.backups,
    }
    reason = "every task sees the same uploads; throughput set explicitly, since the API's default is bursting"
    return Resource("file-system", "file system", efs.name, attributes, reason, config.tags(STEP, efs.name))


def _access_point(config: Config) -> Resource:
    efs = config.efs
    attributes = {
        "file_system": Ref("file-system"),
        "uid": efs.uid,
        "gid": efs.gid,
        "directory": efs.directory,
        "permissions": efs.permissions,
    }
    reason = f"without a POSIX user, www-data (uid {efs.uid}) could not write"
    return Resource("access-point", "access point", efs.name, attributes, reason, config.tags(STEP, efs.name))


def _mount_targets(config: Config) -> Iterator[Resource]:
    for zone in config.zones:
        attributes = {
            "file_system": Ref("file-system"),
            "subnet": Ref(f"subnet/{zone}"),
            "security_groups": [Ref("security-group/efs", step=network.STEP)],
        }
        yield Resource(
            f"mount-target/{zone}", "mount target", zone, attributes, "in a zone without one, the mount times out"
        )


def _policy(config: Config) -> Resource:
    """Of a kind of its own, since it names the access point, and is there before any mount target is."""
    attributes = {"file_system": Ref("file-system"), "policy": policy(config)}
    name = config.efs.name
    return Resource("file-system-policy", "file system policy", name, attributes, "without one, anyone there may mount")


@observation
def observe(aws: Aws) -> Observed:
    """What AWS holds: this environment's file system with all that belongs to it, its group, subnets and DNS."""
    found = find_account(aws) | network.find_dns(aws) | network.find_subnets(aws) | network.find_security_groups(aws)
    for system in aws.pages("efs", "describe_file_systems", "FileSystems"):
        if aws.step_of(system.get("Tags")) == STEP:
            found["file-system"] = _found_file_system(aws, system)
            found |= _found_policy(aws, system)
            found |= _found_access_points(aws, system["FileSystemId"])
            found |= _found_mount_targets(aws, system["FileSystemId"])
    return found


def _found_file_system(aws: Aws, system: Mapping[str, Any]) -> Found:
    identifier = system["FileSystemId"]
    attributes = {
        **fields.read(FILE_SYSTEM | THROUGHPUT, system),
        "transition_to_ia_days": _transition_to_ia_days(aws, identifier),
        "backups": _backups(aws, identifier),
    }
    facts = {"arn": system["FileSystemArn"], "bytes": system["SizeInBytes"]["Value"], "state": system["LifeCycleState"]}
    return Found("file-system", "file system", system.get("Name", ""), identifier, attributes, STEP, facts)


def _transition_to_ia_days(aws: Aws, identifier: str) -> int | None:
    path = "LifecyclePolicies[].TransitionToIA"
    rules = aws.pages("efs", "describe_lifecycle_configuration", path, FileSystemId=identifier, absent=MISSING)
    return next((int(rule.split("_")[1]) for rule in rules), None)  # AFTER_30_DAYS


def _backups(aws: Aws, identifier: str) -> bool:
    answer = aws.read("efs", "describe_backup_policy", FileSystemId=identifier, absent=MISSING)
    return answer.get("BackupPolicy", {}).get("Status") in ("ENABLED", "ENABLING")


def _found_policy(aws: Aws, system: Mapping[str, Any]) -> dict[str, Found]:
    identifier, key, name = system["FileSystemId"], "file-system-policy", system.get("Name", "")
    answer = aws.read("efs", "describe_file_system_policy", FileSystemId=identifier, absent=MISSING)
    if not answer:
        return {}
    attributes = {"file_system": identifier, "policy": json.loads(answer["Policy"])}
    return {key: Found(key, "file system policy", name, f"{identifier}/policy", attributes, STEP)}


def _found_access_points(aws: Aws, file_system: str) -> dict[str, Found]:
    points = aws.pages("efs", "describe_access_points", "AccessPoints", FileSystemId=file_system)
    ours = [point for point in points if aws.step_of(point.get("Tags")) == STEP]
    return {"access-point": _found_access_point(ours[0])} if ours else {}


def _found_access_point(point: Mapping[str, Any]) -> Found:
    attributes = fields.read(ACCESS_POINT, point)
    facts = {"arn": point["AccessPointArn"], "state": point["LifeCycleState"]}
    return Found("access-point", "access point", point.get("Name", ""), point["AccessPointId"], attributes, STEP, facts)


def _found_mount_targets(aws: Aws, file_system: str) -> dict[str, Found]:
    targets = aws.pages("efs", "describe_mount_targets", "MountTargets", FileSystemId=file_system)
    return {f"mount-target/{target['AvailabilityZoneName']}": _found_mount_target(aws, target) for target in targets}


def _found_mount_target(aws: Aws, target: Mapping[str, Any]) -> Found:
    identifier, zone = target["MountTargetId"], target["AvailabilityZoneName"]
    groups = aws.read("efs", "describe_mount_target_security_groups", MountTargetId=identifier, absent=MISSING)
    attributes = fields.read(MOUNT_TARGET, target) | {"security_groups": sorted(groups.get("SecurityGroups", []))}
    facts = {"state": target["LifeCycleState"], "vpc": target.get("VpcId", "")}
    return Found(f"mount-target/{zone}", "mount target", zone, identifier, attributes, STEP, facts)


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure."""
    return compare(STEP, KINDS, want, have)


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read everything back from AWS, then check for each zone whether a task there could mount the uploads."""
    have = observe(aws)
    return read_back(want, have) + resolvable(aws.config, have) + mountable(aws.config, have)


def preflight(config: Config) -> Verdicts:
    """`mountable` before anything exists: on what 20_network and this step would make. Pure."""
    made = (*network.desired(config), *desired(config))
    return mountable(config, {resource.key: _as_if_made(resource) for resource in made})


def _as_if_made(resource: Resource) -> Found:
    attributes = substitute(resource.attributes, lambda ref: ref.key)
    return Found(resource.key, resource.kind, resource.name, resource.key, attributes, STEP, {"state": "available"})


# --- how each kind is written -------------------------------------------------------------------------------


def _create_file_system(resource: Resource) -> Iterator[Call]:
    attributes, own = resource.attributes, Ref(resource.key)
    params = {
        "CreationToken": f"{resource.tags['slpnb:environment']}-{resource.name}",
        **fields.write(FILE_SYSTEM | THROUGHPUT, attributes),
        "Backup": attributes["backups"],
        "Tags": tag_list(resource.tags),
    }
    binds = {"id": "FileSystemId", "arn": "FileSystemArn"}
    ready = _available("describe_file_systems", "FileSystems", {"FileSystemId": own})
    yield Call("efs", "create_file_system", params, binds, ready)
    yield from _set_file_system(resource, own, frozenset({"transition_to_ia_days"}))


def _available(operation: str, path: str, own: Mapping[str, Any]) -> Wait:
    return Wait(operation, own, f"{path}[0].LifeCycleState", "available", ("error",))


def _update_file_system(resource: Resource, found: Found, changed: frozenset[str]) -> Iterator[Call]:
    return _set_file_system(resource, found.id, changed)


def _set_file_system(resource: Resource, own: Id, changed: frozenset[str]) -> Iterator[Call]:
    attributes, system = resource.attributes, {"FileSystemId": own}
    if changed & THROUGHPUT.keys():
        yield Call("efs", "update_file_system", system | fields.write(THROUGHPUT, attributes))
    if "transition_to_ia_days" in changed:
        days = attributes["transition_to_ia_days"]
        rules = [] if days is None else [{"TransitionToIA": f"AFTER_{days}_DAY{'S' if days > 1 else ''}"}]
        yield Call("efs", "put_lifecycle_configuration", system | {"LifecyclePolicies": rules})
    if "backups" in changed:
        status = "ENABLED" if attributes["backups"] else "DISABLED"
        yield Call("efs", "put_backup_policy", system | {"BackupPolicy": {"Status": status}})


def _delete_file_system(found: Found) -> list[Call]:
    # AWS returns while the file system is still being deleted: wait until it is gone, so that absent means absent.
    gone = Wait("describe_file_systems", {"MaxItems": 1000}, f"FileSystems[?FileSystemId=='{found.id}'] | length(@)", 0)
    params = {"FileSystemId": found.id}
    return [Call("efs", "delete_file_system", params, wait=gone, gone=MISSING)]


def _create_access_point(resource: Resource) -> list[Call]:
    attributes = resource.attributes
    params = {
        "ClientToken": f"{resource.tags['slpnb:environment']}-{resource.name}",
        **fields.write(ACCESS_POINT, attributes),
        "Tags": tag_list(resource.tags),
    }
    root = params["RootDirectory"]
    root["CreationInfo"] = {"OwnerUid": attributes["uid"], "OwnerGid": attributes["gid"], **root["CreationInfo"]}
    ready = _available("describe_access_points", "AccessPoints", {"AccessPointId": Ref(resource.key)})
    return [Call("efs", "create_access_point", params, {"id": "AccessPointId", "arn": "AccessPointArn"}, ready)]


def _delete_access_point(found: Found) -> list[Call]:
    return [Call("efs", "delete_access_point", {"AccessPointId": found.id}, gone=MISSING)]


def _put_policy(resource: Resource, *_: Any) -> list[Call]:
    attributes = resource.attributes
    params = {"FileSystemId": attributes["file_system"], "Policy": Json(attributes["policy"])}
    return [Call("efs", "put_file_system_policy", params)]


def _delete_policy(found: Found) -> list[Call]:
    # After the mount targets: without it, whoever reaches one may mount.
    return [Call("efs", "delete_file_system_policy", {"FileSystemId": found.attributes["file_system"]}, gone=MISSING)]


def _create_mount_target(resource: Resource) -> list[Call]:
    ready = _available("describe_mount_targets", "MountTargets", {"MountTargetId": Ref(resource.key)})
    params = fields.write(MOUNT_TARGET, resource.attributes)
    return [Call("efs", "create_mount_target", params, {"id": "MountTargetId"}, ready)]


def _update_mount_target(resource: Resource, found: Found, _changed: frozenset[str]) -> list[Call]:
    params = {"MountTargetId": found.id, "SecurityGroups": resource.attributes["security_groups"]}
    return [Call("efs", "modify_mount_target_security_groups", params)]


def _delete_mount_target(found: Found) -> list[Call]:
    # EFS refuses to delete a file system while a mount target is still being deleted: wait until it is gone.
    file_system = {"FileSystemId": found.attributes["file_system"]}
    left = f"MountTargets[?MountTargetId=='{found.id}'] | length(@)"
    gone = Wait("describe_mount_targets", file_system, left, 0)
    return [Call("efs", "delete_mount_target", {"MountTargetId": found.id}, wait=gone, gone=MISSING)]


KINDS: dict[str, Kind] = {
    "file system": Kind(
        "EFS file system",
        _create_file_system,
        _delete_file_system,
        _update_file_system,
        fixed=frozenset({"encrypted", "performance_mode"}),
    ),
    "access point": Kind(
        "EFS access point",
        _create_access_point,
        _delete_access_point,
        fixed=frozenset({"file_system", "uid", "gid", "directory", "permissions"}),
    ),
    "file system policy": Kind("EFS file system policy", _put_policy, _delete_policy, _put_policy),
    "mount target": Kind(
        "EFS mount target",
        _create_mount_target,
        _delete_mount_target,
        _update_mount_target,
        fixed=frozenset({"file_system", "subnet"}),
    ),
}
