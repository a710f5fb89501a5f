from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, strategies as st

from slpnb.errors import Refusal
from slpnb.image import architecture
from slpnb.image.architecture import PLATFORM, Sides
from tests.conftest import cases

ARCHITECTURES = ("arm64", "x86_64")
INSTANCE = {"arm64": "c6g.large", "x86_64": "c6i.large"}


def sides(image, index, task, ami, instance):
    return Sides(tuple(PLATFORM[a] for a in image), task, ami, instance, INSTANCE[instance], image_is_index=index)


@pytest.mark.parametrize("case", cases("architecture"))
def test_each_side_gets_its_verdict_and_its_sentence(case):
    asked = dict(case["sides"])
    asked["image"] = tuple(asked["image"]) if asked["image"] is not None else None
    verdicts = architecture.agree(Sides(**asked))
    assert {verdict.subject: verdict.status for verdict in verdicts} == case["status"]
    seen = {verdict.subject: verdict.seen for verdict in verdicts}
    for subject, sentence in case["says"].items():
        assert sentence in seen[subject]


@pytest.mark.parametrize(
    ("image", "index", "task", "ami", "instance"),
    list(product([("arm64",), ("x86_64",), ARCHITECTURES], [True, False], ARCHITECTURES, ARCHITECTURES, ARCHITECTURES)),
)
def test_all_four_agree_exactly_when_the_image_has_the_one_architecture_of_the_others(
    image, index, task, ami, instance
):
    asked = sides(image, index, task, ami, instance)
    verdicts = architecture.agree(asked)
    assert len(verdicts) == 4
    assert bool(verdicts) == (task == ami == instance and task in image)
    for failed in verdicts.failed:
        assert str(asked) in failed.seen


@given(st.sampled_from(ARCHITECTURES), st.sampled_from(ARCHITECTURES), st.sampled_from(ARCHITECTURES))
def test_a_missing_image_hides_no_other_disagreement(task, ami, instance):
    verdicts = architecture.agree(Sides(None, task, ami, instance, INSTANCE[instance]))
    assert bool(verdicts) == (task == ami == instance)
    assert all("the image is not pushed yet" in failed.seen for failed in verdicts.failed)


def test_a_disagreement_is_a_refusal():
    with pytest.raises(Refusal, match="exec format error"):
        architecture.agree(sides(("arm64",), False, "x86_64", "x86_64", "x86_64")).demand()
