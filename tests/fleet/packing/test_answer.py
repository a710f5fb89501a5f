"""What is said of services on shared instances: true to the packing, and never better than it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from slpnb.errors import ParameterError
from slpnb.fleet import packing, size
from slpnb.fleet.packing.answer import percent_above, sentences

WEB, API, CRON = (
    packing.Demand(name, size.task(memory, cpu_units=cpu), tasks)
    for name, memory, cpu, tasks in (("web", 2560, 1024, 6), ("api", 900, 512, 4), ("cron", 512, 256, 2))
)
HUGE = packing.Demand("huge", size.task(99_999_999), 1)
TYPES = ("c6g.xlarge", "m6g.large")

SAID = [
    (
        (WEB, API, CRON),
        TYPES,
        "cost",
        "4 instances, 267.91 US dollars per month: at most 11.90 % above the least possible. "
        "No packing on the 2 types considered costs less than 239.44 US dollars per month.",
    ),
    (
        (WEB,),
        ("m6g.large",),
        "cost",
        "3 instances, 168.63 US dollars per month: the cheapest possible on the type considered.",
    ),
    (
        (WEB, API),
        TYPES,
        "instances",
        "3 instances, 297.84 US dollars per month: the fewest possible on the 2 types considered.",
    ),
    (
        (CRON,),
        ("m6g.large",),
        "instances",
        "1 instance, 56.21 US dollars per month: the fewest possible on the type considered.",
    ),
]


@pytest.mark.parametrize(("demands", "types", "minimise", "expected"), SAID)
def test_it_says_what_the_packing_takes_and_how_good_that_is(demands, types, minimise, expected):
    shared = packing.share(demands, types, minimise=minimise)
    assert shared.packing
    assert " ".join(sentences(shared, shared.packing)) == expected


@given(st.floats(1, 1e6), st.floats(0, 1e6))
@settings(max_examples=200)
def test_no_packing_is_called_nearer_to_the_bound_than_it_is(bound, more):
    found = packing.Packing("cost", bound + more, bound, ())
    assert percent_above(found) >= found.gap_percent
    assert (percent_above(found) == 0) == (found.value == found.bound)
    said = " ".join(sentences(packing.Shared((), 2, (), found), found))
    least = re.search(r"costs less than ([\d,.]+)", said)
    assert least is None or float(least[1].replace(",", "")) <= bound


def test_every_service_that_fits_nowhere_is_named_with_its_numbers():
    shared = packing.share([HUGE, WEB, API], ["c6i.large"], reserved_mib=1500)
    assert shared.packing is None
    assert shared.misfits == (
        "service huge: no type considered takes a task of it: the closest is c6i.large: 99999999 MiB asked, "
        "2312 MiB left: short by 99997687 MiB",
        "service web: no type considered takes a task of it: the closest is c6i.large: 2560 MiB asked, "
        "2312 MiB left: short by 248 MiB",
    )
    assert shared.record()["ok"] is False


def test_unnamed_types_are_the_candidates():
    shared = packing.share([WEB, API, CRON])
    assert shared.types == len(packing.candidates())
    assert shared.packing
    assert {one.type_name for one in shared.packing.batches} <= set(packing.candidates())


@pytest.mark.parametrize(
    ("demands", "on", "words"),
    [
        ((WEB, API, WEB), {"types": TYPES}, "service web is given 2 times: each service must have a name of its own"),
        ((WEB,), {"minimise": "instances"}, "minimise instances: name the types, such as --type c6i.large"),
        ((WEB,), {"types": ["c6i.larg"]}, "did you mean c6i.large"),
        ((WEB,), {"types": ["hpc7a.12xlarge"]}, "hpc7a.12xlarge has no on-demand price: leave it out, or minimise"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(demands, on, words):
    with pytest.raises(ParameterError) as refused:
        packing.share(demands, **on)
    assert words in str(refused.value)


def test_a_type_without_a_price_may_be_counted():
    shared = packing.share([WEB], ["hpc7a.12xlarge"], minimise="instances")
    assert shared.packing
    assert sentences(shared, shared.packing)[0].startswith("1 instance, no price is known: ")
    assert shared.record()["usd_month"] is None
