"""How late an event loop comes to what is due: a delay of ours, which must not be told as a server's."""

from __future__ import annotations

import asyncio
from collections import deque

EVERY = 0.05
"""Seconds between two looks; of what holds the loop up as much may be missed."""

KEPT = 60.0
"""Seconds for which delays are known."""

LEAST = 0.05
"""Seconds from which a delay counts: less is what a busy machine does to everybody."""


class LoopDelay:
    """Looks at the running loop from :meth:`start` to :meth:`stop`, for some thousandths of a core."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        # When each ended, and its seconds. No two can end at one look.
        self._delays: deque[tuple[float, float]] = deque(maxlen=round(KEPT / EVERY))

    def start(self) -> None:
        """Begin to look, in the loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._plan()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None

    def within(self, seconds: float) -> float:
        """The longest delay, in seconds, that has ended in the last ``seconds`` or lasts; 0 below
        :data:`LEAST`."""
        if self._loop is None:
            return 0.0
        now = self._loop.time()
        longest = now - self._due
        for ended, delay in reversed(self._delays):
            if ended < now - seconds:
                break
            longest = max(longest, delay)
        return longest if longest >= LEAST else 0.0

    def _plan(self) -> None:
        assert self._loop is not None
        self._due = self._loop.time() + EVERY
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        if now - self._due >= LEAST:
            self._delays.append((now, now - self._due))
        self._plan()
