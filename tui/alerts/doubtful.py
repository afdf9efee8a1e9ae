"""The alerts that ended a moment ago without an overlay's word, which may still come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tui.alerts.alert import Alert

LATE_CONFIRMATION = 10.0
"""Seconds after an alert's end, or its return from the stage, in which a confirmation still counts."""
MOST_DOUBTFUL = 100
"""Beyond it the oldest goes."""


class DoubtfulAlerts:
    """At most :data:`MOST_DOUBTFUL`, each for :data:`LATE_CONFIRMATION`. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._ended: deque[tuple[Alert, float, float]] = deque(maxlen=MOST_DOUBTFUL)

    def add(self, alert: Alert, since: float, now: float) -> None:
        """One that ends ``now``, and was on the air since then; infinite if it never was."""
        self._ended.append((alert, since, now))

    def take(self, is_meant: Callable[[Alert, float, float], bool], now: float) -> list[Alert]:
        """Those that ``is_meant`` picks by alert, beginning and end; they are confirmed, and leave."""
        fresh = [each for each in self._ended if each[2] + LATE_CONFIRMATION > now]
        taken = [each for each in fresh if is_meant(*each)]
        self._ended = deque((each for each in fresh if each not in taken), maxlen=MOST_DOUBTFUL)
        return [alert for alert, _, _ in taken]
