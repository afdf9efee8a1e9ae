"""Which open alert of a type a newcomer makes grow."""

from __future__ import annotations

from tui.alerts.alert import Alert
from tui.alerts.waiting import Entry


class Growing:
    """The last of each type that may grow. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._latest: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        """One that is open now."""
        latest = self._latest.get(entry.alert.type)
        if entry.alert.collapse > 0 and (latest is None or latest.grown <= entry.grown):
            self._latest[entry.alert.type] = entry

    def remove(self, entry: Entry) -> None:
        """It has ended."""
        if self._latest.get(entry.alert.type) is entry:
            del self._latest[entry.alert.type]

    def target_of(self, alert: Alert, now: float) -> Entry | None:
        """The open alert that a newcomer makes grow; None when it stands for itself."""
        target = self._latest.get(alert.type)
        if target is None or alert.collapse <= 0 or now - target.grown > alert.collapse:
            return None
        return target
