"""What sources bring and nobody maps to a type of alert: names and counts, so that none is missed unseen."""

from __future__ import annotations

from tui.alerts.events import NO_ALERTS
from tui.text.fitted import fitted

MAX_NAMES = 100
MAX_NAME = 100
"""Characters of a name; with its kind it may be any text from the network."""
OTHERS = "(others)"
"""Counts as one all names beyond the first :data:`MAX_NAMES`."""


class Unmapped:
    """On the engine's loop. The next snapshot tells of it: a flood of what is no alert is no news."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """By name, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda each: (-each[1], each[0])))

    def count(self, name: str) -> None:
        """An event came that nobody maps: its name, with its kind where it has one. One that is known to be
        no alert is not counted."""
        if name in NO_ALERTS:
            return
        name = fitted(name, MAX_NAME)
        if name not in self._counts and len(self._counts) >= MAX_NAMES:
            name = OTHERS
        self._counts[name] = self._counts.get(name, 0) + 1

    def forget(self) -> None:
        """Begin anew: other sources may map what was counted."""
        self._counts.clear()
