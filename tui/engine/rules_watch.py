"""A thread that reads the alerts' rules anew when their file changes: the engine itself reads no disk."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from tui.alerts.rules import Rules
from tui.alerts.rules_file import RulesError, load

log = logging.getLogger("tui.engine")

LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""


class RulesWatch:
    """Looks at a file from :meth:`start` to :meth:`stop`.

    Args:
        types: as of :func:`tui.alerts.rules_file.load`.
        taken: called in the thread with the rules, or with what is wrong with the file, at the start and
            at each change.
    """

    def __init__(
        self, path: Path, types: Collection[str] | None, taken: Callable[[Rules | str], None]
    ) -> None:
        self._path = path
        self._types = types
        self._taken = taken
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError, MemoryError: there is no thread for it now.
        """
        threading.Thread(target=self._run, name="alert rules", daemon=True).start()

    def stop(self) -> None:
        """End; waits for nothing."""
        self._stop.set()

    def _run(self) -> None:
        seen: object = None
        while True:
            now = self._look()
            if now != seen:
                seen = now
                try:
                    self._taken(load(self._path, self._types))
                except RulesError as error:
                    log.warning("alert rules: %s", error)
                    self._taken(str(error))
            if self._stop.wait(LOOK_EVERY):
                return

    def _look(self) -> tuple[int, ...] | str:
        try:
            found = os.stat(self._path)
        except OSError as error:
            return error.strerror or type(error).__name__
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
