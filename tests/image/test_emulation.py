"""Another architecture's programs on this machine: what is registered, under which name, and that it is taken back."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from slpnb.errors import Refusal
from slpnb.image import emulation

LINE = r":qemu-aarch64:M::\x7fELF\x02\x01:\xff\xff\xff\xff\xff\xff:{0}:OPF"
NAME = "slpnb-arm64"


def test_a_rule_is_registered_under_the_kits_own_name():
    line = LINE.format("/usr/bin/qemu")
    assert emulation.rule(line + "\n", NAME) == line.replace("qemu-aarch64", NAME)


@pytest.mark.parametrize("line", [LINE.format("/usr/bin/qemu")[:-1], ":qemu-aarch64:M::x:y:/usr/bin/qemu"])
def test_an_emulator_that_the_kernel_does_not_hold_open_is_refused(line):
    with pytest.raises(Refusal, match="install qemu-user-static"):
        emulation.rule(line, NAME)


@pytest.fixture
def kernel(tmp_path, monkeypatch) -> Path:
    """A folder in the place of binfmt_misc, with an emulator installed, as root sees it."""
    for name in ("BINFMT", "LINES"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(emulation, name, tmp_path / name)
    monkeypatch.setattr(emulation, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(emulation.os, "geteuid", lambda: 0)
    (tmp_path / "BINFMT" / "register").touch()
    (tmp_path / "qemu").touch()
    (tmp_path / "LINES" / "qemu-aarch64.conf").write_text("# the distribution's\n" + LINE.format(tmp_path / "qemu"))
    return tmp_path / "BINFMT"


def borrow(said: list[str] | None = None, architecture: str = "arm64", own: str = "amd64"):
    return emulation.borrowed(architecture, own, (said if said is not None else []).append)


def test_it_is_registered_while_the_block_lasts_and_said_so(kernel):
    said: list[str] = []
    with borrow(said):
        assert (kernel / "register").read_text().startswith(f":{NAME}:M:")
        assert said == ["arm64 programs are emulated by qemu-aarch64 until this command ends"]
    assert (kernel / NAME).read_text() == "-1"  # how the kernel is told to forget it


def test_it_is_taken_back_when_the_build_fails(kernel):
    with pytest.raises(ZeroDivisionError), borrow():
        _ = 1 / 0
    assert (kernel / NAME).read_text() == "-1"


def test_nothing_is_touched_for_this_machines_own_or_where_the_machine_emulates_already(kernel):
    with borrow(own="arm64"):
        pass
    (kernel / "qemu-aarch64").touch()
    with borrow():
        assert emulation.registered("arm64")
    assert ((kernel / "register").read_text(), (kernel / NAME).exists()) == ("", False)


def test_nothing_is_touched_without_the_emulator_or_without_being_root(kernel, monkeypatch):
    monkeypatch.setattr(emulation.os, "geteuid", lambda: 1000)
    with borrow():
        pass
    monkeypatch.setattr(emulation.os, "geteuid", lambda: 0)
    (kernel.parent / "qemu").unlink()
    with borrow():
        assert not emulation.registered("arm64")
    assert (kernel / "register").read_text() == ""


def test_another_build_that_still_needs_it_keeps_it(kernel):
    with borrow():
        (kernel / NAME).touch()  # the kernel shows what is registered
        with borrow():
            pass
        assert (kernel / NAME).read_text() == ""
    assert (kernel / NAME).read_text() == "-1"


def test_what_a_killed_build_left_is_taken_away_unless_another_is_at_work(kernel):
    (kernel / NAME).touch()
    with emulation.LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        emulation.tidy()
        assert (kernel / NAME).read_text() == ""
    emulation.tidy()
    assert (kernel / NAME).read_text() == "-1"


def test_a_kernel_that_takes_none_is_a_refusal(kernel):
    (kernel / "register").unlink()
    (kernel / "register").mkdir()
    with pytest.raises(Refusal, match="the kernel accepts no emulator"), borrow():
        pass
