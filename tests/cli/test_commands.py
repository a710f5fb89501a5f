"""``slpnb commands``: a plan as a script."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import call


@pytest.mark.usefixtures("aws_here")
def test_commands_are_those_of_the_plan():
    done = call("commands", "network", "staging")
    assert done.exit_code == 0, done.output
    assert "aws ec2 create-security-group" in done.output
    subprocess.run(["bash", "-n"], input=done.output, text=True, check=True)


def test_a_notebook_that_writes_nothing_has_no_commands():
    done = call("commands", "sizing", "staging")
    assert done.exit_code == 2
    assert "60_sizing writes nothing" in done.output
