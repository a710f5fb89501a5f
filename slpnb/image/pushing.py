"""Pushing the image to a registry as an index over its architectures, and getting its digest for ``image.digest``.

A tag can be moved, a digest cannot: the task definition runs the digest of the index, and each
instance pulls the image of its own architecture out of it. A password goes to the engine's client
through its standard input, into a folder that ends with the push. Sources: OCI distribution specification 1.1,
podman-manifest-push(1), docker buildx imagetools create, Amazon ECR User Guide ("Pushing a multi-architecture image",
"Private registry authentication").
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from slpnb.aws import Aws
from slpnb.config import Config
from slpnb.engine import Engine
from slpnb.errors import Refusal, SlpnbError, VerificationError
from slpnb.image import architecture, step

REFERENCE = re.compile(
    r"(?P<host>[\w.-]+(?::\d+)?|\[[\da-f:]+\](?::\d+)?)/(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TIMEOUT_SECONDS = 1800  # for one command; a first push sends every layer
ANSWER_SECONDS = 10
SAID = 10  # last lines of a failed push that are kept
UNAUTHORIZED = (401, 403)


class PushError(SlpnbError):
    """The image could not be pushed, or not be read back."""


@dataclass(frozen=True)
class Destination:
    """Where to push: ``host`` (with its port), ``repository`` and ``tag``."""

    host: str
    repository: str
    tag: str

    @property
    def name(self) -> str:
        """The repository as a client names it, without a tag."""
        return f"{self.host}/{self.repository}"

    @property
    def local(self) -> bool:
        """Whether the registry is on this machine: then it speaks plain HTTP, and no proxy is in between."""
        host = re.sub(r":\d+$", "", self.host).strip("[]")
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return host == "localhost"

    @property
    def url(self) -> str:
        """The registry's address."""
        return f"{'http' if self.local else 'https'}://{self.host}/v2/"


@dataclass(frozen=True)
class Login:
    """A registry's credentials. No representation shows the password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r})"

    @property
    def header(self) -> dict[str, str]:
        """The same for HTTP."""
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}


@dataclass(frozen=True)
class Pushed:
    """What is in the registry now: the index's digest, and the platforms that it lists."""

    target: Destination
    digest: str
    platforms: tuple[str, ...]


def target(reference: str, tag: str) -> Destination:
    """The target that ``--registry`` names, such as 127.0.0.1:5000/slp-saas. Pure. Raises `Refusal` for others."""
    found = REFERENCE.fullmatch(reference)
    if found is None or not re.search(r"[.:]|^localhost$", found["host"]):
        raise Refusal(f"{reference!r} names no registry and repository: it must look like 127.0.0.1:5000/slp-saas")
    return Destination(found["host"], found["repository"], tag)


def login_command(engine: Engine, to: Destination, user: str, folder: Path) -> list[str]:
    """The command that logs in, for this push only; the password is its standard input. Pure."""
    where = _options(to, folder, login=True) if engine.name == "podman" else []
    return [*engine.command, "login", *where, f"--username={user}", "--password-stdin", to.host]


def commands(engine: Engine, to: Destination, built: Mapping[str, str], folder: Path, login: bool) -> list[list[str]]:
    """The commands that push the images in ``built`` (by architecture) as an index. Pure.

    Podman makes the index here and pushes all in one go; Docker pushes each image under a tag of its own and makes
    the index in the registry. Raises `Refusal` for Finch with several images, which it cannot join.
    """
    if engine.name == "podman":
        return _by_podman(engine, to, built, folder, login)
    if engine.name == "docker":
        return _by_docker(engine, to, built)
    if len(built) > 1:
        raise Refusal("Finch cannot join images into an index: push with Podman or Docker, or only one architecture")
    (name,) = built.values()
    return [[*engine.command, "tag", name, f"{to.name}:{to.tag}"], [*engine.command, "push", f"{to.name}:{to.tag}"]]


def _by_podman(engine: Engine, to: Destination, built: Mapping[str, str], folder: Path, login: bool) -> list[list[str]]:
    index = index_name(folder)
    add = [[*engine.command, "manifest", "add", index, f"containers-storage:{built[one]}"] for one in sorted(built)]
    push = ["push", "--all", "--format=oci", f"--digestfile={folder / 'digest'}", *_options(to, folder, login)]
    return [
        [*engine.command, "manifest", "create", index],
        *add,
        [*engine.command, "manifest", *push, index, f"docker://{to.name}:{to.tag}"],
    ]


def _options(to: Destination, folder: Path, login: bool) -> list[str]:
    """Podman's: Docker needs neither."""
    return ["--tls-verify=false"] * to.local + [f"--authfile={folder / 'auth.json'}"] * login


def _by_docker(engine: Engine, to: Destination, built: Mapping[str, str]) -> list[list[str]]:
    tools, whole = [*engine.command, "buildx", "imagetools"], f"{to.name}:{to.tag}"
    parts = {f"{whole}-{one}": built[one] for one in sorted(built)}
    pushes = [[[*engine.command, "tag", name, part], [*engine.command, "push", part]] for part, name in parts.items()]
    return [
        *(command for pair in pushes for command in pair),
        [*tools, "create", f"--tag={whole}", *parts],
        [*tools, "inspect", "--format={{.Manifest.Digest}}", whole],
    ]


def index_name(folder: Path) -> str:
    """The name of Podman's index while it is being pushed: as unique as the push's folder. Pure."""
    return f"localhost/slpnb-push:{folder.name}"


def announced(built: Sequence[str], to: str, tag: str) -> str:
    """What would be pushed where, in words. Pure."""
    return f"linux/{', linux/'.join(sorted(built))} as one index to {to}, tag {tag}"


def not_pushed(config: Config, built: Sequence[str], tag: str) -> str:
    """What would be pushed, where nothing may be written, and the options that allow it. Pure."""
    confirm = " --confirm production" if config.environment == "production" else ""
    would = announced(built, f"ECR repository {config.image.repository}", tag)
    return f"not pushed: it would be {would}; --backend aws --apply{confirm} pushes it"


def line(config: Config, done: Pushed) -> str:
    """What to put into the parameters, so that the fleet runs what was pushed. Pure."""
    tag = f'  tag: "{done.target.tag}"\n' if done.target.tag != config.image.tag else ""
    return f"params/{config.environment}.yaml:\nimage:\n{tag}  digest: {done.digest}"


def ecr(aws: Aws, tag: str) -> tuple[Destination, Login]:
    """The parameters' repository and a login to it, good for twelve hours. Reads only.

    Raises `Refusal` when it does not exist yet, or holds the tag already: there a tag is immutable.
    """
    have = step.find_repository(aws)
    name, environment = aws.config.image.repository, aws.config.environment
    if not have:
        raise Refusal(
            f"repository {name} does not exist yet; "
            f"slpnb run {environment} --only 10_image --backend aws --apply makes it"
        )
    if taken := step.find_tag(aws, tag):
        raise Refusal(f"tag {tag} is in repository {name} already ({taken}) and is immutable: give another --version")
    host, _, repository = have["repository"].facts["uri"].partition("/")
    return Destination(host, repository, tag), ecr_login(aws)


def ecr_login(aws: Aws) -> Login:
    """The user and the password of the account's own registry."""
    answer = aws.read("ecr", "get_authorization_token")
    token = answer["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return Login(user, password)


def demand_answer(to: Destination) -> None:
    """Raise `Refusal` unless a registry answers there. Asked before a build, which takes minutes."""
    try:
        _get(to, to.url, {})
    except HTTPError as error:
        if error.code not in UNAUTHORIZED:
            raise Refusal(f"{to.url} answers {error.code}: not a registry, so nothing is pushed") from error
    except (URLError, OSError) as error:
        raise Refusal(f"no registry answers at {to.url}: {_reason(error)}") from error


def push(engine: Engine, to: Destination, built: Mapping[str, str], login: Login | None = None) -> Pushed:
    """Push the images in ``built`` (names by architecture) as one index, and read it back.

    Raises `PushError` when a command fails, `VerificationError` when the registry holds something else afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="slpnb-push-") as name:
        folder, said = Path(name), ""
        environment = _environment(engine, folder) if login else {}
        with _without_index(engine, folder):
            if login:
                _run(login_command(engine, to, login.user, folder), environment, login.password)
            for command in commands(engine, to, built, folder, login is not None):
                said = _run(command, environment)
        noted = folder / "digest"
        said = noted.read_text(encoding="ascii") if noted.exists() else said
    return read_back(to, said, tuple(f"linux/{one}" for one in sorted(built)), login)


def read_back(to: Destination, said: str, platforms: tuple[str, ...], login: Login | None) -> Pushed:
    """What the registry holds under the digest that the client ``said``, or else under the tag.

    A registry whose login only the client knows is trusted. Raises `VerificationError` when it is not an index over
    ``platforms`` or not what its digest says.
    """
    digest = found[0] if (found := DIGEST.findall(said)[-1:]) else ""
    try:
        content = _get(to, f"{to.url}{to.repository}/manifests/{digest or to.tag}", login.header if login else {})
    except HTTPError as error:
        if error.code in UNAUTHORIZED and digest and login is None:
            return Pushed(to, digest, platforms)
        raise PushError(f"{to.name}:{to.tag} was pushed but cannot be read back: {error}") from error
    is_now = "sha256:" + hashlib.sha256(content).hexdigest()
    listed = architecture.platforms(json.loads(content))
    if is_now != (digest or is_now) or listed not in (platforms, None):
        raise VerificationError(
            f"{to.name} holds {is_now} over {', '.join(listed or ())}; "
            f"{digest or 'an index'} over {', '.join(platforms)} should have been pushed"
        )
    return Pushed(to, is_now, platforms)


def _get(to: Destination, url: str, headers: Mapping[str, str]) -> bytes:
    opener = build_opener(ProxyHandler({})) if to.local else build_opener()
    request = Request(url, headers={"Accept": ", ".join(step.MEDIA_TYPES), **headers})  # noqa: S310 - http or https
    with opener.open(request, timeout=ANSWER_SECONDS) as answer:
        return bytes(answer.read(step.CONFIG_LIMIT_BYTES))


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)


@contextlib.contextmanager
def _without_index(engine: Engine, folder: Path) -> Iterator[None]:
    """Podman's index is only there for the push."""
    try:
        yield
    finally:
        if engine.name == "podman":
            remove = [*engine.command, "manifest", "rm", index_name(folder)]
            subprocess.run(remove, capture_output=True, timeout=TIMEOUT_SECONDS)  # noqa: S603


def _environment(engine: Engine, folder: Path) -> dict[str, str]:
    """A client configuration of its own, so that no login outlives the push; with the user's plugins."""
    if engine.name == "podman":
        return {}
    plugins = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"
    if plugins.is_dir():
        (folder / "cli-plugins").symlink_to(plugins)
    return {"DOCKER_CONFIG": str(folder)}


def _run(command: Sequence[str], environment: Mapping[str, str], standard_input: str = "") -> str:
    """Run a command; what it said. Raises `PushError` with its last lines."""
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired as error:
        raise PushError(f"the push did not finish within {TIMEOUT_SECONDS // 60} min") from error
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-SAID:])
        raise PushError(f"{' '.join(command[-2:])} exited with code {done.returncode}:\n{said}")
    return done.stdout
