"""The catalogue: the measurements as they are, bounds that hold on what they have not seen, and near matches."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st

from slpnb import catalog, runbook
from slpnb.catalog.data import build
from slpnb.cluster import catalog_refresh
from slpnb.ecs import resources
from slpnb.errors import ParameterError
from tests.conftest import CASES as ALL_CASES

CASES = json.loads((ALL_CASES / "catalog" / "figures.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["type"] for case in CASES])
def test_the_figures_of_well_known_types(case):
    facts, memory = catalog.instance_type(case["type"]), catalog.registered_memory(case["type"])
    assert (facts.architecture, facts.gpus) == (case["architecture"], case["gpus"])
    assert (memory.value_mib, memory.at_least_mib, memory.source) == (case["value"], case["at_least"], case["source"])
    assert resources.eni_tasks(facts) == case["awsvpc"]
    assert resources.eni_tasks(facts, trunking=True) == case["trunked"]


def test_the_measured_table_is_reproduced_exactly():
    with (catalog.DATA / "sources" / "registered_memory.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1180
    for row in rows:
        memory = catalog.registered_memory(row["instance_type"])
        assert (memory.value_mib, memory.boots) == (int(row["registered_mib_min"]), int(row["boots"]))
        assert memory.at_least_mib < memory.value_mib
        assert catalog.instance_type(row["instance_type"]).architecture == row["arch"]


def test_cpu_and_nominal_memory_agree_with_the_measurements():
    """Logical CPUs equal DefaultVCpus for every type measured (data/README.md)."""
    with (catalog.DATA / "sources" / "registered_memory.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["vcpus"]]
    for row in rows:
        facts = catalog.instance_type(row["instance_type"])
        assert (facts.vcpus, facts.cpu_units, facts.nominal_mib) == (
            int(row["vcpus"]),
            int(row["cpu_units"]),
            int(row["nominal_mib"]),
        )


def test_the_bounds_hold_on_types_they_have_not_seen():
    errors = catalog.errors()
    assert errors.loc["formula", "types"] == 1180
    assert (errors["holds_percent"] >= 99).all()
    # worth having: the formula leaves less unused than Karpenter's 7.5 % of a median type of 32 GiB
    assert errors.loc["formula", "median_unused_mib"] < 0.075 * 32768


def test_the_check_command_prints_the_errors():
    printed = CliRunner().invoke(build.main, ["--check"])
    assert printed.exit_code == 0
    assert printed.output.strip() == catalog.errors().to_string().strip()


def test_the_shipped_table_is_what_the_script_builds():
    assert (catalog.DATA / "instance_types.csv").read_text(encoding="utf-8") == build.table()


def test_every_source_has_its_licence_beside_it():
    readme = (catalog.DATA / "README.md").read_text(encoding="utf-8")
    for file in sorted((catalog.DATA / "sources").glob("*.csv")):
        assert f"`sources/{file.name}`" in readme
    notice = (catalog.DATA / "sources" / "registered_memory.LICENSE.md").read_text(encoding="utf-8")
    assert "SpareCores/sc-inspector-data" in notice
    assert "Attribution-ShareAlike 4.0" in notice
    assert "Changes:" in notice


@pytest.mark.parametrize(
    ("name", "near"), [("c6i.larg", "c6i.large"), ("C6G.xlarge", "c6g.xlarge"), ("m5 large", "m5.large")]
)
def test_an_unknown_type_is_refused_with_near_matches(name, near):
    with pytest.raises(ParameterError) as error:
        catalog.instance_type(name)
    assert near in str(error.value)
    assert repr(name) in str(error.value)


def test_a_type_like_nothing_known_is_refused_without_guesses():
    with pytest.raises(ParameterError, match=r"'zzzz' is not in the catalogue of \d+ types$"):
        catalog.registered_memory("zzzz")


def test_a_live_answer_wins():
    memory = catalog.registered_memory("c6i.large", live_mib=3821)
    assert (memory.value_mib, memory.at_least_mib, memory.source) == (3821, 3821, "live")


def test_it_prints_what_is_known_and_how():
    assert repr(catalog.registered_memory("c6i.large")) == (
        "3816 MiB   measured, 2 boots   at least 3812   (93.2 % of 4096)"
    )
    assert "derived from measured sizes of its family" in repr(catalog.registered_memory("c8ib.2xlarge"))
    assert "no size of its family was measured" in repr(catalog.registered_memory("c8in.12xlarge"))


@given(st.sampled_from(sorted(catalog.types())))
def test_no_estimate_exceeds_what_the_type_is_sold_with(name):
    facts, memory = catalog.instance_type(name), catalog.registered_memory(name)
    assert 0 < memory.at_least_mib <= memory.value_mib < facts.nominal_mib


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """A file of the user's own, empty at first."""
    path = tmp_path / "slpnb" / "catalog.csv"
    monkeypatch.setenv("SLPNB_CATALOG", str(path))
    catalog.reload()
    yield path
    monkeypatch.undo()
    catalog.reload()


def test_the_users_own_figures_win_value_by_value(own_file):
    own_file.parent.mkdir()
    own_file.write_text(
        "instance_type,usd_per_hour,registered_mib,architecture,vcpus,nominal_mib,interfaces,gpus,accelerated,"
        "hypervisor,current_generation,burstable,zones\n"
        "c6i.large,0.05,3821,,,,,,,,,,\n"
        "z9.large,,,arm64,2,8192,3,0,false,nitro,true,false,us-east-1a\n"
    )
    catalog.reload()
    known, new = catalog.instance_type("c6i.large"), catalog.instance_type("z9.large")
    assert (known.usd_per_hour, known.vcpus, known.branch_interfaces) == (0.05, 2, 9)
    assert (new.usd_per_hour, new.cpu_units, new.trunking_compatible) == (None, 2048, False)
    assert catalog.registered_memory("c6i.large").source == "live"
    assert catalog.registered_memory("c6i.large").value_mib == 3821
    assert catalog.registered_memory("z9.large").source == "formula"


def test_an_own_file_that_cannot_be_read_is_refused_by_name(own_file):
    own_file.parent.mkdir()
    own_file.write_text("instance_type,vcpus\nc6i.large,two\n")
    catalog.reload()
    with pytest.raises(ParameterError, match=r"catalog.csv: a row lacks a column or a number: .*'two'"):
        catalog.instance_type("c6i.large")


def test_refreshing_reads_what_the_account_says(own_file, aws):
    runbook.prepare("60_sizing", aws)
    refreshed = catalog_refresh.refresh(aws)
    assert refreshed.path == own_file
    assert refreshed.types > 500
    assert refreshed.live == 1
    assert "prices are kept" in str(refreshed)
    assert catalog.registered_memory("c6g.xlarge").source == "live"
    # ECS_RESERVED_MEMORY is added back: it is no property of the type
    assert catalog.registered_memory("c6g.xlarge").value_mib == 7763
    assert catalog.instance_type("c6g.xlarge").usd_per_hour == 0.136
    assert catalog.instance_type("c6g.xlarge").branch_interfaces == 18
    assert catalog_refresh.as_csv([]) == own_file.read_text(encoding="utf-8").splitlines()[0] + "\n"


def test_a_cluster_that_is_not_there_has_registered_nothing(aws):
    assert catalog_refresh.registered(aws) == ({}, [])


def test_the_price_list_gives_dollars_an_hour():
    document = {
        "product": {"attributes": {"instanceType": "c6g.xlarge"}},
        "terms": {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": {"pricePerUnit": {"USD": "0.1360000000"}}}}}},
    }
    free = {"product": {"attributes": {"instanceType": "c6g.large"}}, "terms": {}}
    assert catalog_refresh.prices([json.dumps(document), json.dumps(free)]) == {"c6g.xlarge": 0.136}


def test_the_table_has_a_row_for_every_type():
    table = catalog.table()
    assert list(table.index) == sorted(catalog.types())
    assert table.loc["c6g.xlarge", "at_least_mib"] == 7759
    assert set(table["source"]) == {"measured", "sibling", "formula"}
    assert set(catalog.measured().index) <= set(table.index)
