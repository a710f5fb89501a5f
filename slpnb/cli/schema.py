"""``slpnb schema``: the JSON schema of a params file."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """The JSON schema of a params file, for editors: kept as params/schema.json."""
    from slpnb import config

    click.echo(config.schema(), nl=False)
