"""What every notebook begins and ends with: `open` finds its parameters and its AWS, `conclude` gives its verdict.

The only module, besides the runner, that knows that the embedded AWS exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from slpnb import start
from slpnb.aws import Aws, connect
from slpnb.config import Config, load
from slpnb.errors import VerificationError
from slpnb.plan import Applied, Plan
from slpnb.progress import Tell, told
from slpnb.runbook.cells import parse_cells
from slpnb.steps import STEPS, WRITING, step
from slpnb.verdict import Verdicts

if TYPE_CHECKING:
    from slpnb.local import Embedded

RECORD_TYPE = "application/vnd.slpnb.step+json"


def open(notebook: str, parameters: Mapping[str, Any] | None = None) -> tuple[Config, Aws]:
    """Load the parameters, connect, and say in one line where this notebook works and whether it writes.

    ``parameters`` default to what the notebook's own parameters cell and papermill's injected
    cell say. On an untouched embedded AWS the earlier steps are applied first, so that any
    notebook can be run alone. Raises `ParameterError` or `GuardError`.
    """
    _show_tables_whole()
    config = load(given=notebook_parameters() if parameters is None else parameters)
    with told() as tell:
        aws, fresh = connect_backend(config, tell)
        if fresh and notebook in WRITING and aws.may_write()[0]:
            prepare(notebook, aws, tell)
            _bring_image(notebook, aws, tell)
    print(f"{notebook}, {config.environment}, {aws.region}: {aws.simulated or f'AWS account {config.aws.account_id}'}")
    print(_writes(notebook, aws))
    return config, aws


def _writes(notebook: str, aws: Aws) -> str:
    if notebook not in WRITING:
        return "This notebook writes nothing."
    allowed, why = aws.may_write()
    return f"Plans are {'applied, but for what 00_start would refuse' if allowed else f'shown, not applied: {why}'}."


def tell(notebook: str) -> None:
    """Begin a notebook that calls no AWS and writes nothing, such as the stories under research/."""
    _show_tables_whole()
    print(f"{notebook}: nothing is created and AWS is not called; every number comes from the catalogue and the model")


def _show_tables_whole() -> None:
    pd.set_option("display.max_colwidth", None)  # a sentence in a table is shown whole
    # pandas sets this when imported inside a notebook; a kernel started ahead of time imported it before.
    pd.set_option("display.max_columns", 20, "display.width", 80)


def connect_backend(config: Config, tell: Tell = lambda _line: None) -> tuple[Aws, bool]:
    """The AWS in the parameters, and whether it is an embedded one that nothing has written to yet."""
    if config.backend == "aws":
        return connect(config, preflight=partial(start.demand, config)), False
    from slpnb import local

    embedded = local.ensure(tell)
    return connect_embedded(config, embedded), embedded.fresh


def connect_embedded(config: Config, embedded: Embedded) -> Aws:
    """The account of an embedded AWS: its clock passes instead of ours, its front door stands in for the balancer."""
    from slpnb import local

    url = embedded.endpoint_url
    return connect(
        config,
        endpoint_url=url,
        sleep=lambda seconds: local.advance(url, seconds),
        simulated=embedded.describe,
        front_door=lambda: str(local.real(url).get("front_door", "")),
        preflight=partial(start.demand, config),
    )


def prepare(notebook: str, aws: Aws, tell: Tell = lambda _line: None) -> None:
    """Apply the steps before ``notebook``. Raises `Refusal` when 00_start would refuse the parameters."""
    for name in (name for name in STEPS if name < notebook):
        tell(f"first {name}")
        module = step(name)
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)


def _bring_image(notebook: str, aws: Aws, tell: Tell) -> None:
    """Build what 10_image builds, for a notebook whose tasks are containers and that is run alone."""
    from slpnb import local

    if notebook != STEPS[-1] or not local.real(str(aws.endpoint_url)):
        return
    from slpnb import engine
    from slpnb.image import building

    found = engine.find()
    assert found  # noqa: S101 - the embedded AWS found it too
    with found:
        building.build(found, aws.config, found.architecture, report=tell)


def notebook_parameters() -> dict[str, Any]:
    """The values of the notebook's parameters cell and of the cells that papermill injected after it.

    They are read from the cells' source, not from the variables: a section and the module
    that implements it share a name.
    """
    from IPython import get_ipython

    shell = get_ipython()
    return parse_cells(shell.user_ns["In"] if shell else ())


@dataclass(frozen=True)
class Conclusion:
    """The last line of a notebook, and the same as data for the run's record."""

    line: str
    record: Mapping[str, Any]

    def __repr__(self) -> str:
        return self.line

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": self.line, RECORD_TYPE: dict(self.record)}


def conclude(
    notebook: str,
    verdicts: Verdicts,
    plan: Plan | None = None,
    applied: Applied | None = None,
    *,
    answer: str = "",
) -> Conclusion:
    """The verdict of a notebook in one line; raises `VerificationError` when what was applied does not read back.

    ``answer`` is what a notebook that plans nothing has found out, said before the count of its checks.
    """
    planned_only = applied is not None and not applied.written
    if not planned_only:
        verdicts.demand(VerificationError)
    outcome = f"{answer}; " if answer else _outcome(plan, applied)
    line = f"{notebook}: {outcome}{'' if planned_only else verdicts.summary()}"
    record = {
        "notebook": notebook,
        "line": line,
        "written": bool(applied and applied.written and applied.calls),
        "plan": [f"{change.action} {change.title} {change.name}" for change in plan.changes] if plan else [],
        "verdicts": [str(verdict) for verdict in verdicts],
    }
    return Conclusion(line, record)


def _outcome(plan: Plan | None, applied: Applied | None) -> str:
    if plan is None or applied is None:
        return ""
    if not applied.written:
        return f"plan only, {plan.summary()}"
    return f"applied {plan.summary()}; " if plan else "nothing to do; "
