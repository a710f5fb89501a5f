"""What is installed: the same for pip, conda and CI, and the Makefile tells of each of its targets."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from slpnb.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# conda-forge's matplotlib brings a window toolkit as well
CONDA_NAMES = {"matplotlib-base": "matplotlib", "docker-py": "docker"}
ONLY_CONDA = {"python", "pip"}


def asked() -> dict[str, Requirement]:
    texts = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, texts)}


def conda() -> dict[str, Requirement]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = (item["pip"] for item in listed if isinstance(item, dict))
    texts = [text for text in [*listed, *pip] if isinstance(text, str) and text != "-e ."]
    found = map(Requirement, texts)
    return {canonicalize_name(CONDA_NAMES.get(item.name, item.name)): item for item in found}


def test_conda_gets_the_versions_of_pyproject():
    wanted = {name: str(requirement.specifier) for name, requirement in asked().items()}
    given = {name: str(requirement.specifier) for name, requirement in conda().items() if name not in ONLY_CONDA}
    assert given == wanted
    assert str(conda()["python"].specifier) == PROJECT["requires-python"]


def pins() -> dict[str, list[Requirement]]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^([a-z0-9][^ ]*==[^\\\n]*)", text, re.MULTILINE):
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_lock_pins_everything_asked_for_within_its_range():
    locked = pins()
    for name, requirement in asked().items():
        assert name in locked, f"{name} is not locked: make lock"
        for pin in locked[name]:
            version = next(iter(pin.specifier)).version
            assert requirement.specifier.contains(version), f"{name} {version}: make lock"


@pytest.mark.parametrize("version", ["3.11.0", "3.12.0", "3.13.0"])
def test_the_lock_has_one_version_of_a_package_for_each_python(version):
    for name, found in pins().items():
        environment = {"python_version": version[:4], "python_full_version": version, "sys_platform": "linux"}
        fitting = [pin for pin in found if not pin.marker or pin.marker.evaluate(environment)]
        assert len(fitting) <= 1, name


def test_the_lock_has_hashes_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def make(*arguments: str) -> str:
    done = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_help_is_what_make_says_and_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert set(re.findall(r"^make ([a-z0-9-]+)", make(), re.MULTILINE)) == set(targets.split())


@pytest.mark.parametrize("target", ["run", "test", "lab", "bench", "notebooks", "lint", "schema", "lock"])
def test_every_target_sets_itself_up(target):
    (rule,) = re.findall(rf"^{target}:([^#\n]*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "$(READY)" in rule


def test_production_is_confirmed_by_its_name():
    assert "run production --again --confirm production" in make("--dry-run", "run", "ENV=production")
    assert "--confirm" not in make("--dry-run", "run")


def test_the_editors_schema_is_current():
    from slpnb.config import schema

    assert (ROOT / "params" / "schema.json").read_text(encoding="utf-8") == schema()


@pytest.mark.parametrize("path", [".ci/run", ".ci/setup"])
def test_scripts_are_executable_and_parse(path):
    assert (ROOT / path).stat().st_mode & 0o111
    shell = "bash" if path == ".ci/run" else "sh"
    subprocess.run([shell, "-n", str(ROOT / path)], check=True)
