"""Only `slpnb/plan/apply.py` writes to AWS: by what the code calls, and by what is sent while it runs."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from slpnb import destroy, runbook
from slpnb.aws import READING
from slpnb.repository import ROOT
from slpnb.runner import live
from slpnb.service import stability

PACKAGE = ROOT / "slpnb"
EDGE, APPLY = PACKAGE / "aws.py", PACKAGE / "plan" / "apply.py"
NO_AWS = ("local", "ecs", "fleet")  # the simulation, and models whose verbs are AWS's: the linter keeps slpnb.aws out
VERIFY = {"verify"}  # KMS checks a signature by it and changes nothing; a step reads back by its own
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] not in NO_AWS]


@cache
def writing() -> set[str]:
    """The methods of boto3's clients that do not read, of every service that the package names."""
    session = botocore.session.get_session()
    words = {node.value for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
    services = words & set(session.get_available_services())
    assert {"ec2", "ecs", "efs", "iam", "rds", "secretsmanager"} <= services
    names = {xform_name(name) for service in services for name in session.get_service_model(service).operation_names}
    return {name for name in names if not name.startswith(READING)} - VERIFY


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the last name of what is called: ``aws.client("ecs").run_task()`` is both client and run_task."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            yield getattr(function, "attr", getattr(function, "id", "")), node


def sends(path: Path, writes: set[str]) -> list[str]:
    """The calls by which a file writes, or could: an operation that does not read, or a client to call one on."""
    clients = ("client", "resource")
    found = [(name, node) for name, node in calls(path) if name in writes or (name in clients and node.args)]
    return [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name, node in found]


def test_no_other_file_calls_an_operation_that_writes_or_asks_for_a_client():
    writes = writing()
    assert {"create_service", "run_task", "update_service", "delete_file_system"} <= writes
    assert [line for path in FILES if path not in (EDGE, APPLY) for line in sends(path, writes)] == []


@pytest.mark.parametrize("code", ['aws.client("ecs").update_service()', 'make = aws.client("ecs")', "ecs.run_task()"])
def test_a_write_would_be_seen(tmp_path, monkeypatch, code):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "bad.py").write_text(code)
    assert sends(tmp_path / "bad.py", writing())


@pytest.mark.parametrize("verb", ["read", "pages"])
def test_what_writes_cannot_be_sent_as_a_read(aws, verb):
    arguments = ("ecs", "update_service", *(["services"] if verb == "pages" else []))
    with pytest.raises(ValueError, match="update_service does not read"):
        getattr(aws, verb)(*arguments, desiredCount=0)


def test_every_write_of_a_whole_runbook_is_sent_by_apply(aws):
    sent: dict[str, str] = {}

    def record(event_name: str, **_: object) -> None:
        operation = event_name.rpartition(".")[2]
        if not xform_name(operation).startswith(READING):
            ours = [frame.filename for frame in traceback.extract_stack() if frame.filename.startswith(str(PACKAGE))]
            sent[operation] = ours[-1]

    aws.session.events.register("before-send", record)
    try:
        runbook.prepare("99_destroy", aws)
        live.growth(stability.describe(aws)).apply(aws)
        destroy.plan(aws).apply(aws)
    finally:
        aws.session.events.unregister("before-send", record)
    assert {"CreateService", "UpdateService", "DeleteFileSystem"} <= set(sent)
    assert {operation: file for operation, file in sent.items() if file != str(APPLY)} == {}
