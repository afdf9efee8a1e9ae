"""One engine a state folder: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tui.system.private_files import NotOursError, open_private, open_to_read, private_folder

log = logging.getLogger(__name__)

LOCK_NAME = "engine.lock"
LOOK_SECONDS = 2.0
"""Between two looks, and so between two tries."""


class StateLockedError(Exception):
    """Another engine runs in the folder; the message is for a person."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        """The holder's; None when it could not be read."""
        self.holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"an engine runs in {folder} already: {self.holder}\n"
            "see it with: overlay-supervisor attach; for another engine beside it: --state FOLDER"
        )


class StateLock:
    """Holds the lock of a state folder from :meth:`acquire` to :meth:`release`; a context manager.

    Locked are the folder itself, which can be where nothing can be written, and a file in it, since some file
    systems of a network lock nothing else. The file stays behind, empty: were it deleted, two engines could
    each lock a file of that name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LOCK_NAME
        self._folder: int | None = None
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or not at all. Creates the folder (0700) and the file (0600).

        Raises:
            StateLockedError: another process, or another lock of this one, holds it.
            NotOursError: the folder or the file is another's, or others can write it.
            OSError: the folder or the file cannot be used. The folder stays locked where it could be, so that
                nobody else begins in it before this one has tried again.
        """
        if self._file is not None:
            return
        private_folder(self.folder, may_be_link=True)
        if self._folder is None:
            self._folder = self._locked_folder()
        while self._file is None:
            descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT)
            self._lock(descriptor)
            if not _is_in_place(descriptor, self.path):
                os.close(descriptor)
                continue
            # On a full or broken disk the lock holds all the same; it only cannot say whose it is.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._file = descriptor

    def hold(self) -> None:
        """Acquire it, unless it is held by the folder and the file that bear its names.

        A file that was deleted locks nothing: another engine would lock the next one.
        """
        if self._folder is not None and not _is_in_place(self._folder, self.folder, may_be_link=True):
            self.release()
        if self._file is not None and not _is_in_place(self._file, self.path):
            self._release_file()
        self.acquire()

    def release(self) -> None:
        self._release_file()
        if self._folder is not None:
            descriptor, self._folder = self._folder, None
            os.close(descriptor)

    def _release_file(self) -> None:
        if self._file is not None:
            descriptor, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _locked_folder(self) -> int | None:
        """The folder's descriptor; None where it may not be read, or no folder can be locked."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._lock(descriptor)
        except OSError:
            return None
        return descriptor

    def _lock(self, descriptor: int) -> None:
        """Lock what was opened, or close it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                self.release()
                raise self._locked() from error
            raise

    def _locked(self) -> StateLockedError:
        try:
            descriptor = open_to_read(self.path)
        except OSError:
            return StateLockedError(self.folder, None)
        with open(descriptor, "rb", buffering=0) as file:
            try:
                text = file.read(32).strip()
            except OSError:
                text = b""
        return StateLockedError(self.folder, int(text) if text.isdigit() else None)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _is_in_place(descriptor: int, path: Path, *, may_be_link: bool = False) -> bool:
    """Whether what was locked is still what bears that name; a disk that fails moves nothing."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=may_be_link))
    except OSError as error:
        # ESTALE: it was deleted by another machine.
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


class FolderHold:
    """The state folder in a run's hands: looks after its lock from :meth:`start` to :meth:`close`.

    Whoever has the lock keeps things in the folder, and shows the alerts. A run that began without it, on a
    disk that was full or read-only, or whose folder was deleted beneath it, and that finds another engine
    there when the folder can be used again, goes on with its connections alone and says so.

    Args:
        lock: acquired, or not to be had at the start.
        trouble: why it was not, in words.
        note: called with the words when something changed, in the thread that looks.
    """

    def __init__(
        self, lock: StateLock, trouble: str | None = None, note: Callable[[str], None] | None = None
    ) -> None:
        self._lock = lock
        self._note = note
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state folder", daemon=True)
        self.trouble = None if trouble is None else f"keeping nothing: {trouble}"
        """Why nothing is kept in the folder, in words; None while everything may be."""
        self.other: str | None = None
        """Which other engine has the folder, in words; None for none."""
        self.lost = 0

    def start(self) -> None:
        """Begin to look, in a thread of its own: the disk may hang."""
        self._thread.start()

    def close(self) -> None:
        """Look no more, and give the lock back unless the disk hangs."""
        self._ending.set()
        self._thread.join(LOOK_SECONDS / 4)
        if not self._thread.is_alive():
            self._lock.release()

    def require(self) -> None:
        """To be called before anything in the folder is written: an ``ENOLCK`` where it is not ours now."""
        if self.trouble is not None:
            raise OSError(errno.ENOLCK, "the state folder is not this run's now")

    def poll(self) -> None:
        """See that the lock is still held, and take it where it is not. Waits for the disk."""
        other: str | None = None
        trouble: str | None = None
        try:
            self._lock.hold()
        except StateLockedError as error:
            other = error.holder
            words = f"{other} runs an engine in {self._lock.folder}; end one of the two"
            trouble = f"keeping nothing and showing no alerts: {words}"
        except NotOursError as error:
            what = self._lock.path if error.is_file else self._lock.folder
            trouble = f"keeping nothing: {what} {error.strerror}"
        except OSError as error:
            trouble = f"keeping nothing: {self._lock.folder}: {error.strerror or type(error).__name__}"
        if trouble != self.trouble:
            self.other, self.trouble = other, trouble
            words = trouble or "the state folder can be written, and is"
            log.warning("%s", words)
            if self._note is not None:
                self._note(words)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self.poll()
