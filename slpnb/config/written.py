"""YAML as it was written: where a parameter is text, a number is the text that stands there.

YAML 1.1 reads 012345670123 as octal, 6.10 as 6.1 and 2026-11-26 as a date; an account's id, an image's tag
and a directory's permissions are meant as they stand.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel


@dataclass(frozen=True)
class Number:
    """A number of a YAML text: what YAML takes it for, and how it was written."""

    value: int | float
    text: str


class _Loader(yaml.SafeLoader):
    """YAML whose numbers are `Number`, and whose dates are text: no parameter is a date."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def number(self, node: yaml.ScalarNode) -> Number:
        """A `Number`, from an integer or a float."""
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        return Number(read(node), node.value)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.number)


def read(text: str) -> Any:
    """A YAML text, with a `Number` for each number. Raises `yaml.YAMLError`."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def meant(value: Any, annotation: Any) -> Any:
    """The value for a field of that type: numbers as numbers, or as text where only text is allowed.

    A plain integer, which papermill has read from YAML, is its own text.
    """
    if isinstance(value, Mapping):
        keys = [key.text if isinstance(key, Number) else key for key in value]
        return {key: meant(item, _inside(annotation, key)) for key, item in zip(keys, value.values(), strict=True)}
    if isinstance(value, list):
        return [meant(item, _inside(annotation)) for item in value]
    if isinstance(value, Number):
        return value.text if _is_text(annotation) else value.value
    return str(value) if type(value) is int and _is_text(annotation) else value


def _is_text(annotation: Any) -> bool:
    kinds = set(_branches(annotation))
    return str in kinds and not kinds & {int, float}


def _inside(annotation: Any, key: Any = None) -> Any:
    """The type of what a mapping holds under a key, or a list; None where the type does not say."""
    for branch in _branches(annotation):
        if isinstance(branch, type) and issubclass(branch, BaseModel):
            field = branch.model_fields.get(key)
            return field and field.annotation
        if get_origin(branch) in (dict, list):
            return get_args(branch)[-1]
    return None


def _branches(annotation: Any) -> Iterator[Any]:
    """The types that a union allows; any other type is its only branch."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _branches(branch)
    else:
        yield annotation
