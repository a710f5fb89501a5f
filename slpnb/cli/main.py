"""The command line: ``slpnb run staging``, or ``python -m slpnb run staging``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from slpnb.cli.options import EXIT_CODES
from slpnb.errors import SlpnbError

VERBS = (
    "build",
    "catalog",
    "commands",
    "compose",
    "destroy",
    "install",
    "params",
    "policy",
    "refresh",
    "run",
    "schema",
    "size",
    "status",
)


class Verbs(click.Group):
    """A command for each file of `VERBS`, loaded when it is asked for.

    A `SlpnbError` ends with its sentence and its exit code, not with a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Their names."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The ``command`` of the file of that name."""
        if cmd_name not in VERBS:
            return None
        found: click.Command = import_module(f"slpnb.cli.{cmd_name}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SlpnbError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            ctx.exit(error.exit_code)


ENVIRONMENT = """\b
Environment variables (README.md has all)
  SLPNB_ENGINE          docker, podman, finch, or none to simulate tasks
  SLPNB_LOCAL_ENDPOINT  the embedded AWS to use; without it one is started
  SLPNB_PARAMS          folder of the parameters

"""


@click.group(cls=Verbs, epilog=ENVIRONMENT + EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slpnb")
def main() -> None:
    """Move a WordPress multisite SaaS to Amazon ECS, notebook by notebook, proving each step first.

    Without options, everything runs on an embedded AWS: no account needed, nothing to pay.

    \b
    slpnb run staging                             the whole runbook
    slpnb run staging --set task.memory_mib=8192  see what is refused, and why
    slpnb run production --confirm production     three zones, alarms, protection
    slpnb run staging --backend aws --plan        what it would do in your account
    slpnb commands 30_efs staging                 the same as AWS CLI commands
    slpnb size --memory 2560 --cpu 2048           which types fit a task, and at what price
    """
