"""Numbers where text is meant: they survive as they were written, in a file, on the command line and by papermill."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, strategies as st

from slpnb import config
from slpnb.config import written
from slpnb.config.parameters import Parameters

ACCOUNTS = ["123456789012", "012345678901", "012345670123", "000000000000"]


@given(st.from_regex(r"\d{12}", fullmatch=True).filter(str.isascii))
def test_every_account_id_is_taken_as_it_stands(digits):
    nested = {"aws": {"account_id": digits}}
    assert config.given([f"aws.account_id={digits}"]) == nested
    assert written.meant(written.read(f"aws:\n  account_id: {digits}\n"), Parameters) == nested
    assert config.load(given=nested).aws.account_id == digits


@pytest.mark.parametrize("digits", ACCOUNTS)
def test_an_account_id_in_a_file_needs_no_quotes(tmp_path, digits):
    for name in ("base", "staging"):
        text = (config.params_dir() / f"{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text.replace('account_id: ""', f"account_id: {digits}"))
    assert config.load("staging", folder=tmp_path).aws.account_id == digits


@pytest.mark.parametrize("text", ["6.10", "1_000", "0x10", "1e3", "2026-11-26", "007"])
def test_a_tag_that_yaml_takes_for_something_else_stays_the_tag(text):
    assert config.given([f"image.tag={text}"]) == {"image": {"tag": text}}
    assert config.load(given=config.given([f"image.tag={text}"])).image.tag == text


def test_permissions_are_digits_not_an_octal_number():
    assert config.load(given=config.given(["efs.permissions=0750"])).efs.permissions == "0750"


def test_inside_a_list_and_a_mapping_it_is_the_same():
    (assigned,) = config.given(["network.subnets={us-east-1a: 12}"]).values()
    assert assigned == {"subnets": {"us-east-1a": "12"}}
    assert config.given(["sizing.candidates=[1, 2.50]"]) == {"sizing": {"candidates": ["1", "2.50"]}}


def test_where_a_number_is_meant_it_is_a_number():
    assert config.given(["task.memory_mib=0x400"]) == {"task": {"memory_mib": 1024}}
    assert config.given(["efs.provisioned_mibps=1.5"]) == {"efs": {"provisioned_mibps": 1.5}}
    assert config.given(["sizing.memory_sizes_mib=[6]"]) == {"sizing": {"memory_sizes_mib": [6]}}


def test_papermill_hands_over_an_account_id_as_a_number():
    assert config.load(given={"aws": {"account_id": 123456789012}}).aws.account_id == "123456789012"


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.text("abc")), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_no_number_is_read_as_yaml_reads_it(value):
    text = yaml.safe_dump(value)
    assert written.meant(written.read(text), None) == value
