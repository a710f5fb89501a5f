"""Packings against cases worked out by hand, against every packing there is, and against their own bound."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.ecs import resources
from slpnb.errors import ParameterError
from slpnb.fleet import HOURS_A_MONTH, packing, size
from slpnb.fleet.packing.knapsack import Knapsack
from tests.conftest import cases

WORKED, REFUSED = (
    [case for case in cases("packing") if ("refused" in case.values[0]) == refused] for refused in (False, True)
)
TYPES = ("c6i.large", "c6g.large", "c6g.xlarge", "m6g.large")


def demand(name, *, tasks, memory_mib, cpu_units=0, enis=0, architecture=""):
    mode = "awsvpc" if enis else "bridge"
    needs = size.task(memory_mib, cpu_units=cpu_units or None, network_mode=mode, architecture=architecture)
    return packing.Demand(name, needs, tasks)


def demands(rows):
    return [demand(name, **row) for name, row in rows.items()]


def pack(rows, types, minimise="cost", **on):
    return packing.pack(demands(rows), packing.empties(types, **on), minimise)


def price(name):
    usd = catalog.instance_type(name).usd_per_hour
    assert usd is not None
    return usd


def fleet(found):
    counts = Counter()
    for one in found.batches:
        counts[one.type_name] += one.instances
    return counts


@pytest.mark.parametrize("case", WORKED)
def test_cases_worked_out_by_hand(case):
    found = pack(case["services"], case["types"], **case.get("with", {}))
    assert fleet(found) == case["fleet"], case["why"]
    assert found.bound == pytest.approx(case.get("bound", found.value))


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(case):
    error = ValueError if case["error"] == "ValueError" else ParameterError
    with pytest.raises(error) as refused:
        pack(case["services"], case["types"])
    assert str(refused.value) == case["refused"]


def instances(found, asked):
    """Every instance with its tasks, taken one by one by the placement's rules: raises where one does not fit."""
    for batch in found.batches:
        one = resources.instance(batch.type_name, zone="any")
        for each in asked:
            for _ in range(batch.tasks.get(each.name, 0)):
                one = one.take(each.needs)
        assert (one.memory_mib, one.cpu_units) == (batch.left_mib, batch.left_cpu_units)
        yield from [one] * batch.instances


sizes = st.fixed_dictionaries(
    {
        "tasks": st.integers(1, 60),
        "memory_mib": st.integers(6, 3800),
        "cpu_units": st.sampled_from([0, 128, 256, 500, 1024, 2048]),
        "enis": st.integers(0, 1),
    }
)
some = st.dictionaries(st.sampled_from("abcde"), sizes, min_size=1, max_size=5)


@given(some, st.sets(st.sampled_from(TYPES), min_size=1), st.sampled_from(["cost", "instances"]))
@settings(max_examples=40, deadline=None)
def test_every_task_is_packed_once_no_instance_is_exceeded_and_the_bound_holds(rows, types, minimise):
    found = pack(rows, sorted(types), minimise)
    assert len(list(instances(found, demands(rows)))) == found.instances
    placed = {name: sum(one.instances * one.tasks.get(name, 0) for one in found.batches) for name in rows}
    assert placed == {name: row["tasks"] for name, row in rows.items()}
    assert found.bound <= found.value + 1e-9
    cost = sum(price(name) * number for name, number in fleet(found).items()) * HOURS_A_MONTH
    assert found.value == pytest.approx(cost if minimise == "cost" else found.instances)
    assert found.usd_month == pytest.approx(cost, abs=0.01 * len(found.batches))


tiny = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {
            "tasks": st.integers(1, 4),
            "memory_mib": st.integers(400, 3800),
            "cpu_units": st.sampled_from([128, 512, 700, 1024]),
            "enis": st.integers(0, 1),
        }
    ),
    min_size=1,
)


def optimum(asked, types):
    """The least that any packing costs an hour, by trying every load of every instance."""
    needs = [one.needs for one in asked]
    loads = [
        (load, price(name))
        for name in types
        for load in product(*(range(one.tasks + 1) for one in asked))
        if any(load) and holds(resources.instance(name, zone="any"), needs, load)
    ]

    @cache
    def least(wanted):
        if not any(wanted):
            return 0.0
        rest = (tuple(w - x for w, x in zip(wanted, load, strict=True)) for load, _ in loads)
        return min(least(left) + price for left, (_, price) in zip(rest, loads, strict=True) if min(left) >= 0)

    return least(tuple(one.tasks for one in asked))


def holds(one, needs, load):
    for task, copies in zip(needs, load, strict=True):
        for _ in range(copies):
            if resources.shortfalls(task, one):
                return False
            one = one.take(task)
    return True


@given(tiny, st.sets(st.sampled_from(TYPES), min_size=1))
@settings(max_examples=40, deadline=None)
def test_the_bound_is_no_higher_and_the_packing_hardly_dearer_than_the_best_of_all(rows, types):
    found, best = pack(rows, sorted(types)), optimum(demands(rows), sorted(types)) * HOURS_A_MONTH
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
def test_ten_thousand_tasks_of_twelve_services_are_within_one_percent_of_the_bound(seed, types):
    rng = np.random.default_rng(seed)
    tasks = rng.multinomial(10_000, rng.dirichlet(np.ones(12)))
    memory, cpu = rng.integers(256, 3500, 12), rng.integers(1, 9, 12) * 128
    rows = {
        f"service-{at}": {"tasks": int(tasks[at]), "memory_mib": int(memory[at]), "cpu_units": int(cpu[at])}
        for at in range(12)
    }
    found = pack(rows, types)
    assert sum(one.instances * sum(one.tasks.values()) for one in found.batches) == 10_000
    assert 0 <= found.gap_percent <= 1


def test_few_tasks_of_which_rounding_down_leaves_little_are_packed_well():
    rows = {
        "web": {"tasks": 6, "memory_mib": 2560, "cpu_units": 1024},
        "api": {"tasks": 4, "memory_mib": 900, "cpu_units": 512},
        "cron": {"tasks": 2, "memory_mib": 512, "cpu_units": 256},
    }
    assert fleet(pack(rows, ["c6g.xlarge", "m6g.large"])) == {"c6g.xlarge": 1, "m6g.large": 3}


def test_the_same_services_give_the_same_packing():
    rows = {"web": {"tasks": 70, "memory_mib": 900}, "cron": {"tasks": 9, "memory_mib": 2500}}
    assert pack(rows, TYPES) == pack(rows, TYPES)


def test_types_that_another_beats_change_nothing():
    rows = {"web": {"tasks": 3, "memory_mib": 3000, "cpu_units": 1024}}
    found = pack(rows, packing.candidates())
    assert found.value <= pack(rows, TYPES).value
    assert set(fleet(found)) <= set(packing.candidates())
