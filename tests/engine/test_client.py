"""Finding an engine: by name, by opting out, and what is left of a Podman service whose user was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from slpnb import engine
from slpnb.errors import ParameterError
from tests.engines import needs_engine


def test_opting_out_finds_none_and_says_so(monkeypatch):
    monkeypatch.setenv("SLPNB_ENGINE", "none")
    assert engine.find() is None
    assert engine.why_none() == "SLPNB_ENGINE is none"


def test_a_name_that_is_no_engines_is_refused():
    with pytest.raises(ParameterError, match=r"SLPNB_ENGINE is rkt; it must be docker, podman, finch or none"):
        engine.find("rkt")


def test_a_named_engine_that_does_not_answer_is_no_other_one(monkeypatch):
    monkeypatch.setitem(engine.SOCKETS, "finch", ("/nonexistent/finch.sock",))
    with pytest.raises(ParameterError, match="does not answer on this machine"):
        engine.find("finch")


@needs_engine
def test_the_engine_answers_and_its_command_is_the_same_engines():
    with engine.find() as found:
        assert found.client.ping()
        assert found.architecture in ("amd64", "arm64")
        said = subprocess.run([*found.command, "version"], capture_output=True, text=True, check=True).stdout
        assert found.version in said


@needs_engine
def test_what_was_started_for_a_killed_process_ends_with_it():
    code = "from slpnb import engine; e = engine.find(); print(e.socket, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    socket = Path(process.stdout.readline().strip().removeprefix("unix://"))
    services = [one for one in psutil.process_iter() if _has(one, str(socket))]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    gone, alive = psutil.wait_procs(services, timeout=10)
    assert not alive
    assert len(gone) == len(services)


def _has(process, word):
    try:
        return any(word in argument for argument in process.cmdline())
    except psutil.Error:
        return False
