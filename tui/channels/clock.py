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

    # Linux's monotonic clock stands still while the machine sleeps; a link does not survive that.
    _CLOCK_ID: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def monotonic(self) -> float:
        return time.clock_gettime(self._CLOCK_ID)

    def time(self) -> float:
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
