"""Applying a plan: the only code in the kit that writes to AWS.

Each call is sent once, in the plan's order, and again only after an error that passes by itself
(`slpnb.plan.retries`); what an answer binds is handed to the calls that refer to it. A crash in the
middle loses nothing: the next plan starts from what AWS holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from slpnb.aws import Aws, error_code, explain
from slpnb.errors import AwsError, Refusal, VerificationError
from slpnb.plan.model import Call, Change, Observed, Wait, unmet
from slpnb.plan.retries import passes
from slpnb.plan.values import Json, Ref, Secret, nested, substitute
from slpnb.verdict import Verdicts, ok, skip

if TYPE_CHECKING:
    from slpnb.plan.changes import Plan

RETRY_DELAY_SECONDS = 3
RETRY_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Applied:
    """What applying a plan did: one line per change. ``written`` is false for a plan that was only shown."""

    step: str
    written: bool
    lines: tuple[str, ...]
    calls: int = 0

    def demand_settled(self, again: Callable[[], Plan]) -> Verdicts:
        """Once written, the same plan made ``again`` must be empty.

        Raises `VerificationError` with each attribute as it was read and as it was wanted.
        """
        subject = "the same plan again"
        if not self.written:
            return Verdicts((skip(subject, "nothing was applied"),))
        try:
            left = again()
        except Refusal as refusal:  # what differs cannot be changed
            raise VerificationError(str(refusal)) from refusal
        left.demand_empty()
        return Verdicts((ok(subject, "nothing left to do"),))

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def apply(step: str, pending: Sequence[Change], observed: Observed, aws: Aws, confirm: str = "") -> Applied:
    """Send the ``pending`` changes of a step; see `slpnb.plan.Plan.apply`."""
    allowed, why = aws.may_write(confirm)
    if not pending or not allowed:
        aws.nothing_written()
        said = f"plan only, nothing written: {why}" if pending else "nothing to do"
        return Applied(step, allowed, (f"{step}: {said}",))
    if any(change.action != "-" for change in pending):
        aws.preflight(step, observed)
    _require_known(step, pending, observed)
    sender = _Sender(aws, pending, observed)
    lines = [sender.send(change) for change in pending]
    return Applied(step, True, tuple(lines), sender.calls)


def _require_known(step: str, pending: Sequence[Change], observed: Observed) -> None:
    """Refuse before the first write if a call needs something that no earlier call makes and AWS does not have."""
    for change, ref in unmet(pending, observed):
        raise Refusal(f"{step}: {change.title} {change.name} needs {ref}, which does not exist: {ref.origin}")


class _Sender:
    """Sends changes one after the other and remembers what their answers bound."""

    def __init__(self, aws: Aws, pending: Sequence[Change], observed: Observed) -> None:
        self.aws, self.pending, self.observed = aws, pending, observed
        self.known: dict[tuple[str, str], Any] = {(key, "id"): found.id for key, found in observed.items()}
        self.done: list[str] = []
        self.calls = 0

    def send(self, change: Change) -> str:
        for call in change.calls:
            self._send_call(change, call)
        done = {"+": "created", "~": "updated", "-": "deleted"}[change.action]
        self.done.append(f"{change.title} {change.name}")
        return f"{change.action} {change.title} {change.name} {done}"

    def _send_call(self, change: Change, call: Call) -> None:
        try:
            answer = self._retrying(call, self._ready(call.params))
            self.calls += 1
            for name, path in call.binds.items():
                self.known[change.key, name] = jmespath.search(path, answer)
            if call.wait:
                self._wait(call, call.wait)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            raise self._failed(change, call, error) from error

    def _retrying(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        waited = 0
        while True:
            try:
                answer: dict[str, Any] = getattr(self.aws.client(call.service), call.operation)(**params)
                return answer
            except ClientError as error:
                if error_code(error) in call.gone:
                    return {}
                if waited >= RETRY_TIMEOUT_SECONDS or not passes(call.service, error):
                    raise
            self.aws.sleep(RETRY_DELAY_SECONDS)
            waited += RETRY_DELAY_SECONDS

    def _wait(self, call: Call, wait: Wait) -> None:
        waited = 0.0
        while True:
            seen = self._seen(call, wait)
            if seen == wait.until:
                return
            if seen in wait.fails or waited >= wait.timeout_seconds:
                raise TimeoutError(
                    f"{wait.operation}: {wait.path} is {seen} after {waited:.0f} s, not {wait.until}"
                    + (f"; {wait.hint}" if wait.hint else "")
                )
            self.aws.sleep(wait.delay_seconds)
            waited += wait.delay_seconds

    def _seen(self, call: Call, wait: Wait) -> Any:
        try:
            answer = getattr(self.aws.client(call.service), wait.operation)(**self._ready(wait.params))
        except ClientError as error:
            if error_code(error) in call.gone:
                return wait.until
            raise
        return jmespath.search(wait.path, answer)

    def _ready(self, params: Any) -> dict[str, Any]:
        return dict(nested(substitute(params, self._value), _as_sent))

    def _value(self, ref: Ref) -> Any:
        if (ref.key, ref.attribute) in self.known:
            return ref.of(self.known[ref.key, ref.attribute])
        return ref.of(self.observed[ref.key].value(ref.attribute))  # _require_known saw that it is there

    def _failed(self, change: Change, call: Call, error: Exception) -> AwsError:
        reason = explain(call.service, error) if isinstance(error, ClientError) else str(error)
        names = [f"{c.title} {c.name}" for c in self.pending]
        left = [name for name in names if name not in self.done]
        return AwsError(
            f"{call.service} {call.operation} for {change.title} {change.name}: {reason} "
            f"(done: {', '.join(self.done) or 'nothing'}; not done: {', '.join(left)}; run again to continue from here)"
        )


def _as_sent(value: Any) -> Any:
    """A `Secret` made, a `Json` value as its text."""
    if isinstance(value, Secret):
        return value.make()
    return json.dumps(nested(value.value, _as_sent)) if isinstance(value, Json) else value
