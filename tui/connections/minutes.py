"""What was seen of one thing's last minutes, and the strip of digits that tells of its last hour."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from tui.channels.clock import Clock
from tui.model.history import Minute, Spent
from tui.model.snapshot import Availability

HOUR = 60
DAY = 24 * 60

_LONGEST_STEP = 5.0
"""Seconds between two looks after which the time in between was not observed: the engine looks 4 times
a second, so the machine slept or the process was held."""


class Minutes:
    """Fed at each change, and at looks in between, with how the time since the last one was spent. What it
    tells goes up to the last :meth:`spent`, of which there must have been one.

    Args:
        kept: minutes that are kept, of about 100 bytes each.
    """

    def __init__(self, clock: Clock, kept: int = DAY) -> None:
        self._clock = clock
        self._seen_at = clock.monotonic()
        self._minutes: deque[Minute] = deque(maxlen=kept)
        self._strip = ""
        self._strip_key: tuple[int, str] | None = None
        self._before_present = ""

    def spent(self, how: Spent) -> None:
        """Put the time since the last call down to the minutes that it was in."""
        now, wall = self._clock.monotonic(), self._clock.time()
        passed, self._seen_at = now - self._seen_at, now
        if passed > _LONGEST_STEP:
            passed = 0.0
        began = wall - passed
        while True:
            number = math.floor(began / 60)
            end = min(wall, (number + 1) * 60.0)
            self._minute(number).add(how, end - began)
            if end >= wall:
                return
            began = end

    def _minute(self, number: int) -> Minute:
        last = self._minutes[-1] if self._minutes else None
        if last is not None and number <= last.number:
            # A wall clock that was set back goes on in the minute that was the present.
            return last
        self._minutes.append(Minute(number))
        return self._minutes[-1]

    def hour(self) -> str:
        """As of :attr:`tui.model.snapshot.ConnectionSnapshot.hour`; the same object while it is the same."""
        present = self._minutes[-1]
        key = (present.number, present.digit)
        if key != self._strip_key:
            if self._strip_key is None or self._strip_key[0] != present.number:
                self._before_present = self._earlier(present.number)
            self._strip_key = key
            self._strip = self._before_present + key[1]
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
        oldest = self._minutes[-1].number - minutes
        total = Minute(oldest)
        for minute in reversed(self._minutes):
            if minute.number < oldest:
                break
            total.merge(minute)
        return total.availability

    def since(self, number: int) -> tuple[Minute, ...]:
        """The minutes from that number on; not to be changed."""
        return tuple(minute for minute in self._minutes if minute.number >= number)

    def restore(self, earlier: Iterable[Minute]) -> None:
        """Take what an earlier run of the program saw; of a minute that it shares with this one, too."""
        present = math.floor(self._clock.time() / 60)
        known = {minute.number: minute for minute in self._minutes}
        for each in earlier:
            mine = known.setdefault(each.number, each)
            if mine is not each:
                mine.merge(each)
        # A clock that was ahead may have put down minutes that have not come yet.
        kept = [known[number] for number in sorted(known) if number <= present]
        self._minutes = deque(kept, maxlen=self._minutes.maxlen)
        self._strip_key = None
