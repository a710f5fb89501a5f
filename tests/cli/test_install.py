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
