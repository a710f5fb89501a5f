"""The one-off task that installs WordPress, and the look at it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from slpnb import runbook
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.plan.values import Ref
from slpnb.runner import live
from slpnb.service import installation


def test_it_is_the_registered_task_definition_with_another_command():
    (change,) = installation.plan(load("staging"), {}).changes
    (call,) = change.calls
    assert call.params["taskDefinition"] == Ref("task-definition", "revision", step="70_task")
    assert call.params["overrides"] == {"containerOverrides": [{"name": "slp-saas-fe-be", "command": ["install"]}]}
    assert "networkConfiguration" not in call.params
    assert (call.wait.path, call.wait.until) == ("tasks[0].lastStatus", "STOPPED")


def test_in_awsvpc_mode_it_has_the_tasks_own_group():
    config = load("staging", {"task": {"network_mode": "awsvpc", "host_port": 0}})
    (call,) = installation.plan(config, {}).changes[0].calls
    settings = call.params["networkConfiguration"]["awsvpcConfiguration"]
    assert settings["securityGroups"] == [Ref("security-group/tasks", step="20_network")]
    assert len(settings["subnets"]) == len(config.zones)


def test_as_a_command_it_can_be_read_before_it_is_run(aws):
    runbook.prepare("80_service", aws)
    text = str(installation.plan(aws.config, installation.observe(aws)).commands())
    assert "aws ecs run-task" in text
    assert "install" in text


def test_a_simulated_task_would_never_end_and_is_refused(aws):
    with pytest.raises(Refusal, match="the tasks are simulated"):
        installation.run(aws)


def test_without_a_front_door_there_is_nothing_to_look_at(aws, tmp_path: Path):
    assert live.look(aws, tmp_path, dict) == live.Visit()
    assert not list(tmp_path.iterdir())
