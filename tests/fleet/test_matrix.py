"""The matrix against a loop over the same rules, pair by pair."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.errors import ParameterError
from slpnb.fleet import Fleet, matrix, shapes
from tests.benchmarks.ratios_sizing import by_loop, task_shapes

TYPES = sorted(catalog.types())
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")

fleets = st.builds(
    lambda low, more, zones, **rest: Fleet("c6g.large", low, low + more, ZONES[:zones], **rest),
    st.integers(0, 4),
    st.integers(0, 6),
    st.integers(1, 3),
    reserved_mib=st.sampled_from([0, 256, 5000]),
    trunking=st.booleans(),
    template=st.sampled_from(sorted(placement.TEMPLATES)),
)
services = st.fixed_dictionaries(
    {
        "desired": st.integers(1, 7),
        "minimum_healthy_percent": st.sampled_from([0, 50, 66, 100]),
        "maximum_percent": st.sampled_from([100, 133, 150, 200]),
        "target_capacity_percent": st.sampled_from([80, 100]),
    }
)


def same(table, loop):
    pd.testing.assert_frame_equal(table.astype({"binds": str}), loop.astype({"binds": str}), check_dtype=False)


@given(st.lists(st.sampled_from(TYPES), min_size=1, max_size=6, unique=True), st.integers(0, 10**6), fleets, services)
@settings(max_examples=40, deadline=None)
def test_it_equals_the_loop(types, seed, fleet, service):
    shaped = task_shapes(6, seed)
    same(
        matrix.sizes(shaped, fleet, types=types, **service),
        by_loop(shaped, fleet, types=types, **service),
    )


def test_every_type_is_there_and_a_sample_of_them_equals_the_loop():
    shaped, fleet = task_shapes(40), Fleet("c6g.large", 2, 6, ZONES)
    table = matrix.sizes(shaped, fleet, desired=3)
    assert len(table) == len(TYPES) * 40
    some = TYPES[::97]
    same(table.loc[some], by_loop(shaped, fleet, types=some, desired=3))


@given(st.lists(st.sampled_from(TYPES), min_size=1, max_size=9, unique=True), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_counts_with_daemons_and_taken_ports_equal_placements(types, seed):
    needs = list(shapes.needs(task_shapes(9, seed)).values())
    daemon = placement.TaskNeeds(64, 32, tcp_ports=(80,))
    empty = [placement.instance(name, zone="any", daemons=(daemon,)) for name in types]
    count, binds = shapes.how_many(needs, empty)
    words = list(shapes.words(binds))
    for row, one in enumerate(empty):
        for column, task in enumerate(needs):
            copies, stops = placement.how_many(task, one)
            assert count[row, column] == copies
            assert words[row * len(needs) + column] == " and ".join(placement.WORDS[name] for name in stops)


def test_the_research_notebooks_shapes_on_its_types():
    shaped = pd.DataFrame({"memory_mib": [8192, 3584, 2560], "cpu_units": 2048}, index=["first", "second", "third"])
    fleet = Fleet("c6i.large", 1, 1, ZONES[:1])
    table = matrix.sizes(shaped, fleet, types=["c6i.large", "c6g.xlarge"])
    assert table["tasks"].to_dict() == {
        ("c6i.large", "first"): 0,
        ("c6i.large", "second"): 1,
        ("c6i.large", "third"): 1,
        ("c6g.xlarge", "first"): 0,
        ("c6g.xlarge", "second"): 2,
        ("c6g.xlarge", "third"): 2,
    }
    assert table["update_finishes"].to_list() == [False, False, False, False, True, True]
    assert table.loc[("c6i.large", "first"), "binds"] == "memory"
    assert table.loc[("c6i.large", "third"), "binds"] == "CPU and memory"


@pytest.mark.parametrize(
    ("shaped", "desired", "sentence"),
    [
        ({"memory_mib": [512]}, 0, "desired 0: a service of no tasks has no size"),
        ({"memory_mib": [4]}, 1, "task shape 0: a task of 4 MiB: ECS accepts no less than 6 MiB"),
        ({"memory_mib": [512.5]}, 1, "task shape 0: memory_mib 512.5 is not a whole number"),
        ({"cpu_units": [512]}, 1, "task shapes: column memory_mib is missing"),
        ({"memory_mib": []}, 1, "task shapes: there are none"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(shaped, desired, sentence):
    with pytest.raises(ParameterError) as refused:
        matrix.sizes(pd.DataFrame(shaped), Fleet("c6g.large"), desired=desired)
    assert str(refused.value) == sentence
