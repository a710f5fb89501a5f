"""Using the service as a visitor does: a page by its address, and a picture of it.

With a front door (the embedded AWS's, on the loopback) the name is not looked up: the door is asked
for the host. Its certificate is self-signed, so it alone is not verified.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10
MOST_BYTES = 1_000_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURE = "1280,800"
PATIENCE_SECONDS = 60
TRIES = 3


@dataclass(frozen=True)
class Response:
    """What was answered: the HTTP status, where it redirects to (or nothing), and the beginning of the page."""

    status: int
    location: str
    text: str


def get(address: str, door: str = "") -> Response:
    """Ask for an https address, through ``door`` if there is one. Raises `OSError` when nothing answers."""
    asked = urlsplit(address)
    where = urlsplit(door) if door else asked
    connection = HTTPSConnection(
        where.hostname or "", where.port, timeout=TIMEOUT_SECONDS, context=_trusting(bool(door))
    )
    try:
        path = (asked.path or "/") + (f"?{asked.query}" if asked.query else "")
        connection.request("GET", path, headers={"Host": asked.netloc})
        answer = connection.getresponse()
        text = answer.read(MOST_BYTES).decode("utf-8", "replace")
        return Response(answer.status, answer.getheader("Location", "") or "", text)
    finally:
        connection.close()


def _trusting(own: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if own:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def browser() -> str:
    """A browser of this machine that can run without a screen; empty when there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


def picture(address: str, door: str, file: Path) -> bool:
    """Save what a browser shows at an address as PNG, and return whether that worked; false without a browser.

    A browser drops what it is loading when a network of the machine comes or goes, as those of containers
    do (Chromium: ERR_NETWORK_CHANGED), and saves nothing then: it is asked again.
    """
    program = browser()
    if not program:
        return False
    with tempfile.TemporaryDirectory(prefix="slpnb-browser-") as profile:
        command = [program, *_options(urlsplit(door).netloc, profile), f"--screenshot={file}", address]
        for _ in range(TRIES):
            if not _ends(command):
                return False
            if file.exists():
                return True
    return False


def _ends(command: list[str]) -> bool:
    """Run a browser, and return whether it ended by itself. If not, it is killed, and its helpers with it."""
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return True


def _options(door: str, profile: str) -> list[str]:
    return [
        "--headless",
        "--no-sandbox",  # it opens one page of this machine
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
        "--ignore-certificate-errors",
        f"--host-resolver-rules=MAP * {door}",
        f"--user-data-dir={profile}",
        f"--window-size={PICTURE}",
    ]
