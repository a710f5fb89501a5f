"""The kernel's report of a container that was killed for memory, where the engine itself missed it.

Podman's monitor misses it on machines with both kinds of cgroups; the kernel's log names the cgroup,
which is named after the container.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

LOG = Path("/dev/kmsg")
RECORD_BYTES = 8192


def out_of_memory(container: str) -> bool:
    """Whether the kernel killed a process of this container for memory. False where its log cannot be read."""
    return names(container, _records())


def names(container: str, records: Iterable[str]) -> bool:
    """Whether one of the kernel's records is the killing of this container. Pure."""
    return any("oom-kill:" in record and container in record.partition("task_memcg=")[2] for record in records)


def _records() -> Iterable[str]:
    try:
        log = os.open(LOG, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        while True:
            try:
                yield os.read(log, RECORD_BYTES).decode("utf-8", "replace")
            except BrokenPipeError:
                continue  # the oldest records were overwritten while we read
    except OSError:
        return  # no more records
    finally:
        os.close(log)
