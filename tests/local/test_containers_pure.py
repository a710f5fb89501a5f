"""A task definition as an engine's arguments, ends in ECS's words, thresholds: without an engine."""

from __future__ import annotations

from hypothesis import given, strategies as st

from slpnb.config import load
from slpnb.engine import container_arguments
from slpnb.local.containers import checks, wording
from slpnb.local.containers.checks import Health, Result, Rule
from slpnb.task.task_definition import definition

AROUND = container_arguments.Surroundings(
    "run-1", "0" * 31 + "7", "localhost/slpnb-wordpress:1.0.0", "slpnb-run-1",
    hosts={"db.example": "10.0.0.2"}, folders={"efs-uploads": "/shared/uploads"},
    secrets={"WORDPRESS_DB_PASSWORD": "x"},
)  # fmt: skip


def made(around=AROUND, **changes):
    whole = definition(load("staging"))
    container = {**whole["containerDefinitions"][0], **changes}
    return container_arguments.create({**whole, "containerDefinitions": [container]}, container, around)


def test_the_kits_own_definition_keeps_its_limits():
    arguments = made()
    assert arguments["mem_limit"] == arguments["mem_reservation"] == 2048 * 1024**2
    assert arguments["cpu_shares"] == 2048
    assert (arguments["cpu_quota"], arguments["cpu_period"]) == (200_000, 100_000)  # two processors
    assert arguments["image"] == "localhost/slpnb-wordpress:1.0.0"


def test_its_root_is_read_only_but_for_tmpfs_and_the_uploads():
    arguments = made()
    assert arguments["read_only"] is True
    assert arguments["tmpfs"]["/tmp"] == "size=256m,rw,noexec,nosuid,nodev"
    uploads = "/var/www/html/wp-content/uploads"
    assert arguments["volumes"] == {"/shared/uploads": {"bind": uploads, "mode": "rw"}}
    assert "NET_RAW" in arguments["cap_drop"]


def test_ports_are_published_on_the_loopback_only():
    assert made()["ports"] == {"80/tcp": ("127.0.0.1", None)}


def test_secrets_are_in_the_environment_and_nowhere_else():
    arguments = made()
    assert arguments["environment"]["WORDPRESS_DB_PASSWORD"] == "x"
    assert arguments["environment"]["DISABLE_WP_CRON"] == "true"
    others = {name: value for name, value in arguments.items() if name != "environment"}
    assert "WORDPRESS_DB_PASSWORD" not in repr(others)


def test_everything_carries_the_runs_label():
    assert made()["labels"] == {"org.slpnb": "run-1", "org.slpnb.role": "task", "org.slpnb.task": AROUND.task}
    assert made(dockerLabels={"org.slpnb": "of another"})["labels"]["org.slpnb"] == "run-1"


def test_no_more_open_files_than_the_engine_may_grant():
    few = container_arguments.Surroundings("r", "t", "i", "n", most={"nofile": 1000, "nproc": 500})
    nofile, nproc = made(few)["ulimits"]
    assert nofile == {"name": "nofile", "soft": 1000, "hard": 1000}
    assert nproc == {"name": "nproc", "soft": 500, "hard": 500}


def test_an_override_goes_before_the_definition_and_the_secrets():
    environment = [{"name": "WORDPRESS_DB_PASSWORD", "value": "y"}]
    override = {"name": "web", "command": ["wp", "cron"], "environment": environment, "memory": 64}
    arguments = made(container_arguments.Surroundings("r", "t", "i", "n", secrets=AROUND.secrets, override=override))
    assert arguments["command"] == ["wp", "cron"]
    assert arguments["environment"]["WORDPRESS_DB_PASSWORD"] == "y"
    assert arguments["mem_limit"] == 64 * 1024**2


def test_network_mode_none_has_neither_network_nor_ports():
    whole = definition(load("staging")) | {"networkMode": "none"}
    arguments = container_arguments.create(whole, whole["containerDefinitions"][0], AROUND)
    assert arguments["network_mode"] == "none"
    assert not {"network", "ports"} & arguments.keys()


def test_containers_come_after_those_they_depend_on():
    web = {"name": "web", "dependsOn": [{"containerName": "files", "condition": "START"}]}
    names = [one["name"] for one in container_arguments.in_order({"containerDefinitions": [web, {"name": "files"}]})]
    assert names == ["files", "web"]


def test_137_is_out_of_memory_only_when_the_kernel_said_so():
    assert wording.ended(137, out_of_memory=True).reason == "OutOfMemoryError: Container killed due to memory usage"
    assert wording.ended(137).reason == ""
    assert wording.ended(0, out_of_memory=True).reason == ""  # a child was killed, the container ended well


def test_an_engines_refusal_to_start_is_one_line_in_ecs_words():
    end = wording.not_started("runc: exec /bin/busybox:\n exec format error")
    assert end.exit_code is None
    assert end.reason == (
        "CannotStartContainerError: Error response from daemon: runc: exec /bin/busybox: exec format error"
    )


RULE = Rule(interval=10, timeout=5, rise=3, fall=2, start_period=30)
FAILED = Result(False, "Target.Timeout", "Request timed out")


def verdicts(results, running=100, rule=RULE):
    health, seen = Health(), []
    for passed in results:
        health = checks.judge(rule, health, Result(True) if passed else FAILED, running)
        seen.append(health.state[0])
    return "".join(seen)


def test_the_first_success_is_enough_and_a_lost_one_needs_as_many_as_the_group_says():
    assert verdicts([1]) == "H"
    assert verdicts([0, 1, 0, 1, 0, 0]) == "UHHHHU"
    assert verdicts([0, 0, 1, 1, 0, 1, 1, 1]) == "UUUUUUUH"


def test_what_fails_in_the_start_period_does_not_count():
    assert verdicts([0] * 9, running=29) == "U" * 9
    health = Health()
    for _ in range(9):
        health = checks.judge(RULE, health, FAILED, 29)
    assert health.state == "UNKNOWN"


@given(st.lists(st.booleans(), max_size=60))
def test_a_healthy_target_is_lost_only_after_fall_failures_in_a_row(results):
    health, row = Health(checks.HEALTHY), 0
    for passed in results:
        before = health.state
        health = checks.judge(RULE, health, Result(True) if passed else FAILED, 100)
        row = 0 if passed else row + 1
        if before == checks.HEALTHY:
            assert (health.state == checks.UNHEALTHY) == (row >= RULE.fall)


def test_the_matcher_has_lists_and_ranges():
    assert checks.answered(302, "200,302").passed
    assert checks.answered(204, "200-299").passed
    refused = checks.answered(500, "200-299")
    assert (refused.code, refused.reason) == (
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [500]",
    )


def test_one_bad_check_is_enough_and_all_must_be_good():
    good, bad = Health(checks.HEALTHY), Health(checks.UNHEALTHY, reason="Request timed out")
    assert checks.together([good, bad]).reason == "Request timed out"
    assert checks.together([good, Health()]).state == checks.UNKNOWN
    assert checks.together([good, good]).state == checks.HEALTHY
