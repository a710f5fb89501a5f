"""Who may import whom (docs: README, "The map of the repository")."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from slpnb.repository import ROOT

PACKAGE = ROOT / "slpnb"
PURE = (
    "architecture",
    "capacity",
    "catalog",
    "cluster_query",
    "columns",
    "compose",
    "container_arguments",
    "contradictions",
    "deployment",
    "fleet",
    "knapsack",
    "lifecycle",
    "matrix",
    "measure",
    "observed",
    "packing",
    "parameters",
    "placement",
    "plan",
    "policies",
    "rebalancing",
    "recommend",
    "remedies",
    "resources",
    "rollout",
    "scheduler",
    "scheduler_state",
    "shapes",
    "shown",
    "size",
    "sizing",
    "sizing_checks",
    "sizing_words",
    "tracking",
    "traffic",
    "values",
    "verdict",
)
CLIENT_LIBRARIES = {"boto3", "botocore", "moto", "requests", "urllib3"}


def imports(path: Path) -> set[str]:
    """The modules that a file imports at its top level; what is only for type checking does not count."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def modules() -> list[str]:
    return sorted(path.stem for path in PACKAGE.glob("*.py"))


@pytest.mark.parametrize("name", PURE)
def test_the_pure_modules_import_no_client_library(name):
    roots = {module.partition(".")[0] for module in imports(PACKAGE / f"{name}.py")}
    assert not roots & CLIENT_LIBRARIES
    assert "slpnb.aws" not in imports(PACKAGE / f"{name}.py")


@pytest.mark.parametrize("name", modules())
def test_only_the_runbook_and_its_runner_know_the_embedded_aws(name):
    text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    knows = "slpnb.local" in text or "from slpnb import local" in text
    assert not knows or name in ("runbook", "runner", "__main__", "kernels")


@pytest.mark.parametrize("name", modules())
def test_only_the_aws_edge_makes_clients_and_only_apply_writes(name):
    roots = {module.partition(".")[0] for module in imports(PACKAGE / f"{name}.py")}
    assert "boto3" not in roots or name == "aws"


def test_importing_the_package_starts_nothing_heavy():
    code = "import sys, slpnb; print(sorted({'boto3', 'pandas', 'moto', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
