"""An engine that answers is believed only once it has started a container."""

from __future__ import annotations

import pytest

from slpnb import engine
from slpnb.engine import trial
from tests.engines import needs_engine


@needs_engine
def test_an_engine_that_starts_containers_is_believed():
    with engine.find() as found:
        assert trial.why_not(found) == ""


@needs_engine
def test_an_engine_that_starts_none_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "MEMORY", "1")  # less than an engine accepts
    with engine.find() as found:
        assert "cannot start a container" in trial.why_not(found)


@needs_engine
def test_a_program_that_fails_in_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "PROGRAM", "/bin/false")
    with engine.find() as found:
        assert trial.why_not(found).endswith("/bin/false exits in it with code 1")


def test_without_ldd_there_is_nothing_to_try_with(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trial.why_not(None) == ""
