"""Which EC2 instances join which cluster, and the Auto Scaling groups behind capacity providers.

An instance joins the cluster that its user data names (ECS_CLUSTER), when its agent is up; one
that names none joins "default" if there is such a cluster, as the ECS agent's README has it.
What it registers is the catalogue's figure for its type, less ECS_RESERVED_MEMORY.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from slpnb import catalog
from slpnb.ecs import resources
from slpnb.ecs.resources import Instance as Room
from slpnb.ecs.scheduler.state import Instance
from slpnb.errors import ParameterError

AGENT_SECONDS = 60  # from launch until the agent has registered: usually one to three minutes on AWS
SETTING = re.compile(r"\b(ECS_[A-Z_]+)\s*=\s*[\"']?([^\s\"';|>&]*)")
AGENT_VERSION = {"agentVersion": "1.98.0", "agentHash": "simulated", "dockerVersion": "DockerVersion: simulated"}


def settings(user_data: Any) -> dict[str, str]:
    """The ECS_ settings that user data writes to /etc/ecs/ecs.config."""
    if user_data is None:
        return {}
    text = user_data.decode() if hasattr(user_data, "decode") else str(user_data)
    return dict(SETTING.findall(text))


def container_instance_id(ec2_id: str) -> str:
    """The same container instance for the same EC2 instance, in ECS's form."""
    return hashlib.sha256(ec2_id.encode()).hexdigest()[:32]


def room(
    type_name: str, zone: str, agent: dict[str, str], *, id: str = "", image: str = "", trunking: bool = False
) -> Room:
    """What an instance registers. Raises `ParameterError` for a type that the catalogue does not know."""
    made = resources.instance(
        type_name,
        reserved_memory_mib=int(agent.get("ECS_RESERVED_MEMORY") or 0),
        zone=zone,
        id=id,
        trunking=trunking,
        memory_mib=catalog.registered_memory(type_name).value_mib,
    )
    return replace(made, attributes={**made.attributes, "ecs.ami-id": image} if image else made.attributes)


def joining(ec2: Any, clusters: Any, known: set[str], clock: float, *, trunking: bool) -> Iterator[Instance]:
    """Running EC2 instances that will register and have not been seen, oldest first."""
    for one in ec2.all_running_instances():
        agent = settings(one.user_data)
        cluster = clusters.get(agent.get("ECS_CLUSTER", "default"))
        id = container_instance_id(one.id)
        if id in known or cluster is None or cluster.status != "ACTIVE":
            continue
        try:
            space = room(one.instance_type, one.placement.zone, agent, id=id, image=one.image_id, trunking=trunking)
        except ParameterError:
            continue  # a type that nobody can say the memory of: its agent would register, this one cannot
        group = getattr(one, "autoscaling_group", None)
        yield Instance(
            id, cluster.name, space, space, one.id, group.name if group else "",
            launched_at=clock, registers_at=clock + AGENT_SECONDS,
        )  # fmt: skip


def is_protected(group: Any, ec2_id: str) -> bool:
    """Whether the Auto Scaling group spares an instance when it scales in."""
    return any(one.instance.id == ec2_id and one.protected_from_scale_in for one in group.instance_states)


def group_rooms(group: Any) -> tuple[Room, ...]:
    """Empty instances of the types that a group launches, the smallest memory first."""
    agent = settings(group.user_data)
    rooms = []
    for name in _types(group):
        try:
            rooms.append(room(name, "", agent))
        except ParameterError:
            continue
    return tuple(sorted(rooms, key=lambda one: (one.memory_mib, one.cpu_units)))


def _types(group: Any) -> list[str]:
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or ()
    return [one["InstanceType"] for one in overrides if one.get("InstanceType")] or [group.instance_type]


def registered_resources(space: Room) -> list[dict[str, Any]]:
    """A room as the API shows resources: CPU, MEMORY, PORTS (those in use), PORTS_UDP, and GPU where there are."""
    items = [_integer("CPU", space.cpu_units), _integer("MEMORY", space.memory_mib)]
    items.append(_set("PORTS", space.tcp_ports))
    items.append(_set("PORTS_UDP", space.udp_ports))
    return items + ([_integer("GPU", space.gpus)] if space.gpus else [])


def _integer(name: str, value: int) -> dict[str, Any]:
    return {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}


def _set(name: str, ports: frozenset[int]) -> dict[str, Any]:
    values = [str(port) for port in sorted(ports)]
    return {**_integer(name, 0), "type": "STRINGSET", "stringSetValue": values}
