from __future__ import annotations

import pytest

from slpnb.config import load
from slpnb.start import contradictions
from tests.conftest import cases


def configured(case):
    """The parameters of a case; ``instead`` replaces whole values, where laying over would merge."""
    config = load(case.get("environment", "staging"), case["given"])
    for section, values in case.get("instead", {}).items():
        config = config.model_copy(update={section: getattr(config, section).model_copy(update=values)})
    return config


@pytest.mark.parametrize("case", cases("contradictions"))
def test_each_contradiction_is_said_with_its_number(case):
    found = {verdict.subject: verdict for verdict in contradictions.check(configured(case))}
    verdict = found[case["check"]]
    assert verdict.status == case["verdict"], verdict
    for words in case["says"]:
        assert words in verdict.seen, verdict


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_parameters_as_shipped_contradict_nothing(environment):
    assert not contradictions.check(load(environment)).failed


def test_staging_has_not_even_a_warning():
    assert {verdict.status for verdict in contradictions.check(load("staging"))} == {"OK"}


def test_every_check_can_fail():
    bites = {case.values[0]["check"] for case in cases("contradictions") if case.values[0]["verdict"] in ("NG", "WARN")}
    assert bites == {verdict.subject for verdict in contradictions.check(load("staging"))}


def test_every_check_names_its_source():
    assert all(len(one.source) > 10 for one in contradictions.CHECKS)
    assert len({verdict.subject for verdict in contradictions.check(load("staging"))}) == len(contradictions.CHECKS)
