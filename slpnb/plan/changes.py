"""The plan of a step: its changes, shown, printed as AWS CLI commands, or applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from slpnb.errors import VerificationError
from slpnb.plan import awscli
from slpnb.plan.apply import Applied, apply
from slpnb.plan.model import Change, Observed
from slpnb.verdict import Verdicts, ng

if TYPE_CHECKING:
    from slpnb.aws import Aws


class Script(str):
    """A shell script: text whose representation is the text itself, so that a notebook shows its lines."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Plan:
    """What a step would write. Falsy, with length 0, when there is nothing to do."""

    step: str
    changes: tuple[Change, ...]
    observed: Observed = field(default_factory=dict, repr=False)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that write something."""
        return tuple(change for change in self.changes if change.action != "=")

    def __len__(self) -> int:
        return len(self.pending)

    def summary(self) -> str:
        """One line: how many to create, update, delete, and as wanted."""
        words = {"+": "to create", "~": "to update", "-": "to delete", "=": "as wanted"}
        counts = {word: sum(c.action == action for c in self.changes) for action, word in words.items()}
        return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "nothing wanted, nothing found"

    def __repr__(self) -> str:
        lines = [f"Plan {self.step}: {self.summary()}"]
        return "\n".join(lines + [line for change in self.changes for line in change.lines()])

    def _repr_html_(self) -> str:
        rows = "".join(map(_html_row, self.changes))
        head = "<tr><th></th><th>resource</th><th>name</th><th>why</th><th>values</th></tr>"
        return f"<p><b>Plan {escape(self.step)}</b>: {escape(self.summary())}</p><table>{head}{rows}</table>"

    def demand_empty(self) -> None:
        """Raise `VerificationError` with each attribute as it was read and as it was wanted, if anything is left."""
        left = (ng(f"{change.title} {change.name}", _left(change)) for change in self.pending)
        Verdicts.of(left).demand(VerificationError)

    def commands(self, ids: bool = False) -> Script:
        """The same changes as AWS CLI commands, one shell script in the order of the plan."""
        return Script(awscli.script(self.pending, self.observed, ids))

    def apply(self, aws: Aws, confirm: str = "") -> Applied:
        """Write what this plan shows, and nothing else; if `aws` may not write, say so.

        Raises `Refusal` before the first write when 00_start would refuse the parameters, or an
        earlier step's resource is missing; `AwsError` when AWS fails a call: its sentence says
        what was done and what was not.
        """
        return apply(self.step, self.pending, self.observed, aws, confirm)


def _left(change: Change) -> str:
    """What a change that was applied has left undone, in words."""
    if change.action == "~":
        return "; ".join(f"{name} is {old}, wanted {new}" for name, old, new in change.details)
    return "absent, wanted" if change.action == "+" else "there, not wanted"


def _html_row(change: Change) -> str:
    colour = {"+": "#1a7f37", "~": "#9a6700", "-": "#b42318", "=": "#57606a"}[change.action]
    values = "<br>".join(
        escape(f"{name}: {f'{old} → {new}' if change.action == '~' else new}") for name, old, new in change.details
    )
    cells = (escape(change.title), escape(change.name), escape(change.reason), values)
    tds = "".join(f'<td style="text-align:left;vertical-align:top">{cell}</td>' for cell in cells)
    return f'<tr><td style="color:{colour}"><b>{change.action}</b></td>{tds}</tr>'
