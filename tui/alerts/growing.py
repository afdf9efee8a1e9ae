"""Which open alert of a type a newcomer makes grow."""

from __future__ import annotations

from tui.alerts.alert import Alert
from tui.alerts.waiting import Entry
from tui.model.alerts import TEST_SOURCE


class Growing:
    """The last of each kind that may grow. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, bool], Entry] = {}

    def add(self, entry: Entry) -> None:
        """One that is open now."""
        latest = self._latest.get(_kind(entry.alert))
        if entry.alert.collapse > 0 and (latest is None or latest.grown <= entry.grown):
            self._latest[_kind(entry.alert)] = entry

    def remove(self, entry: Entry) -> None:
        """It has ended."""
        if self._latest.get(_kind(entry.alert)) is entry:
            del self._latest[_kind(entry.alert)]

    def target_of(self, alert: Alert, now: float) -> Entry | None:
        """The open alert that a newcomer makes grow; None when it stands for itself."""
        target = self._latest.get(_kind(alert))
        if target is None or alert.collapse <= 0 or now - target.grown > alert.collapse:
            return None
        return target


def _kind(alert: Alert) -> tuple[str, bool]:
    # What somebody made to try it out is no viewer's, and no viewer's is one of those.
    return alert.type, alert.source == TEST_SOURCE
