"""The commands that a plan shows are run by a real AWS CLI, and must leave what the plan would have left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from slpnb import efs, network
from slpnb.plan import Call
from slpnb.plan.awscli import command, script, variable
from slpnb.plan.model import unmet
from slpnb.plan.values import Ref, Secret
from slpnb.steps import STEPS, step


def run_script(script: str, aws) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_PAGER": "",
    }
    # The loops that wait turn the embedded clock instead of sleeping.
    turn = f"from slpnb import local; local.advance('{aws.endpoint_url}', 60)"
    script = f'sleep() {{ "{sys.executable}" -c "{turn}"; }}\n{script}'
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_the_commands_do_what_the_plans_would(aws):
    for module in map(step, STEPS):
        want = module.desired(aws.config)
        run_script(module.plan(want, module.observe(aws)).commands(ids=True), aws)
        assert not module.plan(want, module.observe(aws))
        assert module.verify(aws, want)


def test_ids_of_what_exists_are_variables(aws):
    planned = network.plan(network.desired(aws.config), network.observe(aws))
    vpc = network.observe(aws)["vpc"].id
    assert vpc not in planned.commands()
    assert planned.commands(ids=True).startswith(f"VPC_ID={vpc}\n")


def test_a_script_stops_before_its_first_command_when_an_earlier_step_has_not_run(aws):
    script = efs.plan(efs.desired(aws.config), efs.observe(aws)).commands(ids=True)
    done = subprocess.run(["bash", "-c", f"aws() {{ exit 9; }}\n{script}"], capture_output=True, text=True)
    assert done.returncode not in (0, 9)
    assert done.stderr.rstrip().endswith("SECURITY_GROUP_EFS_ID: run 20_network first")


def test_a_part_of_a_plan_does_not_stop_at_what_another_part_makes(aws):
    planned = network.plan(network.desired(aws.config), network.observe(aws))
    last = planned.changes[-1:]
    assert [ref.key for _, ref in unmet(last, planned.observed)] == ["security-group/instances"]
    assert script(last, planned.observed).startswith("# exists already")


def test_words_are_quoted_and_secrets_are_commands():
    call = Call(
        "secretsmanager", "create_secret", {"Name": "it's", "SecretString": Secret(make=lambda: "x"), "Force": False}
    )
    (line,) = command(call)
    assert "'it'\"'\"'s'" in line
    assert "get-random-password" in line
    assert line.endswith("--no-force")


def test_a_reference_inside_json_is_expanded_by_the_shell():
    call = Call("s", "tie", {"Knot": {"To": Ref("mount-target/us-east-1a")}})
    script = f"MOUNT_TARGET_US_EAST_1A_ID=fsmt-1; aws() {{ printf '%s' \"$4\"; }}; {command(call)[0]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == '{"To": "fsmt-1"}'
    assert variable("mount-target/us-east-1a") == "MOUNT_TARGET_US_EAST_1A_ID"
