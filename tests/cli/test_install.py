"""``slpnb install``: shown, and refused where it would never end."""

from __future__ import annotations

import pytest

from tests.cli.conftest import call


@pytest.mark.usefixtures("aws_here")
def test_installing_is_shown_and_refused_where_no_task_would_ever_end():
    shown = call("install", "staging", "--plan")
    assert (shown.exit_code, "+ one-off task slp-saas-test" in shown.output) == (0, True)
    assert shown.output.endswith("not run: apply is false\n")
    refused = call("install", "staging")
    assert (refused.exit_code, "the tasks are simulated" in refused.output) == (3, True)
    assert "params/staging.yaml names (aws.account_id)" in refused.output


def test_without_an_account_id_it_says_so_in_one_sentence():
    done = call("install", "staging", "--backend", "aws")
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("GuardError: params/staging.yaml: aws.account_id is empty; set it to the account's")
    assert len(done.stderr.splitlines()) == 1
