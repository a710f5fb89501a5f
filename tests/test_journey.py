"""The whole runbook against the embedded AWS: applied, applied again, interrupted everywhere, destroyed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from slpnb import destroy, local
from slpnb.aws import Aws
from slpnb.plan import show
from slpnb.steps import STEPS, step
from tests import snapshot

READS = ("describe", "get", "list", "batch_get", "head", "search")


class Interrupted(BaseException):
    """The process is killed between two calls: nothing in the kit may catch it."""


class Writes:
    """Counts writing calls by a botocore hook; at ``stop_after`` the call has reached AWS and the run dies."""

    def __init__(self, aws: Aws, stop_after: int | None = None) -> None:
        self.made: list[str] = []
        self.stop_after = stop_after
        aws.session.events.register("after-call", self.count)

    def count(self, model: Any, **_: Any) -> None:
        name = model.name[0].lower() + model.name[1:]
        if not name.startswith(tuple(word.replace("_get", "Get") for word in READS)):
            self.made.append(model.name)
            if len(self.made) == self.stop_after:
                raise Interrupted


def build(aws: Aws) -> None:
    for name in STEPS:
        module = step(name)
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws, aws.config.environment)


def end_state(aws: Aws, seeded: snapshot.Snapshot) -> dict[str, Any]:
    """What AWS holds of each step, ids replaced by what they name, and how much there is of everything tagged."""
    have = {key: found for name in STEPS for key, found in step(name).observe(aws).items()}
    facts = {key: json.loads(json.dumps(show(found.attributes, have))) for key, found in have.items()}
    return {"facts": facts, "made": made(aws, seeded)}


def made(aws: Aws, seeded: snapshot.Snapshot) -> list[str]:
    """The kinds of everything in the account that was not there before the kit came."""
    return sorted(operation for operation, name in snapshot.take(str(aws.endpoint_url)).keys() - seeded.keys())


def foreign(aws: Aws, seeded: snapshot.Snapshot) -> snapshot.Snapshot:
    """What was there before, as it is now."""
    now = snapshot.take(str(aws.endpoint_url))
    return {key: now.get(key) for key in seeded}


def pending(aws: Aws) -> Iterator[str]:
    for name in STEPS:
        yield from (str(c) for c in step(name).plan(step(name).desired(aws.config), step(name).observe(aws)).pending)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_second_run_plans_nothing_and_writes_nothing(account, environment):
    aws = account(environment)
    build(aws)
    for name in STEPS:
        assert step(name).verify(aws, step(name).desired(aws.config)), name
    assert list(pending(aws)) == []
    counted = Writes(again := account_again(aws))
    build(again)
    assert counted.made == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_destroying_leaves_nothing_and_touches_nothing_foreign(account, environment):
    aws = account(environment, {"destroy": {"confirm": destroy.CONFIRMATION}})
    seeded = snapshot.take(str(aws.endpoint_url))
    build(aws)
    assert made(aws, seeded)
    assert destroy.refusals(aws.config, destroy.observe(aws))
    destroy.plan(aws).apply(aws, environment)
    assert destroy.absent(aws)
    assert made(aws, seeded) == []
    assert foreign(aws, seeded) == seeded


SHARDS = 4  # so that two test workers share the many runs


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_interrupted_run_is_finished_by_running_again(account, seeded, shard):
    aws = account()
    counted = Writes(aws)
    build(aws)
    wanted, writes = end_state(aws, seeded), counted.made
    assert len(writes) > 30
    for stop in range(1 + shard, len(writes), SHARDS):
        aws = account()
        with pytest.raises(Interrupted):
            build(stopping(aws, stop))
        build(aws)
        assert list(pending(aws)) == [], f"after {stop} writes ({writes[stop - 1]})"
        assert end_state(aws, seeded) == wanted, f"after {stop} writes ({writes[stop - 1]})"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_interrupted_destruction_is_finished_by_running_again(account, seeded, shard):
    aws = account()
    build(aws)
    counted = Writes(again := account_again(aws))
    destroy.plan(again).apply(again)
    for stop in range(1 + shard, len(counted.made), SHARDS):
        aws = account()
        build(aws)
        dying = stopping(aws, stop)
        with pytest.raises(Interrupted):
            destroy.plan(dying).apply(dying)
        destroy.plan(aws).apply(aws)
        assert destroy.absent(aws), f"after {stop} writes ({counted.made[stop - 1]})"
        assert made(aws, seeded) == [], f"after {stop} writes ({counted.made[stop - 1]})"


def stopping(aws: Aws, stop: int) -> Aws:
    """The same account by a client that dies right after its write number ``stop``."""
    dying = account_again(aws)
    Writes(dying, stop)
    return dying


def account_again(aws: Aws) -> Aws:
    """The same account, opened anew: nothing remembered but what AWS holds."""
    from slpnb.aws import connect

    return connect(aws.config, endpoint_url=aws.endpoint_url, sleep=aws.sleep, simulated="test")


def test_the_embedded_aws_counts_the_same_writes(account):
    aws = account()
    counted = Writes(aws)
    build(aws)
    assert local.writes(aws.endpoint_url) == len(counted.made)
