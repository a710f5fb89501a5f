"""Two small images for the tests of real containers: Debian's static busybox, and the same for another machine."""

from __future__ import annotations

import http.client
import io
import shutil
import ssl
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from slpnb.engine import Engine

TINY = "localhost/slpnb-tiny:1"
FOREIGN = "localhost/slpnb-tiny:foreign"
APPLETS = ("sh", "httpd", "sleep", "mkdir", "cat", "echo", "touch", "test", "true", "tail", "env", "stat", "chmod")
MACHINE_AT = 18  # e_machine in an ELF header
ANOTHER_MACHINE = {0x3E: 0xB7, 0xB7: 0x3E}  # x86-64 and aarch64


def make(engine: Engine) -> None:
    """Both images, unless they are there."""
    names = {tag for image in engine.client.images.list() for tag in image.tags}
    if {TINY, FOREIGN} <= names:
        return
    binary = busybox()
    _import(engine, binary, TINY)
    _import(engine, foreign(binary), FOREIGN)


def foreign(binary: bytes) -> bytes:
    """The same program with another machine in its header: the kernel refuses it as it does an image's from there."""
    changed = bytearray(binary)
    changed[MACHINE_AT] = ANOTHER_MACHINE[changed[MACHINE_AT]]
    return bytes(changed)


def busybox() -> bytes:
    """Debian's static busybox, from the package if it is not installed."""
    installed = shutil.which("busybox")
    if installed and b"dynamic" not in subprocess.run(["file", "-L", installed], capture_output=True).stdout:
        return Path(installed).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["apt-get", "download", "busybox-static"], cwd=folder, capture_output=True, check=False)
        packages = list(Path(folder).glob("*.deb"))
        if done.returncode or not packages:
            pytest.skip("needs a static busybox: apt-get install busybox-static")
        subprocess.run(["dpkg-deb", "-x", packages[0], f"{folder}/x"], check=True)
        return next(path for path in Path(folder).glob("x/**/bin/busybox")).read_bytes()


def _import(engine: Engine, binary: bytes, name: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in ("bin", "etc", "tmp", "var", "var/www", "shared"):
            tar.addfile(_entry(path, tarfile.DIRTYPE, 0o777))
        file = _entry("bin/busybox", tarfile.REGTYPE, 0o755)
        file.size = len(binary)
        tar.addfile(file, io.BytesIO(binary))
        for applet in APPLETS:
            link = _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            tar.addfile(link)
        users = b"root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n"
        passwd = _entry("etc/passwd", tarfile.REGTYPE, 0o644)
        passwd.size = len(users)
        tar.addfile(passwd, io.BytesIO(users))
    changes = ["ENV PATH=/bin", "LABEL org.slpnb.test=tiny"]
    engine.client.api.import_image_from_data(archive.getvalue(), repository=name, changes=changes)


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    return entry


def get(address: str, path: str, host: str = "", *, tls: bool = False) -> tuple[int, str] | None:
    """Status and text of one request; None while nothing answers."""
    made: http.client.HTTPConnection = http.client.HTTPConnection(address, timeout=10)
    if tls:
        made = http.client.HTTPSConnection(address, timeout=10, context=ssl._create_unverified_context())
    try:
        made.request("GET", path, headers={"Host": host} if host else {})
        answer = made.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        made.close()
