"""The image into a registry: what is said to whom, and a real push to a registry of this test's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from click.testing import CliRunner

from slpnb import engine, image
from slpnb.cli.main import main
from slpnb.config import load
from slpnb.errors import Refusal, VerificationError
from slpnb.image import pushing
from slpnb.local.base import registry
from tests.engines import needs_engine

BUILT = {"arm64": "localhost/x:1-arm64", "amd64": "localhost/x:1"}
FOLDER = Path("/tmp/slpnb-push-Ab1_")  # only named
TO = pushing.Destination("123456789012.dkr.ecr.us-east-1.amazonaws.com", "slp-saas", "1.0.0")
HERE = pushing.Destination("127.0.0.1:5000", "slp-saas", "1.0.0")
DIGEST = "sha256:" + "a" * 64
USER, PASSWORD = "pusher", "only for this test"
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuubyNe9wMd5jVXU5IcsF4WSt4zL9IRFXS"
REGISTRY = shutil.which("docker-registry")
READY_SECONDS = 20.0
needs_registry = pytest.mark.skipif(REGISTRY is None, reason="needs Debian's docker-registry, a registry to push to")
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


def client(name: str) -> engine.Engine:
    return engine.Engine(name, "1", "amd64", (name,), None, "unix:///s")


def lines(name: str, to: pushing.Destination = TO, built: dict[str, str] = BUILT, login: bool = True) -> list[str]:
    return [" ".join(words) for words in pushing.commands(client(name), to, built, FOLDER, login)]


@pytest.mark.parametrize(
    ("reference", "host", "repository", "url"),
    [
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a", "http://127.0.0.1:5000/v2/"),
        ("localhost:5000/a/b-c", "localhost:5000", "a/b-c", "http://localhost:5000/v2/"),
        ("[::1]:5000/a", "[::1]:5000", "a", "http://[::1]:5000/v2/"),
        ("registry.example/team/a", "registry.example", "team/a", "https://registry.example/v2/"),
        ("127.example:5000/a", "127.example:5000", "a", "https://127.example:5000/v2/"),
    ],
)
def test_a_registry_of_this_machine_speaks_http_and_any_other_https(reference, host, repository, url):
    to = pushing.target(reference, "1")
    assert (to.host, to.repository, to.tag, to.url) == (host, repository, "1", url)


@pytest.mark.parametrize(
    "reference", ["a", "127.0.0.1:5000", "http://127.0.0.1:5000/a", "h.x/A", "h.x/a:1", "team/a", ""]
)
def test_what_names_no_registry_and_repository_is_refused(reference):
    with pytest.raises(Refusal, match="names no registry and repository: it must look like"):
        pushing.target(reference, "1")


def test_podman_makes_the_index_here_and_pushes_it_with_all_its_images():
    create, amd64, arm64, pushed = lines("podman")
    index = "localhost/slpnb-push:slpnb-push-Ab1_"
    assert create == f"podman manifest create {index}"
    assert amd64 == f"podman manifest add {index} containers-storage:localhost/x:1"
    assert arm64 == f"podman manifest add {index} containers-storage:localhost/x:1-arm64"
    assert pushed.startswith("podman manifest push --all --format=oci ")
    assert f"--authfile={FOLDER}/auth.json" in pushed
    assert pushed.endswith(f" {index} docker://{TO.name}:1.0.0")


def test_only_a_registry_of_this_machine_is_spoken_to_without_tls():
    assert "--tls-verify=false" in lines("podman", HERE, login=False)[-1]
    assert not [line for line in lines("podman") if "tls" in line]
    assert "authfile" not in lines("podman", HERE, login=False)[-1]


def test_docker_pushes_each_image_and_joins_them_in_the_registry():
    said, whole = lines("docker"), f"{TO.name}:1.0.0"
    assert said[:2] == [f"docker tag localhost/x:1 {whole}-amd64", f"docker push {whole}-amd64"]
    assert said[4] == f"docker buildx imagetools create --tag={whole} {whole}-amd64 {whole}-arm64"
    assert said[-1].endswith(whole)


def test_finch_pushes_one_image_and_joins_none():
    assert lines("finch", built={"arm64": "localhost/x:1"})[-1] == f"finch push {TO.name}:1.0.0"
    with pytest.raises(Refusal, match="Finch cannot join images into an index"):
        lines("finch")


@pytest.mark.parametrize("name", ["podman", "docker", "finch"])
def test_a_password_is_in_no_command_and_no_representation(name):
    login = pushing.Login("AWS", "s3cret")
    words = pushing.login_command(client(name), TO, login.user, FOLDER)
    assert "--password-stdin" in words
    assert words[-1] == TO.host
    assert "s3cret" not in repr([words, lines(name, built={"arm64": "x"}), login, [login]])


def test_the_parameters_line_is_that_of_the_environments_file():
    done = pushing.Pushed(TO, DIGEST, ("linux/amd64", "linux/arm64"))
    assert pushing.line(load("staging"), done) == f"params/staging.yaml:\nimage:\n  digest: {DIGEST}"
    later = pushing.Pushed(pushing.target("h.x/a", "2.0.0"), DIGEST, ())
    assert '\n  tag: "2.0.0"\n' in pushing.line(load("production"), later)


def test_the_login_is_ecrs_and_the_target_the_parameters_repository(aws):
    with pytest.raises(Refusal, match="repository slp-saas-test does not exist yet; slpnb run staging --only 10_image"):
        pushing.ecr(aws, "2.0.0")
    image.plan(image.desired(aws.config), image.observe(aws)).apply(aws)
    to, login = pushing.ecr(aws, "2.0.0")
    assert (to.repository, to.tag, login.user) == ("slp-saas-test", "2.0.0", "AWS")
    assert to.host == f"{aws.account_id}.dkr.ecr.{aws.region}.amazonaws.com"
    assert login.password
    assert login.password not in repr(login)


def test_a_tag_that_is_taken_is_refused_before_a_build(aws):
    image.plan(image.desired(aws.config), image.observe(aws)).apply(aws)
    index = registry.pushed().images[0]
    aws.client("ecr").put_image(
        repositoryName=aws.config.image.repository,
        imageManifest=index.content.decode() if isinstance(index.content, bytes) else index.content,
        imageManifestMediaType=image.MEDIA_TYPES[0],
        imageTag="2.0.0",
    )
    with pytest.raises(Refusal, match=r"tag 2.0.0 is in repository slp-saas-test already .*give another --version"):
        pushing.ecr(aws, "2.0.0")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_a_registry_that_does_not_answer_is_refused_in_one_sentence_before_a_build():
    to = pushing.target(f"127.0.0.1:{free_port()}/a", "1")
    with pytest.raises(Refusal, match=f"^no registry answers at {to.url}: Connection refused$"):
        pushing.demand_answer(to)


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[str]:
    """A registry of this test's own; its host and port."""
    port = free_port()
    settings = folder / "registry.yml"
    settings.write_text(CONFIG.format(folder=folder / "blobs", port=port) + more)
    process = subprocess.Popen([str(REGISTRY), "serve", str(settings)], stderr=subprocess.DEVNULL)
    try:
        await_answer(pushing.target(f"127.0.0.1:{port}/a", "1"), process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def await_answer(to: pushing.Destination, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            return pushing.demand_answer(to)
        except Refusal:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def here() -> Iterator[engine.Engine]:
    with engine.find() as found:
        yield found


@pytest.fixture(scope="module")
def built(here, tmp_path_factory) -> Iterator[dict[str, str]]:
    """An image of one file for each architecture: nothing in it runs, so that it can be built anywhere."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    names = {one: f"localhost/slpnb-pushed:{one}" for one in ("amd64", "arm64")}
    for one, name in names.items():
        words = [
            "build",
            "--quiet",
            "--no-cache",
            f"--platform=linux/{one}",
            f"--label={engine.LABEL}=test",
            f"--tag={name}",
        ]
        subprocess.run([*here.command, *words, str(folder)], check=True, capture_output=True)
    yield names
    for name in names.values():
        here.client.images.remove(name, force=True)


def manifest(to: pushing.Destination, what: str) -> dict:
    request = Request(f"{to.url}{to.repository}/manifests/{what}", headers={"Accept": ", ".join(image.MEDIA_TYPES)})
    with build_opener(ProxyHandler({})).open(request) as answer:
        return json.load(answer)


@needs_engine
@needs_registry
def test_two_architectures_are_pushed_as_one_index_and_read_back_by_digest(here, built, tmp_path):
    with serving(tmp_path) as host:
        to = pushing.target(f"{host}/team/tiny", "1.0.0")
        done = pushing.push(here, to, built)
        index = manifest(to, done.digest)
        assert index == manifest(to, "1.0.0")
        assert done.platforms == ("linux/amd64", "linux/arm64")
        listed = {entry["platform"]["architecture"]: entry["digest"] for entry in index["manifests"]}
        assert sorted(listed) == ["amd64", "arm64"]
        assert all(manifest(to, digest)["layers"] for digest in listed.values())
        with pytest.raises(VerificationError, match=r"over linux/amd64; .* over linux/arm64 should have been pushed"):
            pushing.push(here, to, {"arm64": built["amd64"]})
    assert not [one for one in here.client.images.list() if any("slpnb-push:" in tag for tag in one.tags)]


@needs_engine
@needs_registry
def test_a_registry_with_a_login_takes_it_from_standard_input_and_nothing_is_kept(here, built, tmp_path):
    (tmp_path / "htpasswd").write_text(HTPASSWD + "\n")
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path / 'htpasswd'}}}}}\n"
    with serving(tmp_path, auth) as host:
        to = pushing.target(f"{host}/tiny", "1.0.0")
        done = pushing.push(here, to, {"arm64": built["arm64"]}, pushing.Login(USER, PASSWORD))
        assert done.platforms == ("linux/arm64",)
        with pytest.raises(pushing.PushError) as refused:
            pushing.push(here, to, {"arm64": built["arm64"]}, pushing.Login(USER, "not the word"))
        assert "not the word" not in str(refused.value)
        with pytest.raises(pushing.PushError, match="exited with code"):  # no login is left from the first
            pushing.push(here, to, {"arm64": built["arm64"]})


@needs_engine
def test_nothing_is_built_for_a_registry_that_does_not_answer():
    said = CliRunner().invoke(main, ["build", "--push", "--registry", f"127.0.0.1:{free_port()}/a"])
    assert said.exit_code == Refusal.exit_code
    assert "Refusal: no registry answers at http://127.0.0.1" in said.output
    assert "STEP" not in said.output


def test_without_a_registry_or_an_account_the_command_says_what_it_would_push():
    said: list[str] = []
    for environment, given in (("staging", "--apply"), ("production", "--confirm production")):
        config = load(environment)
        said.append(pushing.not_pushed(config, ("amd64", "arm64"), "2.0.0"))
        assert f"linux/amd64, linux/arm64 as one index to ECR repository {config.image.repository}" in said[-1]
        assert said[-1].endswith(f"{given} pushes it")
