"""The exit codes that ``slpnb --help`` documents are what comes out: tests/cases/cli/exit_codes.json."""

from __future__ import annotations

import json
import os

import pytest

from slpnb.service import installation
from slpnb.verdict import ng
from tests.cli.conftest import call
from tests.conftest import CASES

TABLE = json.loads((CASES / "cli" / "exit_codes.json").read_text(encoding="utf-8"))


@pytest.fixture
def nobody(monkeypatch):
    """No credentials, and no account that an instance profile would give."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, os.devnull)
    for variable in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("aws_here", "nobody")
@pytest.mark.parametrize("case", TABLE, ids=lambda case: " ".join(case["arguments"]))
def test_a_command_ends_with_its_documented_code_and_a_sentence(case):
    done = call(*case["arguments"])
    assert (done.exit_code, case["says"] in done.output, "Traceback" in done.output) == (case["code"], True, False)


@pytest.mark.usefixtures("aws_here")
def test_an_installation_that_did_not_come_out_is_code_6(monkeypatch):
    monkeypatch.setattr(installation, "run", lambda _: ng("installation", "exit code 1: no database"))
    assert call("install", "staging").exit_code == 6
