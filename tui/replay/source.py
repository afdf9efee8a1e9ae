"""What a replay reads from, and the values that it hands out."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from tui.model.engine import (
    CommandResult,
    ConnectionHistory,
    FrameContent,
    FramePage,
    LogLine,
    Snapshot,
)
from tui.replay.controls import Mark, MarkKind

LINES_HELD = 1000
"""Lines of the log before a moment that are shown at it, as a running engine holds them."""


class Event(NamedTuple):
    """A line of the log, or an incident that began. The words may hold text from the network."""

    timestamp: float
    message: str
    order: int
    """Grows from event to event, also between two of the same moment."""
    lands: float
    """The moment at which the screen shows what it did; at or shortly after ``timestamp``."""
    incident: bool = False


class Shown(NamedTuple):
    """What was on the screen at a moment."""

    snapshot: Snapshot | None
    """As it was published, its times its own; None when nothing at all is known."""
    missing: str | None = None
    """Why it cannot be taken for what was shown at that moment, in words; None when it can."""


class Source(Protocol):
    """For one thread at a time. All times are epoch seconds; each may raise OSError."""

    @property
    def not_known(self) -> frozenset[str]:
        """Fields of the last :meth:`shown` that stand at their defaults."""
        ...

    @property
    def spoilt(self) -> str | None:
        """How much of what was needed so far could not be read, in words; None for nothing."""
        ...

    def bounds(self) -> tuple[float, float]:
        """The first and the last moment of which anything is known."""
        ...

    def first_shown(self) -> float:
        """The first moment of which the screen is known; before it there may be lines of the log."""
        ...

    def shown(self, at: float) -> Shown:
        """What was shown at ``at``; cheapest when ``at`` goes forward by little."""
        ...

    def lines(self) -> tuple[LogLine, ...]:
        """The lines of the log that were there at the moment of the last :meth:`shown`, oldest first."""
        ...

    def frames(self, name: str, after: int, limit: int, at: float) -> FramePage | CommandResult:
        """As of :class:`tui.model.engine.Engine`, up to ``at``."""
        ...

    def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        """As of :class:`tui.model.engine.Engine`."""
        ...

    def history(self, name: str, at: float) -> ConnectionHistory | CommandResult:
        """As of :class:`tui.model.engine.Engine`, as it was at ``at``."""
        ...

    def event(self, at: float, beyond: int | None, *, forward: bool, incidents: bool) -> Event | None:
        """The nearest line of the log, or incident that began, after ``at`` or before it; with ``beyond`` the
        one beyond that order."""
        ...

    def marks(self, begin: float, end: float, most: int) -> tuple[Mark, ...]:
        """What a time line of that time shows, at most ``most`` of each kind; neighbours in one."""
        ...

    def resumes(self, at: float) -> float | None:
        """Where nothing is known at ``at``: the next moment of which something is; None at the end."""
        ...


def moment(timestamp: float) -> str:
    """A day and a time for a person."""
    return f"{datetime.fromtimestamp(timestamp):%Y-%m-%d %H:%M:%S}"


def thinned(marks: list[Mark], width: float, most: int) -> tuple[Mark, ...]:
    """Marks in order, those of a kind that are closer than a ``most``-th of ``width`` in one."""
    step = width / max(1, most)
    found: list[Mark] = []
    last: dict[MarkKind, int] = {}
    for mark in marks:
        place = last.get(mark.kind)
        if place is not None and mark.begin - found[place].begin < step:
            found[place] = found[place]._replace(end=max(found[place].end, mark.end))
            continue
        last[mark.kind] = len(found)
        found.append(mark)
    return tuple(found)


def as_of(snapshot: Snapshot, at: float) -> Snapshot:
    """A snapshot as it stood a little later, when nothing but the time had changed."""
    passed = max(0.0, at - snapshot.taken_at)
    return msgspec.structs.replace(
        snapshot,
        taken_at=at,
        connections=tuple(
            msgspec.structs.replace(
                each,
                details=msgspec.structs.replace(
                    each.details, time_in_state=each.details.time_in_state + passed
                ),
            )
            for each in snapshot.connections
        ),
    )
