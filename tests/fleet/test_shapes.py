"""Task shapes counted on whole arrays, against the placement's own rules, one by one."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from slpnb import catalog
from slpnb.ecs import placement
from slpnb.ecs.resources import ARCHITECTURE, ATTRIBUTE_ENI, TaskNeeds
from slpnb.fleet import shapes

tasks = st.builds(
    TaskNeeds,
    memory_mib=st.integers(6, 32_768),
    cpu_units=st.integers(0, 32).map(lambda step: step * 128),
    gpus=st.sampled_from([0, 0, 0, 1]),
    enis=st.integers(0, 1),
    dynamic_ports=st.integers(0, 1),
    tcp_ports=st.sampled_from([(), (), (80,), (8080,)]),
    udp_ports=st.sampled_from([(), (53,)]),
    attributes=st.sampled_from([(), ((ARCHITECTURE, "arm64"),), ((ARCHITECTURE, "x86_64"), (ATTRIBUTE_ENI, ""))]),
)


@given(
    st.lists(st.sampled_from(sorted(catalog.types())), min_size=1, max_size=9, unique=True),
    st.lists(tasks, min_size=1, max_size=9),
)
@settings(max_examples=40, deadline=None)
def test_counts_with_daemons_and_taken_ports_equal_placements(types, needs):
    daemon = placement.TaskNeeds(64, 32, tcp_ports=(80,))
    empty = [placement.instance(name, zone="any", daemons=(daemon,)) for name in types]
    count, binds = shapes.how_many(needs, empty)
    words = list(shapes.words(binds))
    for row, one in enumerate(empty):
        for column, task in enumerate(needs):
            copies, stops = placement.how_many(task, one)
            assert count[row, column] == copies
            assert words[row * len(needs) + column] == " and ".join(placement.WORDS[name] for name in stops)
