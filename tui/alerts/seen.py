"""Which events were accepted lately, so that one that comes twice is one alert."""

from __future__ import annotations

MOST_SEEN = 50_000
"""80 events a second for the usual ten minutes; some 6 MB."""


class SeenIds:
    """The ids of a source's events for ``window`` seconds; at most :data:`MOST_SEEN`, the oldest go."""

    def __init__(self, window: float) -> None:
        self.window = window
        # By a hash of 64 bits, drawn anew for each process: an id may have any length, and two of so many
        # are taken for one once in a thousand million times.
        self._seen: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, source: str, id: str, now: float) -> None:
        """An event was accepted at ``now``, monotonic seconds; in their order, save for a few."""
        key = hash((source, id))
        self._seen.pop(key, None)
        self._seen[key] = now
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= MOST_SEEN and self._seen[oldest] + self.window > now:
                break
            del self._seen[oldest]

    def holds(self, source: str, id: str, now: float) -> bool:
        """Whether it was accepted in the window that ends now."""
        at = self._seen.get(hash((source, id)))
        return at is not None and at + self.window > now
