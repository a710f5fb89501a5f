"""Services: what CreateService and UpdateService say, kept whole, and handed to the scheduler model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from moto.ecs.models import TaskDefinition

from slpnb.ecs import resources
from slpnb.ecs.scheduler import machine as scheduler
from slpnb.ecs.scheduler.observed import OBSERVED
from slpnb.ecs.scheduler.state import Breaker, Definition, Outcome, Placement, Service, Share, TargetGroup
from slpnb.local.ecs import images as ecs_images, refusals as refuse
from slpnb.local.ecs.clusters import FARGATE, Clusters

OUTCOME_LABEL = "slpnb.outcome"
PERCENTS = {"maximumPercent": 200, "minimumHealthyPercent": 100}
# What makes UpdateService begin a deployment, besides forceNewDeployment and the task definition.
DEPLOYS: tuple[str, ...] = ("networkConfiguration", "loadBalancers", "capacityProviderStrategy", "serviceRegistries")
DEPLOYS += ("enableExecuteCommand", "enableECSManagedTags", "propagateTags", "platformVersion", "volumeConfigurations")
KEPT: tuple[str, ...] = ("desiredCount", "healthCheckGracePeriodSeconds", "placementStrategy", "placementConstraints")
KEPT += ("availabilityZoneRebalancing", *DEPLOYS)


@dataclass
class ServiceRecord:
    """What the model does not need of a service: the request as it stands, tags, and what moto asks for."""

    name: str
    cluster_name: str
    arn: str
    request: dict[str, Any]
    tags: list[dict[str, str]] = field(default_factory=list)
    task_sets: tuple[()] = ()

    @property
    def physical_resource_id(self) -> str:
        """The ARN: what moto's tagging API lists."""
        return self.arn

    @property
    def key(self) -> str:
        """How the model knows it."""
        return f"{self.cluster_name}/{self.name}"


class Services(Clusters):
    """The part of `slpnb.local.ecs.model.Ecs` that answers for services."""

    def task_definition(self, name: str) -> TaskDefinition:
        """A task definition by family, family:revision or ARN; a family alone means its newest ACTIVE revision."""
        family, _, revision = name.split("/")[-1].partition(":")
        known = self.task_definitions.get(family, {})
        if revision.isdigit() and int(revision) in known:
            return known[int(revision)]
        active = [number for number, one in known.items() if one.status == "ACTIVE"]
        if revision or not active:
            raise refuse.refusal("ClientException", "TaskDefinition not found.")
        return known[max(active)]

    def runnable(self, name: str) -> TaskDefinition:
        """A task definition that new tasks may use."""
        found = self.task_definition(name)
        if found.status != "ACTIVE":
            raise refuse.refusal("ClientException", "TaskDefinition is inactive")
        return found

    def definition(self, found: TaskDefinition) -> Definition:
        """What the model must know of a task definition."""
        facts = as_request(found)
        checks = [one["healthCheck"] for one in containers(found) if one.get("healthCheck")]
        intervals = [float(check.get("interval") or 30) for check in checks]
        fares = self._with_images(outcome(found), found)
        if self.containers and fares == Outcome() and self.containers.can_run(found):
            fares = OBSERVED
        return Definition(found.arn, resources.task_needs(facts), fares, max(intervals, default=0))

    def _with_images(self, fares: Outcome, found: TaskDefinition) -> Outcome:
        """The outcome, with what comes of the images."""
        platform = (found.runtime_platform or {}).get("cpuArchitecture", "")
        for one in containers(found):
            fares = ecs_images.fares(fares, one.get("image", ""), platform, self.other("ecr"))
        return fares

    def put_service(self, request: dict[str, Any]) -> ServiceRecord:
        """CreateService. ``request`` is the operation's input."""
        cluster, found = self.cluster(request.get("cluster")), self.runnable(request.get("taskDefinition") or "")
        key = f"{cluster.name}/{request['serviceName']}"
        self._check_new(key)
        request = self._complete(request, cluster)
        refuse.check_load_balancers(request, as_request(found), self.other("elbv2").target_groups)
        refuse.check_network(request, as_request(found))
        arn = self.arn("service", key)
        record = ServiceRecord(request["serviceName"], cluster.name, arn, request, list(request.get("tags") or ()))
        self.known_services[f"{cluster.name}:{record.name}"] = record
        self.sync()
        self.apply(scheduler.create_service(self.state, self._service(record, self.definition(found))))
        return record

    @property
    def known_services(self) -> dict[str, ServiceRecord]:
        """moto's table of services, by "cluster:name": here it holds records."""
        return self.services  # type: ignore[return-value]

    def _check_new(self, key: str) -> None:
        known = self.state.services.get(key)
        if known and known.status == "ACTIVE":
            raise refuse.invalid(refuse.NOT_IDEMPOTENT)
        if known and known.status == "DRAINING":
            raise refuse.invalid(refuse.STILL_DRAINING)

    def _complete(self, request: dict[str, Any], cluster: Any) -> dict[str, Any]:
        """The request with the defaults that ECS fills in."""
        refuse.check_launch(request)
        refuse.check_kind(request)
        strategy = self.strategy(request, cluster)
        configuration = _configuration(request.get("deploymentConfiguration") or {}, {})
        done = {**request, "deploymentConfiguration": configuration, "capacityProviderStrategy": strategy}
        done["launchType"] = None if strategy else "EC2"
        compatible = _can_rebalance(done)
        refuse.check_rebalancing(request, compatible)
        done["availabilityZoneRebalancing"] = request.get("availabilityZoneRebalancing") or (
            "ENABLED" if compatible else "DISABLED"
        )
        done["desiredCount"] = request.get("desiredCount") or 0
        return done

    def strategy(self, request: dict[str, Any], cluster: Any) -> list[dict[str, Any]]:
        """The strategy asked for, or the cluster's default where neither it nor a launch type is given."""
        asked = request.get("capacityProviderStrategy")
        if not asked and not request.get("launchType"):
            asked = cluster.default_capacity_provider_strategy
        for share in asked or ():
            if share["capacityProvider"] in FARGATE:
                raise refuse.unsupported(f"capacity provider {share['capacityProvider']}")
            if share["capacityProvider"] not in (cluster.capacity_providers or ()):
                name = share["capacityProvider"]
                raise refuse.invalid(f"The specified capacity provider '{name}' is not associated with the cluster.")
        return [{"base": 0, "weight": 0, **share} for share in asked or ()]

    def _service(self, record: ServiceRecord, definition: Definition) -> Service:
        return Service(record.cluster_name, record.name, definition=definition, **self._fields(record.request))

    def _fields(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request as the fields of the model's service."""
        configuration = request["deploymentConfiguration"]
        return {
            "desired": request["desiredCount"],
            "minimum_healthy_percent": configuration["minimumHealthyPercent"],
            "maximum_percent": configuration["maximumPercent"],
            "breaker": _breaker(configuration.get("deploymentCircuitBreaker") or {}),
            "strategy": shares(request["capacityProviderStrategy"]),
            "placement": placement(request),
            "targets": tuple(self._targets(request)),
            "grace_seconds": request.get("healthCheckGracePeriodSeconds") or 0,
            "rebalancing": request["availabilityZoneRebalancing"] == "ENABLED",
        }

    def _targets(self, request: dict[str, Any]) -> list[TargetGroup]:
        groups = self.other("elbv2").target_groups
        return [
            _target_group(groups[one["targetGroupArn"]])
            for one in request.get("loadBalancers") or ()
            if one.get("targetGroupArn") in groups
        ]

    def service_record(self, cluster: str | None, name: str) -> ServiceRecord:
        """A service by name or ARN, INACTIVE ones included."""
        record = self.known_services.get(f"{self.cluster(cluster).name}:{name.split('/')[-1]}")
        if record is None:
            raise refuse.refusal("ServiceNotFoundException", "Service not found.")
        return record

    def _active(self, cluster: str | None, name: str) -> ServiceRecord:
        record = self.service_record(cluster, name)
        if self.state.services[record.key].status != "ACTIVE":
            raise refuse.refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        return record

    def change_service(self, request: dict[str, Any]) -> ServiceRecord:
        """UpdateService: what is given replaces what was; some of it begins a deployment."""
        record = self._active(request.get("cluster"), request["service"])
        if request.get("schedulingStrategy") or request.get("deploymentController"):
            refuse.check_kind(request)
        changed = {name: request[name] for name in KEPT if request.get(name) is not None}
        asked = request.get("taskDefinition")
        named = self.runnable(asked) if asked else self.task_definition(self.state.services[record.key].definition.arn)
        after = {**record.request, **changed, **self._restated(request, record)}
        refuse.check_load_balancers(after, as_request(named), self.other("elbv2").target_groups)
        refuse.check_network(after, as_request(named))
        deploys = bool(request.get("forceNewDeployment")) or any(
            name in changed and changed[name] != record.request.get(name) for name in DEPLOYS
        )
        record.request = after
        self.sync()
        fields = self._fields(after) | {"definition": self.definition(named)}
        self.apply(scheduler.update_service(self.state, record.key, deploys=deploys, **fields))
        return record

    def _restated(self, request: dict[str, Any], record: ServiceRecord) -> dict[str, Any]:
        given = request.get("deploymentConfiguration") or {}
        configuration = _configuration(given, record.request["deploymentConfiguration"])
        strategy = request.get("capacityProviderStrategy")
        if strategy is None:
            return {"deploymentConfiguration": configuration}
        resolved = self.strategy(
            {"capacityProviderStrategy": strategy, "launchType": "EC2"}, self.cluster(record.cluster_name)
        )
        return {
            "deploymentConfiguration": configuration,
            "capacityProviderStrategy": resolved,
            "launchType": None if resolved else "EC2",
        }

    def remove_service(self, cluster: str | None, name: str, *, force: bool) -> ServiceRecord:
        """DeleteService: scaled to 0 first, or by force."""
        record = self._active(cluster, name)
        if self.state.services[record.key].desired > 0 and not force:
            raise refuse.invalid("The service cannot be stopped while it is scaled above 0.")
        record.request["desiredCount"] = 0
        self.apply(scheduler.delete_service(self.state, record.key))
        return record

    # What moto's other services ask of ECS

    def create_service(self, *_: Any, **__: Any) -> Any:
        """CloudFormation's way in, which knows too little of a service to make one that the model can schedule."""
        raise refuse.unsupported("a service made by CloudFormation")

    def update_service(self, *_: Any, **__: Any) -> Any:
        """See `create_service`."""
        raise refuse.unsupported("a service updated by CloudFormation")

    def describe_services(self, cluster_str: str, service_names_or_arns: list[str]) -> tuple[list[Any], list[Any]]:
        """The records of services that are there: Application Auto Scaling looks whether its target is."""
        cluster = self.cluster(cluster_str)
        names = [name.split("/")[-1] for name in service_names_or_arns]
        found = [self.known_services.get(f"{cluster.name}:{name}") for name in names]
        missing = [name for name, one in zip(names, found, strict=True) if one is None]
        failures = [{"arn": self.arn("service", f"{cluster.name}/{name}"), "reason": "MISSING"} for name in missing]
        return [one for one in found if one is not None], failures


def containers(found: TaskDefinition) -> list[dict[str, Any]]:
    """The container definitions of a task definition."""
    definitions: list[dict[str, Any]] = found.container_definitions
    return definitions


def as_request(found: TaskDefinition) -> dict[str, Any]:
    """A task definition as RegisterTaskDefinition's own JSON, as far as placement needs it."""
    return {
        "containerDefinitions": found.container_definitions,
        "networkMode": found.network_mode or "bridge",
        "memory": found.memory,
        "cpu": found.cpu,
        "placementConstraints": found.placement_constraints or (),
        "runtimePlatform": found.runtime_platform or {},
    }


def outcome(found: TaskDefinition) -> Outcome:
    """How its tasks fare: the first container's docker label, else a healthy start."""
    for container in containers(found):
        label = (container.get("dockerLabels") or {}).get(OUTCOME_LABEL)
        if label:
            try:
                return Outcome(**json.loads(label))
            except (TypeError, ValueError) as error:
                raise refuse.refusal("ClientException", f"docker label {OUTCOME_LABEL}: {error}") from error
    return Outcome()


def shares(strategy: list[dict[str, Any]]) -> tuple[Share, ...]:
    """A capacity provider strategy of the API as the model's; a lone provider has all the weight."""
    lone = len(strategy) == 1
    return tuple(
        Share(one["capacityProvider"], one.get("weight") or int(lone), one.get("base") or 0) for one in strategy
    )


def placement(request: dict[str, Any]) -> Placement:
    """Placement rules of the API as the model's."""
    constraints, strategy = request.get("placementConstraints") or (), request.get("placementStrategy") or ()
    return Placement(tuple(constraints), tuple(strategy))


def _configuration(given: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """deploymentConfiguration as ECS returns it: with its defaults."""
    breaker = {"enable": False, "rollback": False}
    done = {"deploymentCircuitBreaker": breaker, **PERCENTS, "strategy": "ROLLING", "bakeTimeInMinutes": 0}
    done |= before | {name: value for name, value in given.items() if value is not None}
    refuse.check_percents(done)
    return done


def _breaker(given: dict[str, Any]) -> Breaker:
    limit = given.get("thresholdConfiguration") or {}
    return Breaker(
        enable=bool(given.get("enable")),
        rollback=bool(given.get("rollback")),
        reset_on_healthy=given.get("resetOnHealthyTask") is not False,
        type=limit.get("type") or "BOUNDED_PERCENT",
        value=limit.get("value") or 50,
    )


def _target_group(group: Any) -> TargetGroup:
    return TargetGroup(
        group.arn,
        float(group.attributes.get("deregistration_delay.timeout_seconds", 300)),
        float(group.health_check_interval_seconds or 30),
        int(group.unhealthy_threshold_count or 2),
    )


def _can_rebalance(request: dict[str, Any]) -> bool:
    """Whether it is possible ("Balancing an Amazon ECS service across Availability Zones")."""
    strategy = request.get("placementStrategy") or ()
    spreads = not strategy or (
        strategy[0]["type"] == "spread" and strategy[0].get("field") == "attribute:ecs.availability-zone"
    )
    return bool(spreads and request["deploymentConfiguration"]["maximumPercent"] > 100)
