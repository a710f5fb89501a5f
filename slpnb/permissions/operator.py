"""The operator's IAM policies, from `operator.yaml` and the names in the parameters. Pure.

Source of what each action takes: Service Authorization Reference (actions, resources and condition keys of each
service). The tests hold the actions equal to the calls that the steps send.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from string import Formatter
from typing import Any

import yaml

from slpnb.config import Config
from slpnb.steps import STEPS, step

MOST_CHARACTERS = 6144  # of a managed policy (IAM User Guide, "IAM and AWS STS quotas")
PURPOSES = ("plan", "apply", "destroy")
Names = Mapping[str, list[str]]


def policies(config: Config, purpose: str) -> list[dict[str, Any]]:
    """The policy documents for one of the `PURPOSES`, each short enough for a managed policy.

    Those for apply and destroy are granted on top of plan's.
    """
    names = _names(config)
    documents: list[dict[str, Any]] = []
    for statement in (_statement(grant, names) for grant in grants(purpose)):
        if not documents or _size(documents[-1]) + _size(statement) > MOST_CHARACTERS:
            documents.append({"Version": "2012-10-17", "Statement": []})
        documents[-1]["Statement"].append(statement)
    return documents


def _size(document: Any) -> int:
    """Characters as IAM counts them: without white space. One more for the comma before it."""
    return len(json.dumps(document, separators=(",", ":"))) + 1


def actions(purpose: str) -> list[str]:
    """Every action that the purpose takes, sorted."""
    needed = {"plan", purpose}
    return sorted({action for name in needed for grant in grants(name) for action in _actions(grant)})


@cache
def grants(purpose: str) -> tuple[dict[str, Any], ...]:
    """The statements of operator.yaml for one of the `PURPOSES`, names not yet filled in."""
    text = files(__package__).joinpath("operator.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text)[purpose])


def _statement(grant: Mapping[str, Any], names: Names) -> dict[str, Any]:
    statement = {"Sid": grant["Sid"], "Effect": "Allow", "Action": _actions(grant)}
    statement["Resource"] = sorted(arn for pattern in _list(grant["Resource"]) for arn in _filled(pattern, names))
    if "Condition" in grant:
        statement["Condition"] = _condition(grant["Condition"], names)
    return statement


def _actions(grant: Mapping[str, Any]) -> list[str]:
    return sorted([*_list(grant.get("Action", [])), *_list(grant.get("also", []))])


def _condition(tests: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {
        test: {
            key: [text for pattern in _list(value) for text in _filled(pattern, names)] for key, value in keys.items()
        }
        for test, keys in tests.items()
    }


def _filled(pattern: str, names: Names) -> Iterator[str]:
    """The pattern once for each name, or combination of names, that its fields stand for."""
    fields = list(dict.fromkeys(field for _, field, _, _ in Formatter().parse(pattern) if field))
    for values in product(*(names[field] for field in fields)):
        yield pattern.format_map(dict(zip(fields, values, strict=True)))


def _names(config: Config) -> dict[str, list[str]]:
    """What the fields of operator.yaml stand for: the names of each kind of resource, and where they are."""
    names: dict[str, list[str]] = {
        "account": [config.aws.account_id or "*"],
        "database_instance": [config.secrets.database_instance],
        "environment": [config.environment],
        "partition": [_partition(config.aws.region)],
        "prefix": [config.prefix],
        "region": [config.aws.region],
    }
    for resource in (resource for name in STEPS for resource in step(name).desired(config)):
        names.setdefault(resource.kind.lower().replace(" ", "_"), []).append(resource.name)
    # Route 53 compares names in small letters, with * as \052 ("Using IAM policy conditions ... record sets").
    names["normalized_dns_alias"] = [name.lower().replace("*", r"\052") for name in names["dns_alias"]]
    return names


def _partition(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
