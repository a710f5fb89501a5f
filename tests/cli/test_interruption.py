"""A signal ends the process with its exit code, but never inside an import."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

MODULE = "print('begun', flush=True)\ninput()\nprint('whole', flush=True)\n"
PROGRAM = """
from slpnb.cli import interruption
interruption.take()
try:
    {import_}
    print('imported', flush=True)
    input()
except KeyboardInterrupt:
    sys.exit(130)
"""
ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def begin(folder, import_):
    (folder / "slow.py").write_text(MODULE)
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n" + PROGRAM.format(import_=import_)
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("sent", "code"), ENDS)
def test_an_import_that_has_begun_is_finished_first(tmp_path, sent, code):
    with begin(tmp_path, "import slow") as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(sent)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "whole\n"
        assert process.wait(30) == code


@pytest.mark.parametrize(("sent", "code"), ENDS)
def test_outside_of_an_import_it_is_taken_at_once(tmp_path, sent, code):
    with begin(tmp_path, "pass") as process:
        assert process.stdout.readline() == "imported\n"
        process.send_signal(sent)
        assert process.wait(30) == code
