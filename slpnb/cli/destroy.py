"""``slpnb destroy``: everything that the kit made of an environment, removed."""

from __future__ import annotations

import sys
from typing import Any

import click

from slpnb.cli import options
from slpnb.cli.execution import execute


@click.command("destroy", epilog=options.EXIT_CODES)
@options.environment
@click.option(
    "--confirm", default="", metavar="TEXT", help='"destroy staging" or "destroy production"; prompted for if left out.'
)
@click.option("--delete-data", is_flag=True, help="Also delete a file system that holds data.")
@options.apply_option
@options.parameter_options
@options.run_options
def command(environment: str, confirm: str, delete_data: bool, **given: Any) -> None:
    """Remove what the kit made for ENVIRONMENT, and nothing else.

    It runs the notebook 99_destroy: counts first, deletes in dependency order, checks that all is gone. On the
    embedded AWS, which starts empty, the steps are applied first and then destroyed.

    \b
    slpnb destroy staging
    slpnb destroy staging --backend aws --plan
    slpnb destroy production --backend aws --apply --confirm "destroy production"
    """
    from slpnb import runner
    from slpnb.config import lay_over

    expected = f"destroy {environment}"
    if given["apply"] is not False and not confirm:
        confirm = _ask(expected)
    elif confirm not in ("", expected):
        raise click.UsageError(f'--confirm is "{confirm}", must be "{expected}"')
    own = {"destroy": {"confirm": confirm, "delete_data": delete_data}}
    confirmed = "production" if confirm and environment == "production" else ""
    parameters = lay_over(options.laid_over(given, confirm=confirmed), own)
    asked = runner.RunOptions(environment, [runner.TEARDOWN], parameters, **options.places(given))
    execute(asked, given["open_report"])


def _ask(expected: str) -> str:
    """Have the words typed; without a terminal they must be given. Raises `click.UsageError`."""
    if not sys.stdin.isatty():
        raise click.UsageError(f'no terminal: give --confirm "{expected}", or --plan to see what would be deleted')
    question = f'Everything that the kit made will be deleted. Type "{expected}"'
    if click.prompt(question, default="", show_default=False) != expected:
        raise click.UsageError("not confirmed: nothing was done")
    return expected
