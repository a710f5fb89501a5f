"""``slpnb status``: what exists beside what is wanted."""

from __future__ import annotations

import pytest

from tests.cli.conftest import call


@pytest.mark.usefixtures("aws_here")
def test_status_compares_what_exists_with_the_parameters():
    done = call("status", "staging")
    assert done.exit_code == 0, done.output
    assert "20_network" in done.output
    assert "to create" in done.output
