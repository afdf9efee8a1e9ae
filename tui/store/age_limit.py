"""When a thing is too old to be kept, whatever somebody sets the machine's clock to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tui.channels.clock import SystemClock

log = logging.getLogger(__name__)

DAY = 86_400.0
SLACK = 60.0
"""Seconds by which clocks may drift apart before it is told."""


class AgeLimit:
    """Moves on by no more than the time that this run lives. For one thread at a time.

    A clock that is set ahead makes nothing older than it is: the limit goes on at its own pace, from where it
    was, and bounds in numbers and bytes must do. One that is years ahead at the start already is not believed
    where that would make all that is kept too old at once; the next run, by what this one wrote, believes it.

    Args:
        what: is kept, in words, for the log.
        kept: seconds.
        now: epoch seconds.
        lived: seconds that never go back and that nobody sets.
    """

    def __init__(
        self,
        what: str,
        kept: float,
        now: Callable[[], float] = time.time,
        lived: Callable[[], float] | None = None,
    ) -> None:
        self._what = what
        self._kept = kept
        self._now = now
        self._lived = lived or SystemClock().monotonic
        self._present: float | None = None
        self._lived_to = 0.0
        self._is_noted = False

    def start(self, newest: float | None) -> None:
        """Begin, from the epoch seconds of the newest thing that is kept; later calls change nothing."""
        if self._present is None:
            now = self._now()
            self._present, self._lived_to = now, self._lived()
            if newest is not None and now - newest > self._kept:
                self._present = newest
                self._note(now)

    def before(self) -> float:
        """Epoch seconds before which things are too old; :meth:`start` comes first."""
        assert self._present is not None
        now, lived = self._now(), self._lived()
        most = self._present + max(0.0, lived - self._lived_to)
        self._present, self._lived_to = min(now, most), lived
        if now - most > SLACK:
            self._note(now)
        return self._present - self._kept

    def _note(self, now: float) -> None:
        if self._is_noted or self._present is None:
            return
        self._is_noted = True
        ahead = (now - self._present) / DAY
        words = "the clock went ahead by %.1f days: no %s removed by age on that account"
        log.warning(words, ahead, self._what)
