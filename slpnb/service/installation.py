"""Installing WordPress and its network by a one-off task of the registered task definition (RunTask).

The image's own command ``install`` does it, and changes nothing when run again (docker/README.md). Sources:
Amazon ECS Developer Guide ("Amazon ECS standalone tasks"), API Reference (RunTask).
"""

from __future__ import annotations

from typing import Any

from slpnb import network, task
from slpnb.aws import Aws, tag_list
from slpnb.config import Config
from slpnb.errors import Refusal
from slpnb.plan import Call, Change, Observed, Plan, Wait, fields
from slpnb.plan.values import Ref
from slpnb.service import stability, step
from slpnb.verdict import Verdict, ng, ok

TASK = "installation"
STARTED_BY = "slpnb-install"
TIMEOUT_SECONDS = 900


def plan(config: Config, have: Observed) -> Plan:
    """One task of the newest revision, with another command; ``have`` is what `observe` found. Pure."""
    change = Change(
        "+",
        TASK,
        "one-off task",
        config.task.family,
        "installs WordPress and its network; if that has been done, it changes nothing",
        calls=(_run(config),),
    )
    return Plan(step.STEP, (change,), have)


def _run(config: Config) -> Call:
    name = config.task.container_name
    params: dict[str, Any] = {
        "cluster": config.cluster.name,
        "taskDefinition": Ref("task-definition", "revision", step=task.STEP),
        "count": 1,
        "startedBy": STARTED_BY,
        "overrides": {"containerOverrides": [{"name": name, "command": ["install"]}]},
        "tags": tag_list(config.tags(step.STEP, TASK), "key", "value"),
        **_network(config),
    }
    described = {"cluster": config.cluster.name, "tasks": [Ref(TASK)]}
    over = Wait("describe_tasks", described, "tasks[0].lastStatus", "STOPPED", timeout_seconds=TIMEOUT_SECONDS)
    return Call("ecs", "run_task", params, {"id": "tasks[0].taskArn"}, over)


def _network(config: Config) -> dict[str, Any]:
    if (settings := step.interfaces(config)) is None:
        return {}
    return {"networkConfiguration": {"awsvpcConfiguration": fields.write(step.INTERFACES, settings)}}


def observe(aws: Aws) -> Observed:
    """What the task refers to."""
    found = {**network.find_subnets(aws), **network.find_security_groups(aws)}
    return {**found, **task.find_definitions(aws)}


def run(aws: Aws) -> Verdict:
    """Run the task until it ends and read its exit code; on an embedded AWS only where tasks are containers.

    Raises `Refusal` where tasks are simulated, and `AwsError` when it does not end.
    """
    if aws.simulated and not aws.front_door():
        raise Refusal(
            "nothing was installed: the tasks are simulated, and a simulated task never ends by itself; --backend aws "
            f"--apply installs in the account that params/{aws.config.environment}.yaml names (aws.account_id)"
        )
    applied = plan(aws.config, observe(aws)).apply(aws)
    if not applied.written:
        return ok("installation", repr(applied))
    return _ended(aws)


def _ended(aws: Aws) -> Verdict:
    """How the newest one-off task ended."""
    ended = sorted(stability.stopped(aws, startedBy=STARTED_BY), key=lambda one: str(one.get("stoppedAt", "")))
    if not ended:
        return ng("installation", "the task is not among the stopped ones")
    container = ended[-1]["containers"][0]
    if container.get("exitCode") == 0:
        return ok("installation", "exit code 0: WordPress is installed, and its network exists")
    code, reason = container.get("exitCode", "none"), container.get("reason") or ended[-1].get("stoppedReason", "")
    return ng("installation", f"exit code {code}: {reason}; the task's log says more")
