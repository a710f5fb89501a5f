"""How often AWS is asked: once an observation, anew where something may have changed, and side by side."""

from __future__ import annotations

import threading

import pytest

from slpnb import network, observation, start
from slpnb.errors import AwsError
from slpnb.observation import Observation, side_by_side
from tests.conftest import again
from tests.reads import telling

GROUP = "security-group/efs"


def applied(aws):
    """`network` planned and applied; what was observed for it."""
    have = network.observe(aws)
    network.plan(network.desired(aws.config), have).apply(aws)
    return have


@pytest.fixture
def made(aws):
    applied(aws)
    return aws


def open_to_the_world(aws):
    """What someone does by hand meanwhile, not through the kit's connection."""
    other = again(aws)
    port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    found = network.observe(other)[GROUP]
    other.client("ec2").authorize_security_group_ingress(GroupId=found.id, IpPermissions=[port])


def test_no_call_is_sent_twice_within_one_observation(made):
    with telling(made) as (aws, sent):
        start.survey(aws)
    assert len(sent) == len(set(sent)) > 30


def test_where_nothing_was_written_nothing_is_asked_again(made):
    with telling(made) as (aws, sent):
        applied(aws)
        asked = len(sent)
        assert network.verify(aws, network.desired(aws.config))
    assert len(sent) == asked


def test_after_a_write_everything_is_read_back(aws):
    applied(aws)
    with telling(aws) as (watched, sent):
        assert network.verify(watched, network.desired(watched.config))
    assert sent
    assert network.verify(aws, network.desired(aws.config))


def test_who_verifies_again_sees_the_present(made):
    applied(made)
    assert network.verify(made, network.desired(made.config))
    open_to_the_world(made)
    assert not network.verify(made, network.desired(made.config))


def test_who_observes_again_sees_the_present(made):
    applied(made)
    open_to_the_world(made)
    assert network.plan(network.desired(made.config), network.observe(made))


def test_a_plan_that_was_not_applied_hands_nothing_on(made):
    network.plan(network.desired(made.config), network.observe(made))
    open_to_the_world(made)
    assert not network.verify(made, network.desired(made.config))


def test_what_was_observed_long_ago_is_not_read_back(made, monkeypatch):
    monkeypatch.setattr(observation, "HOLDS_SECONDS", 0)
    applied(made)
    open_to_the_world(made)
    assert not network.verify(made, network.desired(made.config))


@pytest.mark.parametrize(
    "passes",
    [lambda aws: aws.wait(1), lambda aws: aws.client("ec2").create_key_pair(KeyName="k")],
    ids=["a wait", "a write"],
)
def test_after_a_wait_or_a_write_everything_is_asked_anew(made, passes):
    with telling(made) as (aws, sent), aws.observing():
        network.observe(aws)
        first = list(sent)
        passes(aws)
        sent.clear()
        network.observe(aws)
    assert sent == first


def test_outside_of_an_observation_every_question_is_sent(made):
    with telling(made) as (aws, sent):
        for _ in range(2):
            aws.read("sts", "get_caller_identity")
    assert len(sent) == 2


def test_two_threads_with_one_question_ask_it_once():
    held, asked, answers = threading.Event(), [], Observation()

    def ask():
        asked.append(1)
        held.wait(10)
        return "answer"

    def question():
        return answers.once("question", ask)

    def release():
        held.set()
        return ""

    assert side_by_side([question, question, release]) == ["answer", "answer", ""]
    assert asked == [1]


def test_of_several_errors_that_of_the_earliest_question_is_raised():
    second = threading.Event()

    def fail_last():
        second.wait(10)
        raise AwsError("first asked")

    def fail_first():
        second.set()
        raise AwsError("first failed")

    with pytest.raises(AwsError, match="first asked"):
        side_by_side([fail_last, fail_first])


def test_what_failed_fails_for_everyone_who_asks_in_the_same_observation(made):
    with telling(made) as (aws, sent), aws.observing():
        assert aws.read("efs", "describe_backup_policy", FileSystemId="fs-1", absent=("FileSystemNotFound",)) == {}
        with pytest.raises(AwsError, match="FileSystemNotFound"):
            aws.read("efs", "describe_backup_policy", FileSystemId="fs-1")
    assert len(sent) == 1
