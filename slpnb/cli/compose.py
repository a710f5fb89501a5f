"""``slpnb compose``: the service on a laptop, from the command line."""

from __future__ import annotations

import click

from slpnb.cli import options
from slpnb.task.compose import COMPOSE, DATABASE_IMAGE, FILES


@click.command("compose")
@options.environment_or_staging
@click.option("--file", "name", type=click.Choice(FILES), default=COMPOSE, help=f"Which file. Default: {COMPOSE}.")
@click.option("--database", default=DATABASE_IMAGE, metavar="IMAGE", help=f"MariaDB image. Default: {DATABASE_IMAGE}.")
def command(environment: str, name: str, database: str) -> None:
    """Print a Compose file that runs the task definition here.

    ENVIRONMENT is staging unless given. Image, memory, read-only root, tmpfs, capabilities, health
    check, stop timeout and environment are the task definition's. Needs no engine and no account.

    \b
    slpnb compose > docker/compose.yaml
    slpnb compose --file .env.example > docker/.env.example
    slpnb compose --file compose.code.yaml > docker/compose.code.yaml
    cd docker && cp .env.example .env && docker compose up
    """
    from slpnb import config
    from slpnb.task.compose import text

    click.echo(text(config.load(environment), name, database), nl=False)
