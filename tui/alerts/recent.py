"""What became of the alerts in this session, what is not yet stored of it, and which events came lately."""

from __future__ import annotations

from collections import Counter, deque

from tui.alerts.alert import Alert, counted_as
from tui.alerts.summaries import by_type

MOST_RECENT = 50
MOST_IDS = 20_000
MOST_TYPES = 200
MOST_SEEN = 50_000
"""Events that are known to have come: 80 a second for the usual ten minutes; some 6 MB."""
OTHER_TYPES = "other types"
"""Counts as one all types beyond the first :data:`MOST_TYPES`."""


class Record:
    """Bounded: the counts by the number of types, the rest by its own numbers."""

    def __init__(self) -> None:
        self.version = 0
        """Grows whenever the queue is to be told anew."""
        self.changed: dict[str, Alert] = {}
        """The latest state of every alert whose stored row must change."""
        self.accepted = 0
        self.restored = 0
        """How many alerts became part of the queue that an earlier run had accepted."""
        self._ids: dict[str, None] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._types: set[str] = set()
        self._recent: deque[Alert] = deque(maxlen=MOST_RECENT)

    def touch(self) -> None:
        self.version += 1

    def knows(self, id: str) -> bool:
        """Whether an alert was accepted here, among the last :data:`MOST_IDS`."""
        return id in self._ids

    def accept(self, id: str) -> None:
        self.accepted += 1
        self._know(id)

    def take_up(self, id: str) -> None:
        """One more is part of the queue, which an earlier run had accepted."""
        self.restored += 1
        self._know(id)

    def _know(self, id: str) -> None:
        self._ids[id] = None
        if len(self._ids) > MOST_IDS:
            del self._ids[next(iter(self._ids))]

    def end(self, alert: Alert) -> None:
        self.changed[alert.id] = alert
        self._counts[self._key(alert)] += 1
        self._recent.append(alert)

    def amend(self, before: Alert, after: Alert) -> None:
        self._uncount(before)
        self._counts[self._key(after)] += 1
        self.changed[after.id] = after
        for at, alert in enumerate(self._recent):
            if alert.id == after.id:
                self._recent[at] = after

    def reopen(self, ended: Alert, alert: Alert) -> None:
        self._uncount(ended)
        self.changed[alert.id] = alert
        kept = [one for one in self._recent if one.id != alert.id]
        self._recent = deque(kept, maxlen=MOST_RECENT)

    def counts(self) -> dict[str, dict[str, int]]:
        return by_type(self._counts)

    def recent(self) -> tuple[Alert, ...]:
        return tuple(reversed(self._recent))

    def _uncount(self, alert: Alert) -> None:
        self._counts[self._key(alert)] -= 1

    def _key(self, alert: Alert) -> tuple[str, str]:
        assert alert.outcome is not None
        type = counted_as(alert)
        if type not in self._types:
            if len(self._types) >= MOST_TYPES:
                return OTHER_TYPES, alert.outcome
            self._types.add(type)
        return type, alert.outcome


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
