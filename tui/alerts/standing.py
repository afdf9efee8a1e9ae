"""The alerts that have ended, and may stand on an overlay all the same for the rest of their time."""

from __future__ import annotations

from collections import OrderedDict

from tui.alerts.alert import Alert

MOST_STANDING = 50
"""Beyond it the oldest goes."""


class StandingAlerts:
    """At most :data:`MOST_STANDING`. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[Alert, float]] = OrderedDict()

    def add(self, alert: Alert, until: float) -> None:
        """One more; another one of its id is forgotten."""
        self._until[alert.id] = alert, until
        if len(self._until) > MOST_STANDING:
            self._until.popitem(last=False)

    def forget(self, id: str) -> None:
        """It has not ended after all."""
        self._until.pop(id, None)

    def take(self, now: float) -> list[Alert]:
        """Those that may stand there now; they leave, and so do the others."""
        found = [alert for alert, until in self._until.values() if until > now]
        self._until.clear()
        return found
