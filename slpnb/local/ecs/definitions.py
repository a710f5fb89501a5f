"""Task definitions: found by name, and as much of them as the scheduler and the containers need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moto.ecs.models import TaskDefinition

from slpnb.ecs import resources
from slpnb.ecs.scheduler.observed import OBSERVED
from slpnb.ecs.scheduler.state import Definition, Outcome
from slpnb.local.base.refusal import Refusal
from slpnb.local.ecs import images
from slpnb.local.ecs.region import Region

OUTCOME_LABEL = "slpnb.outcome"
Document = Mapping[str, Any]  # a task definition as RegisterTaskDefinition's own JSON, as far as it is needed


class TaskDefinitions:
    """The task definitions of one account and Region."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def get(self, name: str) -> TaskDefinition:
        """A task definition by family, family:revision or ARN; a family alone means its newest ACTIVE revision."""
        family, _, revision = name.split("/")[-1].partition(":")
        known = self.region.task_definitions.get(family, {})
        if revision.isdigit() and int(revision) in known:
            return known[int(revision)]
        active = [number for number, one in known.items() if one.status == "ACTIVE"]
        if revision or not active:
            raise Refusal("ClientException", "TaskDefinition not found.")
        return known[max(active)]

    def runnable(self, name: str) -> TaskDefinition:
        """A task definition that new tasks may use."""
        found = self.get(name)
        if found.status != "ACTIVE":
            raise Refusal("ClientException", "TaskDefinition is inactive")
        return found

    def arns(self, family: str | None, status: str) -> list[str]:
        """The revisions in one status, of one family or of all, by family and revision."""
        known = self.region.task_definitions
        names = [name for name in sorted(known) if family in (None, name)]
        return [one.arn for name in names for _, one in sorted(known[name].items()) if one.status == status]

    def families(self, prefix: str, status: str) -> list[str]:
        """The families that have an ACTIVE revision, that have none (INACTIVE), or ALL."""
        found = []
        for family, revisions in sorted(self.region.task_definitions.items()):
            active = any(one.status == "ACTIVE" for one in revisions.values())
            if family.startswith(prefix) and revisions and (status == "ALL" or active == (status == "ACTIVE")):
                found.append(family)
        return found

    def scheduled(self, found: TaskDefinition) -> Definition:
        """What the scheduler must know of a task definition."""
        checks = [one["healthCheck"] for one in _containers(found) if one.get("healthCheck")]
        intervals = [float(check.get("interval") or 30) for check in checks]
        return Definition(found.arn, _needs(found), self._fares(found), max(intervals, default=0))

    def _fares(self, found: TaskDefinition) -> Outcome:
        """How its tasks fare: as its label says, as its images let them, or as its containers show."""
        fares, names = outcome(found), [one.get("image", "") for one in _containers(found)]
        platform = (found.runtime_platform or {}).get("cpuArchitecture", "")
        for name in names:
            fares = images.fares(fares, name, platform, self.region.ecr)
        runner = self.region.containers
        return OBSERVED if runner and fares == Outcome() and runner.can_run(names) else fares

    def document(self, definition: Definition) -> Document:
        """The task definition that a task runs, as its JSON; next to nothing where it has been deleted since."""
        found = self._of(definition)
        return as_request(found) if found else {"containerDefinitions": [], "networkMode": "bridge"}

    def whole(self, definition: Definition) -> Document:
        """The document with what only running a task needs. Raises `KeyError` where it has been deleted since."""
        found = self._of(definition)
        if found is None:
            raise KeyError(definition.arn)
        own = {"family": found.family, "revision": found.revision, "volumes": found.volumes or []}
        return {**as_request(found), **own}

    def _of(self, definition: Definition) -> TaskDefinition | None:
        family, _, revision = definition.arn.rpartition("/")[2].partition(":")
        return self.region.task_definitions.get(family, {}).get(int(revision))


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


def _needs(found: TaskDefinition) -> resources.TaskNeeds:
    """What a task takes, and the capabilities that it asks of its instance."""
    needs = resources.task_needs(as_request(found))
    required = tuple((one["name"], "") for one in found.requires_attributes)  # type: ignore[attr-defined]
    return replace(needs, attributes=tuple(sorted({*needs.attributes, *required})))


def outcome(found: TaskDefinition) -> Outcome:
    """How its tasks behave: by the first container's docker label, else a healthy start."""
    for container in _containers(found):
        label = (container.get("dockerLabels") or {}).get(OUTCOME_LABEL)
        if label:
            try:
                return Outcome(**json.loads(label))
            except (TypeError, ValueError) as error:
                raise Refusal("ClientException", f"docker label {OUTCOME_LABEL}: {error}") from error
    return Outcome()


def _containers(found: TaskDefinition) -> list[dict[str, Any]]:
    definitions: list[dict[str, Any]] = found.container_definitions
    return definitions
