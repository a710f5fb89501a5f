from __future__ import annotations

import json

import pytest

from slpnb import local, network, runbook
from slpnb.config import load
from slpnb.errors import ParameterError, Refusal, VerificationError
from slpnb.plan import Applied
from slpnb.steps import NOTEBOOKS, STEPS, step
from slpnb.verdict import Verdicts, ng, ok


def test_an_untouched_embedded_aws_is_prepared_so_that_a_notebook_runs_alone(embedded, monkeypatch, capsys):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    local.reset(embedded.endpoint_url)
    _, aws = runbook.open("30_efs", {})
    said = capsys.readouterr()
    assert said.out.startswith("30_efs, staging, us-east-1: embedded AWS")
    assert said.err == "… first 10_image\n… first 20_network\n"
    assert not network.plan(network.desired(aws.config), network.observe(aws))
    before = local.writes(embedded.endpoint_url)
    runbook.open("40_secrets", {})
    assert local.writes(embedded.endpoint_url) == before, "only an untouched one is prepared"


@pytest.mark.parametrize("given", [{"apply": False}, {"environment": "production"}])
def test_where_nothing_may_be_written_nothing_is_prepared(embedded, monkeypatch, capsys, given):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    local.reset(embedded.endpoint_url)
    runbook.open("30_efs", given)
    assert "Plans are shown, not applied" in capsys.readouterr().out
    assert local.writes(embedded.endpoint_url) == 0


IMPOSSIBLE = {
    "8192": {"task": {"memory_mib": 8192}},
    "2049": {"network": {"nfs_from": "nobody"}},
    "arm64": {"task": {"architecture": "x86_64"}},
}


@pytest.mark.parametrize("number", IMPOSSIBLE)
@pytest.mark.parametrize("notebook", STEPS)
def test_a_step_alone_refuses_what_00_start_would_before_its_first_write(embedded, monkeypatch, notebook, number):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    local.reset(embedded.endpoint_url)
    aws, _ = runbook.connect_backend(load(given=IMPOSSIBLE[number]))
    module = step(notebook)
    planned = module.plan(module.desired(aws.config), module.observe(aws))
    with pytest.raises(Refusal, match=number):
        planned.apply(aws)
    assert local.writes(embedded.endpoint_url) == 0


@pytest.mark.parametrize(
    ("notebook", "given", "says"),
    [
        ("10_image", {"cluster": {"ami_parameter": "/company/ami"}}, "/company/ami"),
        ("50_cluster", {"cluster": {"public_ip": False}}, "no address to use it with"),
    ],
)
def test_and_what_its_own_look_at_the_account_shows(embedded, monkeypatch, notebook, given, says):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    local.reset(embedded.endpoint_url)
    aws, _ = runbook.connect_backend(load(given=given))
    module = step(notebook)
    with pytest.raises(Refusal, match=says):
        module.plan(module.desired(aws.config), module.observe(aws)).apply(aws)


def test_a_notebook_that_writes_nothing_is_not_prepared_and_can_show_what_does_not_fit(embedded, monkeypatch, capsys):
    monkeypatch.setenv("SLPNB_LOCAL_ENDPOINT", embedded.endpoint_url)
    local.reset(embedded.endpoint_url)
    runbook.open("60_sizing", IMPOSSIBLE["8192"])
    assert "This notebook writes nothing." in capsys.readouterr().out
    assert local.writes(embedded.endpoint_url) == 0
    with pytest.raises(Refusal, match="8192"):
        runbook.open("70_task", IMPOSSIBLE["8192"])
    assert local.writes(embedded.endpoint_url) == 0


def test_a_mistake_stops_before_anything_is_opened():
    with pytest.raises(ParameterError, match="tsak is not a parameter"):
        runbook.open("30_efs", {"tsak": {}})


def test_the_conclusion_is_one_line_and_the_same_as_data():
    applied = Applied("30_efs", True, (), 3)
    conclusion = runbook.conclude("30_efs", Verdicts((ok("a", "b"),)), applied=applied)
    bundle = conclusion._repr_mimebundle_()
    assert bundle["text/plain"] == conclusion.line == "30_efs: 1 OK"
    assert json.loads(json.dumps(bundle[runbook.RECORD_TYPE]))["verdicts"] == ["[OK]   a: b"]


def test_what_was_applied_and_does_not_read_back_stops_the_runbook():
    failed = Verdicts((ng("port 2049", "closed"),))
    with pytest.raises(VerificationError, match="port 2049: closed"):
        runbook.conclude("30_efs", failed, applied=Applied("30_efs", True, ()))
    runbook.conclude("30_efs", failed, applied=Applied("30_efs", False, ()))


def test_every_step_has_its_verbs():
    for name in STEPS:
        assert name == step(name).STEP
        for verb in ("desired", "observe", "plan", "verify"):
            assert callable(getattr(step(name), verb))
    assert set(STEPS) < set(NOTEBOOKS)


def test_errors_in_a_notebook_show_a_sentence_and_no_traceback():
    assert ParameterError("a sentence")._render_traceback_() == ["ParameterError: a sentence"]
