"""``slpnb build``: the image on this machine and, if wanted, in a registry, from the command line."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from slpnb.cli import interruption, options

if TYPE_CHECKING:
    from slpnb.config import Config
    from slpnb.engine import Engine
    from slpnb.image.pushing import Destination, Login

ARCHITECTURES = ("amd64", "arm64")


@click.command("build")
@options.environment_or_staging
@click.option(
    "--architecture",
    type=click.Choice(("parameters", "machine", *ARCHITECTURES, "all")),
    default="parameters",
    help="Architecture to build for, or all. Default: task.architecture.",
)
@click.option("--version", default="", help="Version that /VERSION.txt reports. Default: image.tag.")
@click.option("--push", is_flag=True, help="Then push it as an index, and print the digest to put into image.digest.")
@click.option(
    "--registry",
    default="",
    metavar="HOST/NAME",
    help="Where to push, such as 127.0.0.1:5000/slp-saas. Default: the ECR repository in the parameters.",
)
@options.writing_options
def command(environment: str, architecture: str, version: str, push: bool, registry: str, **given: Any) -> None:
    """Build the WordPress image, inspect it, and start it once.

    The container engine is Docker, Podman or Finch, whichever answers.

    \b
    slpnb build                          for the architecture in staging's parameters
    slpnb build --architecture machine   for this machine, to run it here
    slpnb build --push --architecture all --backend aws --apply
    slpnb build --push --registry 127.0.0.1:5000/slp-saas
    """
    from slpnb import engine
    from slpnb.errors import Refusal

    interruption.take()  # a cancelled CI job leaves nothing behind
    parameters = options.load(environment, given)
    version = version or parameters.image.tag
    found = engine.find()
    if found is None:
        raise Refusal(f"{engine.why_none()}: the image was not built")
    with found:
        click.echo(found.described)
        to = _target(parameters, registry, version) if push or registry else None
        built = _build(found, parameters, _asked(architecture, found, parameters), version)
        if to:
            _push(found, parameters, to, built)
        elif push:
            from slpnb.image.pushing import not_pushed

            click.echo(not_pushed(parameters, tuple(built), version))


def _asked(architecture: str, found: Engine, parameters: Config) -> tuple[str, ...]:
    """The architectures to build for, this machine's first: it fails within seconds, another takes minutes."""
    from slpnb.image.building import WORDS

    words = {"parameters": WORDS[parameters.task.architecture], "machine": found.architecture}
    asked = ARCHITECTURES if architecture == "all" else (words.get(architecture, architecture),)
    return tuple(sorted(asked, key=lambda one: one != found.architecture))


def _build(found: Engine, parameters: Config, asked: tuple[str, ...], version: str) -> dict[str, str]:
    """Build, inspect and start the image for each architecture; returns the names by architecture."""
    from slpnb.image import building, emulation
    from slpnb.task.smoke import smoke

    built: dict[str, str] = {}
    emulation.tidy()
    with ExitStack() as emulated:
        for one in asked:
            emulated.enter_context(emulation.borrowed(one, found.architecture, click.echo))
            building.demand_runnable(found, one)
        for one in asked:
            began = time.monotonic()
            image = building.build(found, parameters, one, version, click.echo)
            click.echo(f"{image.name}: linux/{image.manifest}, {image.mib:.0f} MiB, {time.monotonic() - began:.0f} s")
            seen = smoke(found, parameters, image.name)
            click.echo(
                f"version {seen.version} ready in {seen.ready_seconds:.1f} s, stopped in {seen.stop_seconds:.1f} s"
            )
            built[one] = image.name
    return built


def _target(parameters: Config, registry: str, tag: str) -> tuple[Destination, Login | None] | None:
    """Where to push and how to log in there, resolved before anything is built; None when nothing may be pushed."""
    from slpnb import runbook, start
    from slpnb.image import pushing

    if registry:
        to, login = pushing.target(registry, tag), None
    elif parameters.backend == "aws" and (aws := runbook.connect_backend(parameters)[0]).may_write()[0]:
        start.predictable(parameters).demand()
        to, login = pushing.ecr(aws, tag)
    else:
        return None
    pushing.demand_answer(to)
    return to, login


def _push(found: Engine, parameters: Config, where: tuple[Destination, Login | None], built: dict[str, str]) -> None:
    from slpnb.image import pushing

    to, login = where
    began = time.monotonic()
    click.echo(f"pushing {pushing.announced(tuple(built), to.name, to.tag)}")
    done = pushing.push(found, to, built, login)
    click.echo(f"pushed in {time.monotonic() - began:.0f} s: {done.digest}, over {', '.join(done.platforms)}")
    click.echo(pushing.line(parameters, done))
