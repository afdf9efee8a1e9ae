"""A thread that reads the alerts' rules anew when their file changes: the engine itself reads no disk."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from tui.alerts.rules import DEFAULT, Rules
from tui.alerts.rules_file import RulesError, load

if TYPE_CHECKING:
    from tui.alerts.service import AlertService

log = logging.getLogger("tui.engine")

LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""

_NO_THREAD = "not read, no thread could be started"


class WatchedRules:
    """Has the service's queue follow the rules of a file while there is one, else those built in."""

    def __init__(self, service: AlertService) -> None:
        self._service = service
        self._player = service.queue.player
        self._followed: tuple[Path, Collection[str] | None] | None = None
        # Of the thread that looks at the file; each file has its own.
        self._stop = threading.Event()
        self.trouble: str | None = None
        """Why other rules than the file's are in force; None while they are not."""

    def configure(self, path: Path | None, types: Collection[str] | None) -> None:
        """Follow this file from now on; None for no file. See :func:`tui.alerts.rules_file.load`."""
        if path is not None and self._followed == (path, types):
            return
        self.stop()
        if path is None:
            self._followed, self.trouble = None, None
            self._player.rules = DEFAULT
            return
        self._followed, self._stop = (path, types), threading.Event()
        self._start(path, types, self._stop)

    def stop(self) -> None:
        self._stop.set()

    def _start(self, path: Path, types: Collection[str] | None, stop: threading.Event) -> None:
        if stop.is_set():
            return
        try:
            threading.Thread(
                target=self._run, args=(path, types, stop), name="alert rules", daemon=True
            ).start()
        except (RuntimeError, MemoryError):
            if self.trouble != _NO_THREAD:
                self._take(path, stop, _NO_THREAD)
            asyncio.get_running_loop().call_later(LOOK_EVERY, self._start, path, types, stop)

    def _run(self, path: Path, types: Collection[str] | None, stop: threading.Event) -> None:
        seen: object = None
        while True:
            now = _stat_of(path)
            if now != seen:
                seen = now
                found: Rules | str
                try:
                    found = load(path, types)
                except RulesError as error:
                    log.warning("alert rules: %s", error)
                    found = str(error)
                self._service.on_loop(self._take, path, stop, found)
            if stop.wait(LOOK_EVERY):
                return

    def _take(self, path: Path, stop: threading.Event, found: Rules | str) -> None:
        if stop.is_set():
            return
        if isinstance(found, Rules):
            self._player.rules = found
            self.trouble = None
            self._service.note("alert rules read")
        else:
            # The reason is what may not be cut off at the edge of a screen.
            self.trouble = found.replace(str(path), path.name, 1)
            before = "built-in" if self._player.rules is DEFAULT else "old"
            self._service.note(f"the {before} alert rules stay in force: {self.trouble}", "error")


def _stat_of(path: Path) -> tuple[int, ...] | str:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.strerror or type(error).__name__
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
