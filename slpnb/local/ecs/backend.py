"""The embedded ECS as moto's registry of backends knows it: moto's tables, with `Ecs` at work on them."""

from __future__ import annotations

from typing import Any

from moto.ecs.models import Cluster, EC2ContainerServiceBackend, TaskDefinition, ecs_backends

from slpnb.local.base.replace import Corrected
from slpnb.local.ecs import capabilities, definition_rules
from slpnb.local.ecs.model import Ecs
from slpnb.local.ecs.refusals import check_constraints, unsupported
from slpnb.local.ecs.region import Region


class Backend(Corrected, EC2ContainerServiceBackend):
    """moto's backend of one account and Region, whose services and tasks are those of ``ecs``.

    Only what moto's other services ask of it is answered here; the API's own calls go to ``ecs``
    (`slpnb.local.ecs.responses`).
    """

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        region = Region(
            region_name, account_id, self.partition,
            self.clusters, self.capacity_providers, self.task_definitions,
        )  # fmt: skip
        self.services = region.services  # type: ignore[assignment]  # moto's tagging reads ARNs and tags only
        self.tasks = region.tasks  # type: ignore[assignment]
        self.ecs = Ecs(region)

    def describe_services(self, cluster_str: str, service_names_or_arns: list[str]) -> Any:
        """Application Auto Scaling looks whether its target is there."""
        return self.ecs.services.describe(cluster_str, service_names_or_arns)

    def register_task_definition(  # type: ignore[override]
        self, family: str, container_definitions: list[dict[str, Any]], **named: Any
    ) -> TaskDefinition:
        """As moto, once ECS's rules hold; with the defaults that ECS fills in and what it says of the registration."""
        request = {"family": family, "containerDefinitions": container_definitions}
        request |= {_camel(name): value for name, value in named.items() if value is not None}
        check_constraints(request)
        definition_rules.check(request)
        _complete(request)
        made = super().register_task_definition(family, container_definitions, **named)
        made.registered_at = self.ecs.region.time(self.ecs.region.state.clock)  # type: ignore[attr-defined]
        made.registered_by = f"arn:{self.partition}:iam::{self.account_id}:root"  # type: ignore[attr-defined]
        made.requires_attributes = capabilities.required(request)  # type: ignore[attr-defined]
        return made

    def delete_cluster(self, cluster_str: str) -> Cluster:
        """What CloudFormation deletes must be empty, too."""
        return self.ecs.clusters.delete(cluster_str)

    def create_service(self, *_: Any, **__: Any) -> Any:
        """CloudFormation's way in, which knows too little of a service to make one that can be scheduled."""
        raise unsupported("a service made by CloudFormation")

    def update_service(self, *_: Any, **__: Any) -> Any:
        """See `create_service`."""
        raise unsupported("a service updated by CloudFormation")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _complete(request: dict[str, Any]) -> None:
    """The defaults of port mappings."""
    mode = request.get("networkMode") or "bridge"
    for container in request["containerDefinitions"]:
        for mapping in container.get("portMappings") or ():
            mapping.setdefault("protocol", "tcp")
            mapping.setdefault("hostPort", 0 if mode == "bridge" else mapping.get("containerPort"))


def ecs_of(account_id: str, region_name: str) -> Ecs:
    """The embedded ECS of an account and Region, once `slpnb.local.base.replace.install` has run."""
    backend = ecs_backends[account_id][region_name]
    assert isinstance(backend, Backend)  # noqa: S101
    return backend.ecs


def advance(seconds: float) -> None:
    """Let time pass for every account and Region."""
    for _, _, backend in ecs_backends.iter_backends():
        if isinstance(backend, Backend):
            backend.ecs.advance(seconds)
