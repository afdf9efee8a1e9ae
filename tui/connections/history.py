"""What is kept of one connection's past: its last hour and day by the minute, its changes of state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from tui.channels import StateChange
from tui.channels.clock import Clock
from tui.channels.health import ConnectionState
from tui.connections.minutes import Minutes
from tui.model.history import Minute, Spent
from tui.model.snapshot import Availability, StateEntry

KEPT_STATES = 100

_SPENT: dict[ConnectionState, Spent] = {"connected": "well", "disconnected": "asked"}


def spent_in(state: ConnectionState, before: ConnectionState | None) -> Spent:
    """How a time in ``state`` is spent, which came after ``before``; None where nobody observed that."""
    if state == "connecting" and before not in ("reconnecting", "failed"):
        return "opening"
    return _SPENT.get(state, "otherwise")


class StateLog:
    """The last changes of state; each failure that goes on is counted in the entry of its trouble."""

    def __init__(self) -> None:
        self.states: deque[StateEntry] = deque(maxlen=KEPT_STATES)
        self._trouble_at: float | None = None

    def add(self, entry: StateEntry, *, goes_on: bool) -> bool:
        """Take the latest change; whether it was counted in the entry of its trouble, and is none itself."""
        if goes_on and self._count_in_trouble(entry):
            return True
        if entry.state in ("reconnecting", "failed"):
            self._trouble_at = entry.timestamp
        self.states.append(entry)
        return False

    def _count_in_trouble(self, failure: StateEntry) -> bool:
        """False where its entry is no longer held."""
        for place in range(len(self.states) - 1, -1, -1):
            entry = self.states[place]
            if entry.timestamp == self._trouble_at and entry.state in ("reconnecting", "failed"):
                break
        else:
            return False
        while len(self.states) > place:
            self.states.pop()
        self.states.append(
            msgspec.structs.replace(
                entry, tries=entry.tries + 1, last_try=failure.timestamp, last_reason=failure.reason
            )
        )
        return True


class History:
    """Fed with each change of state and with looks in between; kept for a day, by the minute.

    A connection takes at most 1,440 minutes of about 100 bytes each.
    """

    def __init__(self, clock: Clock, state: ConnectionState = "disconnected") -> None:
        self._clock = clock
        self._spent = spent_in(state, None)
        self._state_began = clock.monotonic()
        self._minutes = Minutes(clock)
        self._kept_from = 0
        self._log = StateLog()
        self._trouble_began = self._state_began

    def changed(self, change: StateChange, *, goes_on: bool = False) -> float:
        """The state changed just now; the seconds that the one before lasted.

        Args:
            goes_on: by one more failure of the latest trouble, which is counted in that one's entry: it and
                the attempt that led to it have none of their own.
        """
        self._poll()
        self._spent = spent_in(change.new_state, change.old_state)
        now = self._clock.monotonic()
        before = now - self._state_began
        entry = StateEntry(
            timestamp=change.timestamp, state=change.new_state, reason=change.error, before=before
        )
        if self._log.add(entry, goes_on=goes_on):
            self._state_began = self._trouble_began
            return before
        if change.new_state in ("reconnecting", "failed"):
            self._trouble_began = now
        self._state_began = now
        return before

    @property
    def states(self) -> tuple[StateEntry, ...]:
        """The last changes of state, oldest first."""
        return tuple(self._log.states)

    def kept(self) -> tuple[Minute, ...]:
        """The minutes since the last call, for the journal; the last one of them goes on."""
        self._poll()
        minutes = self._minutes.since(self._kept_from)
        self._kept_from = minutes[-1].number
        return minutes

    def restore(self, earlier: Iterable[Minute]) -> None:
        self._minutes.restore(earlier)

    def _poll(self) -> None:
        self._minutes.spent(self._spent)

    def hour(self) -> str:
        self._poll()
        return self._minutes.hour()

    def availability(self, minutes: int) -> Availability:
        self._poll()
        return self._minutes.availability(minutes)
