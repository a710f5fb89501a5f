"""Services: what CreateService and UpdateService say, kept whole, and handed to the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ecs.models import TaskDefinition

from slpnb.ecs import scheduler
from slpnb.ecs.scheduler.state import Service
from slpnb.local.base.refusal import Refusal
from slpnb.local.ecs import refusals, requests
from slpnb.local.ecs.clusters import Clusters
from slpnb.local.ecs.definitions import TaskDefinitions, as_request
from slpnb.local.ecs.providers import CapacityProviders
from slpnb.local.ecs.records import ServiceRecord
from slpnb.local.ecs.region import Region


class Services:
    """The services of one account and Region."""

    def __init__(
        self, region: Region, clusters: Clusters, providers: CapacityProviders, definitions: TaskDefinitions
    ) -> None:
        self.region, self.clusters, self.providers, self.definitions = region, clusters, providers, definitions

    def get(self, cluster: str | None, name: str) -> ServiceRecord:
        """A service by name or ARN, INACTIVE ones included."""
        record = self.region.services.get(f"{self.clusters.get(cluster).name}/{name.split('/')[-1]}")
        if record is None:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        return record

    def describe(self, cluster: str | None, names: list[str]) -> tuple[list[ServiceRecord], list[dict[str, str]]]:
        """The services that are there, and a failure for each that is not."""
        name = self.clusters.get(cluster).name
        known = {one.name: one for one in self.region.services.values() if one.cluster_name == name}
        return self.region.look_up("service", names, known, name)

    def _active(self, cluster: str | None, name: str) -> ServiceRecord:
        record = self.get(cluster, name)
        if self.region.state.services[record.key].status != "ACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        return record

    def create(self, request: dict[str, Any]) -> ServiceRecord:
        """CreateService. ``request`` is the operation's input."""
        cluster = self.clusters.get(request.get("cluster"))
        found = self.definitions.runnable(request.get("taskDefinition") or "")
        key = f"{cluster.name}/{request['serviceName']}"
        self._demand_new(key)
        refusals.check_launch(request)
        refusals.check_kind(request)
        request = requests.complete(request, self.providers.strategy(request, cluster))
        self._check(request, found)
        arn, tags = self.region.arn("service", key), list(request.get("tags") or ())
        record = ServiceRecord(request["serviceName"], cluster.name, arn, request, tags)
        service = Service(cluster.name, record.name, **self._fields(request, found))
        self.region.services[key] = record  # before its tasks, which get their records from it
        self.region.apply(scheduler.create_service(self.region.state, service))
        return record

    def _demand_new(self, key: str) -> None:
        known = self.region.state.services.get(key)
        if known and known.status == "ACTIVE":
            raise refusals.invalid("Creation of service was not idempotent.")
        if known and known.status == "DRAINING":
            raise refusals.invalid("Unable to Start a service that is still Draining.")

    def _check(self, request: Mapping[str, Any], found: TaskDefinition) -> None:
        refusals.check_count(request)
        refusals.check_constraints(request)
        refusals.check_load_balancers(request, as_request(found), self.region.elbv2.target_groups)
        refusals.check_network(request, as_request(found))

    def _fields(self, request: Mapping[str, Any], found: TaskDefinition) -> dict[str, Any]:
        """A complete request as the fields of the scheduler's service."""
        fields = requests.fields(request, self.region.elbv2.target_groups)
        return {**fields, "definition": self.definitions.scheduled(found)}

    def update(self, request: dict[str, Any]) -> ServiceRecord:
        """UpdateService: what is given replaces what was; some of it begins a deployment."""
        record = self._active(request.get("cluster"), request["service"])
        if request.get("schedulingStrategy") or request.get("deploymentController"):
            refusals.check_kind(request)
        found = self._named(request, record)
        before = record.request
        after = {**before, **requests.changed(request), **self._restated(request, record)}
        self._check(after, found)
        deploys = requests.begins_deployment(request, before)
        fields = self._fields(after, found)
        record.request = after
        self.region.apply(scheduler.update_service(self.region.state, record.key, deploys=deploys, **fields))
        return record

    def _named(self, request: Mapping[str, Any], record: ServiceRecord) -> TaskDefinition:
        """The task definition that UpdateService names, or the service's own, even if that is INACTIVE by now."""
        asked = request.get("taskDefinition")
        if asked:
            return self.definitions.runnable(asked)
        return self.definitions.get(self.region.state.services[record.key].definition.arn)

    def _restated(self, request: Mapping[str, Any], record: ServiceRecord) -> dict[str, Any]:
        """What UpdateService gives in part, whole: deployment configuration and capacity provider strategy."""
        before = record.request["deploymentConfiguration"]
        configuration = requests.configuration(request.get("deploymentConfiguration") or {}, before)
        asked = request.get("capacityProviderStrategy")
        if asked is None:
            return {"deploymentConfiguration": configuration}
        strategy = self.providers.associated(asked, self.clusters.get(record.cluster_name))
        return {
            "deploymentConfiguration": configuration,
            "capacityProviderStrategy": strategy,
            "launchType": requests.launch_type(strategy),
        }

    def delete(self, cluster: str | None, name: str, *, force: bool) -> ServiceRecord:
        """DeleteService: scaled to 0 first, or by force."""
        record = self._active(cluster, name)
        if self.region.state.services[record.key].desired > 0 and not force:
            raise refusals.invalid("The service cannot be stopped while it is scaled above 0.")
        record.request["desiredCount"] = 0
        self.region.apply(scheduler.delete_service(self.region.state, record.key))
        return record
