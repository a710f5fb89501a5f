"""RegisterTaskDefinition: what ECS refuses, in its sentences, and what it answers to the rest."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from slpnb.local.base.refusal import Refusal
from slpnb.local.ecs import capabilities, definition_rules
from tests.conftest import CASES

WEB = {"family": "web", "containerDefinitions": [{"name": "web", "image": "web", "memory": 512}]}


def data(name: str) -> list[dict]:
    return json.loads((CASES / "local" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", data("refused_task_definitions"), ids=lambda case: case["sentence"][:60])
def test_a_task_definition_that_ecs_refuses_is_refused_in_its_words(case):
    with pytest.raises(Refusal) as refused:
        definition_rules.check(WEB | case["given"])
    assert str(refused.value) == f"ClientException: {case['sentence']}"


@pytest.mark.parametrize("given", data("taken_task_definitions"), ids=str)
def test_what_ecs_takes_is_taken(given):
    definition_rules.check(WEB | given)


def test_a_refused_task_definition_leaves_no_revision(aws):
    ecs = aws.client("ecs")
    mount = {"sourceVolume": "uploads", "containerPath": "/x"}
    with pytest.raises(ClientError) as refused:
        ecs.register_task_definition(**WEB, volumes=[{"name": "upload"}], networkMode="awsvpc", cpu="lots")
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("ClientException", "Invalid 'cpu' setting for task.")
    container = WEB["containerDefinitions"][0] | {"mountPoints": [mount]}
    with pytest.raises(ClientError, match="Unknown volume 'uploads'"):
        ecs.register_task_definition(family="web", containerDefinitions=[container])
    assert not ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"]


def test_a_registration_says_when_by_whom_and_what_it_requires(aws):
    ecs = aws.client("ecs")
    first = ecs.register_task_definition(**WEB)["taskDefinition"]
    aws.sleep(60)
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/web", "awslogs-region": "us-east-1"}}
    container = WEB["containerDefinitions"][0] | {"logConfiguration": log, "memoryReservation": 256}
    asked = {"containerDefinitions": [container], "networkMode": "awsvpc", "executionRoleArn": "web"}
    second = ecs.register_task_definition(**WEB | asked)["taskDefinition"]
    assert 60 <= (second["registeredAt"] - first["registeredAt"]).total_seconds() < 70
    assert second["registeredBy"] == "arn:aws:iam::123456789012:root"
    assert first["requiresAttributes"] == []
    assert [one["name"] for one in second["requiresAttributes"]] == [
        "com.amazonaws.ecs.capability.docker-remote-api.1.19",
        "com.amazonaws.ecs.capability.docker-remote-api.1.21",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.task-eni",
    ]
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"] == second


def test_the_agents_capabilities_cover_what_a_task_definition_may_ask_of_them():
    """All but a Docker plugin, which somebody has to install."""
    secrets = [{"name": "a", "valueFrom": f"arn:aws:{service}:x"} for service in ("ssm", "secretsmanager")]
    everything = {
        "name": "web",
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web",
        "secrets": secrets,
        "logConfiguration": {"logDriver": "awslogs"},
        **dict.fromkeys(("healthCheck", "dependsOn", "privileged", "memoryReservation"), True),
        **dict.fromkeys(("environmentFiles", "repositoryCredentials"), True),
    }
    volumes = [
        {"efsVolumeConfiguration": {"transitEncryption": "ENABLED"}},
        {"dockerVolumeConfiguration": {"driver": "rexray/ebs"}},
    ]
    for mode in ("awsvpc", "host"):
        request = {"containerDefinitions": [everything], "networkMode": mode, "volumes": volumes, "cpu": "256"}
        request |= dict.fromkeys(("executionRoleArn", "taskRoleArn", "pidMode"), "x")
        asked = {one["name"] for one in capabilities.required(request)}
        assert asked - {*capabilities.OF_THE_AGENT} == {"ecs.capability.docker-plugin.rexray/ebs"}
