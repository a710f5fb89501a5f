"""A placed task as an `Order`: its references resolved in the account, or the reason why it cannot start.

This is what the ECS agent does between PENDING and the first container: secrets by the execution
role, volumes by the volume driver, the log driver's settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from slpnb.ecs.scheduler import lifecycle
from slpnb.ecs.scheduler.state import Task
from slpnb.local.base.inprocess import REGION, client
from slpnb.local.containers import wording
from slpnb.local.containers.checks import Rule, container_rule, test_command
from slpnb.local.containers.probes import CommandProbe, Probe, TargetProbe
from slpnb.local.containers.tasks import Order
from slpnb.local.corrections.elbv2 import TargetGroup
from slpnb.local.ecs.definitions import Document
from slpnb.local.ecs.region import Region

EVERYBODY = 0o777


class CannotPrepare(Exception):  # noqa: N818 - it is the task's end, not the program's
    """Something that the task refers to does not exist; the message is the task's stopped reason."""


@dataclass(frozen=True)
class Credentials:
    """A database that a task's secret names, on one of the account's instances."""

    host: str
    name: str
    user: str
    password: str


def order(region: Region, task: Task, document: Document, images: Mapping[str, str], files: Path) -> Order:
    """Everything that a task needs. ``images`` are the engine's, by container; ``files`` holds the file systems."""
    overrides = region.task_record(task).overrides.get("containerOverrides") or ()
    ready: dict[str, Any] = {
        "task": task.id,
        "definition": document,
        "images": images,
        "overrides": {one["name"]: one for one in overrides},
    }
    try:
        values = {one["name"]: _secrets(one) for one in document["containerDefinitions"]}
        folders = dict(_folders(document, region.zone_of(task), files))
    except CannotPrepare as error:
        return Order(**ready, refused=str(error))
    streams = dict(_streams(document, task.id))
    secrets = {name: {key: value for key, (value, _) in found.items()} for name, found in values.items()}
    return Order(
        **ready,
        secrets=secrets,
        folders=folders,
        streams=streams,
        unlogged={name: why for name, where in streams.items() if (why := _make_stream(*where))},
        database=_database([text for found in values.values() for _, text in found.values()]),
        drain_seconds=lifecycle.drain_seconds(task),
        probes=(*_targets(region, task), *_commands(document)),
    )


def _secrets(container: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Variable to value, and to the whole secret that it is from."""
    return {one["name"]: _secret(one["valueFrom"]) for one in container.get("secrets") or ()}


def _secret(reference: str) -> tuple[str, str]:
    if ":secret:" not in reference:
        return _parameter(reference)
    parts = reference.split(":")
    arn, (key, stage, version) = ":".join(parts[:7]), (*parts[7:10], "", "", "")[:3]
    asked = {"SecretId": arn} | ({"VersionStage": stage} if stage else {}) | ({"VersionId": version} if version else {})
    text = _read_secret(arn, asked)
    if not key:
        return text, text
    try:
        return str(json.loads(text)[key]), text
    except (ValueError, KeyError, TypeError) as error:
        raise CannotPrepare(wording.no_key(arn, key)) from error


def _read_secret(arn: str, asked: Mapping[str, str]) -> str:
    try:
        return str(client("secretsmanager").get_secret_value(**asked)["SecretString"])
    except ClientError as error:
        said = error.response["Error"]
        raise CannotPrepare(wording.no_secret(arn, REGION, f"{said['Code']}: {said['Message']}")) from error


def _parameter(reference: str) -> tuple[str, str]:
    """A parameter of Systems Manager, by name or ARN."""
    name = reference.rpartition(":parameter")[2] if reference.startswith("arn:") else reference
    try:
        value = client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        why = f"invalid ssm parameters: {name}"
        raise CannotPrepare(wording.no_secret(reference, REGION, why)) from error
    return value, value


def _folders(document: Document, zone: str, files: Path) -> Iterator[tuple[str, str]]:
    """A host folder for each volume: one for a file system, whoever mounts it; else the task's own."""
    for volume in document["volumes"]:
        name, mount = volume["name"], volume.get("efsVolumeConfiguration")
        try:
            own = files / "volumes" / document["family"] / name
            yield name, str(_mounted(mount, zone, files) if mount else _folder(own, 0, 0, EVERYBODY))
        except CannotPrepare as error:
            reason = wording.no_volume(document["family"], document["revision"], name, str(error))
            raise CannotPrepare(reason) from error


def _mounted(mount: Mapping[str, Any], zone: str, files: Path) -> Path:
    """The folder of a file system, below the access point's root directory. Raises `CannotPrepare`."""
    id = mount["fileSystemId"]
    _demand_mount_target(id, zone)
    root = files / "efs" / id
    point = (mount.get("authorizationConfig") or {}).get("accessPointId")
    if not point:
        return _folder(root / (mount.get("rootDirectory") or "/").lstrip("/"), 0, 0, 0o755)
    return _access_point(root, point, id)


def _demand_mount_target(id: str, zone: str) -> None:
    try:
        targets = client("efs").describe_mount_targets(FileSystemId=id)["MountTargets"]
    except ClientError as error:
        raise CannotPrepare(wording.no_file_system(id, REGION)) from error
    if zone not in {one["AvailabilityZoneName"] for one in targets if one["LifeCycleState"] == "available"}:
        raise CannotPrepare(wording.no_file_system(id, REGION))


def _access_point(root: Path, point: str, id: str) -> Path:
    try:
        (found,) = client("efs").describe_access_points(AccessPointId=point)["AccessPoints"]
    except (ClientError, ValueError) as error:
        raise CannotPrepare(wording.no_access_point(point)) from error
    if found["FileSystemId"] != id:
        raise CannotPrepare(wording.no_access_point(point))
    directory = found.get("RootDirectory") or {}
    made = directory.get("CreationInfo") or {}
    path = root / directory.get("Path", "/").lstrip("/")
    return _folder(
        path, int(made.get("OwnerUid", 0)), int(made.get("OwnerGid", 0)), int(made.get("Permissions", "755"), 8)
    )


def _folder(path: Path, uid: int, gid: int, mode: int) -> Path:
    """A folder with an owner, made once; a rootless engine maps owners, so that then everyone may write."""
    if path.is_dir():
        return path
    path.mkdir(parents=True)
    try:
        os.chown(path, uid, gid)
        path.chmod(mode)
    except PermissionError:
        path.chmod(EVERYBODY)
    return path


def _streams(document: Document, task: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Log group and stream of each container that logs to CloudWatch: prefix/container/task."""
    for container in document["containerDefinitions"]:
        settings = container.get("logConfiguration") or {}
        if settings.get("logDriver") == "awslogs":
            options = settings["options"]
            prefix = options.get("awslogs-stream-prefix")
            stream = f"{prefix}/{container['name']}/{task}" if prefix else task
            yield container["name"], (options["awslogs-group"], stream)


def _make_stream(group: str, stream: str) -> str:
    """The awslogs driver makes its stream before the container starts; empty, or why it cannot."""
    logs = client("logs")
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        return ""
    except logs.exceptions.ResourceNotFoundException:
        return wording.no_log_group(group)
    return ""


def _database(secrets: Sequence[str]) -> Credentials | None:
    """The database that a secret names, if it is on one of the account's instances."""
    instances = client("rds").describe_db_instances()["DBInstances"]
    addresses = {one["Endpoint"]["Address"] for one in instances if one.get("Endpoint")}
    for text in secrets:
        found = _object(text)
        if found.get("host") in addresses and {"username", "password"} <= found.keys():
            return Credentials(found["host"], found.get("dbname") or "", found["username"], found["password"])
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _targets(region: Region, task: Task) -> Iterator[Probe]:
    """The checks of the target groups that the task's service registers it with."""
    service, groups = region.services.get(task.service), region.elbv2.target_groups
    for balancer in service.request.get("loadBalancers") or () if service else ():
        group = groups.get(balancer["targetGroupArn"])
        if group is not None:
            yield _target_probe(group, int(balancer["containerPort"]))


def _target_probe(group: TargetGroup, port: int) -> TargetProbe:
    rule = Rule(
        float(group.health_check_interval_seconds or 30),
        float(group.health_check_timeout_seconds or 5),
        int(group.healthy_threshold_count or 5),
        int(group.unhealthy_threshold_count or 2),
    )
    matcher = str((group.matcher or {}).get("HttpCode") or "200")
    tls = (group.health_check_protocol or group.protocol) == "HTTPS"
    return TargetProbe(rule, group.arn, port, group.health_check_path or "/", matcher, tls)


def _commands(document: Document) -> Iterator[Probe]:
    for container in document["containerDefinitions"]:
        check = container.get("healthCheck")
        if check and container.get("essential", True):
            yield CommandProbe(container_rule(check), container["name"], tuple(test_command(check["command"])))
