"""The command line: ``slpnb run staging``, or ``python -m slpnb run staging``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slpnb.cli import interruption
from slpnb.cli.build import build
from slpnb.cli.compose import compose
from slpnb.cli.install import install
from slpnb.cli.sizing import catalog, size
from slpnb.errors import SlpnbError

if TYPE_CHECKING:
    from slpnb.config import Config
    from slpnb.runner import Order

ENVIRONMENTS = ("staging", "production")
WIDTH = 200  # of a table that goes to a file or a pipe
EPILOG = """\b
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
environment = click.argument("environment", type=click.Choice(ENVIRONMENTS), metavar="ENVIRONMENT")


class Sentences(click.Group):
    """A group whose commands end a `SlpnbError` with its sentence and its exit code, not with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SlpnbError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Sentences, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
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


def parameter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options shared by all commands that read parameters."""
    for option in (
        click.option(
            "--params",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Folder with base.yaml, staging.yaml and production.yaml. Default: params/.",
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Override a parameter from the files, such as task.memory_mib=3584. Repeatable.",
        ),
        click.option(
            "--backend",
            type=click.Choice(["local", "aws"]),
            help="local: the embedded AWS. aws: the account in the parameters. Default: as in the files.",
        ),
    ):
        command = option(command)
    return command


def writing_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that may write."""
    for option in (
        click.option(
            "--runs", type=click.Path(file_okay=False, path_type=Path), help="Where runs are kept. Default: runs/."
        ),
        click.option(
            "--notebooks",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Where the notebooks are. Default: notebooks/.",
        ),
        click.option("--open", "open_report", is_flag=True, help="Open the report in a browser at the end."),
        click.option(
            "--apply/--plan",
            "apply",
            default=None,
            help="Write to AWS, or only show the plans. Default: write on the embedded AWS only.",
        ),
    ):
        command = option(command)
    return command


@main.command(epilog=EPILOG)
@environment
@click.option("--from", "first", default="", metavar="NOTEBOOK", help="Start here: 50_cluster, or just 50 or cluster.")
@click.option(
    "--to", default="", metavar="NOTEBOOK", help="Stop after this one. 99_destroy runs only if named by --to or --only."
)
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Run only this one. Repeatable.")
@click.option("--resume", is_flag=True, help="Continue after the last notebook that finished in the previous run.")
@click.option(
    "--containers/--simulate",
    default=True,
    help="On the embedded AWS: run tasks as real containers if this machine has an engine, or simulate them.",
)
@click.option("--again", is_flag=True, help="Then run it all again on the same AWS, where nothing may be left to do.")
@click.option("--confirm", default="", metavar="production", help="Without it, production is only planned.")
@writing_options
@parameter_options
def run(
    environment: str,
    first: str,
    to: str,
    only: tuple[str, ...],
    resume: bool,
    again: bool,
    containers: bool,
    confirm: str,
    **options: Any,
) -> None:
    """Run the notebooks for ENVIRONMENT in order, and stop at the first refusal.

    Executed notebooks, run.json and report.html go to runs/ENVIRONMENT/<UTC time>/, and
    runs/ENVIRONMENT/latest points there. All parameters are checked before anything starts.

    On the embedded AWS each run begins with an account that holds only what the company
    already has. When a run starts later (--from, --only, --resume), the earlier steps are
    applied there first, by the same code but without their notebooks; on a real account it
    finds what they made. --resume takes the previous run's parameters; --set overrides them.

    \b
    slpnb run staging --from cluster --to 60_sizing
    slpnb run staging --only sizing --set cluster.instance_type=c6i.large
    slpnb run staging --resume --set task.memory_mib=2560
    slpnb run production --backend aws --apply --confirm production
    """
    from slpnb import runner

    given, places = _given(options, confirm=confirm), {**_places(options), "again": again, "containers": containers}
    if not resume:
        order = runner.Order(environment, runner.choose(first, to, only), given, **places)
    elif first or to or only:
        raise click.UsageError("--resume continues where the last run stopped: leave out --from, --to and --only")
    else:
        order = runner.resume(environment, given, **places)
    _execute(order, options["open_report"])


@main.command(epilog=EPILOG)
@environment
@click.option(
    "--confirm", default="", metavar="TEXT", help='"destroy staging" or "destroy production"; prompted for if left out.'
)
@click.option("--delete-data", is_flag=True, help="Also delete a file system that holds data.")
@writing_options
@parameter_options
def destroy(environment: str, confirm: str, delete_data: bool, **options: Any) -> None:
    """Remove everything that the kit made for ENVIRONMENT, and nothing else.

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
    if options["apply"] is not False and not confirm:
        confirm = _ask(expected)
    elif confirm not in ("", expected):
        raise click.UsageError(f'--confirm is "{confirm}", must be "{expected}"')
    own = {"destroy": {"confirm": confirm, "delete_data": delete_data}}
    given = lay_over(_given(options, confirm="production" if confirm and environment == "production" else ""), own)
    _execute(runner.Order(environment, [runner.TEARDOWN], given, **_places(options)), options["open_report"])


def _ask(expected: str) -> str:
    """Have the words typed; without a terminal they must be given. Raises `click.UsageError`."""
    if not sys.stdin.isatty():
        raise click.UsageError(f'no terminal: give --confirm "{expected}", or --plan to see what would be deleted')
    if (
        click.prompt(f'Everything that the kit made will be deleted. Type "{expected}"', default="", show_default=False)
        != expected
    ):
        raise click.UsageError("not confirmed: nothing was done")
    return expected


@main.command()
@environment
@parameter_options
def status(environment: str, **options: Any) -> None:
    """What exists of each step of ENVIRONMENT, read from AWS, compared with the parameters.

    On backend local this is the embedded AWS that JupyterLab is using, if one is running.
    """
    from slpnb import runbook
    from slpnb.cli.status import table

    _print_table(table(runbook.connect_backend(_config(environment, options))[0]))


@main.command()
@click.argument("step", metavar="STEP")
@environment
@parameter_options
def commands(step: str, environment: str, **options: Any) -> None:
    """The plan of STEP (30_efs, or just efs) for ENVIRONMENT as AWS CLI commands.

    \b
    slpnb commands efs staging
    slpnb commands 80_service production --backend aws
    """
    from slpnb import runbook, runner
    from slpnb.runbook import steps

    name = runner.find(step)
    if name not in steps.STEPS:
        raise click.UsageError(f"{name} writes nothing; the steps are {', '.join(steps.STEPS)}")
    aws, fresh = runbook.connect_backend(_config(environment, options))
    if fresh and aws.may_write()[0]:
        runbook.prepare(name, aws)
    module = steps.step(name)
    click.echo(module.plan(module.desired(aws.config), module.observe(aws)).commands(ids=True))


@main.command()
@environment
@click.option("--section", help="Only this section, such as task.")
@parameter_options
def params(environment: str, section: str | None, **options: Any) -> None:
    """The parameters of ENVIRONMENT: value, meaning, and the file each comes from."""
    from slpnb.cli.status import parameters

    _print_table(parameters(_config(environment, options), section))


@main.command()
def schema() -> None:
    """The JSON schema of a params file, for editors: kept as params/schema.json."""
    from slpnb import config

    click.echo(config.schema(), nl=False)


main.add_command(build)
main.add_command(compose)
main.add_command(install)
main.add_command(size)
main.add_command(catalog)


@catalog.command("refresh")
@click.argument("environment", type=click.Choice(ENVIRONMENTS), default="staging", metavar="[ENVIRONMENT]")
@parameter_options
def refresh_catalog(environment: str, **options: Any) -> None:
    """Read an account's instance types, prices and registered memory into a file that overrides the shipped data.

    ENVIRONMENT (staging) only selects the account, and what its cluster reserves. The file is the
    one that SLPNB_CATALOG names, else ~/.config/slpnb/catalog.csv; delete it to undo this. What
    the account does not report stays as it was.

    \b
    slpnb catalog refresh --backend aws
    SLPNB_CATALOG=eu.csv slpnb catalog refresh production --backend aws
    """
    from slpnb import runbook
    from slpnb.cluster.catalog_refresh import refresh

    click.echo(str(refresh(runbook.connect_backend(_config(environment, options))[0])))


@main.command(hidden=True)
@click.argument("names", nargs=-1)
def refresh(names: tuple[str, ...]) -> None:
    """Execute the notebooks in place, so that their outputs are what a reader and nbval see."""
    from slpnb import runner

    runner.refresh(runner.to_refresh(names), echo=click.echo)


def _given(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What the options override in the params files; an option that was not given overrides nothing."""
    from slpnb import config

    return config.given(options["assignments"], backend=options["backend"], apply=options.get("apply"), **more)


def _places(options: Mapping[str, Any]) -> dict[str, Any]:
    names = {"params": options["params"], "runs": options["runs"], "source": options["notebooks"]}
    return {name: path for name, path in names.items() if path}


def _config(environment: str, options: Mapping[str, Any]) -> Config:
    from slpnb import config

    return config.load(environment, _given(options), options["params"])


def _execute(order: Order, open_report: bool) -> None:
    """Execute a run, print where its report is and how it came out, and exit with its code."""
    from rich.console import Console

    from slpnb import runner
    from slpnb.runner.progress import Progressing

    interruption.take()  # a cancelled CI job leaves nothing running
    console = Console(highlight=False)
    with Progressing(console, len(order.notebooks) * (1 + order.again)) as watcher:
        folder, record = runner.run(order, watcher)
    report = folder / "report.html"
    if open_report:
        click.launch(str(report))
    click.echo(f"report: {runner.shown(report)}")
    click.echo(record.verdict)
    sys.exit(record.exit_code)


def _print_table(frame: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in frame.columns:
        table.add_column(column, overflow="fold", no_wrap=column == frame.columns[0])
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False).print(table)
