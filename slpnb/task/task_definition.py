"""The task definition as data: the whole document from the parameters, and the same in parts to compare.

Pure. Source of the rules: Amazon ECS Developer Guide ("Amazon ECS task definition parameters for Amazon EC2",
"Use Amazon EFS volumes with Amazon ECS", "Pass Secrets Manager secrets through Amazon ECS environment
variables", "Task networking"), Amazon ECS API reference (RegisterTaskDefinition), docs/ecs-facts.md,
"RegisterTaskDefinition".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from slpnb import efs, image, secrets
from slpnb.config import Config
from slpnb.errors import Refusal
from slpnb.plan import Script
from slpnb.plan.values import Join, Ref
from slpnb.secrets.policies import log_group

Definition = dict[str, Any]  # what RegisterTaskDefinition takes, with `Ref` and `Join` values in it
DATABASE = {"HOST": "host", "NAME": "dbname", "USER": "username", "PASSWORD": "password"}
# Docker grants these by default; nginx, PHP-FPM and their masters, which change user, need none of them.
DROPPED = ["AUDIT_WRITE", "FSETID", "MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]
# Where nginx and PHP write, in MiB: what is in them counts as the container's memory.
TMPFS = {"/run": 16, "/tmp": 256, "/var/lib/nginx": 128, "/var/lib/php/sessions": 16}  # noqa: S108
TMPFS_OPTIONS = ["rw", "noexec", "nosuid", "nodev"]
LOG_BUFFER = "25m"  # a log driver that blocks would stop WordPress when CloudWatch is slow


def definition(config: Config) -> Definition:
    """The whole task definition as RegisterTaskDefinition takes it, with `Ref` values for what AWS names. Pure.

    Raises `Refusal` when the uploads would not be shared among instances.
    """
    task = config.task
    return {
        "family": task.family,
        "taskRoleArn": Ref("role/task", "arn", step=secrets.STEP),
        "executionRoleArn": Ref("role/execution", "arn", step=secrets.STEP),
        "networkMode": task.network_mode,
        "requiresCompatibilities": ["EC2"],
        "cpu": str(task.cpu_units),
        "memory": str(task.memory_mib),
        "runtimePlatform": {"cpuArchitecture": task.architecture.upper(), "operatingSystemFamily": "LINUX"},
        "volumes": [_volume(config)],
        "containerDefinitions": [_container(config)],
    }


def _volume(config: Config) -> dict[str, Any]:
    kind = config.task.uploads_volume
    if kind != "efs":
        raise Refusal(
            f"task.uploads_volume is {kind}, which is not shared among instances: a picture uploaded through one task "
            "would be missing in the others; use efs"
        )
    mount = {
        "fileSystemId": Ref("file-system", step=efs.STEP),
        "transitEncryption": "ENABLED",
        # With an access point the root directory is the access point's, and must not be given here.
        "authorizationConfig": {"accessPointId": Ref("access-point", step=efs.STEP), "iam": "ENABLED"},
    }
    return {"name": config.task.volume_name, "efsVolumeConfiguration": mount}


def _container(config: Config) -> dict[str, Any]:
    task = config.task
    sizes = {"cpu": task.cpu_units, "memory": task.container_memory_mib}
    gpus = [{"type": "GPU", "value": str(task.gpus)}] if task.gpus else []
    container = {
        "name": task.container_name,
        "image": Join((Ref("repository", "uri", step=image.STEP), f"@{config.image.digest}")),
        "essential": True,
        **sizes,
        "memoryReservation": task.container_reservation_mib,
        "resourceRequirements": gpus,
        "portMappings": _ports(config),
        "mountPoints": [{"sourceVolume": task.volume_name, "containerPath": task.uploads_path, "readOnly": False}],
        "readonlyRootFilesystem": task.read_only_root,
        "linuxParameters": _linux(config),
        "environment": _environment(config),
        "secrets": _secrets(),
        "logConfiguration": _logging(config),
        "healthCheck": _health_check(config),
        "stopTimeout": task.stop_timeout_seconds,
        "ulimits": [{"name": "nofile", "softLimit": task.open_files, "hardLimit": task.open_files}],
    }
    return {name: value for name, value in container.items() if value != []}


def _ports(config: Config) -> list[dict[str, Any]]:
    task = config.task
    if task.network_mode == "none":
        return []
    mapping = {"containerPort": task.container_port, "protocol": "tcp"}
    return [mapping | ({"hostPort": task.host_port} if task.network_mode == "bridge" else {})]


def _linux(config: Config) -> dict[str, Any]:
    tmpfs = [{"containerPath": path, "size": size, "mountOptions": TMPFS_OPTIONS} for path, size in TMPFS.items()]
    # An init process reaps what PHP leaves behind, and hands SIGTERM on.
    parameters = {"initProcessEnabled": True, "capabilities": {"drop": DROPPED}}
    return parameters | ({"tmpfs": tmpfs} if config.task.read_only_root else {})


def _environment(config: Config) -> list[dict[str, str]]:
    """What the container may be given in plain text; everything else comes from Secrets Manager."""
    values = {
        "WORDPRESS_HOST": config.service.host_name,
        "WORDPRESS_MULTISITE": config.service.multisite,
        "IMAGE_VERSION": config.image.tag,
        "DISABLE_WP_CRON": "true",
        "DISALLOW_FILE_MODS": "true",
        "CRON_SECONDS": str(60 * config.task.cron_minutes),
        "PORT": str(config.task.container_port),
        "STOP_TIMEOUT_SECONDS": str(config.task.stop_timeout_seconds),
    }
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def _secrets() -> list[dict[str, Any]]:
    """Each value by reference, secret and key: ECS reads it when the task starts, with the execution role."""
    return [{"name": name, "valueFrom": _value_from(*where)} for name, where in sorted(_references().items())]


def _references() -> dict[str, tuple[str, str]]:
    """The secret and the key in it, by the variable that gets the value."""
    database = {f"WORDPRESS_DB_{name}": ("database", key) for name, key in DATABASE.items()}
    return database | {f"WORDPRESS_{name}": ("salts", name) for name in secrets.SALTS}


def _value_from(secret: str, key: str) -> Join:
    return Join((Ref(f"secret/{secret}", "arn", step=secrets.STEP), f":{key}::"))


def variables(config: Config) -> pd.DataFrame:
    """The container's variables: variable (index), how it is set, and the value or where ECS reads it. Pure."""
    clear = [(item["name"], "plain text", item["value"]) for item in _environment(config)]
    read = [(name, "by reference", _source(config, *where)) for name, where in sorted(_references().items())]
    return pd.DataFrame(clear + read, columns=["variable", "passed", "value"]).set_index("variable")


def _source(config: Config, secret: str, key: str) -> str:
    return f"secret {secrets.secret_name(config, secret)}, key {key}"


def _logging(config: Config) -> dict[str, Any]:
    options = {
        "awslogs-group": log_group(config),
        "awslogs-region": config.aws.region,
        "awslogs-stream-prefix": config.task.container_name,
        "mode": "non-blocking",
        "max-buffer-size": LOG_BUFFER,
    }
    return {"logDriver": "awslogs", "options": options}


def _health_check(config: Config) -> dict[str, Any]:
    check = config.task.health_check
    return {
        "command": check.command,
        "interval": check.interval_seconds,
        "timeout": check.timeout_seconds,
        "retries": check.retries,
        "startPeriod": check.start_period_seconds,
    }


def document(config: Config) -> Script:
    """The task definition as JSON text, for a reader: what AWS names stands in angle brackets. Pure."""
    return Script(json.dumps(definition(config), indent=2, default=str, ensure_ascii=False))


def network_modes() -> pd.DataFrame:
    """The four network modes of a task on EC2: mode (index), and what each means here. Pure."""
    return pd.DataFrame(MODES, columns=MODE_COLUMNS).set_index("network mode")


MODE_COLUMNS = ["network mode", "address", "ports", "security group", "tasks per instance", "what the kit does"]
MODES = [
    (
        "bridge",
        "Docker's network behind the instance's address",
        "a host port for each task: a free one with host_port 0",
        "the instances'",
        "as many as memory and CPU allow; one with a fixed host port",
        "the default: the instances' group admits the host ports from the load balancer",
    ),
    (
        "awsvpc",
        "an ENI and a private address for each task",
        "the container's own",
        "the tasks' own",
        "the type's interfaces less one; more with ENI trunking",
        "a group for the tasks, which also opens port 2049; the target group lists addresses",
    ),
    (
        "host",
        "the instance's",
        "the container's, on the instance itself",
        "the instances'",
        "one",
        "the instances' group admits the container's port",
    ),
    (
        "none",
        "none",
        "none",
        "none applies",
        "as many as memory and CPU allow",
        "no port mapping; a web service cannot use it, so 80_service refuses it",
    ),
]


# --- wanted and found, in the same words --------------------------------------------------------------------

CONTAINER = "container."
LISTS_BY_NAME = ("environment", "secrets", "ulimits")


def parts(document: Mapping[str, Any]) -> dict[str, Any]:
    """A task definition as attributes to compare: its own fields, and its container's as ``container.image``. Pure.

    What AWS fills in by itself is left out on both sides (`_normal`), so that it never differs.
    """
    (container,) = document["containerDefinitions"]
    own = _tidy({name: document.get(name) for name in OWN})
    own["volumes"] = [_without_root(volume) for volume in own.get("volumes", [])]
    return own | {CONTAINER + name: value for name, value in _normal(container, document).items()}


OWN = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "volumes",
    "placementConstraints",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "ephemeralStorage",
)


def _normal(container: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Lists in order, and no host port where AWS only repeats the container's (awsvpc and host mode)."""
    fields = _tidy(container)
    for name in LISTS_BY_NAME:
        if name in fields:
            fields[name] = sorted(fields[name], key=lambda item: str(item["name"]))
    if "portMappings" in fields and document.get("networkMode") != "bridge":
        kept = [{name: value for name, value in port.items() if name != "hostPort"} for port in fields["portMappings"]]
        fields["portMappings"] = kept
    return fields


def _tidy(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty, at any depth of mappings: AWS answers with empty lists where nothing was given."""
    tidy = {name: _tidy(value) if isinstance(value, Mapping) else value for name, value in fields.items()}
    return {name: value for name, value in tidy.items() if value not in (None, [], {})}


def _without_root(volume: Mapping[str, Any]) -> dict[str, Any]:
    """AWS fills in the root directory "/"."""
    mount = volume.get("efsVolumeConfiguration", {})
    kept = {name: value for name, value in mount.items() if (name, value) != ("rootDirectory", "/")}
    return _tidy({**volume, "efsVolumeConfiguration": kept})


def whole(attributes: Mapping[str, Any]) -> Definition:
    """The inverse of `parts`: the attributes as one task definition. Pure."""
    given = {name: value for name, value in attributes.items() if value is not None}
    container = {name.removeprefix(CONTAINER): value for name, value in given.items() if name.startswith(CONTAINER)}
    own = {name: value for name, value in given.items() if not name.startswith(CONTAINER)}
    return own | {"containerDefinitions": [container]}
