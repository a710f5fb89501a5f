"""The Compose files: current, and saying what the task definition says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from slpnb.cli.main import main
from slpnb.config import load
from slpnb.repository import DOCKER
from slpnb.task import compose
from slpnb.task.task_definition import definition


def written(config, **options):
    """The Compose file as a reader of YAML sees it."""
    return yaml.safe_load(compose.text(config, **options))


def both(environment="staging", **given):
    config = load(environment, given)
    (container,) = definition(config)["containerDefinitions"]
    return container, written(config)["services"]["wordpress"]


@pytest.mark.parametrize("name", compose.FILES)
def test_the_committed_file_is_what_the_parameters_say(name):
    printed = CliRunner().invoke(main, ["compose", "--file", name]).output
    found = (DOCKER / name).read_text(encoding="utf-8")
    assert found == printed, f"docker/{name} is stale: slpnb compose --file {name} > docker/{name}"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_sizes_limits_and_times_are_the_definitions(environment):
    container, service = both(environment)
    assert service["mem_limit"] == f"{container['memory']}m"
    assert service["mem_reservation"] == f"{container['memoryReservation']}m"
    assert service["cpus"] * 1024 == load(environment).task.cpu_units
    assert service["stop_grace_period"] == f"{container['stopTimeout']}s"
    (files,) = container["ulimits"]
    assert service["ulimits"] == {"nofile": {"soft": files["softLimit"], "hard": files["hardLimit"]}}


def test_what_may_be_written_is_the_definitions():
    container, service = both()
    mounted = {path: options.split(",") for path, _, options in (one.partition(":") for one in service["tmpfs"])}
    asked = container["linuxParameters"]["tmpfs"]
    assert mounted == {one["containerPath"]: [*one["mountOptions"], f"size={one['size']}m"] for one in asked}
    assert service["read_only"] is True
    assert service["cap_drop"] == container["linuxParameters"]["capabilities"]["drop"]
    (mount,) = container["mountPoints"]
    assert service["volumes"] == [f"{mount['sourceVolume']}:{mount['containerPath']}"]


def test_a_root_that_may_be_written_needs_no_tmpfs():
    _, service = both(task={"read_only_root": False})
    assert not {"read_only", "tmpfs"} & service.keys()


def test_the_health_check_is_the_definitions_and_its_dollars_are_no_variables():
    command = ["CMD-SHELL", "test $(curl -fsS http://127.0.0.1/healthz/deep | wc -l) -eq 3"]
    container, service = both(task={"health_check": {"command": command, "interval_seconds": 7}})
    check = service["healthcheck"]
    assert [word.replace("$$", "$") for word in check["test"]] == container["healthCheck"]["command"] == command
    assert "$(" not in check["test"][1].replace("$$", "")
    assert (check["interval"], check["timeout"], check["start_period"], check["retries"]) == ("7s", "5s", "60s", 3)


def test_every_variable_of_the_definition_is_set_and_no_secret_is_written():
    container, service = both()
    clear = {one["name"]: one["value"] for one in container["environment"]}
    secret = {one["name"] for one in container["secrets"]}
    environment = service["environment"]
    assert environment.keys() == {*clear, *secret, "WORDPRESS_SCHEME"}
    changed = {name for name in clear if environment[name] != clear[name]}
    assert changed == {"WORDPRESS_HOST"}
    assert {name for name, value in environment.items() if re.fullmatch(rf"\$\{{{name}:\?.*\}}", value)} == secret
    assert all(isinstance(value, str) for value in environment.values())


def test_the_example_gives_every_variable_that_is_asked_for_and_nothing_secret():
    config = load("staging")
    lines = [line for line in compose.text(config, compose.EXAMPLE).splitlines() if not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert given.keys() == set(re.findall(r"\$\{(\w+):\?", compose.text(config)))
    assert set(given.values()) == {compose.PLACEHOLDER, "database", "wordpress"}
    assert given["WORDPRESS_DB_HOST"] in written(config)["services"]


def test_env_itself_is_in_no_commit():
    ignored = (DOCKER.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "docker/.env" in ignored


def test_ports_are_on_the_loopback_only():
    _, service = both(task={"container_port": 8080})
    assert service["ports"] == ["127.0.0.1:${WORDPRESS_PORT:-80}:8080"]
    assert not [name for name, one in written(load("staging"))["services"].items() if "ports" in one][1:]


def test_wordpress_waits_for_the_database_and_for_being_installed():
    services = written(load("staging"))["services"]
    assert services["wordpress"]["depends_on"]["install"] == {"condition": "service_completed_successfully"}
    assert services["wordpress"]["depends_on"]["database"] == {"condition": "service_healthy"}
    assert (services["install"]["command"], services["install"]["restart"]) == (["install"], "no")
    told = services["install"]["environment"]
    more = told.keys() - services["wordpress"]["environment"].keys()
    assert more == {"WORDPRESS_ADMIN_EMAIL", "WORDPRESS_ADMIN_PASSWORD"}
    assert services["wordpress"]["environment"].items() <= told.items()
    assert services["install"]["image"] == services["wordpress"]["image"]


def test_every_volume_that_is_used_is_declared_and_the_database_keeps_its_own():
    document = written(load("staging"))
    used = {volume.partition(":")[0] for one in document["services"].values() for volume in one.get("volumes", ())}
    assert used == set(document["volumes"])


def test_another_database_is_an_argument_and_a_variable():
    image = written(load("staging"), database_image="example.org/mariadb:11")["services"]["database"]["image"]
    assert image == "${DATABASE_IMAGE:-example.org/mariadb:11}"


def test_code_from_a_checkout_covers_only_folders_in_which_the_image_has_nothing_of_its_own():
    overlay = yaml.safe_load(compose.text(load("staging"), compose.CODE))["services"]["wordpress"]
    assert overlay["environment"] == {"CODE_CHANGES": "on"}
    content = DOCKER / "wordpress" / "content"
    for bind in overlay["volumes"]:
        assert bind["read_only"]
        assert (content / Path(bind["target"]).name).is_dir()
    assert not [bind for bind in overlay["volumes"] if bind["target"].endswith("themes")]


def checker():
    """A program on this machine that reads Compose files and can say what it read, if there is one."""
    candidates = [("docker", "compose"), ("docker-compose",), ("podman-compose",)]
    for command in [one for one in candidates if shutil.which(one[0])]:
        asked = [
            subprocess.run([*command, *words], capture_output=True) for words in (["version"], ["config", "--help"])
        ]
        if not any(done.returncode for done in asked):
            return command
    return None


@pytest.mark.parametrize("files", [(compose.COMPOSE,), (compose.COMPOSE, compose.CODE)], ids=["alone", "with code"])
def test_a_program_that_reads_compose_files_takes_it(tmp_path, files):
    command = checker()
    if command is None:
        pytest.skip("no docker compose, docker-compose or podman-compose with the command config on this machine")
    shutil.copytree(DOCKER, tmp_path, dirs_exist_ok=True)
    shutil.copy(DOCKER / compose.EXAMPLE, tmp_path / ".env")
    named = [word for name in files for word in ("-f", name)]
    done = subprocess.run([*command, *named, "config"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    service = yaml.safe_load(done.stdout)["services"]["wordpress"]
    given = service["environment"]
    pairs = given if isinstance(given, dict) else dict(one.split("=", 1) for one in given)
    assert (pairs["WORDPRESS_DB_HOST"], pairs["WORDPRESS_HOST"]) == ("database", compose.HOST)
    assert len(service["volumes"]) == 1 + 2 * (len(files) - 1)
