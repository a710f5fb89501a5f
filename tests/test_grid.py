"""The closed form against the rules played through step by step."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slpnb import catalog, placement, sizing
from slpnb.errors import ParameterError
from slpnb.grid import grid
from slpnb.placement import TaskNeeds

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d")
TYPES = st.sampled_from(["c6i.large", "c6g.xlarge", "m7g.2xlarge", "t4g.medium", "g4dn.xlarge", "c5.large"])
SHAPES = st.fixed_dictionaries(
    {
        "memory_mib": st.integers(64, 9000),
        "cpu_units": st.integers(0, 4096),
        "gpus": st.integers(0, 1),
        "enis": st.integers(0, 1),
        "static_ports": st.integers(0, 1),
        "desired": st.integers(0, 9),
        "minimum_healthy_percent": st.integers(0, 100),
        "maximum_percent": st.integers(100, 300),
    }
)


@settings(deadline=None, max_examples=150)
@given(
    kind=TYPES,
    shape=SHAPES,
    zones=st.integers(1, 4),
    least=st.integers(0, 4),
    more=st.integers(0, 6),
    reserved_mib=st.sampled_from([0, 256]),
    trunking=st.booleans(),
    alone=st.booleans(),
)
def test_it_answers_as_the_step_by_step_rules_do(kind, shape, zones, least, more, reserved_mib, trunking, alone):
    group = {"min_instances": least, "max_instances": max(1, least + more)}
    options = {"zones": zones, "reserved_mib": reserved_mib, "trunking": trunking, "one_per_instance": alone}
    found = grid(pd.DataFrame([shape]), [kind], **options, **group).frame(0).loc[kind]
    needs = TaskNeeds(
        shape["memory_mib"],
        cpu_units=shape["cpu_units"],
        gpus=shape["gpus"],
        enis=shape["enis"],
        tcp_ports=(80,) if shape["static_ports"] else (),
    )
    template = "one_per_instance" if alone else "az_balanced_spread"
    fleet = sizing.Fleet(
        kind,
        least,
        group["max_instances"],
        ZONES[:zones],
        reserved_mib=reserved_mib,
        trunking=trunking,
        template=template,
    )
    assert found["tasks"] == fleet.per_instance(needs)
    desired = shape["desired"]
    running = sizing.steady(needs, fleet, desired)
    percents = {key: shape[key] for key in ("minimum_healthy_percent", "maximum_percent")}
    update = sizing.rollout(needs, running, desired=desired, **percents)
    assert found["holds"] == (not update.incomplete)
    assert found["updates"] == (not update.stuck)
    if found["holds"]:
        assert found["instances"] == running.instances
        worst = sizing.zone_lost(needs, running, desired).sort_values(["survive", "placed"], kind="stable").iloc[0]
        assert found[["survive", "placed", "wait"]].tolist() == worst[["survive", "placed", "wait"]].tolist()
    if found["updates"]:
        assert (found["update_instances"], found["lowest"]) == (update.instances, update.lowest)


def test_every_type_of_the_catalogue_is_a_row():
    found = grid(pd.DataFrame({"memory_mib": [2560, 8192], "cpu_units": [2048, 2048]}))
    assert found.tasks.shape == (len(catalog.types()), 2)
    names = ["c6i.large", "c6g.xlarge", "m5.24xlarge"]
    for name in names:
        for shape, mib in enumerate((2560, 8192)):
            assert found.frame(shape).loc[name, "tasks"] == placement.fit(TaskNeeds(mib, cpu_units=2048), name).count


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"memory": [1]}, "shapes: memory; known: memory_mib"),
        ({"cpu_units": [1]}, "no column memory_mib"),
        ({"memory_mib": [5]}, "no task below 6 MiB"),
        ({"memory_mib": [64], "desired": [-1]}, "nothing may be negative"),
    ],
)
def test_shapes_that_cannot_be_are_refused(columns, sentence):
    with pytest.raises(ParameterError, match=sentence):
        grid(pd.DataFrame(columns))
