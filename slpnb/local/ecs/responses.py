"""ECS's own calls, answered from `slpnb.local.ecs.model`. What is not here is moto's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.responses import EC2ContainerServiceResponse

from slpnb.ecs.scheduler import machine as scheduler
from slpnb.ecs.scheduler.state import Task
from slpnb.local.ecs import shapes
from slpnb.local.ecs.model import Ecs
from slpnb.local.ecs.refusals import invalid, refusal, unsupported

MOST = 100  # ECS's own limit on maxResults of its list operations
Params = dict[str, Any]


class Responses(EC2ContainerServiceResponse):
    """The operations that need the scheduler, or that moto answers wrongly."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {}  # noqa: RUF012  the shapes are the API's already

    @property
    def ecs(self) -> Ecs:
        """The backend of the caller's account and region."""
        backend = self.ecs_backend
        assert isinstance(backend, Ecs)  # noqa: S101  install() saw to it
        return backend

    def call_action(self) -> Any:
        """Take over what the other services did since the last call, then answer."""
        self.ecs.sync()
        return super().call_action()

    @property
    def request_params(self) -> Params:
        """The operation's input as it was sent."""
        return dict(self.params)

    # Clusters

    def create_cluster(self) -> ActionResult:
        """A cluster."""
        super().create_cluster()
        return self._cluster(self._get_param("clusterName") or "default")

    def update_cluster(self) -> ActionResult:
        """A cluster's settings and configuration."""
        self.ecs.cluster(self._get_param("cluster"))
        super().update_cluster()
        return self._cluster(self._get_param("cluster"))

    def update_cluster_settings(self) -> ActionResult:
        """The same, settings only."""
        return self.update_cluster()

    def put_cluster_capacity_providers(self) -> ActionResult:
        """Which capacity providers a cluster has, and its default strategy."""
        super().put_cluster_capacity_providers()
        return self._cluster(self._get_param("cluster"))

    def delete_cluster(self) -> ActionResult:
        """INACTIVE, if nothing is in it."""
        return ActionResult({"cluster": shapes.cluster(self.ecs, self.ecs.delete_cluster(self._get_param("cluster")))})

    def _cluster(self, name: str) -> ActionResult:
        everything = ("TAGS", "SETTINGS", "CONFIGURATIONS")
        return ActionResult({"cluster": shapes.cluster(self.ecs, self.ecs.cluster(name), everything)})

    def describe_clusters(self) -> ActionResult:
        """Clusters by name; INACTIVE ones too."""
        include, found, failures = self._get_param("include") or (), [], []
        for name in self._get_param("clusters") or ["default"]:
            one = self.ecs.clusters.get(name.split("/")[-1])
            if one is None:
                failures.append({"arn": self.ecs.arn("cluster", name.split("/")[-1]), "reason": "MISSING"})
            else:
                found.append(shapes.cluster(self.ecs, one, include))
        return ActionResult({"clusters": found, "failures": failures})

    def list_clusters(self) -> ActionResult:
        """ACTIVE clusters, page by page."""
        return self._page("clusterArns", [one.arn for one in self.ecs.clusters.values() if one.status == "ACTIVE"])

    # Capacity providers

    def create_capacity_provider(self) -> ActionResult:
        """A capacity provider of an Auto Scaling group."""
        details = self._get_param("autoScalingGroupProvider")
        if details is None:
            raise unsupported("a capacity provider without an Auto Scaling group")
        made = self.ecs.create_capacity_provider(self._get_param("name"), details, self._get_param("tags"))
        return ActionResult({"capacityProvider": shapes.capacity_provider(made, ("TAGS",))})

    def update_capacity_provider(self) -> ActionResult:
        """Managed scaling, draining and termination protection."""
        name, details = self._get_param("name"), self._get_param("autoScalingGroupProvider")
        return ActionResult(
            {"capacityProvider": shapes.capacity_provider(self.ecs.update_capacity_provider(name, details))}
        )

    def delete_capacity_provider(self) -> ActionResult:
        """Gone, or DELETE_FAILED while a cluster has it."""
        gone = self.ecs.delete_capacity_provider(self._get_param("capacityProvider"))
        return ActionResult({"capacityProvider": shapes.capacity_provider(gone)})

    def describe_capacity_providers(self) -> ActionResult:
        """All of them, or those that are named."""
        include, names = self._get_param("include") or (), self._get_param("capacityProviders")
        found = [one for one in self.ecs.capacity_providers.values() if not names] or [
            one for one in map(self.ecs._get_provider, names or ()) if one
        ]
        known = {label for one in found for label in (one.name, one.capacity_provider_arn)}
        missing = [name for name in names or () if name not in known]
        failures = [{"arn": self.ecs.arn("capacity-provider", name), "reason": "MISSING"} for name in missing]
        return ActionResult(
            {"capacityProviders": [shapes.capacity_provider(one, include) for one in found], "failures": failures}
        )

    # Services

    def create_service(self) -> ActionResult:
        """A service, and its first deployment."""
        return self._service(self.ecs.put_service(self.request_params))

    def update_service(self) -> ActionResult:
        """A changed service; some changes begin a deployment."""
        return self._service(self.ecs.change_service(self.request_params))

    def delete_service(self) -> ActionResult:
        """DRAINING, then INACTIVE."""
        cluster, name = self._get_param("cluster"), self._get_param("service")
        return self._service(self.ecs.remove_service(cluster, name, force=bool(self._get_param("force"))))

    def _service(self, record: Any) -> ActionResult:
        return ActionResult({"service": shapes.service(self.ecs, record)})

    def describe_services(self) -> ActionResult:
        """Up to ten services by name; what is missing is a failure."""
        names = self._get_param("services") or []
        if not names:
            raise invalid("Services cannot be empty.")
        if len(names) > 10:
            raise invalid("Services cannot have more than 10 elements.")
        found, failures = self.ecs.describe_services(self._get_param("cluster"), names)
        tags = "TAGS" in (self._get_param("include") or ())
        return ActionResult(
            {"services": [shapes.service(self.ecs, one, tags=tags) for one in found], "failures": failures}
        )

    def list_services(self) -> ActionResult:
        """ACTIVE services of a cluster, page by page."""
        cluster = self.ecs.cluster(self._get_param("cluster")).name
        kind, launch = self._get_param("schedulingStrategy"), self._get_param("launchType")
        arns = [
            one.arn
            for one in self.ecs.known_services.values()
            if one.cluster_name == cluster
            and self.ecs.state.services[f"{cluster}/{one.name}"].status == "ACTIVE"
            and kind in (None, "REPLICA")
            and launch in (None, one.request.get("launchType"))
        ]
        return self._page("serviceArns", sorted(arns), default=10)

    def list_service_deployments(self) -> ActionResult:
        """The deployments of a service, newest first."""
        record = self.ecs.service_record(self._get_param("cluster"), self._get_param("service"))
        model = self.ecs.state.services[record.key]
        wanted = self._get_param("status") or ()
        found = [shapes.service_deployment(self.ecs, record, one) for one in shapes.all_deployments(model)]
        return self._page("serviceDeployments", [one for one in found if not wanted or one["status"] in wanted])

    def describe_service_deployments(self) -> ActionResult:
        """Deployments by ARN."""
        return self._by_arn("serviceDeployment", shapes.deployment_arn, shapes.service_deployment)

    def describe_service_revisions(self) -> ActionResult:
        """Revisions by ARN."""
        return self._by_arn("serviceRevision", shapes.revision_arn, shapes.service_revision)

    def _by_arn(self, kind: str, name: Callable[..., str], shape: Callable[..., Params]) -> ActionResult:
        known = {
            name(self.ecs, record, one): (record, one)
            for record in self.ecs.known_services.values()
            for one in shapes.all_deployments(self.ecs.state.services[record.key])
        }
        arns = self._get_param(f"{kind}Arns") or ()
        found = [shape(self.ecs, *known[arn]) for arn in arns if arn in known]
        failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]
        return ActionResult({f"{kind}s": found, "failures": failures})

    def create_task_set(self) -> ActionResult:
        """For the external deployment controller only, which is not simulated."""
        raise unsupported("a task set")

    # Tasks

    def run_task(self) -> ActionResult:
        """Tasks, and failures for those that no instance takes."""
        return self._started(*self.ecs.run(self.request_params))

    def start_task(self) -> ActionResult:
        """Tasks on given instances."""
        return self._started(*self.ecs.start(self.request_params))

    def _started(self, tasks: Sequence[Task], failures: Sequence[Params]) -> ActionResult:
        shown = [shapes.task(self.ecs, self.ecs.state.tasks[task.id]) for task in tasks]
        return ActionResult({"tasks": shown, "failures": list(failures)})

    def stop_task(self) -> ActionResult:
        """A task that is to stop."""
        return ActionResult({"task": shapes.task(self.ecs, self.ecs.stop(self.request_params))})

    def describe_tasks(self) -> ActionResult:
        """Tasks by id or ARN; STOPPED ones for an hour."""
        cluster, names = self.ecs.cluster(self._get_param("cluster")).name, self._get_param("tasks") or []
        if not names:
            raise invalid("Tasks cannot be empty.")
        tags, found, failures = "TAGS" in (self._get_param("include") or ()), [], []
        for name in names:
            one = self.ecs.state.tasks.get(name.split("/")[-1])
            if one is None or one.cluster != cluster:
                arn = self.ecs.arn("task", f"{cluster}/{name.split('/')[-1]}")
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(shapes.task(self.ecs, one, tags=tags))
        return ActionResult({"tasks": found, "failures": failures})

    def list_tasks(self) -> ActionResult:
        """Tasks of a cluster by service, family, instance, starter and desired status (RUNNING by default)."""
        cluster = self.ecs.cluster(self._get_param("cluster")).name
        tests = list(self._filters(cluster))
        found = [one for one in self.ecs.state.tasks.values() if one.cluster == cluster and all(t(one) for t in tests)]
        latest = self._get_param("desiredStatus") == "STOPPED"  # ECS promises no order: those that matter most first
        return self._page("taskArns", [self.ecs.task_arn(one) for one in (found[::-1] if latest else found)])

    def _filters(self, cluster: str) -> Iterable[Callable[[Task], bool]]:
        desired = self._get_param("desiredStatus") or "RUNNING"
        yield lambda one: one.desired_status == desired
        if name := self._get_param("serviceName"):
            key = self.ecs.service_record(cluster, name).key
            yield lambda one: one.service == key
        if family := self._get_param("family"):
            yield lambda one: one.definition.family == family
        if instance := self._get_param("containerInstance"):
            yield lambda one: one.instance == instance.split("/")[-1]
        if started_by := self._get_param("startedBy"):
            yield lambda one: self.ecs.record(one).started_by == started_by
        if launch := self._get_param("launchType"):
            yield lambda _: launch == "EC2"

    def execute_command(self) -> ActionResult:
        """Refused: no container runs, so no command can."""
        self.ecs.cluster(self._get_param("cluster"))
        one = self.ecs.state.tasks.get(self._get_param("task").split("/")[-1])
        if one is None or one.status != "RUNNING" or not self.ecs.record(one).execute_command:
            message = "The execute command failed because execute command was not enabled when the task was run or "
            raise invalid(f"{message}the execute command agent isn't running.")
        raise refusal("TargetNotConnectedException", "tasks are simulated: no container runs, so no command can.")

    # Container instances

    def register_container_instance(self) -> ActionResult:
        """What an agent calls."""
        document = json.loads(self._get_param("instanceIdentityDocument") or "{}")
        made = self.ecs.register_by_hand(self._get_param("cluster"), document["instanceId"])
        return ActionResult({"containerInstance": shapes.container_instance(self.ecs, made)})

    def deregister_container_instance(self) -> ActionResult:
        """An instance leaves its cluster."""
        cluster, name = self._get_param("cluster"), self._get_param("containerInstance")
        shown = shapes.container_instance(self.ecs, self.ecs.instance(name))
        self.ecs.deregister(cluster, name, force=bool(self._get_param("force")))
        return ActionResult({"containerInstance": {**shown, "status": "INACTIVE"}})

    def list_container_instances(self) -> ActionResult:
        """Container instances of a cluster."""
        cluster = self.ecs.cluster(self._get_param("cluster")).name
        found = self.ecs.registered_instances(cluster, self._get_param("status"))
        arns = [self.ecs.arn("container-instance", f"{cluster}/{one.id}") for one in found]
        return self._page("containerInstanceArns", sorted(arns))

    def describe_container_instances(self) -> ActionResult:
        """Container instances by id or ARN."""
        found, failures = self._instances()
        return ActionResult(
            {"containerInstances": [shapes.container_instance(self.ecs, one) for one in found], "failures": failures}
        )

    def update_container_instances_state(self) -> ActionResult:
        """DRAINING, or ACTIVE again."""
        status = self._get_param("status")
        if status not in ("ACTIVE", "DRAINING"):
            raise invalid("Container instance status should be one of [ACTIVE,DRAINING]")
        found, failures = self._instances()
        for one in found:
            self.ecs.apply(scheduler.drain_instance(self.ecs.state, one.id, draining=status == "DRAINING"))
        shown = [shapes.container_instance(self.ecs, self.ecs.state.instances[one.id]) for one in found]
        return ActionResult({"containerInstances": shown, "failures": failures})

    def _instances(self) -> tuple[list[Any], list[Params]]:
        cluster, names = self.ecs.cluster(self._get_param("cluster")).name, self._get_param("containerInstances") or []
        if not names:
            raise invalid("Container instances cannot be empty.")
        known = {one.id: one for one in self.ecs.registered_instances(cluster)}
        ids = [name.split("/")[-1] for name in names]
        missing = [self.ecs.arn("container-instance", f"{cluster}/{id}") for id in ids if id not in known]
        return [known[id] for id in ids if id in known], [{"arn": arn, "reason": "MISSING"} for arn in missing]

    def put_attributes(self) -> ActionResult:
        """Custom attributes, which placement constraints may ask for."""
        return self._set_attributes(deleting=False)

    def delete_attributes(self) -> ActionResult:
        """Custom attributes go."""
        return self._set_attributes(deleting=True)

    def _set_attributes(self, *, deleting: bool) -> ActionResult:
        attributes = self._get_param("attributes") or []
        for one in attributes:
            if (one.get("targetId") or "").split("/")[-1] not in self.ecs.state.instances:
                raise refusal("TargetNotFoundException", f"The specified target {one.get('targetId')} was not found.")
        self.ecs.set_attributes(
            [(one["targetId"], one["name"], None if deleting else one.get("value") or "") for one in attributes]
        )
        return ActionResult({"attributes": attributes})

    def list_attributes(self) -> ActionResult:
        """Attributes of a cluster's container instances, by name and value."""
        cluster = self.ecs.cluster(self._get_param("cluster")).name
        name, value = self._get_param("attributeName"), self._get_param("attributeValue")
        found = [
            {"name": key, "value": text, "targetId": self.ecs.arn("container-instance", f"{cluster}/{one.id}")}
            for one in self.ecs.registered_instances(cluster)
            for key, text in sorted(one.room.attributes.items())
            if name in (None, key) and value in (None, text)
        ]
        return self._page("attributes", found)

    # Task definitions

    def register_task_definition(self) -> ActionResult:
        """As moto, with the defaults of port mappings that ECS fills in."""
        mode = self._get_param("networkMode") or "bridge"
        for container in self.params.get("containerDefinitions") or ():
            for mapping in container.get("portMappings") or ():
                mapping.setdefault("protocol", "tcp")
                mapping.setdefault("hostPort", 0 if mode == "bridge" else mapping.get("containerPort"))
        return super().register_task_definition()

    def list_task_definitions(self) -> ActionResult:
        """ARNs by family and revision, page by page."""
        prefix, status = self._get_param("familyPrefix"), self._get_param("status") or "ACTIVE"
        families = [family for family in sorted(self.ecs.task_definitions) if prefix in (None, family)]
        arns = [
            one.arn
            for family in families
            for _, one in sorted(self.ecs.task_definitions[family].items())
            if one.status == status
        ]
        return self._page("taskDefinitionArns", arns[::-1] if self._get_param("sort") == "DESC" else arns)

    def list_task_definition_families(self) -> ActionResult:
        """Families with an ACTIVE revision (or INACTIVE, or ALL), page by page."""
        prefix, status = self._get_param("familyPrefix") or "", self._get_param("status") or "ACTIVE"
        found = []
        for family, revisions in sorted(self.ecs.task_definitions.items()):
            active = any(one.status == "ACTIVE" for one in revisions.values())
            if family.startswith(prefix) and revisions and (status == "ALL" or active == (status == "ACTIVE")):
                found.append(family)
        return self._page("families", found)

    def describe_task_definition(self) -> ActionResult:
        """As moto; a family alone means its newest ACTIVE revision."""
        found = self.ecs.task_definition(self._get_param("taskDefinition"))
        answer: Params = {"taskDefinition": found}
        if "TAGS" in (self._get_param("include") or ()):
            answer["tags"] = found.tags
        return ActionResult(answer)

    def _page(self, name: str, items: Sequence[Any], *, default: int = MOST) -> ActionResult:
        """One page of a list; the token is where the next one begins."""
        size = min(int(self._get_param("maxResults") or default), MOST)
        start = int(self._get_param("nextToken") or 0)
        answer: Params = {name: list(items[start : start + size])}
        if start + size < len(items):
            answer["nextToken"] = str(start + size)
        return ActionResult(answer)
