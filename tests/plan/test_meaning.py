from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, strategies as st

from slpnb.config import load
from slpnb.plan.meaning import apart, same
from slpnb.secrets import policies
from tests.conftest import CASES

POLICIES = json.loads((CASES / "plan" / "policies.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in POLICIES])
def test_policies_are_the_same_by_what_they_grant(case):
    assert same(case["one"], case["other"]) is case["same"]
    assert same(case["other"], case["one"]) is case["same"]


def shuffled(value, order):
    if isinstance(value, dict):
        return {key: shuffled(item, order) for key, item in value.items()}
    if isinstance(value, list):
        items = order.sample([shuffled(item, order) for item in value], len(value))
        return items[0] if len(items) == 1 and isinstance(items[0], str) else items
    return value


@given(st.randoms(use_true_random=False), st.sampled_from([policies.execution, policies.instance, policies.key]))
def test_a_policy_of_the_kits_in_any_order_is_the_same(order: random.Random, document):
    policy = document(load())
    assert same(policy, shuffled(policy, order))


def test_a_difference_shows_only_the_statements_that_differ():
    shared, mine = {"Sid": "Shared", "Action": ["a:B", "a:C"]}, {"Sid": "Mine", "Action": "*"}
    one, other = {"Statement": [shared, mine]}, {"Statement": [{"Sid": "Shared", "Action": ["a:C", "a:B"]}]}
    assert apart(one, other) == ({"Statement": [mine]}, {"Statement": []})


def test_what_is_no_policy_is_compared_as_it_is():
    assert not same(["b", "a"], ["a", "b"])
    assert apart(1, 2) == (1, 2)
