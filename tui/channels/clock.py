"""The clocks by which the client decides, injected so that tests run hours in milliseconds."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: one to decide by, one to show."""

    def monotonic(self) -> float:
        """Seconds that never go back and count while the machine sleeps, where such a clock exists."""

    def time(self) -> float:
        """Epoch seconds."""


class SystemClock:
    """The machine's clocks: CLOCK_BOOTTIME on Linux, else the monotonic clock."""

    def __init__(self) -> None:
        # Linux's monotonic clock stands still while the machine sleeps; a link does not survive that.
        self._clock_id: int | None = getattr(time, "CLOCK_BOOTTIME", None)

    def monotonic(self) -> float:
        """Seconds since some fixed moment, sleep included where the system can tell."""
        if self._clock_id is None:
            return time.monotonic()
        return time.clock_gettime(self._clock_id)

    def time(self) -> float:
        """Epoch seconds."""
        return time.time()


LEAST_STEP = 1.0
"""Seconds; a wall clock that is off by less was not set, but drifts or was read late."""


class WallSteps:
    """Notices that somebody set the wall clock, by the other one that nobody sets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.time() - clock.monotonic()

    def step(self) -> float:
        """Seconds by which it was set ahead since the last call, negative for back; 0 for not at all."""
        step = self._clock.time() - self._clock.monotonic() - self._offset
        if abs(step) < LEAST_STEP:
            return 0.0
        self._offset += step
        return step
