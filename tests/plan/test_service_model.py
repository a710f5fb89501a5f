from __future__ import annotations

import itertools
import json

import pytest

from slpnb import config
from slpnb.plan import Call
from slpnb.plan.service_model import problems
from slpnb.plan.values import Join, Json, Ref, Secret
from slpnb.repository import ENVIRONMENTS
from slpnb.steps import STEPS, step
from tests.conftest import CASES

REFUSED = json.loads((CASES / "plan" / "service_model.json").read_text(encoding="utf-8"))
MODES = ("bridge", "awsvpc", "host", "none")


@pytest.mark.parametrize(("environment", "mode"), itertools.product(ENVIRONMENTS, MODES))
def test_aws_takes_every_planned_call_in_every_network_mode(environment, mode):
    loaded = config.load(environment, {"task": {"network_mode": mode}})
    plans = [module.plan(module.desired(loaded), {}) for module in map(step, STEPS)]
    calls = [call for plan in plans for change in plan.pending for call in change.calls]
    assert len(calls) > 40
    assert [problem for call in calls for problem in problems(call)] == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case['member']} {case['allowed']}"[:60])
def test_a_value_that_aws_refuses_is_found_with_its_place_and_what_is_allowed(case):
    (problem,) = problems(Call(*case["call"]))
    assert problem.member == case["member"]
    assert case["allowed"] in problem.allowed


@pytest.mark.parametrize("value", [Ref("a"), Join((Ref("a"), "b")), Secret(str), Json({"a": Ref("b")})])
def test_what_is_not_known_yet_is_taken_as_right(value):
    call = Call("secretsmanager", "create_secret", {"Name": "a", "SecretString": value})
    assert list(problems(call)) == []


def test_what_the_patterns_of_java_allow_is_allowed():
    tags = [{"Key": "Name", "Value": "a b:c/d=e+f-g@h_1.", "ResourceType": "x"}]  # \p{L}, \p{N}; surrogate pairs
    group = {"AutoScalingGroupName": "a", "MinSize": 0, "MaxSize": 1, "Tags": tags}
    assert list(problems(Call("autoscaling", "create_auto_scaling_group", group))) == []
    cluster = {"clusterName": "a", "tags": [{"key": "Name", "value": "a b:c/d=e+f-g@h_1."}]}
    assert list(problems(Call("ecs", "create_cluster", cluster))) == []
