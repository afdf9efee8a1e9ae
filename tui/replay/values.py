"""What a replay hands out: where it stands, what it shows, and what its time line marks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from tui.model.snapshot import LogLine, Snapshot

SPEEDS = (1.0, 10.0, 60.0)
"""Seconds shown in a second."""

MarkKind = Literal["incident", "error", "gap", "loss"]


class Mark(NamedTuple):
    """Something to be seen on a time line. Times are epoch seconds."""

    begin: float
    end: float
    kind: MarkKind
    """An incident began; a line of severity error; nothing is known; something was not written."""


class Position(NamedTuple):
    """Where a replay stands. Times are epoch seconds."""

    at: float
    begin: float
    end: float
    playing: bool
    speed: float
    jumps: int
    """Grows whenever it goes anywhere but forward by playing: what was read of the log by cursor is then to
    be forgotten and read anew."""
    missing: str | None
    """Why what is shown is not what was shown at that moment, in words; None when it is."""
    not_known: frozenset[str]
    """Fields that stand at their defaults since the journal does not hold them: to be shown as not known.
    Such as ``metrics.heartbeat_failures``; ``connections``, ``metrics``, ``details``, ``trouble`` and
    ``channels`` are of every connection."""


class Event(NamedTuple):
    """A line of the log, or an incident that began. The words may hold text from the network."""

    timestamp: float
    message: str
    order: int
    """Grows from event to event, also between two of the same moment."""
    incident: bool = False


class Shown(NamedTuple):
    """What was on the screen at a moment."""

    snapshot: Snapshot | None
    """As it was published, its times its own; None when nothing at all is known."""
    missing: str | None
    """Why it cannot be taken for what was shown at that moment, in words; None when it can."""
    lines: tuple[LogLine, ...]
    """Of the log, oldest first; also what was told to the journal alone."""
    not_known: frozenset[str]
    """As of :class:`Position`."""


def moment(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp):%Y-%m-%d %H:%M:%S}"
