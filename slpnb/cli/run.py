"""``slpnb run``: the notebooks of an environment, in order."""

from __future__ import annotations

from typing import Any

import click

from slpnb.cli import options
from slpnb.cli.execution import execute


@click.command("run", epilog=options.EXIT_CODES)
@options.environment
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
@options.writing_options
@options.run_options
def command(
    environment: str,
    first: str,
    to: str,
    only: tuple[str, ...],
    resume: bool,
    again: bool,
    containers: bool,
    **given: Any,
) -> None:
    """Run the notebooks in order, and stop at the first refusal.

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

    parameters = options.laid_over(given)
    places = {**options.places(given), "again": again, "containers": containers}
    if not resume:
        chosen = runner.RunOptions(environment, runner.choose(first, to, only), parameters, **places)
    elif first or to or only:
        raise click.UsageError("--resume continues where the last run stopped: leave out --from, --to and --only")
    else:
        chosen = runner.resume(environment, parameters, **places)
    execute(chosen, given["open_report"])
