"""How many copies of each of several tasks every instance takes, all at once.

The counting is `placement.how_many`'s rule on whole arrays; the tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb.ecs.placement import WORDS
from slpnb.ecs.resources import Attribute, Instance, Resource, TaskNeeds

# The resources in the order in which ECS looks at them; a bit each in what limits.
RESOURCES: tuple[Resource, ...] = ("cpu", "memory", "gpus", "enis", "ports", "attribute")

Counts = NDArray[np.int32]


def how_many(shapes: Sequence[TaskNeeds], instances: Sequence[Instance]) -> tuple[Counts, NDArray[np.uint8]]:
    """`placement.how_many` of every instance (rows) with every shape (columns).

    How many copies, and what stops one more: a bit for each of RESOURCES, the first the lowest.
    """
    ratios = [_ratios(shapes, instances, resource) for resource in RESOURCES]
    count = reduce(np.minimum, ratios)
    limiting = np.zeros(count.shape, np.uint8)
    for bit, ratio in enumerate(ratios):
        limiting |= (ratio == count).astype(np.uint8) << np.uint8(bit)
    return count, limiting


PLENTY = np.iinfo(np.int32).max  # copies that a resource allows of a task that takes none of it
AMOUNTS: Mapping[Resource, tuple[Callable[[TaskNeeds], int], Callable[[Instance], int]]] = {
    "cpu": (lambda task: task.cpu_units, lambda one: one.cpu_units),
    "memory": (lambda task: task.memory_mib, lambda one: one.memory_mib),
    "gpus": (lambda task: task.gpus, lambda one: one.gpus),
    "enis": (lambda task: task.enis, lambda one: one.enis),
    "ports": (lambda task: task.dynamic_ports, lambda one: one.dynamic_ports),
}


def _ratios(shapes: Sequence[TaskNeeds], instances: Sequence[Instance], resource: Resource) -> Counts:
    """How many copies one resource allows."""
    if resource == "attribute":
        return _allowed(shapes, instances, lambda task: task.attributes, _lacks, PLENTY)
    of_task, of_instance = AMOUNTS[resource]
    asked = np.array([of_task(task) for task in shapes], np.int32)
    free = np.array([of_instance(one) for one in instances], np.int32)
    ratios = np.full((len(free), len(asked)), PLENTY, np.int32)
    some = np.flatnonzero(asked)
    ratios[:, some] = free[:, None] // asked[some]
    if resource == "ports":
        for ports, used in _STATIC:
            np.minimum(ratios, _allowed(shapes, instances, ports, used, 1), out=ratios)
    return ratios


_STATIC: tuple[tuple[Callable[[TaskNeeds], tuple[int, ...]], Callable[[Instance, Any], bool]], ...] = (
    (lambda task: task.tcp_ports, lambda one, ports: not one.tcp_ports.isdisjoint(ports)),
    (lambda task: task.udp_ports, lambda one, ports: not one.udp_ports.isdisjoint(ports)),
)


def _lacks(one: Instance, attributes: tuple[Attribute, ...]) -> bool:
    return any(name not in one.attributes or (value and one.attributes[name] != value) for name, value in attributes)


def _allowed(
    shapes: Sequence[TaskNeeds],
    instances: Sequence[Instance],
    asks: Callable[[TaskNeeds], tuple[Any, ...]],
    refuses: Callable[[Instance, Any], bool],
    copies: int,
) -> Counts:
    """``copies`` where an instance has what a shape asks for, else 0; evaluated once for each distinct request."""
    wishes = [asks(task) for task in shapes]
    ratios = np.full((len(instances), len(shapes)), PLENTY, np.int32)
    for wish in dict.fromkeys(wish for wish in wishes if wish):
        columns = [at for at, other in enumerate(wishes) if other == wish]
        refused = np.array([refuses(one, wish) for one in instances], bool)
        ratios[:, columns] = np.where(refused, 0, copies)[:, None]
    return ratios


def words(limiting: NDArray[np.uint8]) -> pd.Categorical[str]:
    """What limits in words, as `placement.Fit.limited_by` has it: "CPU and memory"."""
    present = np.flatnonzero(np.bincount(limiting.ravel(), minlength=2 ** len(RESOURCES)))
    texts = [" and ".join(WORDS[name] for bit, name in enumerate(RESOURCES) if mask >> bit & 1) for mask in present]
    code = np.searchsorted(present, np.arange(2 ** len(RESOURCES))).astype(np.int8)
    return pd.Categorical.from_codes(code[limiting].ravel(), categories=pd.Index(texts))
