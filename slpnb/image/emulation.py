"""Running another architecture's programs on this machine, for as long as a build takes.

QEMU's user emulation does it, and the kernel must be told which programs to hand to it (binfmt_misc).
Registered for good, an image for the wrong architecture would start here and die only on an instance;
so the command line registers it as root while it builds, under a name of its own, and removes it
again. What a killed build left is removed by the next one. Sources: kernel documentation "Kernel Support for
miscellaneous Binary Formats", binfmt.d(5), Debian package qemu-user-static.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from slpnb.errors import Refusal

BINFMT = Path("/proc/sys/fs/binfmt_misc")
LINES = Path("/usr/lib/binfmt.d")  # how the distribution would register each emulator
LOCK = Path("/run/slpnb-emulation.lock")
QEMU = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}
PACKAGES = "qemu-user-static arch-test"


def registered(architecture: str) -> bool:
    """Whether the kernel gives this architecture's programs to an emulator."""
    return any((BINFMT / name).exists() for name in (QEMU[architecture], ours(architecture)))


def ours(architecture: str) -> str:
    """The name under which the kit registers an emulator, so that it never removes anyone else's. Pure."""
    return f"slpnb-{architecture}"


def rule(line: str, name: str) -> str:
    """A line of binfmt.d(5), under another name. Pure.

    Raises `Refusal` when it lacks flag F, without which the emulator would have to be inside every image.
    """
    fields = line.strip().split(line[:1])
    if len(fields) != 8 or "F" not in fields[7]:
        raise Refusal(f"{fields[1] if fields[1:] else line!r} would not work inside an image: install {PACKAGES}")
    return line[:1].join([fields[0], name, *fields[2:]])


@contextlib.contextmanager
def borrowed(architecture: str, own: str, report: Callable[[str], None]) -> Iterator[None]:
    """Emulate ``architecture`` within the block, if it is not the machine's ``own`` and emulation is possible.

    This needs root and the distribution's emulator. Otherwise nothing is done: whoever goes on to
    build is refused by `slpnb.image.building.demand_runnable`, or has an engine that brings its own.
    """
    line = _line(architecture)
    persistent = (BINFMT / QEMU[architecture]).exists()
    if architecture == own or persistent or not line or os.geteuid() != 0:
        yield
        return
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        _register(rule(line, ours(architecture)), ours(architecture))
        report(f"{architecture} programs are emulated by {QEMU[architecture]} until this command ends")
        try:
            yield
        finally:
            _return(architecture, lock.fileno())


def tidy() -> None:
    """Remove what a killed build left registered; nothing while another build is running."""
    left = [architecture for architecture in QEMU if (BINFMT / ours(architecture)).exists()]
    if left and os.geteuid() == 0:
        with LOCK.open("a") as lock:
            for architecture in left:
                _return(architecture, lock.fileno())


def _line(architecture: str) -> str:
    """How the distribution registers the emulator; empty when it is not installed."""
    for path in sorted(LINES.glob(f"{QEMU[architecture]}*.conf")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#", ";")]
        if lines and Path(lines[0].split(lines[0][0])[6]).exists():
            return lines[0]
    return ""


def _register(line: str, name: str) -> None:
    """Register with the kernel. Raises `Refusal` where the kernel does not allow it, as in most containers."""
    try:
        if not (BINFMT / "register").exists():
            mount = ["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)]
            subprocess.run(mount, check=True, capture_output=True)  # noqa: S603
        if not (BINFMT / name).exists():
            (BINFMT / "register").write_text(line, encoding="ascii")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Refusal(f"the kernel accepts no emulator ({error}): build on a machine of that architecture") from error


def _return(architecture: str, lock: int) -> None:
    """Remove the registration, unless another build holds the lock: then that build does it when it ends."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (BINFMT / ours(architecture)).write_text("-1", encoding="ascii")
