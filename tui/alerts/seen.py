"""Which events were accepted lately, so that one that comes twice is one alert."""

from __future__ import annotations

import hashlib

MOST_SEEN = 10_000
_LONG = 128


class SeenIds:
    """The ids of a source's events for ``window`` seconds; at most :data:`MOST_SEEN`, the oldest go."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, source: str, id: str, now: float) -> None:
        """An event was accepted at ``now``, monotonic seconds; in their order, save for a few."""
        key = _key(source, id)
        self._seen.pop(key, None)
        self._seen[key] = now
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= MOST_SEEN and self._seen[oldest] + self._window > now:
                break
            del self._seen[oldest]

    def holds(self, source: str, id: str, now: float) -> bool:
        """Whether it was accepted in the window that ends now."""
        at = self._seen.get(_key(source, id))
        return at is not None and at + self._window > now


def _key(source: str, id: str) -> tuple[str, str]:
    # A source's id may have any length; the memory may not.
    return source, id if len(id) <= _LONG else hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()
