"""``slpnb install``: installs WordPress and its network by a one-off task of the service's own image."""

from __future__ import annotations

import sys
from typing import Any

import click

from slpnb.cli import options


@click.command("install")
@options.environment
@options.writing_options
def command(environment: str, **given: Any) -> None:
    """Install WordPress and its network, once, after 80_service.

    It runs a one-off task of the registered task definition. Running it again changes nothing. It
    writes to the database that the secrets name. A run with containers (slpnb run) has already done
    this, in its own database.

    \b
    slpnb install staging --backend aws            the task, as it would be run
    slpnb install staging --backend aws --apply    run it and wait for its end
    """
    from slpnb import runbook
    from slpnb.errors import EXIT_CODES
    from slpnb.service import installation

    aws, _ = runbook.connect_backend(options.load(environment, given))
    plan = installation.plan(aws.config, installation.observe(aws))
    click.echo(repr(plan))
    may, reason = aws.may_write()
    if not may:
        click.echo(f"not run: {reason}")
        return
    verdict = installation.run(aws)
    click.echo(str(verdict))
    sys.exit(0 if verdict.status == "OK" else EXIT_CODES["VerificationError"])
