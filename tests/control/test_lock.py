"""One engine a state folder."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tui.control.lock import StateLock, StateLockedError

HOLD = """
import sys
from pathlib import Path
from tui.control.lock import StateLock
with StateLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_engine_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(StateLockedError) as raised:
        StateLock(folder).acquire()
    assert raised.value.pid == process.pid
    assert str(process.pid) in str(raised.value)
    assert "overlay-supervisor attach" in str(raised.value)
    process.kill()
    process.communicate()
    with StateLock(folder):
        pass  # the kernel gave the lock of the dead back


def test_the_lock_is_private_and_names_us_while_it_is_held(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    lock = StateLock(folder)
    with lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"
        assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(StateLockedError, match=str(os.getpid())):
            StateLock(folder).acquire()
    assert lock.path.read_text() == ""
    with lock:
        pass
    lock.release()


def test_another_folder_is_another_engine(tmp_path: Path) -> None:
    with StateLock(tmp_path / "one"), StateLock(tmp_path / "two"):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        StateLock(tmp_path / "file" / "state").acquire()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPERM])
def test_a_disk_that_takes_no_byte_does_not_take_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, "no")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        broken.setattr(os, "ftruncate", full)
        lock = StateLock(tmp_path)
        lock.acquire()
        with pytest.raises(StateLockedError):
            StateLock(tmp_path).acquire()
        lock.release()


@pytest.mark.parametrize("code", [errno.EBADF, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_no_folder_can_be_locked_its_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def flock(descriptor: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, "no")
        real(descriptor, how)

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", flock)
    with StateLock(tmp_path), pytest.raises(StateLockedError, match=str(os.getpid())):
        StateLock(tmp_path).acquire()
    with StateLock(tmp_path):
        pass


def test_a_file_that_another_machine_deleted_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if not found.st_nlink:
            raise OSError(errno.ESTALE, "stale file handle")
        return found

    real = os.fstat
    with StateLock(tmp_path) as lock:
        lock.path.unlink()
        lock.path.touch()
        monkeypatch.setattr(os, "fstat", stale)
        lock.hold()
        assert lock.path.read_text() == f"{os.getpid()}\n"
