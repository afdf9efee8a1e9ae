"""A thread that reads the alerts' rules anew when their file changes: the engine itself reads no disk."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from tui.alerts.player import Player
from tui.alerts.rules import DEFAULT, Rules
from tui.alerts.rules_file import RulesError, load
from tui.channels.clock import Clock
from tui.store.event_log import ChangeLog

log = logging.getLogger("tui.engine")

LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""

_NO_THREAD = "not read, no thread could be started"


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
            now = self._poll()
            if now != seen:
                seen = now
                try:
                    self._taken(load(self._path, self._types))
                except RulesError as error:
                    log.warning("alert rules: %s", error)
                    self._taken(str(error))
            if self._stop.wait(LOOK_EVERY):
                return

    def _poll(self) -> tuple[int, ...] | str:
        try:
            found = os.stat(self._path)
        except OSError as error:
            return error.strerror or type(error).__name__
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class WatchedRules:
    """The rules that a player follows: those of a file while there is one, else those built in.

    Args:
        on_loop: calls back on the engine's loop, from any thread.
        changed: called when something is to be published soon.
    """

    def __init__(
        self,
        player: Player,
        changes: ChangeLog,
        clock: Clock,
        on_loop: Callable[..., None],
        changed: Callable[[], None],
    ) -> None:
        self._player = player
        self._changes = changes
        self._clock = clock
        self._on_loop = on_loop
        self._changed = changed
        self._watch: RulesWatch | None = None
        self._path: Path | None = None
        self._types: Collection[str] | None = None
        self.trouble: str | None = None
        """Why other rules than the file's are in force; None while they are not."""

    def configure(self, path: Path | None, types: Collection[str] | None) -> None:
        """Follow this file from now on; None for no file. See :func:`tui.alerts.rules_file.load`."""
        if self._watch is not None and (path, types) == (self._path, self._types):
            return
        self._path, self._types = path, types
        self.stop()
        if path is None:
            self._player.rules, self.trouble = DEFAULT, None
            return
        watch = RulesWatch(path, types, lambda found: self._on_loop(self._take_rules, watch, found))
        self._watch = watch
        self._start(watch)

    def stop(self) -> None:
        """Look at no file any more."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _start(self, watch: RulesWatch) -> None:
        if watch is not self._watch:
            return
        try:
            watch.start()
        except (RuntimeError, MemoryError):
            if self.trouble != _NO_THREAD:
                self._take_rules(watch, _NO_THREAD)
            asyncio.get_running_loop().call_later(LOOK_EVERY, self._start, watch)

    def _take_rules(self, watch: RulesWatch, found: Rules | str) -> None:
        if watch is not self._watch:
            return
        if isinstance(found, Rules):
            self._player.rules = found
            self.trouble = None
            self._changes.add(self._clock.time(), None, "alert rules read")
        else:
            if self._path is not None:
                # The reason is what may not be cut off at the edge of a screen.
                found = found.replace(str(self._path), self._path.name, 1)
            self.trouble = found
            before = "built-in" if self._player.rules is DEFAULT else "old"
            text = f"the {before} alert rules stay in force: {found}"
            self._changes.add(self._clock.time(), None, text, "error")
        self._changed()
