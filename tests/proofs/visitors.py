"""Visitors: one who may log in, make sites and upload pictures; and many who never stop asking."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3
from PIL import Image

BEHIND_TLS = {"X-Forwarded-Proto": "https"}  # what the load balancer says; the front door says it itself
PATIENCE = urllib3.Timeout(30)


def picture(colour: str) -> bytes:
    """A PNG of 640 by 480 in one colour."""
    file = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(file, "PNG")
    return file.getvalue()


@dataclass
class Page:
    status: int
    location: str
    content: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def field(self, name: str) -> str:
        """The value of a form's hidden field."""
        found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', self.text)
        assert found, f"no field {name} on a page that answered {self.status}, {self.location}"
        return found[1]


@dataclass
class Visitor:
    """Somebody with cookies, at ``door``, asking for ``host``. Nothing is tried twice, no redirect followed."""

    door: str
    host: str
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pool = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False, retries=False, timeout=PATIENCE)

    def ask(self, method: str, path: str, host: str = "", **more: Any) -> Page:
        headers = {"Host": host or self.host, **({} if self.door.startswith("https:") else BEHIND_TLS)}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.pool.request(method, f"{self.door}{path}", headers=headers, redirect=False, **more)
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Page(answer.status, answer.headers.get("Location", ""), answer.data)

    def get(self, path: str, host: str = "") -> Page:
        return self.ask("GET", path, host)

    def log_in(self, password: str) -> None:
        self.get("/wp-login.php")  # for its test cookie
        form = {"log": "admin", "pwd": password, "testcookie": "1"}
        answer = self.ask("POST", "/wp-login.php", fields=form, encode_multipart=False)
        assert answer.status == 302, re.search(r'id="login_error">(.*?)</div>', answer.text, re.DOTALL)

    def make_site(self, name: str, title: str) -> str:
        """Its host name."""
        form = self.get("/wp-admin/network/site-new.php")
        given = {"blog[domain]": name, "blog[title]": title, "blog[email]": f"admin@{self.host}"}
        token = {"_wpnonce_add-blog": form.field("_wpnonce_add-blog")}
        answer = self.ask("POST", "/wp-admin/network/site-new.php?action=add-site", fields={**given, **token})
        assert "update=added" in answer.location, answer
        return f"{name}.{self.host}"

    def upload(self, name: str, content: bytes, host: str = "") -> str:
        """The path under which the picture is served."""
        form = self.get("/wp-admin/media-new.php", host)
        fields = {"action": "upload-attachment", "_wpnonce": form.field("_wpnonce"), "name": name}
        file = {"async-upload": (name, content, "image/png")}
        answer = self.ask("POST", "/wp-admin/async-upload.php", host, fields={**fields, **file})
        said = json.loads(answer.text)
        assert said["success"], said
        return urlsplit(said["data"]["url"]).path


@dataclass
class Crowd:
    """Visitors who never stop asking, and what they were answered: a status, or what went wrong."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    latest: str = ""  # version
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, visitor: Visitor, path: str, *, stays: bool) -> None:
        """Ask again and again; one who does not stay comes by a new connection each time."""
        while not self.over.wait(0.03):
            try:
                page = visitor.get(path)
                seen = str(page.status)
            except urllib3.exceptions.HTTPError as error:
                seen = f"{type(error).__name__}: {error}"
            with self._lock:
                self.answers[path, seen] += 1
                if path == "/VERSION.txt" and seen == "200":
                    self.answers["version", page.text.strip()] += 1
                    self.latest = page.text.strip()
            if not stays:
                visitor.pool.clear()

    def versions(self) -> set[str]:
        return {said for path, said in self.answers if path == "version"}

    def failed(self) -> dict[tuple[str, str], int]:
        """Every answer that was none."""
        return {key: count for key, count in self.answers.items() if key[0] != "version" and key[1] != "200"}


@contextmanager
def crowd(door: str, host: str, paths: Sequence[str] = ("/VERSION.txt", "/")) -> Iterator[Crowd]:
    """For each path one who keeps the connection and one who comes anew; all have been answered at the beginning."""
    made = Crowd()
    threads = [
        threading.Thread(target=made.visit, args=(Visitor(door, host), path), kwargs={"stays": stays}, daemon=True)
        for path in paths
        for stays in (True, False)
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.over.set()
        for thread in threads:
            thread.join()
