"""A container definition as the arguments with which an engine creates a container. Pure.

Sources: Amazon ECS Developer Guide, "Amazon ECS task definition parameters for Amazon EC2";
amazon-ecs-agent, agent/api/task/task.go (dockerHostConfig); Docker Engine API, ContainerCreate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slpnb.engine.client import LABEL

TASK_LABEL = f"{LABEL}.task"
ROLE_LABEL = f"{LABEL}.role"
LOOPBACK = "127.0.0.1"
MIB = 1024 * 1024
LEAST_SHARES = 2  # what the agent gives a container that asks for no CPU
PERIOD_MICROSECONDS = 100_000
STOP_SECONDS = 30  # ECS_CONTAINER_STOP_TIMEOUT's default
Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What a container definition does not say: where its task runs, and what its references stand for.

    ``image`` is the engine's name of the image, ``network`` the run's, ``hosts`` names to addresses,
    ``folders`` the host's folder of each volume, ``secrets`` a container's variables to values,
    ``has_init`` whether the engine has an init process to offer, ``most`` the resource limits that
    this machine cannot exceed, ``first`` the container whose network the others of an awsvpc task share.
    """

    run: str
    task: str
    image: str
    network: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    override: Mapping[str, Any] = field(default_factory=dict)
    has_init: bool = True
    most: Mapping[str, int] = field(default_factory=dict)
    first: str = ""


def create(definition: Definition, container: Definition, around: Surroundings) -> dict[str, Any]:
    """The arguments of docker.DockerClient.containers.create for one container of a task. Pure."""
    merged = {**container, **{name: value for name, value in around.override.items() if value is not None}}
    arguments = {
        "image": around.image,
        "name": container_name(around, container["name"]),
        "command": merged.get("command"),
        "entrypoint": merged.get("entryPoint"),
        "user": merged.get("user"),
        "working_dir": merged.get("workingDirectory"),
        "environment": _environment(container, around),
        "labels": labels(around.run, "task", {TASK_LABEL: around.task, **(container.get("dockerLabels") or {})}),
        "healthcheck": {"test": ["NONE"]},  # the kit runs the check itself: Podman leaves that to systemd
        "detach": True,
    }
    arguments |= _sizes(definition, merged) | _network(definition, container, around)
    arguments |= _security(container, around) | _storage(container, around)
    return {name: value for name, value in arguments.items() if value}  # the rest is as the engine has it


def container_name(around: Surroundings, name: str) -> str:
    """How the engine knows a container: run, the end of the task's id, and the container's name."""
    return f"slpnb-{around.run}-{around.task[-8:]}-{name}"


def labels(run: str, role: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """On everything that a run makes in an engine, so that its end, or the next start, finds it."""
    return {**(more or {}), LABEL: run, ROLE_LABEL: role}


def stop_seconds(container: Definition) -> int:
    """How long a container has between SIGTERM and SIGKILL."""
    return int(container.get("stopTimeout") or STOP_SECONDS)


def in_order(definition: Definition) -> list[Definition]:
    """The containers, each after those that it depends on."""
    left = {one["name"]: one for one in definition["containerDefinitions"]}
    ordered: list[Definition] = []
    while left:
        waits = {name: {known["containerName"] for known in one.get("dependsOn") or ()} for name, one in left.items()}
        name = next((name for name, needs in waits.items() if not needs & left.keys()), next(iter(left)))
        ordered.append(left.pop(name))
    return ordered


def port_of(container: Definition) -> Sequence[int]:
    """The container ports that are mapped, TCP ones."""
    mappings = container.get("portMappings") or ()
    return [int(one["containerPort"]) for one in mappings if one.get("protocol", "tcp") == "tcp"]


def _environment(container: Definition, around: Surroundings) -> dict[str, str]:
    """The definition's values, then its secrets, then what RunTask overrides."""
    given = {one["name"]: one["value"] for one in container.get("environment") or ()}
    overridden = {one["name"]: one["value"] for one in around.override.get("environment") or ()}
    return {**given, **around.secrets, **overridden}


def _sizes(definition: Definition, container: Definition) -> dict[str, Any]:
    """Limits in bytes and shares; the task's own where the container has none."""
    quota = int(definition.get("cpu") or 0)
    return {
        "mem_limit": int(container.get("memory") or definition.get("memory") or 0) * MIB,
        "mem_reservation": int(container.get("memoryReservation") or 0) * MIB,
        "cpu_shares": max(LEAST_SHARES, int(container.get("cpu") or 0)),
        "cpu_period": PERIOD_MICROSECONDS if quota else 0,
        "cpu_quota": quota * PERIOD_MICROSECONDS // 1024,
    }


def _network(definition: Definition, container: Definition, around: Surroundings) -> dict[str, Any]:
    """Mapped ports on free ports of the loopback; nothing in mode none, one network for an awsvpc task.

    Several instances may use the same host port, and here they are one machine: the host port of the
    task is the model's, the loopback's is whichever is free.
    """
    if definition.get("networkMode") == "none":
        return {"network_mode": "none"}
    if around.first:
        return {"network_mode": f"container:{around.first}"}
    shared = definition.get("networkMode") in ("awsvpc", "host")
    everyone = definition["containerDefinitions"] if shared else [container]
    ports = {f"{port}/tcp": (LOOPBACK, None) for one in everyone for port in port_of(one)}
    return {"network": around.network, "ports": ports, "extra_hosts": dict(around.hosts)}


def _security(container: Definition, around: Surroundings) -> dict[str, Any]:
    linux = container.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    return {
        "privileged": container.get("privileged"),
        "read_only": container.get("readonlyRootFilesystem"),
        "cap_add": capabilities.get("add"),
        "cap_drop": capabilities.get("drop"),
        "init": linux.get("initProcessEnabled") and around.has_init,
        "ulimits": list(_ulimits(container, around)),
    }


def _ulimits(container: Definition, around: Surroundings) -> Iterator[dict[str, Any]]:
    """What is requested, within what the machine allows; limits of the machine are always stated."""
    asked = {one["name"]: (one["softLimit"], one["hardLimit"]) for one in container.get("ulimits") or ()}
    for name in sorted({*asked, *around.most}):
        soft, hard = asked.get(name) or (around.most[name], around.most[name])
        most = around.most.get(name, hard)
        yield {"name": name, "soft": min(soft, most), "hard": min(hard, most)}


def _storage(container: Definition, around: Surroundings) -> dict[str, Any]:
    linux = container.get("linuxParameters") or {}
    tmpfs = {one["containerPath"]: _options(one) for one in linux.get("tmpfs") or ()}
    mounts = {
        around.folders[one["sourceVolume"]]: {
            "bind": one["containerPath"],
            "mode": "ro" if one.get("readOnly") else "rw",
        }
        for one in container.get("mountPoints") or ()
        if one["sourceVolume"] in around.folders
    }
    return {"tmpfs": tmpfs, "volumes": mounts, "shm_size": linux.get("sharedMemorySize", 0) * MIB}


def _options(mount: Mapping[str, Any]) -> str:
    return ",".join([f"size={mount['size']}m", *(mount.get("mountOptions") or ())])
