"""A page is asked for by its address, through the front door where there is one."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from slpnb.service import visit
from tests.waiting import eventually

OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=door"


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("Location", "https://elsewhere.example/")
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']} {self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that refuses the certificate: that is what a test makes it do."""
        if not isinstance(sys.exception(), ssl.SSLError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a self-signed certificate."""
    pem = tmp_path_factory.mktemp("door") / "door.pem"
    subprocess.run(
        [*OPENSSL.split(), "-out", pem.with_suffix(".crt"), "-keyout", pem],
        check=True,
        capture_output=True,
    )
    server = Server(("127.0.0.1", 0), Echo)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.with_suffix(".crt"), pem)
    # A browser opens connections that it may never use: no handshake of one may hold up the next.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_door_is_asked_for_the_host(door):
    assert visit.get("https://saas.example/a?b=1", door) == visit.Response(200, "", "saas.example /a?b=1")


def test_a_redirect_is_told_and_not_followed(door):
    found = visit.get("https://saas.example/moved", door)
    assert (found.status, found.location) == (302, "https://elsewhere.example/")


def test_without_a_door_the_certificate_must_be_right(door):
    with pytest.raises(ssl.SSLCertVerificationError):
        visit.get(f"{door}/")


def test_a_closed_door_is_an_error():
    with pytest.raises(OSError, match="refused"):
        visit.get("https://saas.example/", "https://127.0.0.1:9")


@pytest.mark.skipif(not visit.browser(), reason=f"needs a browser: none of {', '.join(visit.BROWSERS)}")
def test_a_picture_is_what_a_browser_shows(door, tmp_path: Path):
    file = tmp_path / "page.png"
    assert visit.picture("https://saas.example/", door, file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_without_a_browser_there_is_no_picture(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not visit.picture("https://saas.example/", "https://127.0.0.1:9", tmp_path / "page.png")


@pytest.mark.parametrize(("drops", "shows"), [(1, True), (visit.TRIES, False)])
def test_a_browser_that_drops_a_page_is_asked_again(monkeypatch, tmp_path: Path, drops, shows):
    program, asked, file = tmp_path / "chromium", tmp_path / "asked", tmp_path / "page.png"
    program.write_text(f'#!/bin/sh\necho >>{asked}; [ "$(wc -l <{asked})" -le {drops} ] || touch {file}\n')
    program.chmod(0o755)
    monkeypatch.setattr(visit, "browser", lambda: str(program))
    assert visit.picture("https://saas.example/", "https://127.0.0.1:9", file) is shows


def test_a_browser_that_hangs_is_killed_with_its_helpers(monkeypatch, tmp_path: Path):
    program, helper = tmp_path / "chromium", tmp_path / "helper"
    program.write_text(f"#!/bin/sh\nsleep 1000 & echo $! >{helper}\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(visit, "browser", lambda: str(program))
    monkeypatch.setattr(visit, "PATIENCE_SECONDS", 1)
    assert not visit.picture("https://saas.example/", "https://127.0.0.1:9", tmp_path / "page.png")
    eventually(lambda: not is_alive(int(helper.read_text())))


def is_alive(pid: int) -> bool:
    """A zombie is dead: whoever adopts it has not looked yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
