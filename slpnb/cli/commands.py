"""``slpnb commands``: the plan of a step as AWS CLI commands."""

from __future__ import annotations

from typing import Any

import click

from slpnb.cli import options


@click.command("commands")
@click.argument("step", metavar="STEP")
@options.environment
@options.parameter_options
def command(step: str, environment: str, **given: Any) -> None:
    """Print the plan of a step as AWS CLI commands.

    STEP is a notebook's name (30_efs), or just its word (efs). Where an earlier step has yet to run,
    the script stops before its first command and names that step.

    \b
    slpnb commands efs staging
    slpnb commands 80_service production --backend aws
    """
    from slpnb import runbook, runner, steps

    name = runner.find(step)
    if name not in steps.STEPS:
        raise click.UsageError(f"{name} writes nothing; the steps are {', '.join(steps.STEPS)}")
    aws, fresh = runbook.connect_backend(options.load(environment, given))
    if fresh and aws.may_write()[0]:
        runbook.prepare(name, aws)
    module = steps.step(name)
    click.echo(module.plan(module.desired(aws.config), module.observe(aws)).commands(ids=True))
