"""What a face with a time line may ask of a replay, beside what it may ask of any engine."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from tui.model.engine import CommandResult, Engine

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
    """Fields that stand at their defaults since the source does not hold them: to be shown as not known. Such
    as ``metrics.heartbeat_failures``; ``connections``, ``metrics``, ``details``, ``trouble`` and ``channels``
    are of every connection."""
    spoilt: str | None = None
    """How much of the source cannot be read, in words, as far as it was needed; None for nothing."""


class Replay(Engine, Protocol):
    """An engine of the past. Every command answers that nothing can be done."""

    def now(self) -> float:
        """The moment that is shown, in epoch seconds: the clock by which its face must reckon ages."""
        ...

    def position(self) -> Position:
        """Where it stands. Never blocks."""
        ...

    async def seek(self, at: float) -> CommandResult:
        """Go to a moment, or to the nearer end."""
        ...

    async def step(self, count: int = 1) -> CommandResult:
        """Go to the next line of the log, or with -1 to the one before; says which it is.

        The words may hold text from the network.
        """
        ...

    async def next_incident(self) -> CommandResult:
        """Go to where the next incident began; not ok when there is none."""
        ...

    async def previous_incident(self) -> CommandResult:
        """Go to where the incident before began; not ok when there is none."""
        ...

    async def play(self, speed: float = 1.0) -> CommandResult:
        """Go on by itself, ``speed`` seconds in a second (one of :data:`SPEEDS`), to the end."""
        ...

    async def pause(self) -> CommandResult:
        """Stand still."""
        ...

    async def marks(self, begin: float, end: float, most: int = 500) -> tuple[Mark, ...]:
        """What a time line of that time shows, in order, at most ``most`` of each kind."""
        ...
