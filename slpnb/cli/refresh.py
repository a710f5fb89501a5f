"""``slpnb refresh``: the notebooks executed in place, for whoever changes them."""

from __future__ import annotations

import click


@click.command("refresh", hidden=True)
@click.argument("names", nargs=-1)
def command(names: tuple[str, ...]) -> None:
    """Execute the notebooks in place, so that their outputs are what a reader and nbval see."""
    from slpnb import runner

    runner.refresh(runner.to_refresh(names), echo=click.echo)
