"""What an EC2 instance registers, and with which cluster: read from its user data, its type and its AMI.

An instance joins the cluster that its user data names (ECS_CLUSTER), when its agent is up; one
that names none joins "default" if there is such a cluster, as the ECS agent's README has it.
What it registers is the catalogue's figure for its type, less ECS_RESERVED_MEMORY.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.core.types import Base64EncodedString
from moto.ec2.models.instances import Instance as Machine

from slpnb import catalog
from slpnb.ecs import resources
from slpnb.ecs.resources import Instance
from slpnb.ecs.scheduler.state import ContainerInstance
from slpnb.errors import ParameterError
from slpnb.local.ecs import capabilities

AGENT_SECONDS = 60  # from launch until the agent has registered: usually one to three minutes on AWS
SETTING = re.compile(r"\b(ECS_[A-Z_]+)\s*=\s*[\"']?([^\s\"';|>&]*)")


def settings(user_data: Base64EncodedString | str | None) -> dict[str, str]:
    """The ECS_ settings that user data writes to /etc/ecs/ecs.config."""
    if user_data is None:
        return {}
    text = user_data if isinstance(user_data, str) else user_data.decode()
    return dict(SETTING.findall(text))


def container_instance_id(ec2_id: str) -> str:
    """The same container instance for the same EC2 instance, in ECS's form."""
    return hashlib.sha256(ec2_id.encode()).hexdigest()[:32]


def registered(
    type_name: str, zone: str, agent: dict[str, str], *, id: str = "", image: str = "", trunking: bool = False
) -> Instance:
    """What an instance registers. Raises `ParameterError` for a type that the catalogue does not know."""
    made = resources.instance(
        type_name,
        reserved_memory_mib=int(agent.get("ECS_RESERVED_MEMORY") or 0),
        zone=zone,
        id=id,
        trunking=trunking,
        memory_mib=catalog.registered_memory(type_name).value_mib,
    )
    known = {**made.attributes, **dict.fromkeys(capabilities.OF_THE_AGENT, "")}
    return replace(made, attributes={**known, "ecs.ami-id": image} if image else known)


def joining(machine: Machine, cluster: str, clock: float, *, trunking: bool = False) -> ContainerInstance:
    """The container instance that an EC2 instance becomes once its agent is up.

    Raises `ParameterError` for a type that nobody can say the memory of.
    """
    id = container_instance_id(machine.id)
    empty = registered(
        machine.instance_type,
        machine.placement.zone or "",
        settings(machine.user_data),
        id=id,
        image=machine.image_id,
        trunking=trunking,
    )
    group = getattr(machine, "autoscaling_group", None)  # moto's Auto Scaling sets it on what it launches
    return ContainerInstance(
        id, cluster, empty, empty, machine.id, group.name if group else "",
        launched_at=clock, registers_at=clock + AGENT_SECONDS,
    )  # fmt: skip


def empty_instances(group: FakeAutoScalingGroup) -> tuple[Instance, ...]:
    """Empty instances of the types that a group launches, the smallest memory first."""
    agent = settings(group.user_data)
    found = []
    for name in _types(group):
        try:
            found.append(registered(name, "", agent))
        except ParameterError:
            continue
    return tuple(sorted(found, key=lambda one: (one.memory_mib, one.cpu_units)))


def _types(group: FakeAutoScalingGroup) -> list[str]:
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or ()
    return [one["InstanceType"] for one in overrides if one.get("InstanceType")] or [group.instance_type]
