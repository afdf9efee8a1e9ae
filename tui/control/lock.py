"""One engine a state folder: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tui.private_files import open_private, private_folder

LOCK_NAME = "engine.lock"


class StateLockedError(Exception):
    """Another engine runs in the folder; the message is for a person.

    Attributes:
        pid: the holder's process id; None when it could not be read.
    """

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"an engine runs in {folder} already: {holder}\n"
            "see it with: overlay-supervisor attach; for another engine beside it: --state FOLDER"
        )


class StateLock:
    """Holds the lock of a state folder from :meth:`acquire` to :meth:`release`; a context manager.

    The file stays behind, empty: were it deleted, two engines could each lock a file of that name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or not at all. Creates the folder (0700) and the file (0600).

        Raises:
            StateLockedError: another process, or another lock of this one, holds it.
            NotOursError: the folder or the file is another's, or others can write it.
            OSError: the folder or the file cannot be used.
        """
        if self._descriptor is not None:
            return
        private_folder(self.folder, may_be_link=True)
        while self._descriptor is None:
            descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._is_in_place(descriptor):
                    os.close(descriptor)
                    continue
                self._leave_pid(descriptor)
            except BlockingIOError as error:
                pid = _pid(descriptor)
                os.close(descriptor)
                raise StateLockedError(self.folder, pid) from error
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor

    def hold(self) -> None:
        """Acquire it, unless it is held by the file that bears its name.

        A file that was deleted locks nothing: another engine would lock the next one.

        Raises:
            StateLockedError, OSError: as of :meth:`acquire`; then it is not held.
        """
        if self._descriptor is not None and not self._is_in_place(self._descriptor):
            self.release()
        self.acquire()

    @staticmethod
    def _leave_pid(descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            # On a full or broken disk the lock holds all the same; it only cannot say whose it is.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise

    def release(self) -> None:
        """Give the lock back. Any number of times."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether the file that was locked is still the one of that name; a disk that fails moves none."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.lstat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
