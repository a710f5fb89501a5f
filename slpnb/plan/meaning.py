"""When two values mean the same to AWS, which gives a policy back in another order than it was written in.

Rules: AWS Identity and Access Management User Guide, "IAM JSON policy elements reference": a list of one
is its only item, lists and statements have no order, actions and condition keys no upper and lower case, an
account's number is its root, ``*`` is ``{"AWS": "*"}``, and an Id grants nothing. A Sid is kept: it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

ROOT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root")


def same(one: Any, other: Any) -> bool:
    """Whether AWS makes no difference between two values."""
    return bool(_meaning(one) == _meaning(other))


def apart(one: Any, other: Any) -> tuple[Any, Any]:
    """Both values, policies without the statements that they have in common: what a reader needs of a difference."""
    if not (_is_policy(one) and _is_policy(other)):
        return one, other
    left, right = ({_statement(statement): statement for statement in _list(it["Statement"])} for it in (one, other))
    return (
        {**one, "Statement": [left[text] for text in left if text not in right]},
        {**other, "Statement": [right[text] for text in right if text not in left]},
    )


def _is_policy(value: Any) -> bool:
    return isinstance(value, Mapping) and "Statement" in value


def _meaning(value: Any) -> Any:
    if not _is_policy(value):
        return value
    rest = {name: item for name, item in value.items() if name not in ("Id", "Statement")}
    return rest, {_statement(statement) for statement in _list(value["Statement"])}


def _statement(statement: Mapping[str, Any]) -> str:
    """One text for all statements of the same meaning."""
    return json.dumps({name: _element(name, value) for name, value in statement.items()}, sort_keys=True, default=str)


def _element(name: str, value: Any) -> Any:
    if name in ("Action", "NotAction"):
        return _set(str(action).lower() for action in _list(value))
    if name in ("Resource", "NotResource"):
        return _set(_list(value))
    if name in ("Principal", "NotPrincipal"):
        kinds = {"AWS": "*"} if value == "*" else value
        return {kind: _set(ROOT.sub(r"\1", str(who)) for who in _list(whom)) for kind, whom in kinds.items()}
    return {test: _tested(keys) for test, keys in value.items()} if name == "Condition" else value


def _tested(keys: Mapping[str, Any]) -> dict[str, list[str]]:
    return {key.lower(): _set(_text(item) for item in _list(values)) for key, values in keys.items()}


def _text(value: Any) -> str:
    """A condition's value: JSON's true and the text "true" are one."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set(items: Any) -> list[str]:
    return sorted({str(item) for item in items})


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
