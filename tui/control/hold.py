"""The state folder in a run's hands: its lock is looked after, and tried for again where it could not be had.

Whoever has the lock keeps things in the folder, and shows the alerts. A run that began without it, on a disk
that was full or read-only, or whose folder was deleted beneath it, and that finds another engine there when
the folder can be used again, goes on with its connections alone and says so.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable

from tui.control.lock import StateLock, StateLockedError
from tui.system.private_files import NotOursError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks, and so between two tries."""


class FolderHold:
    """Looks after a lock from :meth:`start` to :meth:`close`.

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
        """To be called before anything in the folder is written.

        Raises:
            OSError: ``ENOLCK``; this run has not the folder now.
        """
        if self.trouble is not None:
            raise OSError(errno.ENOLCK, "the state folder is not this run's now")

    def poll(self) -> None:
        """See that the lock is still held, and take it where it is not. Waits for the disk."""
        other: str | None = None
        trouble: str | None = None
        try:
            self._lock.hold()
        except StateLockedError as error:
            other = f"process {error.pid}" if error.pid is not None else "another process"
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
