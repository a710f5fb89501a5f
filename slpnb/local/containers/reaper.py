"""``python -m slpnb.local.containers.reaper RUN``: removes a run when its standard input ends.

The embedded AWS holds the other end of the pipe, so that this happens however it ends: stopped,
killed, or out of memory. There is only one way of cleaning up, so every run exercises it.
"""

from __future__ import annotations

import subprocess
import sys

ENOUGH_SECONDS = 60


def start(run: str, name: str) -> subprocess.Popen[bytes]:
    """A reaper for a run in the engine ``name``."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, run, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Let it do its work, and wait until it is done."""
    assert process.stdin  # noqa: S101
    process.stdin.close()
    process.wait(timeout=ENOUGH_SECONDS)


def main(run: str, name: str) -> None:
    """Wait for the end, then remove everything of the run."""
    sys.stdin.buffer.read()
    from slpnb import engine
    from slpnb.engine import leftovers

    found = engine.find(name)
    assert found is not None  # noqa: S101 - a named engine is found, or an error says why not
    with found:
        leftovers.remove(found, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
