"""``slpnb schema``: the JSON schema of a params file."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON schema of params files, for editors.

    It is kept as params/schema.json.
    """
    from slpnb import config

    click.echo(config.schema(), nl=False)
