"""Task shapes counted on whole arrays, against the placement's own rules, one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.errors import ParameterError
from slpnb.fleet import shapes


def task_shapes(count: int, seed: int) -> pd.DataFrame:
    """Task shapes from 128 MiB to 32 GiB, of every network mode and architecture."""
    rng = np.random.default_rng(seed)
    mode = rng.integers(0, 4, count)
    return pd.DataFrame(
        {
            "memory_mib": (2 ** rng.uniform(7, 15, count)).astype(int),
            "cpu_units": rng.integers(0, 33, count) * 128,
            "gpus": rng.integers(0, 12, count) // 11,
            "enis": (mode == 0).astype(int),
            "dynamic_ports": (mode == 1).astype(int),
            "tcp_ports": [(80,) if one == 2 else () for one in mode],
            "architecture": rng.choice(["", "arm64", "x86_64"], count),
        },
        index=[f"shape-{number:04}" for number in range(count)],
    )


@given(st.lists(st.sampled_from(sorted(catalog.types())), min_size=1, max_size=9, unique=True), st.integers(0, 10**6))
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


@pytest.mark.parametrize(
    ("shaped", "sentence"),
    [
        ({"memory_mib": [4]}, "task shape 0: a task of 4 MiB: ECS accepts no less than 6 MiB"),
        ({"memory_mib": [512.5]}, "task shape 0: memory_mib 512.5 is not a whole number"),
        ({"cpu_units": [512]}, "task shapes: column memory_mib is missing"),
        ({"memory_mib": []}, "task shapes: there are none"),
    ],
)
def test_bad_shapes_are_refused_in_one_sentence(shaped, sentence):
    with pytest.raises(ParameterError) as refused:
        shapes.needs(pd.DataFrame(shaped))
    assert str(refused.value) == sentence
