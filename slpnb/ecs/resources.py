"""What a task takes from a container instance, what an instance has left, and where that falls short.

The rules are the ECS agent's own (amazon-ecs-agent: agent/api/task/task.go, ``ToHostResources``,
and ecs-agent/api/ecs/client/ecs_client.go). Pure: an `Instance` never changes, taking a task
gives a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from slpnb import catalog
from slpnb.errors import ParameterError

if TYPE_CHECKING:
    from slpnb.config import Config

RESERVED_TCP_PORTS = frozenset({22, 2375, 2376, 51678, 51679})  # ecs_client.go: SSH, Docker, the agent
EPHEMERAL_PORTS = range(32_768, 61_000)  # Linux's ip_local_port_range, from which Docker draws (PortMapping, hostPort)
MOST_STATIC_PORTS = 100  # an instance's reserved host ports, its own five among them (PortMapping, hostPort)
MINIMUM_MEMORY_MIB = 6  # RegisterTaskDefinition: Docker reserves no less for a container
ATTRIBUTE_ENI = "ecs.capability.task-eni"
ATTRIBUTE_TRUNK = "ecs.awsvpc-trunk-id"  # only on an instance that has a trunk interface ("ENI trunking")
ARCHITECTURE = "ecs.cpu-architecture"

Resource = Literal["cpu", "memory", "gpus", "ports", "enis", "attribute"]
UNITS: Mapping[Resource, str] = {"memory": " MiB", "cpu": " CPU units", "gpus": " GPU", "enis": " ENI"}
SIZE_UNITS = {"memory": "gb", "cpu": "vcpu"}  # of a task as a whole, each of 1024 (Task definition parameters)
Attribute = tuple[str, str]  # name, value; a value of "" asks only that the name exists


@dataclass(frozen=True)
class TaskNeeds:
    """What one task takes: MiB, CPU units (1024 per vCPU), host ports, interfaces, GPUs, attributes.

    ``tcp_ports`` and ``udp_ports`` are static host ports, ``dynamic_ports`` how many free ones
    are drawn, ``enis`` is 1 in network mode awsvpc, ``member_of`` are the task definition's own
    placement constraints in the cluster query language.
    """

    memory_mib: int
    cpu_units: int = 0
    tcp_ports: tuple[int, ...] = ()
    udp_ports: tuple[int, ...] = ()
    dynamic_ports: int = 0
    enis: int = 0
    gpus: int = 0
    attributes: tuple[Attribute, ...] = ()
    member_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.memory_mib < MINIMUM_MEMORY_MIB:
            raise ParameterError(f"a task of {self.memory_mib} MiB: ECS accepts no less than {MINIMUM_MEMORY_MIB} MiB")
        low = [name for name in ("cpu_units", "dynamic_ports", "enis", "gpus") if getattr(self, name) < 0]
        if low:
            raise ParameterError(f"a task with {low[0]} {getattr(self, low[0])}: must not be negative")

    @property
    def architecture(self) -> str:
        """arm64 or x86_64 where the task asks for one, else empty."""
        return dict(self.attributes).get(ARCHITECTURE, "")


@dataclass(frozen=True)
class Instance:
    """A container instance: what it has left, which ports are in use, and its attributes."""

    id: str
    type_name: str
    zone: str
    memory_mib: int
    cpu_units: int
    gpus: int = 0
    enis: int = 0
    dynamic_ports: int = len(EPHEMERAL_PORTS)
    tcp_ports: frozenset[int] = RESERVED_TCP_PORTS
    udp_ports: frozenset[int] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)

    def take(self, needs: TaskNeeds) -> Instance:
        """The instance with one more task. Raises `ValueError` when the task does not fit."""
        short = shortfalls(needs, self)
        if short:
            raise ValueError(f"{self.id or self.type_name} cannot take the task: {'; '.join(map(str, short))}")
        return self._less(needs, 1)

    def release(self, needs: TaskNeeds) -> Instance:
        """The instance after one task has stopped: the inverse of `take`."""
        return self._less(needs, -1)

    def _less(self, needs: TaskNeeds, sign: int) -> Instance:
        tcp, udp = frozenset(needs.tcp_ports), frozenset(needs.udp_ports)
        return replace(
            self,
            memory_mib=self.memory_mib - sign * needs.memory_mib,
            cpu_units=self.cpu_units - sign * needs.cpu_units,
            gpus=self.gpus - sign * needs.gpus,
            enis=self.enis - sign * needs.enis,
            dynamic_ports=self.dynamic_ports - sign * needs.dynamic_ports,
            tcp_ports=self.tcp_ports | tcp if sign > 0 else self.tcp_ports - tcp,
            udp_ports=self.udp_ports | udp if sign > 0 else self.udp_ports - udp,
        )


@dataclass(frozen=True)
class Shortfall:
    """One resource that an instance lacks for a task.

    ``asked`` and ``free`` are in the resource's own unit; for ports they count the ports asked
    for and how many of them are free, for an attribute they are 1 and 0; ``what`` says which.
    """

    resource: Resource
    asked: int
    free: int
    what: str = ""

    @property
    def short(self) -> int:
        """By how much: ``free + short`` would be enough."""
        return self.asked - self.free

    def __str__(self) -> str:
        if self.resource == "attribute":
            return f"attribute {self.what} missing"
        if self.resource == "ports":
            return self.what
        unit = UNITS[self.resource]
        return f"{self.asked}{unit} asked, {self.free}{unit} left: short by {self.short}{unit}"


def shortfalls(needs: TaskNeeds, instance: Instance) -> tuple[Shortfall, ...]:
    """Every resource that the instance lacks, in the order in which ECS looks; empty when it fits.

    ECS first filters by CPU, memory, GPU and ports, then by constraints ("How Amazon ECS places
    tasks on container instances").
    """
    return tuple(_resources_short(needs, instance)) + tuple(_attributes_short(needs, instance))


def _resources_short(needs: TaskNeeds, instance: Instance) -> Iterator[Shortfall]:
    amounts: tuple[tuple[Resource, int, int], ...] = (
        ("cpu", needs.cpu_units, instance.cpu_units),
        ("memory", needs.memory_mib, instance.memory_mib),
        ("gpus", needs.gpus, instance.gpus),
        ("enis", needs.enis, instance.enis),
    )
    for resource, asked, free in amounts:
        if asked > free:
            yield Shortfall(resource, asked, free)
    yield from _ports_short(needs, instance)


def _ports_short(needs: TaskNeeds, instance: Instance) -> Iterator[Shortfall]:
    for ports, used in ((needs.tcp_ports, instance.tcp_ports), (needs.udp_ports, instance.udp_ports)):
        taken = sorted(used.intersection(ports))
        if taken:
            said = f"port {', '.join(map(str, taken))} in use"
            yield Shortfall("ports", len(ports), len(ports) - len(taken), said)
    static = len(needs.tcp_ports) + len(needs.udp_ports)
    left = MOST_STATIC_PORTS - len(instance.tcp_ports) - len(instance.udp_ports)
    if static > max(0, left):
        said = f"{static} host ports asked, {left} left of the {MOST_STATIC_PORTS} that an instance may reserve"
        yield Shortfall("ports", static, left, said)
    if needs.dynamic_ports > instance.dynamic_ports:
        said = f"{needs.dynamic_ports} dynamic ports asked, {instance.dynamic_ports} left"
        yield Shortfall("ports", needs.dynamic_ports, instance.dynamic_ports, said)


def _attributes_short(needs: TaskNeeds, instance: Instance) -> Iterator[Shortfall]:
    for name, value in needs.attributes:
        if name not in instance.attributes or (value and instance.attributes[name] != value):
            yield Shortfall("attribute", 1, 0, f"{name}={value}" if value else name)


def instance(
    type_name: str,
    *,
    reserved_memory_mib: int = 0,
    zone: str = "",
    id: str = "",
    trunking: bool = False,
    memory_mib: int | None = None,
    daemons: Sequence[TaskNeeds] = (),
) -> Instance:
    """An empty container instance of a type, as its agent registers it.

    ``memory_mib`` is what the kernel reports (MemTotal); by default the catalogue's safe lower
    bound, which is what a plan may count on. ``reserved_memory_mib`` is ECS_RESERVED_MEMORY,
    ``trunking`` whether its role had opted in to ENI trunking before the instance was launched,
    ``daemons`` are tasks that run on every instance of the cluster.
    """
    facts = catalog.instance_type(type_name)
    total = catalog.registered_memory(type_name).at_least_mib if memory_mib is None else memory_mib
    attributes = {
        "ecs.availability-zone": zone,
        ARCHITECTURE: facts.architecture,
        "ecs.instance-type": type_name,
        "ecs.os-type": "linux",
        ATTRIBUTE_ENI: "",
    } | ({ATTRIBUTE_TRUNK: ""} if trunking and facts.trunking_compatible else {})
    empty = Instance(
        id=id,
        type_name=type_name,
        zone=zone,
        memory_mib=max(0, total - reserved_memory_mib),
        cpu_units=facts.cpu_units,
        gpus=facts.gpus,
        enis=eni_tasks(facts, trunking),
        attributes=attributes if zone else {k: v for k, v in attributes.items() if k != "ecs.availability-zone"},
    )
    for daemon in daemons:
        empty = empty.take(daemon)
    return empty


def eni_tasks(facts: catalog.InstanceType, trunking: bool = False) -> int:
    """How many awsvpc tasks an instance has interfaces for ("Elastic network interface trunking").

    One interface is the instance's own; with trunking one more is the trunk.
    """
    if trunking and facts.trunking_compatible:
        return facts.interfaces + facts.branch_interfaces - 2
    return max(0, facts.interfaces - 1)


def needs(config: Config) -> TaskNeeds:
    """What one task takes, by the parameters."""
    task = config.task
    bridge, host = task.network_mode == "bridge", task.network_mode == "host"
    static = (task.container_port,) if host else (task.host_port,) if bridge and task.host_port else ()
    return TaskNeeds(
        memory_mib=task.memory_mib,
        cpu_units=task.cpu_units,
        tcp_ports=static,
        dynamic_ports=int(bridge and not task.host_port),
        enis=int(task.network_mode == "awsvpc"),
        gpus=task.gpus,
        attributes=attributes(task.architecture, task.network_mode),
    )


def task_needs(task_definition: Mapping[str, Any]) -> TaskNeeds:
    """What one task of a task definition (RegisterTaskDefinition's own JSON) takes.

    Memory and CPU are the task's where set; else the sum over its containers of
    memoryReservation, or memory where there is none, and of cpu. Host ports count unless the
    network mode is awsvpc.
    """
    containers = task_definition.get("containerDefinitions", ())
    mode = task_definition.get("networkMode", "bridge")
    ports = list(_host_ports(containers, mode))
    architecture = task_definition.get("runtimePlatform", {}).get("cpuArchitecture", "")
    return TaskNeeds(
        memory_mib=_memory(task_definition, containers),
        cpu_units=_cpu(task_definition, containers),
        tcp_ports=tuple(sorted(port for protocol, port in ports if protocol == "tcp" and port)),
        udp_ports=tuple(sorted(port for protocol, port in ports if protocol == "udp" and port)),
        dynamic_ports=sum(not port for _, port in ports),
        enis=int(mode == "awsvpc"),
        gpus=sum(_gpus(container) for container in containers),
        attributes=attributes(architecture.lower(), mode),
        member_of=tuple(
            constraint["expression"]
            for constraint in task_definition.get("placementConstraints", ())
            if constraint["type"] == "memberOf"
        ),
    )


def attributes(architecture: str | None, mode: str) -> tuple[Attribute, ...]:
    """What a task of an architecture (if it is for one) and a network mode asks of its instance."""
    asked = [(ARCHITECTURE, architecture)] if architecture else []
    return tuple(asked + ([(ATTRIBUTE_ENI, "")] if mode == "awsvpc" else []))


def _memory(definition: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> int:
    return task_size(definition, "memory") or sum(
        container.get("memoryReservation") or container.get("memory", 0) for container in containers
    )


def _cpu(definition: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> int:
    return task_size(definition, "cpu") or sum(container.get("cpu", 0) for container in containers)


def task_size(definition: Mapping[str, Any], resource: str) -> int:
    """The "memory" (MiB) or "cpu" (CPU units) of a task as a whole; 0 where its definition leaves it out.

    "2048" is taken as it is, "2 GB" or "2 vCPU" times 1024 ("Task size"). Raises `ValueError` for what is no size.
    """
    found = re.fullmatch(r"\s*(\d+|\d*\.\d+)\s*(gb|vcpu)?\s*", str(definition.get(resource) or "0"), re.IGNORECASE)
    if found is None or (found[2] or SIZE_UNITS[resource]).lower() != SIZE_UNITS[resource]:
        raise ValueError(f"{resource} is {definition[resource]}")
    return round(float(found[1]) * (1024 if found[2] else 1))


def _host_ports(containers: Iterable[Mapping[str, Any]], mode: str) -> Iterator[tuple[str, int]]:
    """Protocol and host port of each mapping; 0 is a dynamic one."""
    if mode in ("awsvpc", "none"):
        return
    for mapping in (mapping for container in containers for mapping in container.get("portMappings", ())):
        port = mapping.get("hostPort") or (mapping.get("containerPort", 0) if mode == "host" else 0)
        yield mapping.get("protocol", "tcp"), port


def _gpus(container: Mapping[str, Any]) -> int:
    return sum(int(item["value"]) for item in container.get("resourceRequirements", ()) if item["type"] == "GPU")
