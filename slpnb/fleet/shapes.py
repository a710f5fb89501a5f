"""Task shapes as a table, and how many copies of each every instance takes, all at once.

The table's columns are `placement.TaskNeeds`'s own (COLUMNS below): one row per shape or service.
The counting is `placement.how_many`'s rule on whole arrays; the tests hold the two equal.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slpnb.ecs.placement import WORDS
from slpnb.ecs.resources import ARCHITECTURE, ATTRIBUTE_ENI, Attribute, Instance, Resource, TaskNeeds
from slpnb.errors import ParameterError

COLUMNS: Mapping[str, str] = {
    "memory_mib": "MiB that one task takes; the only required column",
    "cpu_units": "CPU units, 1024 per vCPU",
    "gpus": "GPUs",
    "enis": "1 in network mode awsvpc",
    "tcp_ports": "static host ports, a sequence or one number",
    "udp_ports": "static host ports, a sequence or one number",
    "dynamic_ports": "host ports drawn from the ephemeral range",
    "architecture": "arm64 or x86_64; empty for either",
}
NUMBERS = ("memory_mib", "cpu_units", "gpus", "enis", "dynamic_ports")

# The resources in the order in which ECS looks at them; a bit each in what binds.
RESOURCES: tuple[Resource, ...] = ("cpu", "memory", "gpus", "enis", "ports", "attribute")

Counts = NDArray[np.int32]


def needs(shapes: pd.DataFrame, also: Iterable[str] = ()) -> dict[Any, TaskNeeds]:
    """What a task of each row takes, by the row's index; an empty cell asks for nothing.

    ``also`` names columns that the caller reads itself. Raises `ParameterError` for an unknown
    column or one that is missing, a name that is there twice, and sizes that ECS refuses.
    """
    known = {*COLUMNS, *also}
    for column in shapes.columns:
        if column not in known:
            near = difflib.get_close_matches(str(column), sorted(known), n=1)
            raise ParameterError(
                f"task shapes: unknown column {column!r}" + (f"; did you mean {near[0]}?" if near else "")
            )
    missing = [name for name in ("memory_mib", *also) if name not in shapes.columns]
    if missing or shapes.empty:
        raise ParameterError(f"task shapes: {f'column {missing[0]} is missing' if missing else 'there are none'}")
    twice = shapes.index[shapes.index.duplicated()]
    if len(twice):
        raise ParameterError(f"task shapes: {twice[0]!r} appears twice")
    return {name: _row(name, row) for name, row in zip(shapes.index, shapes.to_dict("records"), strict=True)}


def whole(name: Any, column: str, value: Any) -> int:
    """A whole number from a cell. Raises `ParameterError` with row and column for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or value != value // 1:
        raise ParameterError(f"task shape {name!r}: {column} {value!r} is not a whole number")
    return int(value)


def _row(name: Any, cells: Mapping[Any, Any]) -> TaskNeeds:
    row = {column: cell for column, cell in cells.items() if column == "memory_mib" or not _empty(cell)}
    numbers = {column: whole(name, column, row[column]) for column in NUMBERS if column in row}
    architecture = row.get("architecture") or ""
    if architecture not in ("", "arm64", "x86_64"):
        raise ParameterError(f"task shape {name!r}: architecture {architecture!r} must be arm64, x86_64 or empty")
    attributes: list[Attribute] = [(ARCHITECTURE, architecture)] if architecture else []
    if numbers.get("enis"):
        attributes.append((ATTRIBUTE_ENI, ""))
    tcp, udp = (_ports(name, column, row.get(column, ())) for column in ("tcp_ports", "udp_ports"))
    sizes: dict[str, Any] = {**numbers, "tcp_ports": tcp, "udp_ports": udp, "attributes": tuple(attributes)}
    try:
        return TaskNeeds(**sizes)
    except ParameterError as error:
        raise ParameterError(f"task shape {name!r}: {error}") from None


def _empty(cell: Any) -> bool:
    """A cell that says nothing, as pandas leaves it where only other rows have a value."""
    return cell is None or (isinstance(cell, float) and cell != cell)


def _ports(name: Any, column: str, value: Any) -> tuple[int, ...]:
    ports = tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    numbers = sorted(whole(name, column, port) for port in ports)
    wrong = [port for port in numbers if not 1 <= port <= 65535]
    if wrong or len(set(numbers)) < len(numbers):
        what = f"{wrong[0]} is not a port from 1 to 65535" if wrong else "the same port twice"
        raise ParameterError(f"task shape {name!r}: {column}: {what}")
    return tuple(numbers)


def how_many(shapes: Sequence[TaskNeeds], instances: Sequence[Instance]) -> tuple[Counts, NDArray[np.uint8]]:
    """`placement.how_many` of every instance (rows) with every shape (columns).

    How many copies, and what stops one more: a bit for each of RESOURCES, the first the lowest.
    """
    ratios = [_ratios(shapes, instances, resource) for resource in RESOURCES]
    count = reduce(np.minimum, ratios)
    binds = np.zeros(count.shape, np.uint8)
    for bit, ratio in enumerate(ratios):
        binds |= (ratio == count).astype(np.uint8) << np.uint8(bit)
    return count, binds


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


def words(binds: NDArray[np.uint8]) -> pd.Categorical[str]:
    """What binds in words, as `placement.Fit.binding` has it: "CPU and memory"."""
    present = np.flatnonzero(np.bincount(binds.ravel(), minlength=2 ** len(RESOURCES)))
    texts = [" and ".join(WORDS[name] for bit, name in enumerate(RESOURCES) if mask >> bit & 1) for mask in present]
    code = np.searchsorted(present, np.arange(2 ** len(RESOURCES))).astype(np.int8)
    return pd.Categorical.from_codes(code[binds].ravel(), categories=pd.Index(texts))
