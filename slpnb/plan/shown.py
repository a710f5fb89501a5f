"""How a plan's values are shown: ids as the keys of what they name, secrets as a placeholder, accounts not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from slpnb.plan.values import Join, Ref, Secret, nested

if TYPE_CHECKING:
    from slpnb.plan.model import Observed


def show(value: Any, have: Observed | None = None) -> str:
    """A value as a reader sees it: ids and ARNs as the keys of what they name, secrets as a placeholder."""
    if value is None:
        return "absent"
    if isinstance(value, (Ref, Join, Secret)):
        return _hide_account(str(value), have or {})
    names = _shown(have or {})
    shown = nested(value, lambda item: _relabel(item, names) if isinstance(item, str) else item)
    text = (
        shown or '""' if isinstance(shown, str) else json.dumps(shown, default=str, sort_keys=True, ensure_ascii=False)
    )
    return _hide_account(text, have or {})


def _relabel(text: str, names: Mapping[str, str]) -> str:
    """A text with the label of what is known in it."""
    known, rest = beginning(text, names)
    return names[known] + rest if known else text


def beginning(text: str, known: Iterable[str]) -> tuple[str, str]:
    """The known value that a text is, or begins with (a secret's ARN with a key, an image's address), and the rest."""
    values = set(known)
    if text in values:
        return text, ""
    longer = (value for value in values if re.search("[:.]", value) and text.startswith((f"{value}:", f"{value}@")))
    value = max(longer, key=len, default="")
    return value, text[len(value) :]


def brief(value: Any, have: Observed) -> str:
    """As `show`, but a policy by the names of its statements: `Plan.commands` has it whole."""
    if isinstance(value, Mapping) and isinstance(value.get("Statement"), list):
        return ", ".join(statement.get("Sid", "unnamed statement") for statement in value["Statement"])
    return show(value, have)


def _shown(have: Observed) -> dict[str, str]:
    return {value: str(Ref(found.key, name)) for found in have.values() for value, name in found.identifiers().items()}


def _hide_account(text: str, have: Observed) -> str:
    """No account id is ever shown: an ARN of this account becomes ``<service resource>``."""
    if "account" not in have:
        return text
    account = re.escape(have["account"].id)
    return re.sub(rf"arn:[\w-]+:([\w-]+):[\w-]*:{account}:([^\"\s]+)", r"<\1 \2>", text)
