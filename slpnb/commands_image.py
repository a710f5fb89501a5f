"""``slpnb build``: the image on this machine, from the command line."""

from __future__ import annotations

import time

import click


@click.command()
@click.argument("environment", type=click.Choice(("staging", "production")), default="staging", metavar="[ENVIRONMENT]")
@click.option(
    "--architecture",
    type=click.Choice(("parameters", "machine", "amd64", "arm64")),
    default="parameters",
    help="Build for this one. Default: task.architecture of the parameters.",
)
@click.option("--version", default="", help="What /VERSION.txt answers. Default: image.tag of the parameters.")
def build(environment: str, architecture: str, version: str) -> None:
    """Build the WordPress image with Docker, Podman or Finch, look into it, start and stop it once.

    \b
    slpnb build                          for the architecture of staging's parameters
    slpnb build --architecture machine   for this machine, to run it here
    """
    from slpnb import build as builder
    from slpnb import config, engine
    from slpnb.errors import Refusal

    parameters, found = config.load(environment), engine.find()
    if found is None:
        raise Refusal(f"{engine.why_none()}: the image was not built")
    with found:
        asked = {"parameters": "", "machine": found.architecture}.get(architecture, architecture)
        click.echo(f"{found.described}")
        began = time.monotonic()
        image = builder.build(found, parameters, asked, version, click.echo)
        click.echo(f"{image.name}: linux/{image.manifest}, {image.mib:.0f} MiB, {time.monotonic() - began:.0f} s")
        seen = builder.smoke(found, parameters, image.name)
        click.echo(f"version {seen.version} ready in {seen.ready_seconds:.1f} s, stopped in {seen.stop_seconds:.1f} s")
