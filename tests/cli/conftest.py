"""Commands as a user calls them, on the tests' own embedded AWS."""

from __future__ import annotations

from functools import partial

import pytest
from click.testing import CliRunner, Result

from slpnb import local
from slpnb.cli.main import main
from slpnb.runner import kernels, sequence
from tests import generated


@pytest.fixture
def aws_here(embedded: local.Embedded, monkeypatch) -> local.Embedded:
    """Commands find the tests' embedded AWS, freshly seeded."""
    local.reset(embedded.endpoint_url)
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    return embedded


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    started = kernels.Nursery(tmp_path_factory.mktemp("nursery") / "log") if kernels.FORKS else None
    yield started
    if started:
        started.close()


@pytest.fixture
def places(tmp_path, aws_here, nursery, monkeypatch) -> list[str]:
    assert aws_here.endpoint_url
    monkeypatch.setattr(sequence, "Kernels", partial(kernels.Kernels, nursery=nursery))
    source = generated.fine(tmp_path / "notebooks", "00_start")
    generated.refusing(source, "10_image")
    generated.fine(source, "99_destroy", "print(config.destroy.confirm, config.confirm, config.destroy.delete_data)")
    return ["--notebooks", str(source), "--runs", str(tmp_path / "runs")]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)
