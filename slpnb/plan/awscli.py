"""Any plan as AWS CLI commands, so that a reader can check it or repeat it by hand.

Values that only exist once a command has run become shell variables: ``$FILE_SYSTEM_ID`` is
set by the command that creates the file system and used by those that follow.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore import xform_name

from slpnb.plan.model import Call, Change, Observed, Wait, unmet
from slpnb.plan.shown import beginning
from slpnb.plan.values import Join, Json, Ref, Secret, nested, substitute

NEXT = " \\\n    "  # one option per line
RENAMED = {"--enable-execute-command": "--disable-execute-command"}  # the AWS CLI says so, instead of --no-...
ACCOUNT = "ACCOUNT_ID"  # what `variable` makes of the key "account"


def script(pending: Sequence[Change], observed: Observed, ids: bool = False) -> str:
    """A shell script of a plan's pending changes; a comment line before each says why.

    What already exists is a variable too; with ``ids`` the script begins by setting these. Where an
    earlier step has yet to make something, the script stops at its first line and says which step.
    """
    return "\n".join([*_stops(pending, observed), _body(pending, observed, ids)])


def _stops(pending: Sequence[Change], observed: Observed) -> Sequence[str]:
    # What is of the same step may be in a part of the plan that was printed before this one.
    needed = {variable(ref.key, ref.attribute): ref.origin for _, ref in unmet(pending, observed) if ref.step}
    return [f': "${{{name}:?{origin}}}"' for name, origin in sorted(needed.items())]


def _body(pending: Sequence[Change], observed: Observed, ids: bool) -> str:
    known = _known(observed)
    body = "\n".join(line for change in pending for line in _commands(change, known)) or "# nothing to do"
    used = {name: identifier for identifier, name in known.items() if f"${{{name}}}" in body or f"${{{name}##" in body}
    if not used:
        return body
    if ids:
        return "\n".join([*(f"{name}={used[name]}" for name in sorted(used)), body])
    return f"# exists already; set by plan.commands(ids=True): {', '.join(sorted(used))}\n{body}"


def _known(have: Observed) -> dict[str, str]:
    """The variable that stands for each id and ARN that exists already."""
    pairs = ((found.key, found.identifiers()) for found in have.values())
    return {value: variable(key, name) for key, names in pairs for value, name in names.items()}


def _commands(change: Change, known: Mapping[str, str]) -> Iterator[str]:
    yield f"# {change.action} {change.title} {change.name}: {change.reason}"
    for call in change.calls:
        yield from command(_without_ids(call, known), change.key)


def _without_ids(call: Call, known: Mapping[str, str]) -> Call:
    params, wait = _name_ids(call.params, known), call.wait
    return replace(call, params=params, wait=wait and replace(wait, params=_name_ids(wait.params, known)))


def _name_ids(params: Any, known: Mapping[str, str]) -> Any:
    return nested(params, lambda value: _named(value, known))


def _named(value: Any, known: Mapping[str, str]) -> Any:
    """Known values, several with commas between them or one with a suffix, such as a secret's ARN with a key."""
    if isinstance(value, Json):
        return Json(_name_ids(value.value, known))
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if all(part in known for part in parts):
        return _Shell(",".join(f"${{{known[part]}}}" for part in parts))
    whole, rest = beginning(value, known)
    return Join((_Shell(f"${{{known[whole]}}}"), rest)) if whole else _name_account(value, known)


def _name_account(text: str, known: Mapping[str, str]) -> Any:
    """An ARN with the account's variable in it, so that no account id is shown."""
    account = next((value for value, name in known.items() if name == ACCOUNT), None)
    if not account or f":{account}:" not in text:
        return text
    before, after = text.split(f":{account}:", 1)
    return Join((f"{before}:", _Shell(f"${{{ACCOUNT}}}"), f":{after}"))


def command(call: Call, key: str = "") -> list[str]:
    """One call as the command that would do the same, then the loop that waits for what the kit waits for."""
    line = _aws(call.service, call.operation, call.params)
    if call.binds:
        names = " ".join(variable(key, name) for name in call.binds)
        paths = list(call.binds.values())
        query = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
        line = f'read -r {names} <<< "$({line}{NEXT}--query {shlex.quote(query)} --output text)"'
    return [line, _until(call.service, call.wait)] if call.wait else [line]


def _aws(service: str, operation: str, params: Mapping[str, Any]) -> str:
    return NEXT.join([f"aws {service} {operation.replace('_', '-')}", *_options(params)])


def _until(service: str, wait: Wait) -> str:
    look = f"{_aws(service, wait.operation, wait.params)}{NEXT}--query {shlex.quote(wait.path)} --output text"
    return f'until [ "$({look})" = {shlex.quote(str(wait.until))} ]; do sleep {wait.delay_seconds:g}; done'


def variable(key: str, attribute: str = "id") -> str:
    """The shell variable that stands for a resource's value: file-system, id -> FILE_SYSTEM_ID."""
    return re.sub(r"\W+", "_", f"{key}_{attribute}").upper()


def _options(params: Mapping[str, Any]) -> Iterable[str]:
    for name, value in params.items():
        option = "--" + xform_name(name, "-")
        if isinstance(value, bool):
            yield option if value else RENAMED.get(option, f"--no-{option[2:]}")
        else:
            yield f"{option} {_quote(value)}"


def _quote(value: Any) -> str:
    """Quote for a shell, leaving the variables of `Ref` and `Secret` values to be expanded."""
    marks: dict[str, str] = {}
    marked = _mark_all(substitute(value, _expansion), marks)
    if isinstance(marked, list) and all(isinstance(item, (str, int)) for item in marked) and marked:
        return " ".join(_expand(shlex.quote(str(item)), marks) for item in marked)
    text = marked if isinstance(marked, str) else json.dumps(marked)
    return _expand(shlex.quote(text), marks)


class _Shell(str):
    """Text that the shell must expand."""


def _expansion(ref: Ref) -> _Shell:
    """The variable of a `Ref`, without what `Ref.after` leaves out."""
    return _Shell(f"${{{variable(ref.key, ref.attribute)}{f'##*{ref.after}' if ref.after else ''}}}")


def _mark_all(value: Any, marks: dict[str, str]) -> Any:
    return nested(value, lambda item: _mark(item, marks))


def _mark(value: Any, marks: dict[str, str]) -> Any:
    if isinstance(value, (_Shell, Secret)):
        mark = f"SLPNB{len(marks)}MARK"
        marks[mark] = value.shell if isinstance(value, Secret) else str(value)
        return mark
    if isinstance(value, Join):
        return "".join(_mark(part, marks) for part in value.parts)
    return json.dumps(_mark_all(value.value, marks)) if isinstance(value, Json) else value


def _expand(quoted: str, marks: Mapping[str, str]) -> str:
    for mark, shell in marks.items():
        if quoted == mark:
            return f'"{shell}"'
        quoted = quoted.replace(mark, f"'\"{shell}\"'")
    return quoted
