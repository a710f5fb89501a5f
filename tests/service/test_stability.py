from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from slpnb.service import stability
from tests.conftest import cases

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/slp-saas-test"


@pytest.mark.parametrize("case", cases("stability"))
def test_one_look_is_judged_by_the_requested_revision(case):
    look = stability.judge(case["service"], case["task_definition"], case["healthy"])
    assert look.outcome == case["outcome"], look.seen
    for words in case["says"]:
        assert words in look.seen


counts = st.integers(0, 4)
deployments = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["PRIMARY", "ACTIVE", "DRAINING"]),
            "taskDefinition": st.sampled_from([f"{ARN}:3", f"{ARN}:4"]),
            "rolloutState": st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED"]),
            "runningCount": counts,
            "failedTasks": counts,
        }
    ),
    max_size=3,
)


@given(deployments, counts, counts, counts, counts)
def test_nothing_but_the_requested_revision_is_ever_completed(deployed, running, pending, desired, healthy):
    service = {"runningCount": running, "pendingCount": pending, "desiredCount": desired, "deployments": deployed}
    look = stability.judge(service, "slp-saas-test:4", healthy)
    if look.outcome == "completed":
        (primary, *_) = [one for one in deployed if one["status"] == "PRIMARY"]
        assert primary["taskDefinition"] == f"{ARN}:4"
        assert primary["rolloutState"] == "COMPLETED"
        assert running == desired == primary["runningCount"]
        assert pending == 0
        assert healthy >= desired
        assert not sum(one["runningCount"] for one in deployed if one is not primary)


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (
            "(service X) was unable to place a task because no container instance met all of its requirements. "
            "The closest matching (container-instance Y) has insufficient memory available.",
            "60_sizing says by how much",
        ),
        ("Reason: No Container Instances were found in your cluster.", "no instance has registered"),
        ("(service X) was unable to stop or start tasks during a deployment because of the service deployment "
         "configuration. Update the minimumHealthyPercent or maximumPercent value and try again.", "rounds up"),
        ("exec /usr/local/bin/entrypoint: exec format error", "a CPU architecture other than the instance's"),
        ("Task failed ELB health checks in (target-group T)", "health check fails"),
        ("OutOfMemoryError: Container killed due to memory usage", "hard memory limit"),
        ("VolumeDriver.Create: mounting volume failed: connection timed out", "uploads cannot be mounted"),
    ],
)  # fmt: skip
def test_messages_of_ecs_are_explained(message, meaning):
    assert meaning in stability.cause([message])


def test_silence_is_explained_too():
    assert "PROVISIONING" in stability.cause([])


def test_a_message_loses_what_differs_from_run_to_run():
    message = (
        "(service slp-saas-test-service) has started 1 tasks: (task 0123456789abcdef0123456789abcdef) on "
        "(instance i-0abc1234) for arn:aws:ecs:us-east-1:123456789012:cluster/slp by (deployment ecs-svc/0123456789)"
    )
    assert stability.without_ids(message) == (
        "(service slp-saas-test-service) has started 1 tasks: (task <id>) on "
        "(instance i-<id>) for <arn> by (deployment ecs-svc/<id>)"
    )
