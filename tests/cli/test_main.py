"""The command line as a whole: its help, and what it loads for that."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

from slpnb import cli
from slpnb.cli.main import VERBS
from slpnb.errors import EXIT_CODES
from slpnb.repository import ROOT
from tests.cli.conftest import call


def test_every_exit_code_is_documented():
    for arguments in (("--help",), ("run", "--help"), ("destroy", "--help")):
        text = call(*arguments).output
        for code in {0, 1, 130, *EXIT_CODES.values()}:
            assert f"\n  {code:>5}  " in text or f"\n{code:>7}  " in text, (arguments, code)


def test_examples_are_commands_that_exist():
    for command in ("run", "destroy", "commands", "install"):
        examples = [line.split() for line in call(command, "--help").output.splitlines() if line.startswith("  slpnb ")]
        assert len(examples) >= 2
        assert {example[1] for example in examples} == {command}


HEAVY = {"boto3", "pandas", "numpy", "papermill", "pydantic", "rich", "docker"}


@pytest.mark.parametrize("command", [[], ["catalog"]], ids=" ".join)
def test_what_a_command_does_is_said_whole_in_the_list(command):
    listed = call(*command, "--help").output.partition("Commands:")[2].partition("Exit codes")[0]
    assert listed.strip()
    assert "..." not in listed


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_loads_nothing_that_takes_time(arguments):
    code = f"from slpnb.cli.main import main; main({arguments}, standalone_mode=False)"
    code += f"; import sys; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_file_that_has_a_command_is_a_verb():
    modules = {one.name: import_module(f"slpnb.cli.{one.name}") for one in iter_modules(cli.__path__)}
    assert {name for name, module in modules.items() if hasattr(module, "command")} == set(VERBS)
    assert [name for name in VERBS if modules[name].command.name != name] == []


def test_the_package_is_a_command_too():
    done = subprocess.run(
        [sys.executable, "-m", "slpnb", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "slpnb run staging" in done.stdout
