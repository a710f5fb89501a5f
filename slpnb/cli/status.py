"""``slpnb status``: what exists of each step, and what its plan would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from slpnb.cli import options
from slpnb.cli.tables import print_table

if TYPE_CHECKING:
    from slpnb.aws import Aws


@click.command("status")
@options.environment
@options.parameter_options
def command(environment: str, **given: Any) -> None:
    """Compare what exists of each step with the parameters.

    On backend local this is the embedded AWS that JupyterLab is using, if one is running.
    """
    from slpnb import runbook
    from slpnb.steps import STEPS

    aws, _ = runbook.connect_backend(options.load(environment, given))
    print_table(("step", "exists", "plan", "resources"), [_row(name, aws) for name in STEPS])


def _row(name: str, aws: Aws) -> tuple[str, str, str, str]:
    from slpnb.errors import Refusal
    from slpnb.steps import step

    module = step(name)
    have = module.observe(aws)
    ours = [found for found in have.values() if found.step == module.STEP]
    try:
        planned = module.plan(module.desired(aws.config), have).summary()
    except Refusal as refusal:
        planned = str(refusal)
    kinds = ", ".join(sorted(f"{found.kind} {found.name}" for found in ours))
    return name, f"{len(ours)}" if ours else "-", planned, kinds or "-"
