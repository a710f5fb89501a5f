"""Kernels started ahead of time: while one notebook runs, the kernel of the next one is prepared.

Most of the time of a short notebook goes into importing boto3, pandas and matplotlib. One process
imports them once, and each kernel is a fork of it, so that a run pays for them only once. What
a notebook sees does not change: its own process, an empty namespace, ``In`` that begins at 1.
Where forking a process that has loaded the system's frameworks is not safe (macOS), each kernel is
a process of its own that imports the same modules before it is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import run_sync

PRELOADED = ("boto3", "pandas", "matplotlib.pyplot", "slpnb.runbook")
INLINE = "module://matplotlib_inline.backend_inline"
FORKS = sys.platform == "linux"
NO_HISTORY = "--HistoryManager.hist_file=:memory:"  # what papermill's own kernels get
COMMAND = [sys.executable, "-m", "slpnb.runner.kernels"]


class Kernel(AsyncKernelManager):
    """A started kernel that remembers the client papermill opened on it, so that both can be closed."""

    opened: Any = None

    def client(self, **options: Any) -> Any:
        """A client of this kernel, as `jupyter_client` makes it."""
        self.opened = super().client(**options)
        return self.opened

    def close(self) -> None:
        """Stop the kernel at once: its notebook is saved, and it has nothing else to lose."""
        if self.opened:
            self.opened.stop_channels()
        run_sync(self.shutdown_kernel)(now=True)


class Kernels:
    """The kernels of one run: `take` returns a warm one and starts the next; leaving the block closes them all.

    ``log`` receives what kernels write to their terminal, normally nothing;
    ``environ`` is what they get in addition to this process's environment.
    """

    def __init__(self, folder: Path, log: Path, nursery: Nursery | None = None) -> None:
        self.folder, self.log, self.environ = folder, log, dict[str, str]()
        self._own = Nursery(log) if FORKS and nursery is None else None
        self._nursery = nursery or self._own
        self._started: list[Kernel] = []
        self._waiting: Kernel | None = None

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for kernel in self._started:
            kernel.close()
        if self._own:
            self._own.close()

    def take(self, more: bool = True) -> Kernel:
        """The kernel for the next notebook; ``more`` says that another one follows."""
        kernel = self._waiting or self._start()
        self._waiting = self._start() if more else None
        return kernel

    def close(self, kernel: Kernel) -> None:
        """The notebook of this kernel has ended."""
        self._started.remove(kernel)
        kernel.close()

    def _start(self) -> Kernel:
        kernel = Kernel(kernel_name="python3", kernel_id=str(uuid.uuid4()), transport_encryption="auto")
        assert kernel.kernel_spec  # noqa: S101 - ipykernel always finds itself
        kernel.kernel_spec.argv = [*COMMAND, "-f", "{connection_file}"]
        if self._nursery:
            kernel.provisioner = _Forked(self._nursery, kernel)
        environ = {**os.environ, **self.environ}
        with self.log.open("a", encoding="utf-8") as log:
            start = run_sync(kernel.start_kernel)
            start(extra_arguments=[NO_HISTORY], env=environ, cwd=str(self.folder), stderr=log)
        self._started.append(kernel)
        return kernel


class Nursery:
    """The process that has imported everything, and that kernels are forks of."""

    def __init__(self, log: Path) -> None:
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(  # noqa: S603
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a process with threads should not fork
                text=True,
                start_new_session=True,  # Ctrl-C is for the runner, which closes its kernels in order
            )

    def fork(self, **request: Any) -> int:
        """Process id of a new kernel; the request holds the parameters of `_become_kernel`."""
        assert self._process.stdin  # noqa: S101
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that kernels are forked from has ended; see kernels.log next to the report")
        return int(answer)

    def close(self) -> None:
        """End the process, and with it what kernels it still has."""
        self._process.communicate()


class _Forked(LocalProvisioner):
    """Launches a kernel as a fork of the nursery, instead of a process that imports everything again."""

    def __init__(self, nursery: Nursery, kernel: Kernel) -> None:
        super().__init__(kernel_id=kernel.kernel_id, kernel_spec=kernel.kernel_spec, parent=kernel)
        self._nursery = nursery

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Ask for a fork; its process group is its own, as the fork calls setsid first."""
        environ = {**options["env"], "JPY_PARENT_PID": str(os.getpid())}  # as jupyter_client's own launcher
        log, folder = options["stderr"].name, options["cwd"]
        number = self._nursery.fork(arguments=cmd[len(COMMAND) :], environ=environ, folder=folder, log=log)
        self.process = _Process(number)
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Process(psutil.Process):  # type: ignore[misc]
    """What `LocalProvisioner` needs of a process that is not a child of this one."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        """None while it runs, as `subprocess.Popen.poll`."""
        try:
            return None if self.is_running() and self.status() != psutil.STATUS_ZOMBIE else 0
        except psutil.NoSuchProcess:  # ended between the two questions
            return 0

    def send_signal(self, sig: int) -> None:
        """Send a signal; a process that has ended ignores it, as with `subprocess.Popen`."""
        with contextlib.suppress(psutil.NoSuchProcess):
            super().send_signal(sig)


def preload() -> None:
    """Import what notebooks import; a module that cannot be imported is left for the notebook to report."""
    os.environ.setdefault("MPLBACKEND", INLINE)  # matplotlib reads it once; ipykernel sets the same, but later
    from slpnb.steps import NOTEBOOKS

    for module in (*PRELOADED, *(f"slpnb.{name.partition('_')[2]}" for name in NOTEBOOKS)):
        with contextlib.suppress(ImportError):
            room = importlib.import_module(module)
            for name in getattr(room, "__all__", ()):  # a face loads its parts only when they are asked for
                getattr(room, name)


def serve() -> None:
    """Fork a kernel for each request on standard input, and answer with its process id; end with the runner."""
    from ipykernel.kernelapp import IPKernelApp  # noqa: F401 - for the forks

    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets kernels that ended
    for line in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become_kernel(**json.loads(line))
        print(child, flush=True)


def _become_kernel(arguments: list[str], environ: Mapping[str, str], folder: str, log: str) -> None:
    """Turn a fork of the nursery into a kernel: a session, a folder, an environment and a log of its own."""
    import numpy

    nursery = os.getppid()
    os.setsid()
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for output in (1, 2):  # the nursery's standard output is for process ids only
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), output)
    os.environ.clear()
    os.environ.update(environ)
    numpy.random.seed()  # else every notebook would draw the same numbers
    try:
        launch([*arguments, f"--IPKernelApp.parent_handle={nursery}"])  # the kernel ends when its nursery does
    finally:
        os._exit(0)


def launch(arguments: list[str]) -> None:
    """Be a kernel until it is shut down."""
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(arguments)


def main() -> None:
    """With arguments one kernel, imports done before it is asked for; without, the process that kernels fork from."""
    if sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]  # as ipykernel_launcher: the kernel itself adds the notebook's folder
    if not sys.argv[1:]:
        return serve()
    preload()
    return launch(sys.argv[1:])


if __name__ == "__main__":
    main()
