"""State changes, from the engine's thread to whoever watches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tui.channels.health import StateChange
from tui.control.protocol import StateEvent
from tui.model.snapshot import Snapshot

MAX_EVENTS = 10_000
"""Changes of state that wait to be taken; beyond it the oldest is dropped and counted."""


class StateFeed:
    """A reporter of the engine that holds each change for one who listens, until it is taken.

    What it is told costs the engine's thread next to nothing while nobody listens.
    """

    def __init__(self) -> None:
        self._wake: Callable[[], object] | None = None
        self._events: deque[StateEvent] = deque(maxlen=MAX_EVENTS)
        self._missed = 0
        self._lock = threading.Lock()

    def listen(self, wake: Callable[[], object] | None) -> None:
        """Hold changes from now on, and call ``wake`` when there are some; None holds none any more.

        It is called in the engine's thread, and must neither block nor raise.
        """
        self._wake = wake

    def take(self) -> tuple[tuple[StateEvent, ...], int]:
        """What came since it was last asked for, and how many before it were dropped."""
        with self._lock:
            taken = tuple(self._events), self._missed
            self._events.clear()
            self._missed = 0
        return taken

    def state_changed(self, name: str, change: StateChange) -> None:
        wake = self._wake
        if wake is None:
            return
        event = StateEvent(
            connection=name,
            old_state=change.old_state,
            new_state=change.new_state,
            error=change.error,
            timestamp=change.timestamp,
        )
        with self._lock:
            first = not self._events
            self._missed += len(self._events) == MAX_EVENTS
            self._events.append(event)
        if first:
            wake()

    def report(self, snapshot: Snapshot) -> None:
        """Nothing: who watches asks for changes only."""
