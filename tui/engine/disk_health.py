"""Whether what is to be kept on disk is kept, so that nothing goes missing without a word."""

from __future__ import annotations

import math
from typing import Protocol

from tui.channels.clock import Clock
from tui.model.incidents import LineSeverity
from tui.model.snapshot import DiskHealthSnapshot
from tui.store.event_log import ChangeLog

NOTE_EVERY = 60.0
"""Seconds between two lines about one of them that fails by turns."""


class Kept(Protocol):
    """Takes what happens, and writes it behind everybody's back."""

    @property
    def trouble(self) -> str | None:
        """Why it is not written now, in words; None while it is."""

    @property
    def lost(self) -> int:
        """How much is missing since the start."""


class KeptFolder(Kept, Protocol):
    """Where everything is kept."""

    @property
    def other(self) -> str | None:
        """Which other engine has it, in words; then this one shows no alerts."""


class DiskHealth:
    """Looks at them with each publication, and tells of what changed. On the engine's loop."""

    def __init__(
        self, changes: ChangeLog, clock: Clock, *, folder: Kept | None, journal: Kept | None
    ) -> None:
        found = (("state folder", "files", folder), ("journal", "events", journal))
        self._watched = [
            _Watched(name, unit, kept, changes, clock) for name, unit, kept in found if kept is not None
        ]

    def poll(self) -> DiskHealthSnapshot:
        troubles = [each.poll() for each in self._watched]
        return DiskHealthSnapshot(troubles=tuple(each for each in troubles if each is not None))


class _Watched:
    def __init__(self, name: str, unit: str, kept: Kept, changes: ChangeLog, clock: Clock) -> None:
        self._name, self._unit, self._kept = name, unit, kept
        self._changes, self._clock = changes, clock
        self._noted_at = -math.inf
        self._noted_trouble: str | None = None
        self._noted_lost = 0

    def poll(self) -> str | None:
        trouble, lost = self._kept.trouble, self._kept.lost
        now = self._clock.monotonic()
        if (trouble, lost) != (self._noted_trouble, self._noted_lost) and now - self._noted_at >= NOTE_EVERY:
            self._note(trouble, lost)
            self._noted_at = now
        if trouble is None:
            return None
        return f"{self._name}: {trouble}" + (f", {self._missing(lost)} missing" if lost else "")

    def _note(self, trouble: str | None, lost: int) -> None:
        more = lost - self._noted_lost
        severity: LineSeverity = "error" if trouble else "warning" if more else "info"
        words = trouble or ("written again" if self._noted_trouble else "written too slowly")
        if more:
            words += f"; {self._missing(more)} are missing"
        self._noted_trouble, self._noted_lost = trouble, lost
        self._changes.add(self._clock.time(), None, f"the {self._name}: {words}", severity)

    def _missing(self, count: int) -> str:
        return f"1 {self._unit[:-1]}" if count == 1 else f"{count:,} {self._unit}"
