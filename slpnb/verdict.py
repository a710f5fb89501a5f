"""Verdicts: what was checked, what was seen, and whether the runbook may continue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

from slpnb.errors import Refusal, SlpnbError

Status = Literal["OK", "NG", "WARN", "SKIP"]


@dataclass(frozen=True)
class Verdict:
    """One check: its status, what was checked, and what was seen (with the numbers)."""

    status: Status
    subject: str
    seen: str

    def __str__(self) -> str:
        return f"{f'[{self.status}]':6} {self.subject}: {self.seen}"


def ok(subject: str, seen: str) -> Verdict:
    """The check holds."""
    return Verdict("OK", subject, seen)


def ng(subject: str, seen: str) -> Verdict:
    """The check fails: the runbook must not continue."""
    return Verdict("NG", subject, seen)


def warn(subject: str, seen: str) -> Verdict:
    """The check holds today, but will cause trouble; ``seen`` says when."""
    return Verdict("WARN", subject, seen)


def skip(subject: str, seen: str) -> Verdict:
    """The check could not be made; ``seen`` says why."""
    return Verdict("SKIP", subject, seen)


@dataclass(frozen=True)
class Verdicts:
    """Verdicts in a fixed order, shown as a list; false when any of them is NG."""

    items: tuple[Verdict, ...] = ()

    @classmethod
    def of(cls, items: Iterable[Verdict]) -> Verdicts:
        """Collect verdicts from any iterable, such as a generator of checks."""
        return cls(tuple(items))

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return not self.failed

    def __add__(self, other: Verdicts) -> Verdicts:
        return Verdicts(self.items + other.items)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The verdicts that stop the runbook."""
        return tuple(item for item in self.items if item.status == "NG")

    def problems(self) -> Verdicts:
        """Only what fails or will cause trouble."""
        return Verdicts(tuple(item for item in self.items if item.status in ("NG", "WARN")))

    def demand(self, error: type[SlpnbError] = Refusal) -> Verdicts:
        """Return these verdicts, or raise ``error`` with every failed check in its message, a line each if several."""
        found = tuple(self._failures())
        if found:
            raise error(found[0] if len(found) == 1 else "\n  - ".join((f"{len(found)} problems", *found)))
        return self

    def _failures(self) -> Iterator[str]:
        """Each finding once, with all the subjects that it applies to."""
        for seen in dict.fromkeys(item.seen for item in self.failed):
            yield f"{', '.join(item.subject for item in self.failed if item.seen == seen)}: {seen}"

    def summary(self) -> str:
        """One line for reports: how many checks, and how they came out."""
        counts = {status: sum(item.status == status for item in self.items) for status in ("OK", "NG", "WARN", "SKIP")}
        return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to check"

    def __repr__(self) -> str:
        return "\n".join(map(str, self.items)) or "nothing to check"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><b>{item.status}</b></td>'
            f'<td style="text-align:left">{escape(item.subject)}</td>'
            f'<td style="text-align:left">{escape(item.seen)}</td></tr>'
            for item in self.items
        )
        return f"<table><tr><th></th><th>check</th><th>seen</th></tr>{rows}</table>"
