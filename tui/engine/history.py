"""What is kept of one connection's past: its last hour and day by the minute, its changes of state."""

from __future__ import annotations

import math
from collections import deque

from tui.channels import StateChange
from tui.channels.clock import Clock
from tui.channels.health import ConnectionState
from tui.engine.snapshot import Availability, StateEntry

HOUR = 60
DAY = 24 * 60
KEPT_STATES = 100

_LONGEST_STEP = 5.0
"""Seconds between two looks after which the time in between was not observed: the engine looks 4 times
a second, so the machine slept or the process was held."""


class _Minute:
    """What was seen in one minute of the wall clock, in seconds."""

    __slots__ = ("asked", "connected", "number", "observed")

    def __init__(self, number: int) -> None:
        self.number = number
        self.observed = 0.0
        self.connected = 0.0
        self.asked = 0.0
        """Disconnected because somebody wanted it."""

    @property
    def digit(self) -> str:
        wanted = self.observed - self.asked
        if wanted <= 0:
            return "o" if self.asked else "?"
        # Sums of floats: a millionth of a second is no break, a millisecond is one.
        return str(8 if self.connected >= wanted - 1e-6 else min(7, math.floor(8 * self.connected / wanted)))


class History:
    """Fed with each change of state and with looks in between; kept for a day, by the minute.

    A connection takes at most 1,440 minutes of about 90 bytes each.
    """

    def __init__(self, clock: Clock, state: ConnectionState = "disconnected") -> None:
        self._clock = clock
        self._state = state
        self._seen_at = clock.monotonic()
        self._state_began = self._seen_at
        self._minutes: deque[_Minute] = deque(maxlen=DAY)
        self._states: deque[StateEntry] = deque(maxlen=KEPT_STATES)
        self._strip = ""
        self._strip_key: tuple[int, str] | None = None
        self._before_present = ""

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
        """Put the time since the last look down to the minutes that it was in."""
        now, wall = self._clock.monotonic(), self._clock.time()
        passed, self._seen_at = now - self._seen_at, now
        if passed > _LONGEST_STEP:
            passed = 0.0
        began = wall - passed
        while True:
            number = math.floor(began / 60)
            end = min(wall, (number + 1) * 60.0)
            minute = self._minute(number)
            minute.observed += end - began
            if self._state == "connected":
                minute.connected += end - began
            elif self._state == "disconnected":
                minute.asked += end - began
            if end >= wall:
                return
            began = end

    def _minute(self, number: int) -> _Minute:
        last = self._minutes[-1] if self._minutes else None
        if last is not None and number <= last.number:
            # A wall clock that was set back goes on in the minute that was the present.
            return last
        self._minutes.append(_Minute(number))
        return self._minutes[-1]

    def hour(self) -> str:
        """As of :attr:`tui.engine.snapshot.ConnectionSnapshot.hour`."""
        self._look()
        present = self._minutes[-1]
        key = (present.number, present.digit)
        if key != self._strip_key:
            if self._strip_key is None or self._strip_key[0] != present.number:
                self._before_present = self._earlier(present.number)
            self._strip_key = key
            self._strip = self._before_present + present.digit
        return self._strip

    def _earlier(self, present: int) -> str:
        digits = ["?"] * (HOUR - 1)
        for minute in reversed(self._minutes):
            place = minute.number - (present - HOUR + 1)
            if place < 0:
                break
            if place < HOUR - 1:
                digits[place] = minute.digit
        return "".join(digits)

    def availability(self, minutes: int) -> Availability:
        """Of the present minute and the ``minutes`` before it."""
        self._look()
        oldest = self._minutes[-1].number - minutes
        wanted = connected = 0.0
        for minute in reversed(self._minutes):
            if minute.number < oldest:
                break
            wanted += minute.observed - minute.asked
            connected += minute.connected
        if wanted <= 0:
            return Availability()
        share = 1.0 if connected >= wanted - 1e-6 else connected / wanted
        return Availability(share=share, observed=wanted)
