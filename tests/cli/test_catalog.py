"""``slpnb catalog``: what it says is what the catalogue says."""

from __future__ import annotations

from slpnb import catalog
from tests.cli.conftest import call


def test_show_says_what_is_known_and_how():
    done = call("catalog", "show", "c6i.large", "t4g.medium")
    lines = {line.split("  ")[0]: line for line in done.output.splitlines()}
    assert "3816 MiB, measured, 2 boots" in lines["registers"]
    assert "3812 MiB" in lines["at least"]
    assert "2, 10 with trunking" in lines["awsvpc tasks"]
    assert "2, no trunking" in lines["awsvpc tasks"]


def test_show_refuses_an_unknown_type_with_near_matches():
    done = call("catalog", "show", "c6i.larg")
    assert done.exit_code == 2
    assert "did you mean c6i.large" in done.stderr


def test_errors_are_those_of_the_estimates_each_said_once():
    done = call("catalog", "errors")
    table = catalog.errors()
    for rule, row in table.iterrows():
        (line,) = (line for line in done.output.splitlines() if line.startswith(rule))
        for value in (row["holds"], row["types"], row["median_unused_mib"], row["worst_excess_mib"]):
            assert f"{value:.0f} " in line
    assert len(done.output.splitlines()) == 1 + len(table)
