"""The arguments and options that several commands share, and what they mean for the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slpnb.repository import ENVIRONMENTS

if TYPE_CHECKING:
    from slpnb.config import Config

Command = Callable[..., None]

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
EXIT_CODES = """\b
Exit codes
    0  finished
    1  failed: an error that the kit did not foresee
    2  a parameter or an option is wrong; nothing was started
    3  refused: AWS would have accepted it and left it stuck
    4  aws.account_id is not set, or the credentials are for another account or region
    5  AWS denied, throttled or failed a call
    6  what AWS holds afterwards is not what was applied
  130  interrupted; --resume continues from there
"""


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed by --help in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


environment = click.argument("environment", type=click.Choice(ENVIRONMENTS), metavar="ENVIRONMENT")
environment_or_staging = click.argument(
    "environment", type=click.Choice(ENVIRONMENTS), default="staging", metavar="[ENVIRONMENT]"
)
apply_option = click.option(
    "--apply/--plan",
    "apply",
    default=None,
    help="Write to AWS, or only show the plans. Default: write on the embedded AWS only.",
)

# The options of all commands that read parameters.
parameter_options = together(
    click.option(
        "--backend",
        type=click.Choice(["local", "aws"]),
        help="local: the embedded AWS. aws: the account in the parameters. Default: as in the files.",
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Override a parameter from the files, such as task.memory_mib=3584. Repeatable.",
    ),
    click.option(
        "--params", type=FOLDER, help="Folder with base.yaml, staging.yaml and production.yaml. Default: params/."
    ),
)

# The options of a command that writes.
writing_options = together(
    apply_option,
    click.option("--confirm", default="", metavar="production", help="Without it, production is only planned."),
    parameter_options,
)

# The options of a command that runs notebooks.
run_options = together(
    click.option("--open", "open_report", is_flag=True, help="Open the report in a browser at the end."),
    click.option("--notebooks", "source", type=FOLDER, help="Where the notebooks are. Default: notebooks/."),
    click.option(
        "--runs", type=click.Path(file_okay=False, path_type=Path), help="Where runs are kept. Default: runs/."
    ),
)


def laid_over(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What the options override in the params files; an option that was not given overrides nothing."""
    from slpnb import config

    own = {name: options.get(name) for name in ("backend", "apply", "confirm")}
    return config.given(options["assignments"], **{**own, **more})


def load(environment: str, options: Mapping[str, Any]) -> Config:
    """The parameters of an environment as files and options have them. Raises `ParameterError`."""
    from slpnb import config

    return config.load(environment, laid_over(options), options["params"])


def places(options: Mapping[str, Any]) -> dict[str, Any]:
    """The folders of a run that the options name."""
    return {name: options[name] for name in ("params", "source", "runs") if options[name]}
