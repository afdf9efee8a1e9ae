"""How late an event loop comes to what is due: a delay of ours, which must not be told as a server's."""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import Any

KEPT = 60.0
"""Seconds for which delays are known."""

LEAST = 0.05
"""Seconds from which a delay counts: less is what a busy machine does to everybody."""


class LoopDelay:
    """The turns of one loop, from one look at the network to the next: what comes meanwhile waits.

    A loop of :meth:`new_loop` tells of its turns by itself, which costs two looks at the clock in each.

    Args:
        clock: seconds, the one that the loop goes by.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        # When each ended, and its seconds. No two can end within the least of them.
        self._delays: deque[tuple[float, float]] = deque(maxlen=round(2 * KEPT / LEAST))

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(WatchedSelector(self))

    def begin_turn(self, due: float = math.inf) -> None:
        """The loop has looked at the network, and wanted to go on at ``due``."""
        self._began = now = self._clock()
        if now - due >= LEAST:
            self._delays.append((now, now - due))

    def end_turn(self) -> float:
        """All is done that there was to do; the time now."""
        now = self._clock()
        if self._began is not None and now - self._began >= LEAST:
            self._delays.append((now, now - self._began))
        return now

    def within(self, seconds: float) -> float:
        """The longest delay, in seconds, that has ended in the last ``seconds`` or lasts; 0 below
        :data:`LEAST`. In the loop's thread."""
        if self._began is None:
            return 0.0
        now = self._clock()
        longest = now - self._began
        for ended, delay in reversed(self._delays):
            if ended < now - seconds:
                break
            longest = max(longest, delay)
        return longest if longest >= LEAST else 0.0


class WatchedSelector(selectors.DefaultSelector):
    """A selector that says when its loop is at work."""

    def __init__(self, delay: LoopDelay) -> None:
        super().__init__()
        self._delay = delay

    def select(self, timeout: float | None = None) -> Any:
        now = self._delay.end_turn()
        found = super().select(timeout)
        self._delay.begin_turn(now + timeout if timeout is not None and timeout > 0 else math.inf)
        return found
