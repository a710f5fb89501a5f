"""Whether AWS takes a planned call: its parameters against botocore's service model, which botocore knows and
mostly does not check when it sends, and against what AWS documents beside it.

Pure: the model is data that comes with botocore. A value that is not known yet (`Ref`, `Secret`) is taken as right.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from slpnb.plan.documented import TEXTS
from slpnb.plan.model import Call
from slpnb.plan.values import Join, Json, Ref, Secret

UNKNOWN = (Ref, Join, Json, Secret)
NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}
TYPES: dict[str, Any] = NUMBERS | {"string": str, "boolean": bool, "structure": Mapping, "map": Mapping, "list": list}
# What Java's patterns have and Python's have not. Of letters and digits those of ASCII: a value that passes is
# taken by every service, and no name needs others.
JAVA = {
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
    r"\p{L}": "A-Za-z",
    r"\p{N}": "0-9",
    r"\p{Z}": " ",
    r"\p{Print}": "[ -~]",
}
MANY = 8  # a longer list of allowed values is not printed


@dataclass(frozen=True)
class Problem:
    """A value that AWS would refuse; ``member`` is its path (JMESPath) in the parameters of the call."""

    call: Call
    operation: str  # as AWS spells it
    member: str
    value: Any
    allowed: str  # follows "must be" or "must have"


def problems(call: Call) -> Iterator[Problem]:
    """What AWS would refuse in the parameters of a call, member by member. Pure."""
    operation, shape = _operation(call.service, call.operation)
    for member, value, allowed in _wrong(operation, shape, call.params, ""):
        yield Problem(call, operation, member, value, allowed)


@cache
def _operation(service: str, method: str) -> tuple[str, Shape]:
    model = _model(service)
    (name,) = (name for name in model.operation_names if name.lower() == method.replace("_", ""))
    shape = model.operation_model(name).input_shape
    assert shape is not None, f"{name} takes no parameters"  # noqa: S101 - a defect of the kit, and mypy asks
    return name, shape


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


Wrong = tuple[str, Any, str]  # member, value, what is allowed


def _wrong(operation: str, shape: Shape, value: Any, member: str) -> Iterator[Wrong]:
    if isinstance(value, UNKNOWN):
        return
    if not isinstance(value, TYPES[shape.type_name]) or isinstance(value, bool) != (shape.type_name == "boolean"):
        yield member, value, f"be of type {shape.type_name}"
        return
    yield from ((member, value, allowed) for allowed in _own(operation, shape, value, member))
    if shape.type_name == "structure":
        yield from _absent(shape, value, member)
    for inner, item, place in _inside(shape, value, member):
        yield from _wrong(operation, inner, item, place)


def _absent(shape: Any, value: Mapping[str, Any], member: str) -> Iterator[Wrong]:
    for name in shape.required_members:
        if name not in value:
            yield _below(member, name), None, "be given"
    for name in value.keys() - shape.members.keys():
        yield _below(member, name), value[name], f"be left out: the members are {', '.join(shape.members)}"


def _inside(shape: Any, value: Any, member: str) -> Iterator[tuple[Shape, Any, str]]:
    """The parts of a value, each with its shape and its place."""
    if shape.type_name == "structure":
        known = (name for name in value if name in shape.members)
        yield from ((shape.members[name], value[name], _below(member, name)) for name in known)
    elif shape.type_name == "list":
        yield from ((shape.member, item, f"{member}[{number}]") for number, item in enumerate(value))
    elif shape.type_name == "map":
        for key, item in value.items():
            place = _below(member, json.dumps(key))
            yield shape.key, key, place
            yield shape.value, item, place


def _below(member: str, name: str) -> str:
    return f"{member}.{name}" if member else name


def _own(operation: str, shape: Shape, value: Any, member: str) -> Iterator[str]:
    """What the shape and the documentation demand of a value itself, where it does not hold."""
    yield from _size(shape, value)
    pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield f"match {pattern}"
    if enum and value not in enum:
        yield f"be {_one_of(value, enum)}"
    text = TEXTS.get((operation, re.sub(r"\d+(?=])", "", member)))
    if text and not text.allows(value):
        yield f"be {text.words}"


def _size(shape: Shape, value: Any) -> Iterator[str]:
    bounds = {name: shape.metadata[name] for name in ("min", "max") if name in shape.metadata}
    if not bounds:
        return
    number = shape.type_name in NUMBERS
    size, unit = (value, "") if number else (len(value), f" {'characters' if isinstance(value, str) else 'items'}")
    verb, found = ("be", "") if number else ("have", f", not {size}")
    if size < bounds.get("min", size):
        yield f"{verb} at least {bounds['min']}{unit}{found}"
    if size > bounds.get("max", size):
        yield f"{verb} at most {bounds['max']}{unit}{found}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern, re.ASCII)


def _one_of(value: str, enum: list[str]) -> str:
    near = enum if len(enum) <= MANY else difflib.get_close_matches(value, enum, n=3)
    return f"one of {', '.join(near)}" if near else f"one of the {len(enum)} values that AWS lists"
