"""The processes that a server serves: it is given their ids, and notices when the last one is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]

PAUSE_SECONDS = 0.25


class Attached:
    """Processes by id and start time, so that a later process with the same id is not taken for one of them."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}
        self._lock = threading.Lock()
        self._over = False

    def add(self, pid: int) -> bool:
        """Also live as long as this one; one that is already gone changes nothing. False when it is too late."""
        with self._lock:
            if psutil.pid_exists(pid) and not self._over:
                self._processes[pid] = psutil.Process(pid)
            return not self._over

    def alive(self) -> bool:
        """Whether any of them is alive. A killed process that its parent has not reaped is not."""
        return any(_lives(process) for process in list(self._processes.values()))

    def then(self, action: Callable[[], None]) -> None:
        """Call ``action`` when the last one is gone, however it died; watches in a thread of its own."""
        threading.Thread(target=self._watch, args=(action,), daemon=True).start()

    def _watch(self, action: Callable[[], None]) -> None:
        pause = threading.Event()
        while not self._ended():
            pause.wait(PAUSE_SECONDS)
        action()

    def _ended(self) -> bool:
        """Decided once: no process can attach to a server that is about to stop."""
        with self._lock:
            self._over = not self.alive()
            return self._over


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
