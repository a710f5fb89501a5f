"""``slpnb params``: every value and its source."""

from __future__ import annotations

from tests.cli.conftest import call


def test_params_say_where_each_value_comes_from():
    done = call("params", "production", "--section", "cluster", "--set", "cluster.max_instances=8")
    lines = {line.split()[0]: line for line in done.output.splitlines() if line.startswith("cluster.")}
    assert "c6g.2xlarge" in lines["cluster.instance_type"]
    assert call("params", "production", "--section", "clutser").exit_code == 2
    assert call("params", "production").output.count("network.vpc_name") >= 1
