"""How long a connection was in which state, and the strip and the shares that follow from it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from typing import NamedTuple

from tui.channels.health import ConnectionState
from tui.connections.history import spent_in
from tui.connections.minutes import HOUR, Spent
from tui.model.events import StateChanged
from tui.model.snapshot import Availability


class Interval(NamedTuple):
    """A time in one state; it lasts until the next one. Times are epoch seconds."""

    begin: float
    state: ConnectionState | None
    """None: nobody observed it."""
    event: StateChanged | None = None
    """What told of it."""
    since: float | None = None
    """When it came into that state; it may have been unobserved in between."""
    run: int = 0
    """Which run of the program it is of."""
    gone: bool = False
    """It was taken out of the settings."""
    successes: int = 0
    """Times that it was connected in this run, this one counted."""


class StateIntervals:
    """The spells of one connection, in order."""

    def __init__(self) -> None:
        self._spans: list[Interval] = []
        self._begins: list[float] = []

    def add(self, span: Interval) -> None:
        """Add the latest one; one that begins before the last begins with it."""
        if self._begins and span.begin < self._begins[-1]:
            span = span._replace(begin=self._begins[-1])
        self._spans.append(span)
        self._begins.append(span.begin)

    @property
    def last(self) -> Interval | None:
        """The latest of all."""
        return self._spans[-1] if self._spans else None

    def at(self, at: float) -> Interval | None:
        """The one that ``at`` is in; None before the first."""
        place = bisect.bisect_right(self._begins, at) - 1
        return self._spans[place] if place >= 0 else None

    def last_known(self, at: float) -> Interval | None:
        """The one that ``at`` is in or, where nobody observed it, the last one before that somebody did."""
        place = bisect.bisect_right(self._begins, at) - 1
        while place >= 0 and self._spans[place].state is None:
            place -= 1
        return self._spans[place] if place >= 0 else None

    def _spent(self, begin: float, end: float) -> Iterator[tuple[float, float, Spent]]:
        place = max(0, bisect.bisect_right(self._begins, begin) - 1)
        while place < len(self._spans) and self._begins[place] < end:
            span = self._spans[place]
            until = self._begins[place + 1] if place + 1 < len(self._spans) else end
            since, until = max(begin, span.begin), min(end, until)
            if span.state is not None and until > since:
                before = self._spans[place - 1].state if place else None
                yield since, until, spent_in(span.state, before)
            place += 1

    def hour(self, at: float) -> str:
        """As of :attr:`tui.model.snapshot.ConnectionSnapshot.hour`, as it was at ``at``."""
        present = math.floor(at / 60)
        first = present - HOUR + 1
        well, asked, observed = [0.0] * HOUR, [0.0] * HOUR, [0.0] * HOUR
        for begin, end, how in self._spent(first * 60.0, at):
            while begin < end and how != "opening":
                minute = math.floor(begin / 60)
                until = min(end, (minute + 1) * 60.0)
                place = minute - first
                observed[place] += until - begin
                if how == "well":
                    well[place] += until - begin
                elif how == "asked":
                    asked[place] += until - begin
                begin = until
        return "".join(map(_digit, observed, well, asked))

    def availability(self, at: float, minutes: int) -> Availability:
        """Of the minute of ``at`` up to it and the ``minutes`` before it."""
        wanted = well = 0.0
        for begin, end, how in self._spent((math.floor(at / 60) - minutes) * 60.0, at):
            if how in ("well", "otherwise"):
                wanted += end - begin
            if how == "well":
                well += end - begin
        if wanted <= 0:
            return Availability()
        return Availability(share=1.0 if well >= wanted - 1e-6 else well / wanted, observed=wanted)


def _digit(observed: float, well: float, asked: float) -> str:
    wanted = observed - asked
    if wanted <= 1e-9:
        return "o" if asked else "?"
    return str(8 if well >= wanted - 1e-6 else min(7, math.floor(8 * well / wanted)))
