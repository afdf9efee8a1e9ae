"""State changes, from the engine's thread to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tui.control.protocol import StateEvent
from tui.model.engine import Snapshot


class Change(Protocol):
    """One change of state, as the engine tells it."""

    @property
    def old_state(self) -> str: ...
    @property
    def new_state(self) -> str: ...
    @property
    def error(self) -> str | None: ...
    @property
    def timestamp(self) -> float: ...


class StateFeed:
    """A reporter of the engine that passes each change on to those who listen at that moment.

    What it is told costs the engine's thread next to nothing while nobody listens. A listener must
    neither block nor raise: it is called in the engine's thread.
    """

    def __init__(self) -> None:
        # Replaced as a whole, never changed: the engine's thread reads it without a lock.
        self._listeners: tuple[Callable[[StateEvent], None], ...] = ()

    def listen(self, listener: Callable[[StateEvent], None]) -> None:
        """Call ``listener`` from now on. Only one thread may listen and leave."""
        self._listeners = (*self._listeners, listener)

    def leave(self, listener: Callable[[StateEvent], None]) -> None:
        """Call ``listener`` no more; one last call may be under way."""
        self._listeners = tuple(each for each in self._listeners if each != listener)

    def state_changed(self, name: str, change: Change) -> None:
        """A state changed, exactly as it happened."""
        listeners = self._listeners
        if not listeners:
            return
        event = StateEvent(
            connection=name,
            old_state=change.old_state,
            new_state=change.new_state,
            error=change.error,
            timestamp=change.timestamp,
        )
        for listener in listeners:
            listener(event)

    def report(self, snapshot: Snapshot) -> None:
        """Nothing: who watches asks for changes only."""
