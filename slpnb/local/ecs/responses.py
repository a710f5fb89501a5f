"""ECS's own calls, answered by the parts of `slpnb.local.ecs.model.Ecs`. What is not here is moto's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from moto.core.responses import ActionResult
from moto.ecs.models import Cluster

from slpnb.ecs.scheduler.state import ContainerInstance, Deployment, Task
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected
from slpnb.local.ecs import shapes
from slpnb.local.ecs.backend import ecs_of
from slpnb.local.ecs.model import Ecs
from slpnb.local.ecs.records import ServiceRecord
from slpnb.local.ecs.refusals import check_linked, invalid, unsupported
from slpnb.local.ecs.region import Region
from slpnb.local.ecs.settings import Settings, SettingsResponses

MOST = 100  # ECS's own limit on maxResults of its list operations
Params = dict[str, Any]
Answer = TypeVar("Answer")
Shape = Callable[[Region, ServiceRecord, Deployment], Answer]


class Responses(Corrected, SettingsResponses):
    """The operations that need the scheduler, or that moto answers wrongly."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {}  # noqa: RUF012  the shapes are the API's already

    @property
    def ecs(self) -> Ecs:
        """The ECS of the caller's account and Region."""
        return ecs_of(self.current_account, self.region)

    @property
    def held(self) -> Region:
        """What there is of ECS there. (``region`` is moto's word for the Region's name.)"""
        return self.ecs.region

    @property
    def settings(self) -> Settings:  # type: ignore[override]
        """The account settings there."""
        return self.held.settings

    def call_action(self) -> Any:
        """Pick up what the other services did since the last call, then answer."""
        self.ecs.sync()
        return super().call_action()

    @property
    def cluster_name(self) -> str:
        """The name of the ACTIVE cluster that the request is about."""
        return self.ecs.clusters.get(self._get_param("cluster")).name

    @property
    def include(self) -> Sequence[str]:
        """What a description is to show besides the usual."""
        return self._get_param("include") or ()

    # Clusters

    def create_cluster(self) -> ActionResult:
        """A cluster; creating an ACTIVE one again gives the same one (API reference, CreateCluster)."""
        name = self._get_param("clusterName") or "default"
        check_linked()
        if self.ecs.clusters.find(name) is None:
            for provider in self._get_param("capacityProviders") or ():
                self.ecs.providers.associable(provider)
            super().create_cluster()
        return self._cluster(name)

    def update_cluster(self) -> ActionResult:
        """A cluster's settings and configuration."""
        self.ecs.clusters.get(self._get_param("cluster"))
        super().update_cluster()
        return self._cluster(self._get_param("cluster"))

    def update_cluster_settings(self) -> ActionResult:
        """The same, settings only."""
        return self.update_cluster()

    def put_cluster_capacity_providers(self) -> ActionResult:
        """Which capacity providers a cluster has, and its default strategy."""
        name, strategy = self._get_param("cluster"), self._get_param("defaultCapacityProviderStrategy")
        self.ecs.clusters.put_capacity_providers(name, self._get_param("capacityProviders"), strategy)
        return self._cluster(name)

    def delete_cluster(self) -> ActionResult:
        """INACTIVE, if nothing is in it."""
        return ActionResult({"cluster": self._shown(self.ecs.clusters.delete(self._get_param("cluster")))})

    def _cluster(self, name: str) -> ActionResult:
        everything = ("TAGS", "SETTINGS", "CONFIGURATIONS")
        return ActionResult({"cluster": self._shown(self.ecs.clusters.get(name), everything)})

    def _shown(self, one: Cluster, include: Iterable[str] = ()) -> Params:
        return shapes.cluster(self.held, one, len(self.ecs.instances.registered(one.name)), include)

    def describe_clusters(self) -> ActionResult:
        """Clusters by name; INACTIVE ones too."""
        names = self._get_param("clusters") or ["default"]
        found, failures = self.held.look_up("cluster", names, self.held.clusters)
        return ActionResult({"clusters": [self._shown(one, self.include) for one in found], "failures": failures})

    def list_clusters(self) -> ActionResult:
        """ACTIVE clusters, page by page."""
        return self._page("clusterArns", [one.arn for one in self.held.clusters.values() if one.status == "ACTIVE"])

    # Capacity providers

    def create_capacity_provider(self) -> ActionResult:
        """A capacity provider of an Auto Scaling group."""
        details = self._get_param("autoScalingGroupProvider")
        if details is None:
            raise unsupported("a capacity provider without an Auto Scaling group")
        check_linked()
        made = self.ecs.providers.create(self._get_param("name"), details, self._get_param("tags"))
        return ActionResult({"capacityProvider": shapes.capacity_provider(made, ("TAGS",))})

    def update_capacity_provider(self) -> ActionResult:
        """Managed scaling, draining and termination protection."""
        name, details = self._get_param("name"), self._get_param("autoScalingGroupProvider")
        return ActionResult({"capacityProvider": shapes.capacity_provider(self.ecs.providers.update(name, details))})

    def delete_capacity_provider(self) -> ActionResult:
        """Gone, or DELETE_FAILED while a cluster has it."""
        gone = self.ecs.providers.delete(self._get_param("capacityProvider"))
        return ActionResult({"capacityProvider": shapes.capacity_provider(gone)})

    def describe_capacity_providers(self) -> ActionResult:
        """All of them, or those that are named."""
        known = self.held.capacity_providers
        found, failures = self.held.look_up("capacity-provider", self._get_param("capacityProviders") or known, known)
        shown = [shapes.capacity_provider(one, self.include) for one in found]
        return ActionResult({"capacityProviders": shown, "failures": failures})

    # Services

    def create_service(self) -> ActionResult:
        """A service, and its first deployment."""
        check_linked()
        return self._service(self.ecs.services.create(self.params))

    def update_service(self) -> ActionResult:
        """A changed service; some changes begin a deployment."""
        return self._service(self.ecs.services.update(self.params))

    def delete_service(self) -> ActionResult:
        """DRAINING, then INACTIVE."""
        cluster, name = self._get_param("cluster"), self._get_param("service")
        return self._service(self.ecs.services.delete(cluster, name, force=bool(self._get_param("force"))))

    def _service(self, record: ServiceRecord) -> ActionResult:
        return ActionResult({"service": shapes.service(self.held, record)})

    def describe_services(self) -> ActionResult:
        """Up to ten services by name; what is missing is a failure."""
        names = self._get_param("services") or []
        if not names:
            raise invalid("Services cannot be empty.")
        if len(names) > 10:
            raise invalid("Services cannot have more than 10 elements.")
        found, failures = self.ecs.services.describe(self._get_param("cluster"), names)
        shown = [shapes.service(self.held, one, tags="TAGS" in self.include) for one in found]
        return ActionResult({"services": shown, "failures": failures})

    def list_services(self) -> ActionResult:
        """ACTIVE services of a cluster, page by page."""
        cluster = self.cluster_name
        kind, launch = self._get_param("schedulingStrategy"), self._get_param("launchType")
        arns = [
            one.arn
            for one in self.held.services.values()
            if one.cluster_name == cluster
            and self.held.state.services[one.key].status == "ACTIVE"
            and kind in (None, "REPLICA")
            and launch in (None, one.request.get("launchType"))
        ]
        return self._page("serviceArns", sorted(arns), default=10)

    def list_service_deployments(self) -> ActionResult:
        """The deployments of a service, newest first."""
        record = self.ecs.services.get(self._get_param("cluster"), self._get_param("service"))
        model = self.held.state.services[record.key]
        wanted = self._get_param("status") or ()
        found = [shapes.service_deployment(self.held, record, one) for one in shapes.all_deployments(model)]
        return self._page("serviceDeployments", [one for one in found if not wanted or one["status"] in wanted])

    def describe_service_deployments(self) -> ActionResult:
        """Deployments by ARN."""
        return self._by_arn("serviceDeployment", shapes.deployment_arn, shapes.service_deployment)

    def describe_service_revisions(self) -> ActionResult:
        """Revisions by ARN."""
        return self._by_arn("serviceRevision", shapes.revision_arn, self._revision)

    def _revision(self, held: Region, record: ServiceRecord, one: Deployment) -> Params:
        return shapes.service_revision(held, record, one, self.ecs.definitions.document(one.definition))

    def _by_arn(self, kind: str, name: Shape[str], shape: Shape[Params]) -> ActionResult:
        known = {
            name(self.held, record, one): (record, one)
            for record in self.held.services.values()
            for one in shapes.all_deployments(self.held.state.services[record.key])
        }
        arns = self._get_param(f"{kind}Arns") or ()
        found = [shape(self.held, *known[arn]) for arn in arns if arn in known]
        failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
        return ActionResult({f"{kind}s": found, "failures": failures})

    def create_task_set(self) -> ActionResult:
        """For the external deployment controller only, which is not simulated."""
        raise unsupported("a task set")

    describe_task_sets = update_task_set = delete_task_set = update_service_primary_task_set = create_task_set

    # Tasks

    def run_task(self) -> ActionResult:
        """Tasks, and failures for those that no instance takes."""
        return self._started(*self.ecs.tasks.run(self.params))

    def start_task(self) -> ActionResult:
        """Tasks on given instances."""
        return self._started(*self.ecs.tasks.start(self.params))

    def _started(self, tasks: Sequence[Task], failures: Sequence[Params]) -> ActionResult:
        shown = [self._task(self.held.state.tasks[task.id]) for task in tasks]
        return ActionResult({"tasks": shown, "failures": list(failures)})

    def _task(self, one: Task, *, tags: bool = True) -> Params:
        return shapes.task(self.held, one, self.ecs.definitions.document(one.definition), tags=tags)

    def stop_task(self) -> ActionResult:
        """A task that is to stop."""
        return ActionResult({"task": self._task(self.ecs.tasks.stop(self.params))})

    def describe_tasks(self) -> ActionResult:
        """Tasks by id or ARN; STOPPED ones for an hour."""
        cluster, names = self.cluster_name, self._get_param("tasks")
        if not names:
            raise invalid("Tasks cannot be empty.")
        known = {id: one for id, one in self.held.state.tasks.items() if one.cluster == cluster}
        found, failures = self.held.look_up("task", names, known, cluster)
        shown = [self._task(one, tags="TAGS" in self.include) for one in found]
        return ActionResult({"tasks": shown, "failures": failures})

    def list_tasks(self) -> ActionResult:
        """Tasks of a cluster by service, family, instance, starter and desired status (RUNNING by default)."""
        cluster = self.cluster_name
        tests = list(self._filters(cluster))
        found = [one for one in self.held.state.tasks.values() if one.cluster == cluster and all(t(one) for t in tests)]
        latest = self._get_param("desiredStatus") == "STOPPED"  # ECS promises no order: those that matter most first
        return self._page("taskArns", [self.held.task_arn(one) for one in (found[::-1] if latest else found)])

    def _filters(self, cluster: str) -> Iterable[Callable[[Task], bool]]:
        desired = self._get_param("desiredStatus") or "RUNNING"
        yield lambda one: one.desired_status == desired
        if name := self._get_param("serviceName"):
            key = self.ecs.services.get(cluster, name).key
            yield lambda one: one.service == key
        if family := self._get_param("family"):
            yield lambda one: one.definition.family == family
        if instance := self._get_param("containerInstance"):
            yield lambda one: one.instance == instance.split("/")[-1]
        if started_by := self._get_param("startedBy"):
            yield lambda one: self.held.task_record(one).started_by == started_by
        if launch := self._get_param("launchType"):
            yield lambda _: launch == "EC2"

    def execute_command(self) -> ActionResult:
        """Refused: no container runs, so no command can."""
        self.ecs.clusters.get(self._get_param("cluster"))
        one = self.held.state.tasks.get(self._get_param("task").split("/")[-1])
        if one is None or one.status != "RUNNING" or not self.held.task_record(one).execute_command:
            message = "The execute command failed because execute command was not enabled when the task was run or "
            raise invalid(f"{message}the execute command agent isn't running.")
        raise Refusal("TargetNotConnectedException", "tasks are simulated: no container runs, so no command can.")

    # Container instances

    def register_container_instance(self) -> ActionResult:
        """What an agent calls."""
        document = json.loads(self._get_param("instanceIdentityDocument") or "{}")
        made = self.ecs.instances.register(self._get_param("cluster"), document["instanceId"])
        return ActionResult({"containerInstance": shapes.container_instance(self.held, made)})

    def deregister_container_instance(self) -> ActionResult:
        """An instance leaves its cluster."""
        cluster, name = self._get_param("cluster"), self._get_param("containerInstance")
        shown = shapes.container_instance(self.held, self.ecs.instances.get(name))
        self.ecs.instances.deregister(cluster, name, force=bool(self._get_param("force")))
        return ActionResult({"containerInstance": {**shown, "status": "INACTIVE"}})

    def list_container_instances(self) -> ActionResult:
        """Container instances of a cluster."""
        cluster = self.cluster_name
        found = self.ecs.instances.registered(cluster, self._get_param("status"))
        arns = [self.held.arn("container-instance", f"{cluster}/{one.id}") for one in found]
        return self._page("containerInstanceArns", sorted(arns))

    def describe_container_instances(self) -> ActionResult:
        """Container instances by id or ARN."""
        return self._container_instances(*self._instances())

    def update_container_instances_state(self) -> ActionResult:
        """DRAINING, or ACTIVE again."""
        status = self._get_param("status")
        if status not in ("ACTIVE", "DRAINING"):
            raise invalid("Container instance status should be one of [ACTIVE,DRAINING]")
        found, failures = self._instances()
        drained = [self.ecs.instances.drain(one.id, draining=status == "DRAINING") for one in found]
        return self._container_instances(drained, failures)

    def _container_instances(self, found: Sequence[ContainerInstance], failures: Sequence[Params]) -> ActionResult:
        shown = [shapes.container_instance(self.held, one) for one in found]
        return ActionResult({"containerInstances": shown, "failures": failures})

    def _instances(self) -> tuple[list[ContainerInstance], list[Params]]:
        cluster, names = self.cluster_name, self._get_param("containerInstances")
        if not names:
            raise invalid("Container instances cannot be empty.")
        known = {one.id: one for one in self.ecs.instances.registered(cluster)}
        return self.held.look_up("container-instance", names, known, cluster)

    def put_attributes(self) -> ActionResult:
        """Custom attributes, which placement constraints may ask for."""
        return self._set_attributes(deleting=False)

    def delete_attributes(self) -> ActionResult:
        """Delete custom attributes."""
        return self._set_attributes(deleting=True)

    def _set_attributes(self, *, deleting: bool) -> ActionResult:
        attributes = self._get_param("attributes") or []
        for one in attributes:
            if (one.get("targetId") or "").split("/")[-1] not in self.held.state.instances:
                raise Refusal("TargetNotFoundException", f"The specified target {one.get('targetId')} was not found.")
        self.ecs.instances.set_attributes(
            [(one["targetId"], one["name"], None if deleting else one.get("value") or "") for one in attributes]
        )
        return ActionResult({"attributes": attributes})

    def list_attributes(self) -> ActionResult:
        """Attributes of a cluster's container instances, by name and value."""
        name, value = self._get_param("attributeName"), self._get_param("attributeValue")
        instances = self.ecs.instances.registered(self.cluster_name)
        found = [each for one in instances for each in shapes.attributes(self.held, one)]
        shown = [one for one in found if name in (None, one["name"]) and value in (None, one["value"])]
        return self._page("attributes", shown)

    # Task definitions

    def list_task_definitions(self) -> ActionResult:
        """ARNs by family and revision, page by page."""
        prefix, status = self._get_param("familyPrefix"), self._get_param("status") or "ACTIVE"
        arns = self.ecs.definitions.arns(prefix, status)
        return self._page("taskDefinitionArns", arns[::-1] if self._get_param("sort") == "DESC" else arns)

    def list_task_definition_families(self) -> ActionResult:
        """Families with an ACTIVE revision (or INACTIVE, or ALL), page by page."""
        prefix, status = self._get_param("familyPrefix") or "", self._get_param("status") or "ACTIVE"
        return self._page("families", self.ecs.definitions.families(prefix, status))

    def describe_task_definition(self) -> ActionResult:
        """As moto; a family alone means its newest ACTIVE revision."""
        found = self.ecs.definitions.get(self._get_param("taskDefinition"))
        return ActionResult({"taskDefinition": found, "tags": found.tags if "TAGS" in self.include else None})

    def _page(self, name: str, items: Sequence[Any], *, default: int = MOST) -> ActionResult:
        """One page of a list; the token is where the next one begins."""
        size = min(int(self._get_param("maxResults") or default), MOST)
        start = int(self._get_param("nextToken") or 0)
        answer: Params = {name: list(items[start : start + size])}
        if start + size < len(items):
            answer["nextToken"] = str(start + size)
        return ActionResult(answer)
