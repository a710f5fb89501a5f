"""How failed checks become an error: one sentence, or a line for each finding."""

from __future__ import annotations

import pytest

from slpnb.errors import Refusal, VerificationError
from slpnb.verdict import Verdicts, ng, ok, warn


@pytest.mark.parametrize("error", [Refusal, VerificationError])
def test_one_finding_is_one_sentence_with_all_its_subjects(error):
    with pytest.raises(error) as caught:
        Verdicts((ok("memory", "fits"), ng("zone a", "closed"), ng("zone b", "closed"))).demand(error)
    assert str(caught.value) == "zone a, zone b: closed"


def test_several_findings_are_counted_and_have_a_line_each():
    with pytest.raises(Refusal) as caught:
        Verdicts((ng("zone a", "closed; open it"), ng("memory", "short"), ng("zone b", "closed; open it"))).demand()
    assert str(caught.value).splitlines() == ["2 problems", "  - zone a, zone b: closed; open it", "  - memory: short"]


def test_what_only_warns_is_no_error():
    verdicts = Verdicts((warn("zones", "one"), ok("memory", "fits")))
    assert verdicts.demand() is verdicts
