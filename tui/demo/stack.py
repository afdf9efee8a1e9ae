"""The real hub's stack of what was forced onto the overlays. Pure state: no timer, no socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FORCED = "manual_override"
"""The type of an item that was forced."""

FORCED_PRIORITY = 100
"""Every forced item has it, so the newest is shown."""

DEFAULT_DURATION = 10_000
"""Milliseconds of an item that was forced without a duration."""


@dataclass(slots=True)
class Item:
    """One thing that was forced. Its time runs from the moment of adding, seen or not."""

    id: str
    """The hub's own."""
    data: Any
    """What was forced, as it came."""
    duration: int
    """Milliseconds."""
    added: float
    started_at: str

    @property
    def end(self) -> float:
        """The moment of its end, by the clock that ``added`` was read from."""
        return self.added + self.duration / 1000

    def listed(self) -> dict[str, Any]:
        """As ``stream_state`` lists it."""
        return {
            "data": self.data,
            "duration": self.duration,
            "id": self.id,
            "priority": FORCED_PRIORITY,
            "started_at": self.started_at,
            "type": FORCED,
        }

    def queued(self, position: int) -> dict[str, Any]:
        """As ``queue_state`` lists it: pending for ever, whatever is on screen."""
        return {**self.listed(), "content_type": FORCED, "position": position, "status": "pending"}


class Stack:
    """What is forced now, the newest first. Two items may hold the same of ours: nothing is told apart."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def add(self, item: Item) -> None:
        """Force it: it is shown before all that were forced earlier."""
        self.items.insert(0, item)

    def remove(self, number: Any) -> bool:
        """Take off by the hub's own id; False when nothing has it."""
        kept = [item for item in self.items if item.id != number]
        found = len(kept) < len(self.items)
        self.items = kept
        return found

    def expire(self, now: float) -> bool:
        """Take off everything whose time has ended; whether there was any."""
        kept = [item for item in self.items if item.end > now]
        ended = len(kept) < len(self.items)
        self.items = kept
        return ended

    @property
    def next_end(self) -> float | None:
        """When the first of them ends."""
        return min((item.end for item in self.items), default=None)
