"""``slpnb policy``: the IAM policies that the kit's own calls need."""

from __future__ import annotations

import json
from typing import Any

import click

from slpnb.cli import options
from slpnb.words import counted


@click.group("policy")
def command() -> None:
    """IAM policies, made from the calls that the steps send."""


@command.command("operator")
@options.environment
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["plan", "apply", "destroy"]),
    default="plan",
    show_default=True,
    help="What the operator does. The policies for apply and destroy are attached beside plan's.",
)
@click.option(
    "--part", type=click.IntRange(min=1), default=1, help="Which of the parts, where one policy is not enough."
)
@options.parameter_options
def operator(environment: str, purpose: str, part: int, **given: Any) -> None:
    """Print the least IAM policy for whoever runs the kit.

    Names and account are those of the parameters; nothing is read from AWS, and nothing is started.

    \b
    slpnb policy operator staging > plan.json
    slpnb policy operator staging --for apply > apply.json
    aws iam put-role-policy --role-name operator --policy-name slpnb-plan --policy-document file://plan.json
    """
    from slpnb import permissions

    config = options.load(environment, given)
    if not config.aws.account_id:
        click.echo("aws.account_id is not set: * stands for it in the ARNs", err=True)
    documents = permissions.policies(config, purpose)
    if part > len(documents):
        raise click.UsageError(f"--part is {part}, but the policy for {purpose} has {counted(len(documents), 'part')}")
    if len(documents) > 1:
        click.echo(f"part {part} of {len(documents)}: IAM takes 6,144 characters in a managed policy", err=True)
    click.echo(json.dumps(documents[part - 1], indent=2))
