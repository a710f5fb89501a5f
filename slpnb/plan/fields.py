"""Where AWS keeps an attribute: one table serves to read it from an answer and to write it into a call.

A table has each attribute's path (JMESPath), the same in both: ``{"port": "Port", "matcher": "Matcher.HttpCode"}``.
What stands behind `` || `` is what AWS means where it leaves the value out.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import reduce
from typing import Any

import jmespath

Fields = Mapping[str, str]


def read(fields: Fields, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes as an answer of AWS's has them; None for what it does not say."""
    return {name: jmespath.search(path, answer) for name, path in fields.items()}


def write(fields: Fields, attributes: Mapping[str, Any], changed: Set[str] | None = None) -> dict[str, Any]:
    """The parameters that set the ``changed`` attributes, by default all of them; what is None is left out.

    A parameter that holds several attributes, such as a service's deploymentConfiguration, is given whole.
    """
    paths = {name: path.partition(" || ")[0].split(".") for name, path in fields.items()}
    given = {path[0] for name, path in paths.items() if changed is None or name in changed}
    params: dict[str, Any] = {}
    for name, path in paths.items():
        if path[0] in given and attributes[name] is not None:
            *outer, last = path
            reduce(lambda inner, key: inner.setdefault(key, {}), outer, params)[last] = attributes[name]
    return params
