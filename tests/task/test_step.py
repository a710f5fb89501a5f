"""The task definition: whole in every network mode, the same text as AWS's own model of it, nothing secret in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, strategies as st

from slpnb import efs, image, local, network, secrets, task
from slpnb.config import load
from slpnb.ecs import resources
from slpnb.errors import Refusal
from slpnb.plan.values import substitute
from slpnb.task.task_definition import parts, whole
from tests.conftest import again, cases
from tests.interruption import dying

MODEL: Any = (
    botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
)
MODES = ("bridge", "awsvpc", "host", "none")
WHOLE = {
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "volumes",
    "containerDefinitions",
}
WHOLE_CONTAINER = {
    "name",
    "image",
    "essential",
    "cpu",
    "memory",
    "memoryReservation",
    "mountPoints",
    "readonlyRootFilesystem",
    "linuxParameters",
    "environment",
    "secrets",
    "logConfiguration",
    "healthCheck",
    "stopTimeout",
    "ulimits",
}


def written(config):
    """The definition as it is sent: every reference replaced by some text."""
    return substitute(task.definition(config), lambda ref: f"arn:aws:x:us-east-1:1:{ref.key}")


@pytest.mark.parametrize("case", cases("task"))
def test_the_definition_is_whole_and_says_what_the_parameters_ask(case):
    config = load(case.get("environment"), case["given"])
    document = written(config)
    (container,) = document["containerDefinitions"]
    assert {name: document[name] for name in case["document"]} == case["document"]
    assert {name: container.get(name) for name in case["container"]} == case["container"]
    assert document.keys() == WHOLE
    assert container.keys() >= WHOLE_CONTAINER
    report = ParamValidator().validate(document, MODEL)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("mode", MODES)
def test_nothing_secret_is_in_it(mode):
    document = written(load(given={"task": {"network_mode": mode}}))
    (container,) = document["containerDefinitions"]
    names = {item["name"] for item in container["environment"]}
    referred = {item["name"]: item["valueFrom"] for item in container["secrets"]}
    assert not any(word in name for name in names for word in ("PASSWORD", "_KEY", "_SALT", "DB_"))
    assert referred["WORDPRESS_DB_PASSWORD"].endswith("secret/database:password::")
    assert {f"WORDPRESS_{name}" for name in secrets.SALTS} < referred.keys()
    assert len(referred) == len(secrets.SALTS) + 4


@given(
    st.sampled_from(MODES),
    st.sampled_from(["arm64", "x86_64"]),
    st.integers(2048, 100_000),
    st.integers(128, 100_000),
    st.integers(0, 4),
    st.sampled_from([0, 8080]),
)
def test_ecs_takes_of_an_instance_what_the_parameters_say(mode, architecture, memory, cpu, gpus, port):
    given = {
        "network_mode": mode,
        "architecture": architecture,
        "memory_mib": memory,
        "cpu_units": cpu,
        "gpus": gpus,
        "host_port": port if mode == "bridge" else 0,
    }
    config = load(given={"task": given})
    assert resources.task_needs(task.definition(config)) == resources.needs(config)


@given(st.sampled_from(MODES), st.booleans(), st.integers(0, 2))
def test_the_parts_make_the_whole_again(mode, read_only, gpus):
    document = written(load(given={"task": {"network_mode": mode, "read_only_root": read_only, "gpus": gpus}}))
    assert parts(whole(parts(document))) == parts(document)
    assert whole(parts(document)) == document


@pytest.mark.parametrize("mode", MODES)
def test_what_aws_fills_in_does_not_differ(mode):
    document = written(load(given={"task": {"network_mode": mode}}))
    answered = json.loads(json.dumps(document))
    (container,) = answered["containerDefinitions"]
    container |= {"volumesFrom": [], "systemControls": [], "dnsServers": [], "entryPoint": [], "extraHosts": []}
    container["linuxParameters"] |= {"devices": []}
    container["linuxParameters"]["capabilities"] |= {"add": []}
    container["logConfiguration"]["secretOptions"] = []
    for name in ("environment", "secrets"):
        container[name].reverse()
    if mode in ("awsvpc", "host"):
        container["portMappings"][0]["hostPort"] = 80
    if mode == "none":
        container["portMappings"] = []
    answered["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"] = "/"
    answered |= {"placementConstraints": [], "compatibilities": ["EC2"], "revision": 3, "status": "ACTIVE"}
    assert parts(answered) == parts(document)


def test_the_table_of_variables_says_where_each_comes_from():
    table = task.variables(load())
    (container,) = task.definition(load())["containerDefinitions"]
    assert sorted(table.index) == sorted(item["name"] for item in container["environment"] + container["secrets"])
    assert table.loc["WORDPRESS_DB_PASSWORD", "value"] == "secret slp-saas-test/database, key password"
    assert table.loc["WORDPRESS_HOST", "value"] == "saas-test.slp.example"


def test_the_volume_is_mounted_with_tls_and_the_access_point_alone():
    (volume,) = task.definition(load())["volumes"]
    mount = volume["efsVolumeConfiguration"]
    assert mount["transitEncryption"] == "ENABLED"
    assert mount["authorizationConfig"]["iam"] == "ENABLED"
    assert str(mount["authorizationConfig"]["accessPointId"]) == "<access-point>"
    assert mount.get("rootDirectory", "/") == "/"


@pytest.mark.parametrize("kind", ["ebs", "host"])
def test_a_volume_that_is_not_shared_is_refused(kind):
    with pytest.raises(Refusal, match=rf"task.uploads_volume is {kind}, which is not shared"):
        task.desired(load(given={"task": {"uploads_volume": kind}}))


def test_the_table_of_network_modes_names_all_that_the_parameter_allows():
    from slpnb.config.parameters import TaskSection

    allowed = TaskSection.model_fields["network_mode"].annotation
    assert list(task.network_modes().index) == list(allowed.__args__)  # type: ignore[union-attr]


# --- on the embedded AWS ------------------------------------------------------------------------------------


@pytest.fixture
def earlier(aws):
    for module in (image, network, efs, secrets):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)
    return aws


def register(aws):
    return task.plan(task.desired(aws.config), task.observe(aws)).apply(aws)


def test_it_is_registered_read_back_and_then_left_alone(earlier):
    register(earlier)
    want = task.desired(earlier.config)
    assert task.verify(earlier, want)
    assert not task.plan(want, task.observe(earlier))
    before = local.writes(earlier.endpoint_url)
    assert register(earlier).calls == 0
    assert local.writes(earlier.endpoint_url) == before


@pytest.mark.parametrize("mode", MODES)
def test_every_network_mode_reads_back_as_wanted(earlier, mode):
    aws = again(earlier, task={"network_mode": mode})
    register(aws)
    assert not task.plan(task.desired(aws.config), task.observe(aws))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"task": {"memory_mib": 3584}}, "memory: 2560 -> 3584"),
        ({"task": {"gpus": 1}}, 'container.resourceRequirements: absent -> [{"type": "GPU", "value": "1"}]'),
        ({"image": {"digest": "sha256:" + "a" * 64}}, "-> <repository uri>@sha256:aaaa"),
        ({"task": {"network_mode": "none"}}, "container.portMappings: "),
    ],
)
def test_a_change_registers_a_new_revision_and_says_what_differs(earlier, changed, line):
    register(earlier)
    aws = again(earlier, **changed)
    planned = task.plan(task.desired(aws.config), task.observe(aws))
    assert [change.action for change in planned.changes] == ["=", "~"]
    assert line in repr(planned)
    planned.apply(aws)
    assert task.observe(aws)["task-definition"].facts["revision"] == "slp-saas-test:2"
    assert not task.plan(task.desired(aws.config), task.observe(aws))


def test_what_others_added_to_a_revision_is_taken_back(earlier):
    register(earlier)
    client = earlier.client("ecs")
    answer = client.describe_task_definition(taskDefinition="slp-saas-test", include=["TAGS"])
    document = answer["taskDefinition"]
    document["containerDefinitions"][0]["command"] = ["sleep", "3600"]
    kept = {name: value for name, value in document.items() if name in MODEL.members}
    client.register_task_definition(**kept, tags=answer["tags"])
    planned = task.plan(task.desired(earlier.config), task.observe(earlier))
    assert 'container.command: ["sleep", "3600"] -> absent' in repr(planned)
    planned.apply(earlier)
    assert task.verify(earlier, task.desired(earlier.config))


def test_a_revision_that_others_registered_is_neither_used_nor_deleted(earlier):
    earlier.client("ecs").register_task_definition(
        family="slp-saas-test", containerDefinitions=[{"name": "x", "image": "x", "memory": 64}]
    )
    assert "task-definition" not in task.observe(earlier)
    register(earlier)
    task.plan((), task.observe(earlier)).apply(earlier)
    left = earlier.client("ecs").list_task_definitions(familyPrefix="slp-saas-test")["taskDefinitionArns"]
    assert [arn.rpartition(":")[2] for arn in left] == ["1"]


def test_old_revisions_stay_for_a_rollback_and_go_with_everything(earlier):
    for memory in (2560, 2600, 2700):
        register(again(earlier, task={"memory_mib": memory}))
    have = task.observe(earlier)
    assert have["task-definition"].facts["revision"] == "slp-saas-test:3"
    assert len(have["task-definition/older"].facts["revisions"]) == 2
    aws = again(earlier, task={"memory_mib": 2700})
    assert not task.plan(task.desired(aws.config), task.observe(aws))
    task.plan((), task.observe(aws)).apply(aws)
    assert not [found for found in task.observe(aws).values() if found.step == task.STEP]
    for status in ("ACTIVE", "INACTIVE"):
        left = aws.client("ecs").list_task_definitions(familyPrefix="slp-saas-test", status=status)
        assert left["taskDefinitionArns"] == []


def test_a_log_group_of_someone_else_is_left_alone(earlier):
    earlier.client("logs").create_log_group(logGroupName="/ecs/slp-saas-test")
    with pytest.raises(Refusal, match="log group /ecs/slp-saas-test exists already"):
        task.plan(task.desired(earlier.config), task.observe(earlier))


def test_without_the_earlier_steps_nothing_is_written(aws):
    before = local.writes(aws.endpoint_url)
    with pytest.raises(Refusal, match=r"needs <role/task arn>, which does not exist: run 40_secrets first"):
        register(aws)
    assert local.writes(aws.endpoint_url) == before


def test_a_clear_text_secret_and_a_tag_are_seen(earlier):
    register(earlier)
    found = task.observe(earlier)["task-definition"]
    clear = {"container.environment": [{"name": "WORDPRESS_DB_PASSWORD", "value": "x"}], "container.image": "slp:1.0"}
    spoiled = replace(found, attributes={**found.attributes, **clear})
    seen = repr(task.checks(earlier.config, spoiled))
    assert "[NG]   image by digest" in seen
    assert "[NG]   secrets by reference: WORDPRESS_DB_PASSWORD in clear text" in seen


def test_a_task_too_large_for_the_instances_is_said_with_the_number():
    config = load(given={"task": {"memory_mib": 8192}, "cluster": {"instance_type": "c6g.large"}})
    assert "8192 MiB asked" in repr(task.fits(config, task.definition(config)))
    assert not task.fits(config, task.definition(config))


@pytest.mark.parametrize("stop", [1, 2])
def test_a_run_stopped_after_any_write_is_finished_by_the_next(earlier, stop):
    with dying(earlier, stop) as killed:
        register(killed)
    register(earlier)
    assert task.verify(earlier, task.desired(earlier.config))
    assert task.observe(earlier)["task-definition"].facts["revision"] == "slp-saas-test:1"


def test_a_destruction_stopped_after_any_write_is_finished_by_the_next(earlier):
    for stop in range(1, 6):  # two revisions to deregister and to delete, and the log group
        for memory in (2560, 2600):
            register(again(earlier, task={"memory_mib": memory}))
        with dying(earlier, stop) as killed:
            task.plan((), task.observe(killed)).apply(killed)
        task.plan((), task.observe(earlier)).apply(earlier)
        assert not [found for found in task.observe(earlier).values() if found.step == task.STEP]
