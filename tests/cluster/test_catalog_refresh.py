"""``slpnb catalog refresh``: the account's figures win, what it does not say is kept, and nothing is half written."""

from __future__ import annotations

import csv
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from slpnb import catalog, config, runbook
from slpnb.cli.main import main
from slpnb.cluster import catalog_refresh
from slpnb.errors import ParameterError


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """A file of the user's own that is not there yet."""
    path = tmp_path / "slpnb" / "catalog.csv"
    monkeypatch.setenv("SLPNB_CATALOG", str(path))
    catalog.reload()
    yield path
    monkeypatch.undo()
    catalog.reload()


@pytest.fixture
def running(aws):
    """Staging with its cluster: one c6g.xlarge, 256 MiB reserved."""
    runbook.prepare("60_sizing", aws)
    return aws


def other(aws, **cluster):
    """The same account, seen with other parameters of the cluster."""
    return replace(aws, config=config.load("staging", {"apply": True, "cluster": cluster}))


def test_it_says_what_changes_and_a_second_time_that_nothing_does(own_file, running):
    own_file.parent.mkdir()
    own_file.write_text(f"{','.join(catalog_refresh.COLUMNS)}\nc6g.xlarge,arm64,8{',' * 11}0.5,7000\n")
    catalog.reload()
    first = catalog_refresh.refresh(running)
    assert "c6g.xlarge: vcpus 8 -> 4, at least 7000 MiB -> 7763 MiB" in first.changes
    # the embedded AWS knows no prices: the file's own is kept, not the shipped one brought back
    assert catalog.instance_type("c6g.xlarge").usd_per_hour == 0.5
    assert [note.partition(":")[0] for note in first.notes] == ["prices are kept"]
    second = catalog_refresh.refresh(running)
    assert second.changes == ()
    assert str(second).splitlines()[-1] == "nothing new"


def test_memory_is_kept_when_no_instance_runs_any_more(own_file, running, account):
    catalog_refresh.refresh(running)
    assert catalog.registered_memory("c6g.xlarge").source == "live"
    empty = catalog_refresh.refresh(account())
    assert empty.live == 0
    assert catalog.registered_memory("c6g.xlarge").source == "live"
    with own_file.open(newline="") as file:
        rows = {row["instance_type"]: row for row in csv.DictReader(file)}
    assert rows["c6g.xlarge"]["registered_mib"] == "7763"
    assert rows["c6g.large"]["registered_mib"] == ""


def test_what_a_reserve_may_explain_is_left_out(running):
    """The reserve of another cluster is not known, and an instance may be older than the one of the parameters."""
    assert catalog_refresh.registered(running) == ({"c6g.xlarge": 7763}, [])
    for wrong in ({"name": "somebody-elses"}, {"reserved_memory_mib": 1024}):
        memory, doubts = catalog_refresh.registered(other(running, **wrong))
        assert memory == {}
        assert doubts == ["c6g.xlarge: an instance registers 7507 MiB, possibly because of its reserve: left out"]


@pytest.mark.parametrize(
    ("name", "mib", "own", "believed"),
    [
        ("c6i.large", 3816, False, True),
        ("c6i.large", 3830, False, True),  # Amazon Linux 2 reads some more
        ("c6i.large", 3560, False, False),  # 256 MiB are reserved there
        ("c6i.large", 3560, True, True),  # and here the kernel really gave no more
        ("c6i.large", 4072, True, False),
        ("c8in.12xlarge", 90_000, False, True),  # never measured: less than it is sold with
        ("c8in.12xlarge", 98_304, True, False),
        ("z99.large", 8000, False, True),  # not in the catalogue at all
    ],
)
def test_what_is_believed(name, mib, own, believed):
    assert catalog_refresh.believable(name, mib, own=own) == believed


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "catalog.csv"
    catalog_refresh.write(path, "before")
    with pytest.raises(UnicodeEncodeError):
        catalog_refresh.write(path, "half of it \ud800")
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["catalog.csv"]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to(real)
    catalog_refresh.write(link, "text")
    assert link.is_symlink()
    assert real.read_text() == "text"


def test_what_is_no_file_is_refused_and_stays(aws):
    assert os.environ["SLPNB_CATALOG"] == os.devnull
    with pytest.raises(ParameterError, match=f"{os.devnull}, which SLPNB_CATALOG names, is not a writable file"):
        catalog_refresh.refresh(aws)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_the_embedded_aws_never_writes_the_users_own_file(aws, tmp_path, monkeypatch):
    monkeypatch.delenv("SLPNB_CATALOG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ParameterError, match="query an account with --backend aws"):
        catalog_refresh.refresh(aws)
    assert list(tmp_path.iterdir()) == []


def test_what_changes_is_a_line_a_type():
    before = {name: catalog.instance_type(name) for name in ("c6i.large", "c6g.large", "c6g.xlarge")}
    after = {
        "c6g.large": replace(before["c6g.large"], name="c6g.large"),
        "c6g.xlarge": replace(before["c6g.xlarge"], usd_per_hour=0.2, zones=()),
        "z9.large": replace(before["c6g.large"], name="z9.large"),
    }
    assert catalog_refresh.changed(before, {"c6g.large": 1}, after, {"c6g.large": 2}) == [
        "c6g.large: at least 1 MiB -> 2 MiB",
        "c6g.xlarge: zones us-east-1a us-east-1b us-east-1c us-east-1d us-east-1f -> none, usd_per_hour 0.136 -> 0.2",
        "c6i.large: gone",
        "z9.large: new",
    ]


def test_long_lists_are_cut_with_their_number():
    done = catalog_refresh.Refreshed(Path("f"), 30, 0, 0, (), tuple(f"t{number}: new" for number in range(30)))
    assert str(done).splitlines()[-1] == "... and 10 more"
    assert len(str(done).splitlines()) == 22


def test_the_command_says_what_it_wrote(own_file, aws, embedded, monkeypatch):
    assert aws.endpoint_url
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    done = CliRunner().invoke(main, ["catalog", "refresh"])
    assert done.exit_code == 0, done.output
    first, second, *_ = done.output.splitlines()
    assert first.startswith(f"{own_file}: ")
    assert first.endswith("registered memory of 0")
    assert second.startswith("prices are kept: the price list could not be read (pricing get_products: ")
    assert own_file.exists()


def test_without_an_account_the_command_says_where_to_ask(aws, embedded, monkeypatch, tmp_path):
    assert aws.simulated
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    monkeypatch.delenv("SLPNB_CATALOG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["catalog", "refresh"])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "--backend aws" in done.stderr
