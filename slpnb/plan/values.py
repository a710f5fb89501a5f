"""Placeholders in a plan for a value that is not known yet, or must not be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ref:
    """A value that another resource has: its id by default, or what its creation ``binds``.

    ``step`` names the notebook that makes the resource, when it is not the same one. With
    ``after`` only what follows the last such text counts: CloudWatch names a load balancer by
    the end of its ARN.
    """

    key: str
    attribute: str = "id"
    step: str = ""
    after: str = ""

    @property
    def origin(self) -> str:
        """Where the value would come from, for whoever finds that the resource does not exist."""
        return f"run {self.step} first" if self.step else "it is looked up, not created"

    def of(self, value: Any) -> Any:
        """What this refers to inside the whole ``value``."""
        return str(value).rpartition(self.after)[2] if self.after else value

    def __str__(self) -> str:
        return f"<{self.key}{'' if self.attribute == 'id' else ' ' + self.attribute}>"


@dataclass(frozen=True)
class Secret:
    """A value generated when the plan is applied, and shown nowhere.

    ``make`` returns it; ``shell`` is the command by which a reader would make one by hand.
    """

    make: Callable[[], str] = field(repr=False, compare=False)
    shell: str = "$(aws secretsmanager get-random-password --query RandomPassword --output text)"

    def __str__(self) -> str:
        return "<generated when applied, never shown>"


@dataclass(frozen=True)
class Join:
    """Text with `Ref` values inside it, such as the ARN of what does not exist yet."""

    parts: tuple[str | Ref, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


@dataclass(frozen=True)
class Json:
    """A value that AWS wants as JSON text, such as a policy; it may hold `Ref`, `Join` and `Secret` values."""

    value: Any


def nested(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same mappings and sequences, with ``change`` of each value that they hold at any depth."""
    if isinstance(value, Mapping):
        return {key: nested(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nested(item, change) for item in value]
    return change(value)


def substitute(value: Any, lookup: Callable[[Ref], Any]) -> Any:
    """Replace each `Ref` inside nested mappings and sequences by what ``lookup`` returns for it."""
    return nested(value, lambda item: _known(item, lookup))


def _known(value: Any, lookup: Callable[[Ref], Any]) -> Any:
    if isinstance(value, Ref):
        return lookup(value)
    if isinstance(value, Join):
        parts = tuple(_known(part, lookup) for part in value.parts)
        return "".join(parts) if all(type(part) is str for part in parts) else Join(parts)
    return Json(substitute(value.value, lookup)) if isinstance(value, Json) else value


def references(value: Any) -> list[Ref]:
    """Every `Ref` inside nested mappings and sequences, in order."""
    found: list[Ref] = []
    substitute(value, found.append)
    return found
