"""Packings against cases worked out by hand, against every packing there is, and against their own bound."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.errors import ParameterError, Refusal
from slpnb.fleet import HOURS_A_MONTH, shapes
from slpnb.fleet.packing import services as packing
from slpnb.fleet.packing.knapsack import Knapsack
from tests.conftest import cases

WORKED, REFUSED = (
    [case for case in cases("packing") if ("refused" in case.values[0]) == refused] for refused in (False, True)
)
TYPES = ("c6i.large", "c6g.large", "c6g.xlarge", "m6g.large")


def services(rows):
    return pd.DataFrame.from_dict(rows, orient="index")


def price(name):
    usd = catalog.instance_type(name).usd_per_hour
    assert usd is not None
    return usd


def told(case):
    return services(case["services"]), case["types"]


def pack(case):
    table, types = told(case)
    daemons = tuple(placement.TaskNeeds(**one) for one in case.get("daemons", ()))
    return packing.pack(table, types, **case.get("with", {}), daemons=daemons)


@pytest.mark.parametrize("case", WORKED)
def test_cases_worked_out_by_hand(case):
    found = pack(case)
    assert found.fleet["instances"].to_dict() == case["fleet"], case["why"]
    assert found.bound == pytest.approx(case.get("bound", found.value))


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(case):
    error = Refusal if case["error"] == "Refusal" else ParameterError
    with pytest.raises(error) as refused:
        pack(case)
    assert str(refused.value) == case["refused"]


def by_instance(found, needs):
    """Every instance with its tasks, taken one by one by the placement's rules: raises where one does not fit."""
    for (name, kind), rows in found.placements().groupby(["instance", "type"], sort=True):
        one = placement.instance(kind, zone="any", id=name)
        for service, tasks in zip(rows["service"], rows["tasks"], strict=True):
            for _ in range(tasks):
                one = one.take(needs[service])
        yield one


sizes = st.fixed_dictionaries(
    {
        "tasks": st.integers(0, 60),
        "memory_mib": st.integers(6, 3800),
        "cpu_units": st.sampled_from([0, 128, 256, 500, 1024, 2048]),
        "enis": st.integers(0, 1),
        "dynamic_ports": st.integers(0, 2),
        "tcp_ports": st.sampled_from([(), (), (80,), (80, 443), (8080,)]),
        "distinct": st.booleans(),
    }
)
small = st.dictionaries(st.sampled_from("abcde"), sizes, min_size=1, max_size=5).map(services)


@given(small, st.sets(st.sampled_from(TYPES), min_size=1), st.sampled_from(["cost", "instances"]))
@settings(max_examples=40, deadline=None)
def test_every_task_is_packed_once_no_instance_is_exceeded_and_the_bound_holds(table, types, minimise):
    found = packing.pack(table, sorted(types), minimise=minimise)
    needs = shapes.needs(table, also=("tasks", "distinct"))
    rows = found.placements()
    assert len(list(by_instance(found, needs))) == found.instances
    assert rows.groupby("service")["tasks"].sum().to_dict() == {k: v for k, v in table["tasks"].items() if v}
    assert (rows["tasks"][rows["service"].map(table["distinct"]).astype(bool)] == 1).all()
    assert found.bound <= found.value + 1e-9
    cost = sum(price(str(name)) * number for name, number in found.fleet["instances"].items())
    assert found.value == pytest.approx(cost * HOURS_A_MONTH if minimise == "cost" else found.instances)


tiny = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {
            "tasks": st.integers(1, 4),
            "memory_mib": st.integers(400, 3800),
            "cpu_units": st.sampled_from([128, 512, 700, 1024]),
            "tcp_ports": st.sampled_from([(), (80,)]),
        }
    ),
    min_size=1,
).map(services)


def optimum(table, types):
    """The least that any packing costs an hour, by trying every load of every instance."""
    needs = list(shapes.needs(table, also=("tasks",)).values())
    loads = [
        (load, price(name))
        for name in types
        for load in product(*(range(tasks + 1) for tasks in table["tasks"]))
        if any(load) and holds(placement.instance(name, zone="any"), needs, load)
    ]

    @cache
    def least(wanted):
        if not any(wanted):
            return 0.0
        rest = (tuple(w - x for w, x in zip(wanted, load, strict=True)) for load, _ in loads)
        return min(least(left) + price for left, (_, price) in zip(rest, loads, strict=True) if min(left) >= 0)

    return least(tuple(table["tasks"]))


def holds(one, needs, load):
    for task, copies in zip(needs, load, strict=True):
        for _ in range(copies):
            if placement.shortfalls(task, one):
                return False
            one = one.take(task)
    return True


@given(tiny, st.sets(st.sampled_from(TYPES), min_size=1))
@settings(max_examples=40, deadline=None)
def test_the_bound_is_no_higher_and_the_packing_hardly_dearer_than_the_best_of_all(table, types):
    found, best = packing.pack(table, sorted(types)), optimum(table, sorted(types)) * HOURS_A_MONTH
    assert found.bound <= best + 1e-6
    assert best <= found.value + 1e-6
    assert found.value <= best + max(map(price, types)) * HOURS_A_MONTH


@given(
    st.integers(1, 4).flatmap(
        lambda shape_count: st.tuples(
            st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=shape_count, max_size=shape_count),
            st.lists(st.integers(0, 4), min_size=shape_count, max_size=shape_count),
            st.lists(st.integers(0, 1000), min_size=shape_count, max_size=shape_count),
        )
    ),
    st.tuples(st.integers(0, 25), st.integers(0, 25)),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
    st.sampled_from([1, 5, 1000]),
)
@settings(deadline=None)
def test_the_best_load_of_an_instance_fits_and_no_load_exceeds_its_bound(shaped, gives, multipliers, beam):
    takes, most, worths = (np.array(values, np.int64) for values in shaped)
    sack = Knapsack(takes, np.array(gives, np.int64), most)
    found = sack.best(worths, np.array(multipliers, np.int64), beam)
    every = np.array(list(product(*(range(copies + 1) for copies in most))))
    best = int((every @ worths)[(every @ takes <= sack.gives).all(axis=1)].max())
    assert (found.counts @ takes <= sack.gives).all()
    assert (found.counts <= most).all()
    assert found.worth == found.counts @ worths <= best <= found.at_most
    assert best <= sack.relaxed(worths, np.array(multipliers, np.int64))
    assert max(best // 2, sack.best(worths, np.array(multipliers, np.int64), beam, best // 2).at_most) >= best
    if beam == 1000:
        assert found.at_most <= found.worth * 1.001


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("types", [["c6i.large"], ["c6g.large", "c6g.xlarge", "m6g.large", "r6g.large", "m6g.2xlarge"]])
def test_ten_thousand_tasks_of_twelve_shapes_are_within_one_percent_of_the_bound(seed, types):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "tasks": rng.multinomial(10_000, rng.dirichlet(np.ones(12))),
            "memory_mib": rng.integers(256, 3500, 12),
            "cpu_units": rng.integers(1, 9, 12) * 128,
            "dynamic_ports": 1,
        }
    )
    found = packing.pack(table, types)
    assert (
        found.loads[list(table.index)].mul(found.loads["instances"], axis=0).sum().to_list() == table["tasks"].to_list()
    )
    assert 0 <= found.gap_percent <= 1


def test_the_same_services_give_the_same_packing_in_the_same_words():
    table = services({"web": {"tasks": 70, "memory_mib": 900}, "cron": {"tasks": 9, "memory_mib": 2500}})
    one, other = packing.pack(table, TYPES), packing.pack(table, TYPES)
    assert one.loads.equals(other.loads)
    assert repr(one) == repr(other)


def test_it_says_how_good_the_packing_is():
    assert repr(packing.pack(services({"web": {"tasks": 7, "memory_mib": 1800}}), ["c6i.large"])) == (
        "4 instances at 248.20 USD per month: no packing does better"
    )
    odd = packing.pack(
        services({"web": {"tasks": 70, "memory_mib": 900}, "cron": {"tasks": 9, "memory_mib": 2500}}), TYPES
    )
    assert repr(odd).startswith(
        f"{odd.instances} instances at {odd.value:.2f} USD per month; no packing needs less than "
    )
    assert repr(odd).endswith(f"within {100 * (odd.value / odd.bound - 1):.2f} %")


def test_by_default_every_priced_type_of_the_current_generation_is_considered():
    found = packing.pack(services({"web": {"tasks": 3, "memory_mib": 3000, "cpu_units": 1024}}))
    assert (
        found.value <= packing.pack(services({"web": {"tasks": 3, "memory_mib": 3000, "cpu_units": 1024}}), TYPES).value
    )
    assert set(found.fleet.index) <= set(packing.candidates())
