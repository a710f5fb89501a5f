"""The whole runbook against the embedded AWS: applied, applied again, interrupted everywhere, destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slpnb import destroy, local
from slpnb.aws import Aws
from slpnb.shown import show
from slpnb.steps import STEPS, step
from tests.interruption import Interrupted, again, counting

SHARDS = 4  # so that two test workers share the many runs


def build(aws: Aws) -> None:
    for name in STEPS:
        module = step(name)
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws, aws.config.environment)


def end_state(aws: Aws) -> dict[str, Any]:
    """What AWS holds of each step, ids replaced by what they name, and how much there is of everything."""
    have = {key: found for name in STEPS for key, found in step(name).observe(aws).items()}
    held = local.snapshot(str(aws.endpoint_url))
    facts = {key: show(found.attributes, have) for key, found in have.items()}
    return {**facts, **{listing: len(items) for listing, items in held.items()}}


def pending(aws: Aws) -> Iterator[str]:
    for name in STEPS:
        yield from map(repr, step(name).plan(step(name).desired(aws.config), step(name).observe(aws)).pending)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_second_run_plans_nothing_and_writes_nothing(account, environment):
    aws = account(environment)
    build(aws)
    for name in STEPS:
        assert step(name).verify(aws, step(name).desired(aws.config)), name
    assert list(pending(aws)) == []
    with counting(aws) as (watched, made):
        build(watched)
    assert made == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_destroying_leaves_nothing_and_touches_nothing_foreign(account, environment):
    aws = account(environment, {"destroy": {"confirm": destroy.CONFIRMATION}})
    before = local.snapshot(str(aws.endpoint_url))
    build(aws)
    assert local.snapshot(str(aws.endpoint_url)) != before
    assert destroy.refusals(aws.config, destroy.observe(aws))
    destroy.plan(aws).apply(aws, environment)
    assert destroy.absent(aws)
    assert local.snapshot(str(aws.endpoint_url)) == before


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_interrupted_run_is_finished_by_running_again(account, shard):
    with counting(account()) as (aws, writes):
        build(aws)
    wanted = end_state(aws)
    assert len(writes) > 30
    for stop in range(1 + shard, len(writes), SHARDS):
        with counting(account(), stop) as (dying, _), pytest.raises(Interrupted):
            build(dying)
        build(aws := again(dying))
        assert list(pending(aws)) == [], f"after {stop} writes ({writes[stop - 1]})"
        assert end_state(aws) == wanted, f"after {stop} writes ({writes[stop - 1]})"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_interrupted_destruction_is_finished_by_running_again(account, shard):
    build(aws := account())
    with counting(aws) as (watched, writes):
        destroy.plan(watched).apply(watched)
    assert len(writes) > 20
    for stop in range(1 + shard, len(writes), SHARDS):
        aws = account()
        before = local.snapshot(str(aws.endpoint_url))
        build(aws)
        with counting(aws, stop) as (dying, _), pytest.raises(Interrupted):
            destroy.plan(dying).apply(dying)
        destroy.plan(aws).apply(aws)
        assert destroy.absent(aws), f"after {stop} writes ({writes[stop - 1]})"
        assert local.snapshot(str(aws.endpoint_url)) == before, f"after {stop} writes ({writes[stop - 1]})"


def test_the_embedded_aws_counts_the_same_writes(account):
    with counting(account()) as (aws, made):
        build(aws)
    assert local.writes(str(aws.endpoint_url)) == len(made)
