"""A system that has no connection to give: what it says, and how that is told."""

from __future__ import annotations

import errno
import logging
import time

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What a system says that can give no further connection now."""

_NOTE_SECONDS = 60.0


class Untaken:
    """Tells that no connection could be taken, at once and then once a minute, with the number of tries."""

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self._name = name
        self._log = logger
        self._tries = 0
        self._noted_at = float("-inf")

    def say(self, why: str) -> None:
        self._tries += 1
        now = time.monotonic()
        if now - self._noted_at >= _NOTE_SECONDS:
            self._log.warning("%s: no connection can be taken: %s, tries: %d", self._name, why, self._tries)
            self._noted_at, self._tries = now, 0
