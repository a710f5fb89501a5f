"""The embedded AWS for the tests of the edges: one process per test worker, freshly seeded for each test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from slpnb import local
from slpnb.aws import Aws, connect
from slpnb.config import load
from slpnb.repository import ROOT
from slpnb.runner import kernels

CASES = ROOT / "tests" / "cases"
os.environ["SLPNB_CATALOG"] = os.devnull  # no test reads, or writes, the figures of whoever runs it


def cases(module: str) -> list[Any]:
    """The cases of a module as pytest parameters, one a JSON file in tests/cases/<module>/."""
    files = sorted((CASES / module).glob("*.json"))
    assert files, f"no cases for {module}"
    return [pytest.param(json.loads(file.read_text(encoding="utf-8")), id=file.stem) for file in files]


@pytest.fixture(autouse=True)
def simulated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tests that need an engine see one: the others are the same on every machine."""
    reasons = [str(mark.kwargs.get("reason", "")) for mark in request.node.iter_markers("skipif")]
    if not any(reason.startswith("needs a container engine") for reason in reasons):  # tests/engines.py
        monkeypatch.setenv("SLPNB_ENGINE", "none")


@pytest.fixture(scope="session")
def embedded() -> Iterator[local.Embedded]:
    with local.start() as running:
        yield running


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kernels.Nursery | None]:
    """The process that the kernels of the tests' runs are forked from, where kernels are forks."""
    if not kernels.FORKS:
        yield None
        return
    started = kernels.Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield started
    started.close()


def opened(url: str, environment: str = "staging", given: dict[str, Any] | None = None) -> Aws:
    """The account of the embedded AWS at ``url`` as it is, with ``given`` parameters."""
    config = load(environment, {"apply": True, **(given or {})})
    return connect(config, endpoint_url=url, sleep=lambda seconds: local.advance(url, seconds), simulated="test")


def again(aws: Aws, environment: str = "", **given: Any) -> Aws:
    """The same account opened anew, nothing remembered but what AWS holds; with other parameters if given."""
    if environment or given:
        return opened(str(aws.endpoint_url), environment or aws.config.environment, given)
    return connect(aws.config, endpoint_url=aws.endpoint_url, sleep=aws.sleep, simulated="test")


def deny(aws: Aws, service: str, *operations: str) -> None:
    """Let these calls of one connection be answered as IAM answers whoever may not make them."""

    def denied(model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        message = f"User is not authorized to perform: {service}:{model.name}"
        return SimpleNamespace(status_code=403), {"Error": {"Code": "AccessDeniedException", "Message": message}}

    for operation in operations:
        aws.client(service).meta.events.register(f"before-call.{service}.{operation}", denied)


@pytest.fixture
def account(embedded: local.Embedded) -> Callable[..., Aws]:
    """Seed the account afresh and connect to it: ``account("production", {"task": {...}})``."""

    def open_account(environment: str = "staging", given: dict[str, Any] | None = None) -> Aws:
        local.reset(embedded.endpoint_url)
        return opened(embedded.endpoint_url, environment, given)

    return open_account


@pytest.fixture
def aws(account: Callable[..., Aws]) -> Aws:
    """Staging, freshly seeded."""
    return account()
