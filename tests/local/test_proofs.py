"""What the whole is for, on real containers: shared files, updates that nobody notices, a browser, no secret told."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from slpnb import engine, local, service
from slpnb.errors import VerificationError
from slpnb.image import building
from slpnb.local.containers.companions import ensure_image
from slpnb.service import stability, visit
from tests.engines import needs_engine
from tests.proofs import chromium
from tests.proofs.chromium import Browser, again
from tests.proofs.visitors import crowd, picture
from tests.proofs.world import BROKEN, NEW, OLD, PACE, PASSWORD, TOLD, World, images
from tests.waiting import eventually

pytestmark = [needs_engine, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The runbook's service with two tasks, WordPress installed; each test deploys the version that it begins with."""
    with engine.find() as found, images(found):
        ensure_image(found)
        with local.start(PACE) as embedded:
            made = World(found, embedded, tmp_path_factory.mktemp("notebooks"))
            made.prepare()
            yield made


def test_what_one_task_is_given_the_other_has_and_the_tasks_that_follow(world: World) -> None:
    """A picture and a site, made through one task; the login is valid at the other, too."""
    first, second = world.tasks()
    writer, reader = world.visitor(first), world.visitor(second)
    writer.log_in(PASSWORD)
    reader.cookies = writer.cookies
    red, blue = picture("red"), picture("blue")
    shared = writer.upload("red.png", red)
    site = writer.make_site("atelier", "The atelier")
    assert reader.get(shared).content == red
    assert "<title>The atelier</title>" in reader.get("/", site).text
    of_site = reader.upload("blue.png", blue, site)
    assert writer.get(of_site, site).content == blue
    world.replace_every_task()
    assert not {first, second} & set(world.tasks())
    for task in world.tasks():
        visitor = world.visitor(task)
        assert [visitor.get(shared).content, visitor.get(of_site, site).content] == [red, blue]
        assert "<title>The atelier</title>" in visitor.get("/", site).text


def test_a_new_version_replaces_the_old_one_and_no_visitor_notices(world: World) -> None:
    world.deploy(OLD)
    with crowd(world.door, world.host) as seen:
        eventually(lambda: seen.latest == OLD)
        world.deploy(NEW)
        before = seen.answers.total()
        eventually(lambda: seen.answers.total() > before + 20)
    assert seen.failed() == {}
    assert seen.versions() == {OLD, NEW}
    assert seen.answers["/", "200"] > 0
    assert {world.visitor(task).get("/VERSION.txt").text.strip() for task in world.tasks()} == {NEW}
    verdicts = {one.subject: one for one in service.verify(world.aws, service.desired(world.config))}
    assert (verdicts["version"].status, verdicts["deployment"].status) == ("OK", "OK")


def test_a_version_that_does_not_start_is_rolled_back_and_called_a_failure(world: World) -> None:
    world.deploy(NEW)
    (running,) = {one["taskDefinition"] for one in stability.describe(world.aws)["deployments"]}
    with crowd(world.door, world.host) as seen:
        world.ask_for(BROKEN)
        with pytest.raises(VerificationError, match=r"rolled back from .* by the circuit breaker") as failure:
            stability.watch(world.aws)
        world.settle()
        before = seen.answers.total()
        eventually(lambda: seen.answers.total() > before + 20)
    assert "Essential container in task exited" in str(failure.value)
    assert "its log says why" in str(failure.value)
    assert any("no-such-command is not serve" in line for line in world.log())
    assert seen.failed() == {}
    assert seen.versions() == {NEW}
    assert stability.describe(world.aws)["taskDefinition"] == running
    verdicts = {one.subject: one for one in service.verify(world.aws, service.desired(world.config))}
    assert "rolled back" in str(verdicts["deployment"])
    assert (verdicts["version"].status, verdicts["deployment"].status) == ("NG", "NG")
    names = {"cluster": world.config.cluster.name, "services": [world.config.service.name]}
    world.aws.client("ecs").get_waiter("services_stable").wait(**names)  # which is why nobody should ask that


@pytest.mark.skipif(not visit.browser(), reason=f"needs a browser: none of {', '.join(visit.BROWSERS)}")
def test_a_site_is_made_and_a_picture_put_on_it_in_a_browser(world: World, tmp_path: Path) -> None:
    (tmp_path / "green.png").write_bytes(picture("#00aa00"))
    with chromium.browser(world.door) as browser:
        again(lambda: log_in(browser, world.host))
        again(lambda: make_site(browser, world.host))
        again(lambda: upload(browser, f"shop.{world.host}", tmp_path / "green.png"))
        shown = again(lambda: look_at_picture(browser, f"shop.{world.host}"))
    assert shown.getpixel((shown.width // 2, shown.height // 2)) == (0, 170, 0)


def log_in(browser: Browser, host: str) -> None:
    browser.open(f"https://{host}/wp-login.php")
    browser.type("#user_login", "admin")
    browser.type("#user_pass", PASSWORD)
    browser.press("#wp-submit")
    browser.until("!!document.querySelector('#wpadminbar')")


def make_site(browser: Browser, host: str) -> None:
    browser.open(f"https://{host}/wp-admin/network/site-new.php")
    browser.type("#site-address", "shop")
    browser.type("#site-title", "The shop")
    browser.type("#admin-email", f"admin@{host}")
    browser.press("#add-site")
    browser.until("/Site added|already exists/.test(document.body.innerText)")
    browser.open(f"https://shop.{host}/")
    assert browser.value("document.title") == "The shop"


def upload(browser: Browser, host: str, file: Path) -> None:
    browser.open(f"https://{host}/wp-admin/media-new.php?browser-uploader")
    browser.choose("#async-upload", file)
    browser.press("#html-upload")
    browser.until("location.pathname === '/wp-admin/upload.php'")


def look_at_picture(browser: Browser, host: str) -> Image.Image:
    """Its thumbnail among the site's media, then itself."""
    browser.open(f"https://{host}/wp-admin/upload.php?mode=list")
    thumbnail = browser.until("document.querySelector('.media-icon img')?.src")
    assert thumbnail.startswith(f"https://{host}/wp-content/uploads/")
    browser.open(thumbnail)
    assert browser.value("document.images[0].naturalWidth") == 150
    browser.open(re.sub(r"-\d+x\d+(?=\.png$)", "", thumbnail))
    assert browser.value("[document.images[0].naturalWidth, document.images[0].naturalHeight]") == [640, 480]
    return browser.see()


def test_no_secret_is_in_an_image_a_notebook_a_log_or_the_process_list(world: World) -> None:
    secrets = world.secrets()
    assert len([name for name in secrets if name.startswith(world.config.prefix)]) == 9  # a password, eight salts
    visitor = world.visitor()
    visitor.log_in(PASSWORD)
    assert visitor.get("/wp-admin/").status == 200
    eventually(lambda: any("/wp-admin/" in line for line in world.log()))
    told = {
        "history": json.dumps(
            [world.engine.client.images.get(f"{building.IMAGE}:{one}").history() for one in (OLD, NEW)]
        ),
        "notebooks": "".join((world.folder / f"{one}.ipynb").read_text(encoding="utf-8") for one in TOLD),
        "log group": "\n".join(world.log()),
        "containers' logs": "".join(one.logs().decode("utf-8", "replace") for one in world.containers()),
        "containers' processes": json.dumps([one.top() for one in world.containers()]),
        "processes": subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout,
    }
    for where, part in zip(
        told,
        ("VERSION", "WORDPRESS_AUTH_KEY", "/wp-admin/", "ready for connections", "mariadbd", "haproxy"),
        strict=True,
    ):
        assert part in told[where], f"{where} is not what it should be"
    found = [(where, name) for where, text in told.items() for name, secret in secrets.items() if leaks(secret, text)]
    assert found == []


def leaks(secret: str, text: str) -> bool:
    """Whether a secret can be read in a text: as it is, as JSON writes it, or as a notebook writes JSON."""
    once = json.dumps(secret)[1:-1]
    return any(form in text for form in (secret, once, json.dumps(once)[1:-1]))
