"""The operator's policies: what the steps send is granted, nothing else is, and AWS would take the documents."""

from __future__ import annotations

import ast
import importlib.resources
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import get_session

from slpnb import destroy, permissions, start
from slpnb.aws import Aws, explain, permission
from slpnb.config import load
from slpnb.permissions.operator import grants
from slpnb.repository import ROOT
from slpnb.steps import STEPS, step
from tests.conftest import CASES, again
from tests.test_journey import build

ENVIRONMENTS = ("staging", "production")
ACCOUNT = {"aws": {"account_id": "123456789012"}}
FREE = {"sts:GetCallerIdentity"}  # needs no permission (AWS STS API reference)
SENDING = {"Call", "read", "pages"}


@cache
def literals() -> frozenset[str]:
    """A pattern for each string in the sources that may name an operation; an f-string's values may be any word."""
    parts = (node.values if isinstance(node, ast.JoinedStr) else [node] for node in nodes())
    texts = (
        "".join(str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else r"\w+" for part in one)
        for one in parts
    )
    return frozenset(text for text in texts if re.fullmatch(r"[a-z]+(_|\\w\+)[\w\\+]+", text))


@cache
def nodes() -> tuple[ast.AST, ...]:
    files = [file for file in (ROOT / "slpnb").rglob("*.py") if "local" not in file.relative_to(ROOT).parts]
    return tuple(node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def spelt_out() -> Iterator[tuple[str, str]]:
    """Service and operation of the calls that the sources spell out."""
    for node in nodes():
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SENDING:
            match node.args[:2]:
                case [ast.Constant(value=str(service)), ast.Constant(value=str(operation))]:
                    yield service, operation


def granted(key: str = "Action") -> set[str]:
    """The actions that are called; with ``also``, those that AWS demands beside them."""
    found = [grant.get(key, []) for purpose in permissions.PURPOSES for grant in grants(purpose)]
    return {action for one in found for action in ([one] if isinstance(one, str) else one)}


def test_every_call_that_the_sources_spell_out_is_granted():
    called = {permission(service, api_names(service)[operation]) for service, operation in spelt_out()}
    assert called - FREE <= granted()


@cache
def api_names(service: str) -> dict[str, str]:
    """The API's name of each operation, by boto3's."""
    model = get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def test_nothing_is_granted_that_the_sources_do_not_call():
    operations = {action: xform_name(action.partition(":")[2]) for action in granted()}
    sent = re.compile("|".join(literals()))
    assert {action for action, operation in operations.items() if not sent.fullmatch(operation)} == set()


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    """The Service Authorization Reference as parliament has it: each action's access level, by its name."""
    text = importlib.resources.files(parliament()).joinpath("iam_definition.json").read_text(encoding="utf-8")
    services = json.loads(text)
    return {f"{one['prefix']}:{action['privilege']}": action for one in services for action in one["privileges"]}


def test_a_plan_only_reads(definitions):
    levels = {action: definitions[action]["access_level"] for action in permissions.actions("plan")}
    assert {action for action, level in levels.items() if level not in ("Read", "List")} == set()


def test_what_is_granted_beside_the_calls_is_what_aws_says_that_they_depend_on(definitions):
    called = [definitions[action] for action in granted()]
    dependent = {name for action in called for kind in action["resource_types"] for name in kind["dependent_actions"]}
    excused = json.loads((CASES / "permissions" / "beside.json").read_text(encoding="utf-8"))
    assert granted("also") - dependent == set(excused)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("purpose", permissions.PURPOSES)
def test_parliament_finds_nothing_but_what_has_a_reason(environment, purpose):
    excused = json.loads((CASES / "permissions" / "findings.json").read_text(encoding="utf-8"))
    documents = permissions.policies(load(environment, ACCOUNT), purpose)
    findings = [
        finding for one in documents for finding in parliament().analyze_policy_string(json.dumps(one)).findings
    ]
    unexpected = [f"{finding.issue}: {finding.detail}" for finding in findings]
    assert [one for one in unexpected if not any(one.startswith(begin) for begin in excused)] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_document_is_short_enough_for_a_managed_policy(environment):
    for purpose in permissions.PURPOSES:
        for document in permissions.policies(load(environment, ACCOUNT), purpose):
            assert len(json.dumps(document, separators=(",", ":"))) <= 6144


def parliament() -> ModuleType:
    """Parliament 1.6.4 asks pkg_resources, which setuptools no longer has, for the paths of its own two files."""
    if "pkg_resources" not in sys.modules:
        asked = ModuleType("pkg_resources")
        asked.resource_filename = lambda package, name: str(importlib.resources.files(package) / name)  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = asked
    import parliament as found

    return found


@contextmanager
def recording(aws: Aws) -> Iterator[tuple[Aws, set[str]]]:
    """The same account opened anew, and the IAM actions of the calls sent through it."""
    sent: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        sent.add(permission(model.service_model.service_name, model.name))

    watched = again(aws)
    watched.session.events.register("after-call", note)
    try:
        yield watched, sent
    finally:
        watched.session.events.unregister("after-call", note)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_a_run_sends_is_granted_for_what_it_does(account, environment):
    aws = account(environment, {"destroy": {"confirm": destroy.CONFIRMATION}})
    with recording(aws) as (watched, planning):
        start.survey(watched)
        start.quota_verdicts(watched)
    with recording(aws) as (watched, applying):
        build(watched)
        [step(name).verify(watched, step(name).desired(watched.config)) for name in STEPS]
    with recording(aws) as (watched, destroying):
        destroy.plan(watched).apply(watched, environment)
    assert planning - FREE <= set(permissions.actions("plan"))
    assert applying - FREE <= set(permissions.actions("apply"))
    assert destroying - FREE <= set(permissions.actions("destroy"))


@pytest.mark.parametrize(
    ("service", "operation", "code", "message", "missing"),
    [
        ("efs", "DescribeFileSystems", "AccessDeniedException", "", "elasticfilesystem:DescribeFileSystems"),
        ("ec2", "DescribeVpcs", "UnauthorizedOperation", "You are not authorized.", "ec2:DescribeVpcs"),
        (
            "ecs",
            "RegisterTaskDefinition",
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:PassRole on resource: x",
            "iam:PassRole",
        ),
    ],
)
def test_a_denied_call_names_the_permission_that_is_missing(service, operation, code, message, missing):
    error = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    assert f"missing permission: {missing} (" in explain(service, error)
