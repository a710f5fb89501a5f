"""The arguments and options that several commands share, and what they mean for the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from slpnb.config import Config

Command = Callable[..., None]

ENVIRONMENTS = ("staging", "production")
EXIT_CODES = """\b
Exit codes
    0  finished
    1  failed: an error that the kit did not foresee
    2  a parameter or an option is wrong; nothing was started
    3  refused: AWS would have accepted it and left it stuck
    4  the credentials are for another account or region than the parameters name
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


def set_option(help_text: str) -> Callable[[Any], Any]:
    """The option that lays single parameters over the files."""
    return click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help=help_text)


def backend_option(help_text: str) -> Callable[[Any], Any]:
    """The option that chooses between the embedded AWS and an account."""
    return click.option("--backend", type=click.Choice(["local", "aws"]), help=help_text)


environment = click.argument("environment", type=click.Choice(ENVIRONMENTS), metavar="ENVIRONMENT")
environment_or_staging = click.argument(
    "environment", type=click.Choice(ENVIRONMENTS), default="staging", metavar="[ENVIRONMENT]"
)
confirm_production = click.option(
    "--confirm", default="", metavar="production", help="Without it, production is only planned."
)

# The options shared by all commands that read parameters.
parameter_options = together(
    backend_option("local: the embedded AWS. aws: the account in the parameters. Default: as in the files."),
    set_option("Override a parameter from the files, such as task.memory_mib=3584. Repeatable."),
    click.option(
        "--params",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with base.yaml, staging.yaml and production.yaml. Default: params/.",
    ),
)

# The options of a command that runs notebooks, and so may write.
writing_options = together(
    click.option(
        "--apply/--plan",
        "apply",
        default=None,
        help="Write to AWS, or only show the plans. Default: write on the embedded AWS only.",
    ),
    click.option("--open", "open_report", is_flag=True, help="Open the report in a browser at the end."),
    click.option(
        "--notebooks",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Where the notebooks are. Default: notebooks/.",
    ),
    click.option(
        "--runs", type=click.Path(file_okay=False, path_type=Path), help="Where runs are kept. Default: runs/."
    ),
)


def laid_over(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What the options override in the params files; an option that was not given overrides nothing."""
    from slpnb import config

    return config.given(options["assignments"], backend=options["backend"], apply=options.get("apply"), **more)


def load(environment: str, options: Mapping[str, Any]) -> Config:
    """The parameters of an environment as files and options have them. Raises `ParameterError`."""
    from slpnb import config

    return config.load(environment, laid_over(options), options["params"])


def places(options: Mapping[str, Any]) -> dict[str, Any]:
    """The folders of a run that the options name."""
    names = {"params": options["params"], "runs": options["runs"], "source": options["notebooks"]}
    return {name: path for name, path in names.items() if path}
