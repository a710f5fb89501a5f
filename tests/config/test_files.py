from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from slpnb import config
from slpnb.errors import ParameterError
from slpnb.repository import ENVIRONMENTS
from tests.conftest import CASES

MISTAKES = json.loads((CASES / "config" / "mistakes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: json.dumps(case["given"])[:60])
def test_a_mistake_is_one_sentence_with_place_key_and_what_is_allowed(case):
    with pytest.raises(ParameterError) as caught:
        config.load(given=case["given"])
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith((config.INJECTED, "params/"))
    for part in case["says"]:
        assert part in sentence


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", True), ("True", True), ("FALSE", False), ("false", False), ("Local", "local"), (True, True)],
)
def test_apply_may_be_a_word_since_papermill_passes_one(written, meant):
    assert config.load(given={"apply": written}).apply is meant


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_parameters_load_and_each_value_names_its_source(environment):
    loaded = config.load(environment)
    assert loaded.environment == environment
    assert loaded.source("cluster.instance_type") == f"params/{environment}.yaml"
    assert loaded.source("network.vpc_cidr") == "params/base.yaml"
    assert loaded.source("efs.directory") == "default"


def test_staging_holds_the_decisions_of_the_research_notebook():
    staging = config.load("staging")
    assert (staging.network.vpc_name, staging.network.vpc_cidr) == ("slp-cluster-vpc", "172.30.0.0/16")
    assert staging.network.security_group == "MySLP-ECS-Services"
    assert (staging.cluster.instance_type, staging.task.architecture) == ("c6g.xlarge", "arm64")
    assert (staging.task.family, staging.task.cpu_units, staging.task.volume_name) == (
        "slp-saas-test",
        2048,
        "efs-uploads",
    )
    assert staging.task.uploads_path == "/var/www/html/wp-content/uploads"
    service = staging.service
    assert (service.name, service.load_balancer) == ("slp-saas-test-service", "slp-saas-test-lb")
    assert (service.target_group, service.scaling_policy) == ("slp-saas-test-tg", "slp-saas-test-scaling-policy")
    assert (service.min_tasks, service.max_tasks, service.cpu_target_percent, service.cooldown_seconds) == (
        1,
        5,
        70,
        300,
    )
    assert (service.health_check.path, service.placement, service.circuit_breaker) == (
        "/VERSION.txt",
        "az_balanced_spread",
        True,
    )


def test_production_differs_where_a_production_would():
    staging, production = config.load("staging"), config.load("production")
    assert len(production.zones) == 3 > len(staging.zones)
    assert production.service.min_tasks >= 2
    assert production.cluster.max_instances > staging.cluster.max_instances
    assert production.service.deletion_protection
    assert production.service.alarms
    assert production.efs.backups
    assert production.image.digest.startswith("sha256:")


def test_what_a_run_gives_lies_over_the_files_and_says_so():
    loaded = config.load("production", {"task": {"memory_mib": 4096}})
    assert loaded.task.memory_mib == 4096
    assert loaded.task.family == "slp-saas"
    assert loaded.source("task.memory_mib") == config.INJECTED
    assert loaded.table("task").loc["task.memory_mib", "from"] == config.INJECTED


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path):
    for name in ("base", "staging"):
        (tmp_path / f"{name}.yaml").write_text((config.params_dir() / f"{name}.yaml").read_text(encoding="utf-8"))
    with (tmp_path / "staging.yaml").open("a") as file:
        file.write("  stikiness: true\n")
    with pytest.raises(ParameterError, match=r"^params/staging.yaml: service.stikiness is not a parameter"):
        config.load("staging", folder=tmp_path)
    (tmp_path / "staging.yaml").write_text("task:\n  memory_mib: [1\n")
    with pytest.raises(ParameterError, match=r"^params/staging.yaml: line \d+ is not YAML"):
        config.load("staging", folder=tmp_path)
    (tmp_path / "staging.yaml").unlink()
    with pytest.raises(ParameterError, match=r"staging.yaml: no such file"):
        config.load("staging", folder=tmp_path)


def test_the_schema_for_editors_is_current():
    committed = (config.params_dir() / "schema.json").read_text(encoding="utf-8")
    assert committed == config.schema(), "run: make schema"


@pytest.mark.parametrize(
    ("text", "nested"),
    [
        ("task.memory_mib=3584", {"task": {"memory_mib": 3584}}),
        ("efs.transition_to_ia_days=null", {"efs": {"transition_to_ia_days": None}}),
        ("service.health_check.path=/ok", {"service": {"health_check": {"path": "/ok"}}}),
        ("apply=true", {"apply": True}),
    ],
)
def test_set_reads_yaml(text, nested):
    assert config.given([text]) == nested


@pytest.mark.parametrize("text", ["task.memory_mib", "=3", "task.memory_mib=[1"])
def test_set_refuses_what_is_no_assignment(text):
    with pytest.raises(ParameterError, match="--set"):
        config.given([text])


NESTED = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), NESTED, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_laying_over_keeps_everything_the_upper_layer_says(lower, upper):
    merged = config.lay_over(lower, upper)
    assert set(merged) == set(lower) | set(upper)
    assert config.lay_over(merged, upper) == merged
    assert config.lay_over(lower, {}) == lower


def test_no_parameter_can_hold_a_secret():
    names = json.dumps(json.loads(config.schema())["$defs"]).lower()
    for word in ("password", "salt", "token", "private_key"):
        assert f'"{word}' not in names


def test_an_empty_section_sets_nothing():
    loaded = config.load(given={"environment": "staging", "efs": {}, "sizing": {}})
    assert loaded.source("efs.uid") == "params/base.yaml"
    assert loaded.source("sizing.candidates") == "default"
