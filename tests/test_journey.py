"""The whole runbook against the embedded AWS: applied, applied again, interrupted everywhere, destroyed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice, repeat
from typing import Any

import pytest

from slpnb import destroy, local
from slpnb.aws import Aws
from slpnb.plan.shown import show
from slpnb.steps import STEPS, step
from tests.interruption import Interrupted, counting

MOST_DEATHS = 100


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


def deaths(work: Callable[[Aws], None], aws: Aws, lives: Iterable[int]) -> int:
    """How often the work was begun anew and died, each time after so many writes, until it came to its end."""
    for number, stop_after in enumerate(islice(lives, MOST_DEATHS)):
        with counting(aws, stop_after) as (opened, _):
            try:
                work(opened)
            except Interrupted:
                continue
        return number
    raise AssertionError(f"still not done after {MOST_DEATHS} deaths")


def test_a_run_that_dies_after_every_write_gets_there_all_the_same(account):
    with counting(account()) as (aws, writes):
        build(aws)
    wanted = end_state(aws)
    again = account()
    assert deaths(build, again, repeat(1)) >= len(writes) > 30
    assert list(pending(again)) == []
    assert end_state(again) == wanted


@pytest.mark.parametrize("lives", [(1, 2), (2, 1)], ids=str)
def test_a_destruction_that_dies_after_every_write_gets_there_all_the_same(account, lives):
    """In one of the two it dies after each; not always after one: UpdateService is the first of every beginning."""
    aws = account()
    before = local.snapshot(str(aws.endpoint_url))
    build(aws)
    assert deaths(lambda opened: destroy.plan(opened).apply(opened), aws, cycle(lives)) > 10
    assert destroy.absent(aws)
    assert local.snapshot(str(aws.endpoint_url)) == before


def test_the_embedded_aws_counts_the_same_writes(account):
    with counting(account()) as (aws, made):
        build(aws)
    assert local.writes(str(aws.endpoint_url)) == len(made)
