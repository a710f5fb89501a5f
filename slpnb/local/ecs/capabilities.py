"""requiresAttributes: what a container instance must be capable of for a task definition. Pure.

Source: the capabilities that the ECS agent registers (amazon-ecs-agent: agent/app/agent_capability.go), and task
definitions as ECS describes them. Only capabilities whose condition is known are derived; an instance of the
embedded AWS has those of the agent, and no Docker plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
PREFIX = "com.amazonaws.ecs.capability"
PRIVATE_IMAGE = ".dkr.ecr."
SECRETS = {":secretsmanager:": "asm", "": "ssm"}  # what is no secret of Secrets Manager is a parameter

LOG_DRIVERS = ("awsfirelens", "awslogs", "fluentd", "gelf", "journald", "json-file", "none", "splunk", "syslog")
OF_THE_AGENT = (  # of an ECS-optimized AMI
    f"{PREFIX}.docker-remote-api.1.19",
    f"{PREFIX}.docker-remote-api.1.21",
    f"{PREFIX}.ecr-auth",
    *(f"{PREFIX}.logging-driver.{name}" for name in LOG_DRIVERS),
    f"{PREFIX}.privileged-container",
    f"{PREFIX}.task-iam-role",
    f"{PREFIX}.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.efsAuth",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.private-registry-authentication.secretsmanager",
    *(f"ecs.capability.secrets.{kind}.environment-variables" for kind in SECRETS.values()),
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
)


def required(request: Document) -> list[dict[str, str]]:
    """The attributes that RegisterTaskDefinition answers, each once, by name."""
    names = {*_of_task(request), *_of_volumes(request)}
    for container in request["containerDefinitions"]:
        names |= {*_of_container(container), *_of_roles(container, bool(request.get("executionRoleArn")))}
    return [{"name": name} for name in sorted(names)]


def _of_task(request: Document) -> Iterator[str]:
    if request.get("memory") or request.get("cpu"):
        yield "ecs.capability.task-cpu-mem-limit"
    if request.get("networkMode") == "awsvpc":
        yield "ecs.capability.task-eni"
    if request.get("taskRoleArn"):
        yield f"{PREFIX}.task-iam-role{'-network-host' if request.get('networkMode') == 'host' else ''}"
    if request.get("pidMode") or request.get("ipcMode"):
        yield "ecs.capability.pid-ipc-namespace-sharing"


def _of_volumes(request: Document) -> Iterator[str]:
    for volume in request.get("volumes") or ():
        efs = volume.get("efsVolumeConfiguration")
        if efs:
            yield "ecs.capability.efs"
        if efs and (efs.get("transitEncryption") or efs.get("authorizationConfig")):
            yield "ecs.capability.efsAuth"
        if driver := (volume.get("dockerVolumeConfiguration") or {}).get("driver"):
            yield f"ecs.capability.docker-plugin.{driver}"


def _of_container(container: Document) -> Iterator[str]:
    given = {
        "healthCheck": "ecs.capability.container-health-check",
        "dependsOn": "ecs.capability.container-ordering",
        "privileged": f"{PREFIX}.privileged-container",
        "memoryReservation": f"{PREFIX}.docker-remote-api.1.21",
        "environmentFiles": "ecs.capability.env-files.s3",
        "repositoryCredentials": "ecs.capability.private-registry-authentication.secretsmanager",
    }
    yield from (name for member, name in given.items() if container.get(member))
    for secret in container.get("secrets") or ():
        kind = next(kind for mark, kind in SECRETS.items() if mark in secret["valueFrom"])
        yield f"ecs.capability.secrets.{kind}.environment-variables"


def _of_roles(container: Document, execution_role: bool) -> Iterator[str]:
    """For the registry and the log, which the execution role speaks to where there is one."""
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver:
        yield f"{PREFIX}.logging-driver.{driver}"
    if driver == "awslogs":
        yield f"{PREFIX}.docker-remote-api.1.19"
        yield from ["ecs.capability.execution-role-awslogs"] * execution_role
    if PRIVATE_IMAGE in container["image"]:
        yield f"{PREFIX}.ecr-auth"
        yield from ["ecs.capability.execution-role-ecr-pull"] * execution_role
