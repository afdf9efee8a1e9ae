"""What is kept of one connection's past: its last hour and day by the minute, its changes of state."""

from __future__ import annotations

from collections import deque

from tui.channels import StateChange
from tui.channels.clock import Clock
from tui.channels.health import ConnectionState
from tui.engine.minutes import DAY, HOUR, Minutes, Spent
from tui.engine.snapshot import Availability, StateEntry

__all__ = ["DAY", "HOUR", "KEPT_STATES", "History"]

KEPT_STATES = 100

_SPENT: dict[ConnectionState, Spent] = {"connected": "well", "disconnected": "asked"}


class History:
    """Fed with each change of state and with looks in between; kept for a day, by the minute.

    A connection takes at most 1,440 minutes of about 100 bytes each.
    """

    def __init__(self, clock: Clock, state: ConnectionState = "disconnected") -> None:
        self._clock = clock
        self._state = state
        self._state_began = clock.monotonic()
        self._minutes = Minutes(clock)
        self._states: deque[StateEntry] = deque(maxlen=KEPT_STATES)

    def changed(self, change: StateChange) -> None:
        """The state changed just now."""
        self._look()
        now = self._clock.monotonic()
        self._states.append(
            StateEntry(
                timestamp=change.timestamp,
                state=change.new_state,
                reason=change.error,
                before=now - self._state_began,
            )
        )
        self._state_began = now
        self._state = change.new_state

    @property
    def states(self) -> tuple[StateEntry, ...]:
        """The last changes of state, oldest first."""
        return tuple(self._states)

    def _look(self) -> None:
        self._minutes.spent(_SPENT.get(self._state, "otherwise"))

    def hour(self) -> str:
        """As of :attr:`tui.engine.snapshot.ConnectionSnapshot.hour`."""
        self._look()
        return self._minutes.hour()

    def availability(self, minutes: int) -> Availability:
        """Of the present minute and the ``minutes`` before it."""
        self._look()
        return self._minutes.availability(minutes)
