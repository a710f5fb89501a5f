"""Tasks: RunTask, StartTask and StopTask, and what the API shows of a task that the model does not need."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from moto.core.exceptions import ServiceException

from slpnb.ecs import placement as placement_rules
from slpnb.ecs.scheduler import capacity, machine as scheduler
from slpnb.ecs.scheduler.state import Definition, Placement, State, Task
from slpnb.local.ecs import refusals as refuse
from slpnb.local.ecs.services import Services, as_request, placement, shares


@dataclass
class TaskRecord:
    """What the model does not need of a task.

    ``interface`` is moto's network interface, in awsvpc mode; ``ends`` says how each container of a
    real task ended (`slpnb.local.containers.wording.Ended`).
    """

    task_arn: str
    tags: list[dict[str, str]] = field(default_factory=list)
    started_by: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    launch_type: str = ""
    network: dict[str, Any] = field(default_factory=dict)
    execute_command: bool = False
    interface: Any = None
    ends: dict[str, Any] = field(default_factory=dict)


class Tasks(Services):
    """The part of `slpnb.local.ecs.model.Ecs` that answers for tasks."""

    def run(self, request: dict[str, Any]) -> tuple[list[Task], list[dict[str, Any]]]:
        """RunTask: tasks, and a failure for each that no instance takes."""
        cluster = self.cluster(request.get("cluster"))
        refuse.check_launch(request)
        found = self.runnable(request["taskDefinition"])
        refuse.check_network(request, as_request(found))
        strategy = self.strategy(request, cluster)
        template = Task("", cluster.name, self.definition(found), request.get("group") or f"family:{found.family}")
        count = int(request.get("count") or 1)
        if not 1 <= count <= 10:
            raise refuse.invalid("Count must be between 1 and 10.")
        self.sync()
        copies = list(self._copies(template, count, shares(strategy), placement(request)))
        state, started, failures = scheduler.run_tasks(self.state, copies)
        for task in started:
            self._remember(task, request, "" if strategy else "EC2")
        self.apply(state)
        return started, [self._failure(cluster.name, one) for one in failures]

    def _copies(self, template: Task, count: int, strategy: Any, rules: Placement) -> Iterator[Task]:
        have: Counter[str] = Counter()
        for _ in range(count):
            name = capacity.choose(strategy, have)
            have[name] += 1
            yield replace(template, provider=name, placement=rules)

    def _failure(self, cluster: str, failure: Any) -> dict[str, Any]:
        arn = self.arn("container-instance", f"{cluster}/{failure.closest}") if failure.closest else None
        if arn is None and not self.registered_instances(cluster, "ACTIVE"):
            raise refuse.invalid("No Container Instances were found in your cluster.")
        return {"arn": arn, "reason": failure.reason}

    def start(self, request: dict[str, Any]) -> tuple[list[Task], list[dict[str, Any]]]:
        """StartTask: on the instances that are named, or a failure for each that cannot take it."""
        cluster, found = self.cluster(request.get("cluster")), self.runnable(request["taskDefinition"])
        refuse.check_network(request, as_request(found))
        template = Task("", cluster.name, self.definition(found), request.get("group") or f"family:{found.family}")
        started, failures = [], []
        for name in request["containerInstances"]:
            id = name.split("/")[-1]
            reason = self._refuses(template, id)
            if reason:
                arn = self.arn("container-instance", f"{cluster.name}/{id}")
                failures.append({"arn": arn, "reason": reason})
                continue
            state, task = scheduler.start_task(self.state, template, id)
            self._remember(task, request, "EC2")
            self.apply(state)
            started.append(task)
        return started, failures

    def _refuses(self, task: Task, id: str) -> str:
        """StartTask's reason why an instance cannot take a task; empty when it can."""
        one = self.state.instances.get(id)
        if one is None or one.registered_at is None:
            return "MISSING"
        short = placement_rules.shortfalls(task.definition.needs, one.free)
        return placement_rules.REASONS[short[0].resource][0] if short else ""

    def stop(self, request: dict[str, Any]) -> Task:
        """StopTask."""
        self.cluster(request.get("cluster"))
        id = request["task"].split("/")[-1]
        if id not in self.state.tasks:
            raise refuse.invalid("The referenced task was not found.")
        self.apply(scheduler.stop_task(self.state, id, request.get("reason") or ""))
        return self.state.tasks[id]

    def _remember(self, task: Task, request: dict[str, Any], launch_type: str) -> None:
        arn = self.task_arn(task)
        self.tasks.setdefault(task.cluster, {})[arn] = TaskRecord(  # type: ignore[assignment]
            arn, list(request.get("tags") or ()), request.get("startedBy") or "", request.get("overrides") or {},
            launch_type, request.get("networkConfiguration") or {}, bool(request.get("enableExecuteCommand")),
        )  # fmt: skip

    def task_arn(self, task: Task) -> str:
        """The long form: cluster and id."""
        return self.arn("task", f"{task.cluster}/{task.id}")

    def record(self, task: Task) -> TaskRecord:
        """The record of a task; one of a service gets it from the service when it is first seen."""
        known = self.tasks.get(task.cluster, {}).get(self.task_arn(task))
        if known is None:
            self._remember_service_task(task)
            known = self.tasks[task.cluster][self.task_arn(task)]
        return known  # type: ignore[return-value]

    def _remember_service_task(self, task: Task) -> None:
        service = self.known_services[task.service.replace("/", ":", 1)]
        request = dict(service.request)
        request["startedBy"] = task.deployment
        spread = {"SERVICE": service.tags, "TASK_DEFINITION": self.task_definition(task.definition.arn).tags}
        request["tags"] = list(spread.get(request.get("propagateTags") or "", ()))
        if request.get("enableECSManagedTags"):
            managed = {"aws:ecs:clusterName": task.cluster, "aws:ecs:serviceName": service.name}
            request["tags"] += [{"key": key, "value": value} for key, value in managed.items()]
        self._remember(task, request, "" if task.provider else "EC2")

    def follow_tasks(self) -> None:
        """Interfaces for the awsvpc tasks that were placed, none for those that stopped; forget what ECS forgets."""
        for task in self.state.tasks.values():
            record = self.record(task)
            if record.network and task.instance and task.status != "STOPPED" and record.interface is None:
                record.interface = self._attach(record.network["awsvpcConfiguration"], self._zone(self.state, task))
            elif record.interface is not None and task.status == "STOPPED":
                self._detach(record)
        for records in self.tasks.values():
            for arn in [arn for arn in records if arn.rpartition("/")[2] not in self.state.tasks]:
                records.pop(arn)

    def _zone(self, state: State, task: Task) -> str:
        one = state.instances.get(task.instance)
        return one.room.zone if one else ""

    def _attach(self, network: dict[str, Any], zone: str) -> Any:
        """A network interface in the subnet of the instance's zone, with a free address of it."""
        ec2 = self.other("ec2")
        subnets = [ec2.get_subnet(id) for id in network["subnets"]]
        subnet = next((one for one in subnets if one.availability_zone == zone), subnets[0])
        groups = network.get("securityGroups") or None
        made = ec2.create_network_interface(
            subnet, _address(ec2, subnet), group_ids=groups, description="arn:aws:ecs attachment"
        )
        made.status = "in-use"
        return made

    def _detach(self, record: TaskRecord) -> None:
        try:
            self.other("ec2").delete_network_interface(record.interface.id)
        except ServiceException:
            return  # somebody deleted it already

    def address(self, id: str) -> str:
        """The private address of an awsvpc task; empty otherwise."""
        record = self.record(self.state.tasks[id])
        return str(record.interface.private_ip_address) if record.interface is not None else ""

    def definition_of(self, task: Task | Definition) -> dict[str, Any]:
        """The task definition that a task runs, as its JSON, even if it has been deleted since."""
        arn = task.definition.arn if isinstance(task, Task) else task.arn
        family, _, revision = arn.rpartition("/")[2].partition(":")
        found = self.task_definitions.get(family, {}).get(int(revision))
        return as_request(found) if found else {"containerDefinitions": [], "networkMode": "bridge"}


def _address(ec2: Any, subnet: Any) -> str:
    """The first free address of a subnet; AWS keeps the first four (VPC user guide, "Subnet CIDR blocks")."""
    used = {one.private_ip_address for one in ec2.enis.values() if one.subnet.id == subnet.id}
    hosts = ipaddress.ip_network(subnet.cidr_block).hosts()
    for host in list(next(hosts) for _ in range(3)) and hosts:
        if str(host) not in used:
            return str(host)
    raise refuse.invalid(f"The subnet {subnet.id} has no free address.")
