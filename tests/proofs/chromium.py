"""A headless Chromium, driven by its DevTools protocol: pages opened, forms filled, pictures looked at.

Source: Chrome DevTools Protocol, "Page", "Runtime", "DOM".
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import websocket
from PIL import Image

from slpnb.service import visit

SECONDS = 60.0
POLL_SECONDS = 0.1
TRIES = 10


class RefusedError(RuntimeError):
    """The browser said no: the page is another one by now, or the script failed."""


class InterruptedPageError(RuntimeError):
    """The browser dropped what it was loading: it does when any network of the machine comes or goes."""


def again(step: Callable[[], Any]) -> Any:
    """A step that may be taken twice, until nothing interrupts it: other tests' containers have networks, too."""
    for _ in range(TRIES):
        with suppress(InterruptedPageError):
            return step()
    raise AssertionError(f"interrupted {TRIES} times")


class Browser:
    """One page. Its scripts are the page's own JavaScript."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket, self.numbers = socket, itertools.count(1)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != number:
            continue  # an event
        if "error" in answer:
            raise RefusedError(answer["error"]["message"])
        return dict(answer["result"])

    def value(self, script: str) -> Any:
        """What an expression is, on the page as it is now."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RefusedError(str(answer["exceptionDetails"].get("exception", {}).get("description")))
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """What an expression is once it is true; a page that changes meanwhile is asked again."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(RefusedError):
                if found := self.value(script):
                    return found
                if self.value("location.protocol") == "chrome-error:":
                    raise InterruptedPageError
            time.sleep(POLL_SECONDS)
        where = self.value("location.href + ': ' + document.body.innerText.slice(0, 500)")
        raise AssertionError(f"not within {SECONDS:.0f} s: {script}, at {where}")

    def open(self, address: str) -> None:
        """Go there, and wait until the page is whole."""
        answer = self.ask("Page.navigate", url=address)
        if "NETWORK_CHANGED" in answer.get("errorText", ""):
            raise InterruptedPageError
        assert not answer.get("errorText"), f"{address}: {answer['errorText']}"
        self.until("document.readyState === 'complete'")

    def type(self, selector: str, text: str) -> None:
        """Fill in a field; not by keys, which go where the page's own scripts put the focus meanwhile."""
        fill = f"e.value = {json.dumps(text)}, e.dispatchEvent(new Event('input', {{bubbles: true}}))"
        self.until(f"(e => e && ({fill}, true))({_element(selector)})")

    def choose(self, selector: str, file: Path) -> None:
        """A file, for a form that asks for one."""
        self.until(f"!!{_element(selector)}")
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def press(self, selector: str) -> None:
        self.until(f"(e => e && (e.click(), true))({_element(selector)})")

    def see(self) -> Image.Image:
        """What is shown now."""
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def _element(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


@contextmanager
def browser(door: str) -> Iterator[Browser]:
    """A browser for which every name is at ``door``, whose certificate it does not look at."""
    with tempfile.TemporaryDirectory(prefix="slpnb-browser-", ignore_cleanup_errors=True) as profile:
        options = [*visit._options(urlsplit(door).netloc, profile), "--remote-debugging-port=0", "about:blank"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([visit.browser(), *options], **silent)  # type: ignore[call-overload]
        try:
            socket = websocket.create_connection(_page(Path(profile), process), SECONDS, suppress_origin=True)
            try:
                yield Browser(socket)
            finally:
                with suppress(RefusedError, OSError, websocket.WebSocketException):
                    Browser(socket).ask("Browser.close")
                socket.close()
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)


def _page(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the browser's page, once it has said where it listens."""
    said, end = profile / "DevToolsActivePort", time.monotonic() + SECONDS
    while not (said.exists() and said.read_text().count("\n")):
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        assert time.monotonic() < end, f"the browser did not listen within {SECONDS:.0f} s"
        time.sleep(POLL_SECONDS)
    port = said.read_text().split()[0]
    listed = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{port}/json/list").json()
    return str(next(one["webSocketDebuggerUrl"] for one in listed if one["type"] == "page"))
