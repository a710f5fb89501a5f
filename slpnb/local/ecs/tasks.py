"""Tasks: RunTask, StartTask and StopTask, and the record that each task of the scheduler gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from moto.ecs.models import Cluster, TaskDefinition

from slpnb.ecs import placement, resources, scheduler
from slpnb.ecs.scheduler import capacity
from slpnb.ecs.scheduler.state import Share, Task
from slpnb.local.ecs import interfaces, refusals, requests
from slpnb.local.ecs.clusters import Clusters
from slpnb.local.ecs.container_instances import ContainerInstances
from slpnb.local.ecs.definitions import TaskDefinitions, as_request
from slpnb.local.ecs.providers import CapacityProviders
from slpnb.local.ecs.records import TaskRecord
from slpnb.local.ecs.region import Region

Started = tuple[list[Task], list[dict[str, Any]]]  # and a failure for each that was not
MOST = 10  # tasks that one RunTask starts (API reference, RunTask, count)


class Tasks:
    """The tasks of one account and Region."""

    def __init__(
        self,
        region: Region,
        clusters: Clusters,
        providers: CapacityProviders,
        instances: ContainerInstances,
        definitions: TaskDefinitions,
    ) -> None:
        self.region, self.clusters, self.providers = region, clusters, providers
        self.instances, self.definitions = instances, definitions

    def run(self, request: dict[str, Any]) -> Started:
        """RunTask: tasks, and a failure for each that no instance takes."""
        cluster = self.clusters.get(request.get("cluster"))
        refusals.check_launch(request)
        refusals.check_constraints(request)
        found = self.definitions.runnable(request["taskDefinition"])
        refusals.check_network(request, as_request(found))
        strategy = self.providers.strategy(request, cluster)
        count = int(request.get("count") or 1)
        if not 1 <= count <= MOST:
            raise refusals.invalid(f"Count must be between 1 and {MOST}.")
        template = replace(self._template(request, cluster, found), placement=requests.placement(request))
        copies = _copies(template, count, requests.shares(strategy))
        state, started, failures = scheduler.run_tasks(self.region.state, copies)
        for task in started:
            self._remember(task, request, "" if strategy else "EC2")
        self.region.apply(state)
        return started, [self._failure(cluster.name, one) for one in failures]

    def _template(self, request: Mapping[str, Any], cluster: Cluster, found: TaskDefinition) -> Task:
        group = request.get("group") or f"family:{found.family}"
        return Task("", cluster.name, self.definitions.scheduled(found), group)

    def _failure(self, cluster: str, failure: placement.Failure) -> dict[str, Any]:
        if not failure.closest and not self.instances.registered(cluster, "ACTIVE"):
            raise refusals.invalid("No Container Instances were found in your cluster.")
        arn = self.region.arn("container-instance", f"{cluster}/{failure.closest}") if failure.closest else None
        return {"arn": arn, "reason": failure.reason}

    def start(self, request: dict[str, Any]) -> Started:
        """StartTask: on the instances that are named, or a failure for each that cannot take it."""
        cluster = self.clusters.get(request.get("cluster"))
        found = self.definitions.runnable(request["taskDefinition"])
        refusals.check_network(request, as_request(found))
        template = self._template(request, cluster, found)
        started, failures = [], []
        for id in (name.split("/")[-1] for name in request["containerInstances"]):
            reason = self._refuses(template, id)
            if reason:
                arn = self.region.arn("container-instance", f"{cluster.name}/{id}")
                failures.append({"arn": arn, "reason": reason})
            else:
                started.append(self._start_on(id, template, request))
        return started, failures

    def _start_on(self, id: str, template: Task, request: dict[str, Any]) -> Task:
        state, task = scheduler.start_task(self.region.state, template, id)
        self._remember(task, request, "EC2")
        self.region.apply(state)
        return task

    def _refuses(self, task: Task, id: str) -> str:
        """StartTask's reason why an instance cannot take a task; empty when it can."""
        one = self.region.state.instances.get(id)
        if one is None or one.registered_at is None:
            return "MISSING"
        short = resources.shortfalls(task.definition.needs, one.remaining)
        return placement.REASONS[short[0].resource][0] if short else ""

    def stop(self, request: Mapping[str, Any]) -> Task:
        """StopTask."""
        self.clusters.get(request.get("cluster"))
        id = request["task"].split("/")[-1]
        if id not in self.region.state.tasks:
            raise refusals.invalid("The referenced task was not found.")
        self.region.apply(scheduler.stop_task(self.region.state, id, request.get("reason") or ""))
        return self.region.state.tasks[id]

    # Records

    def follow(self) -> None:
        """A record for each task, interfaces for the awsvpc ones while they run; ECS forgets what is long gone."""
        for task in self.region.state.tasks.values():
            self._follow_interface(task, self._record(task))
        for records in self.region.tasks.values():
            for arn in [arn for arn in records if arn.rpartition("/")[2] not in self.region.state.tasks]:
                records.pop(arn)

    def _follow_interface(self, task: Task, record: TaskRecord) -> None:
        ec2 = self.region.ec2
        if record.interface is not None and task.status == "STOPPED":
            interfaces.detach(ec2, record.interface)
        elif record.network and task.instance and task.status != "STOPPED" and record.interface is None:
            network = record.network["awsvpcConfiguration"]
            record.interface = interfaces.attach(ec2, network, self.region.zone_of(task))

    def _record(self, task: Task) -> TaskRecord:
        """The record of a task; one of a service gets it from the service when it is first seen."""
        known = self.region.tasks.get(task.cluster, {}).get(self.region.task_arn(task))
        if known is not None:
            return known
        tags = self.definitions.get(task.definition.arn).tags
        request = self.region.services[task.service].task_request(task, tags)
        return self._remember(task, request, "" if task.provider else "EC2")

    def _remember(self, task: Task, request: dict[str, Any], launch_type: str) -> TaskRecord:
        arn = self.region.task_arn(task)
        record = TaskRecord.of(arn, request, launch_type)
        self.region.tasks.setdefault(task.cluster, {})[arn] = record
        return record


def _copies(template: Task, count: int, strategy: Sequence[Share]) -> Iterator[Task]:
    """The tasks of one RunTask, each with its capacity provider."""
    have: Counter[str] = Counter()
    for _ in range(count):
        name = capacity.choose(strategy, have)
        have[name] += 1
        yield replace(template, provider=name)
