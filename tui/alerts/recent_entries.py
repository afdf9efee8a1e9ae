"""What ended lately, and the times in which a source was away, in one list."""

from __future__ import annotations

import operator
from collections import deque

from tui.alerts.alert import Alert
from tui.alerts.persistence import AlertPersistence
from tui.alerts.summaries import summary
from tui.model.alerts import AlertSummary, SourceAway

_MOST_RECENT = 50


class Recent:
    """At most :data:`_MOST_RECENT` of them."""

    def __init__(self, persistence: AlertPersistence) -> None:
        self._persistence = persistence
        self.away: deque[SourceAway] = deque(maxlen=_MOST_RECENT)
        """Those that are over."""
        self._of: tuple[tuple[Alert, ...], SourceAway | None] | None = None
        self._noted: tuple[AlertSummary | SourceAway, ...] = ()

    def entries(self, ended: tuple[Alert, ...]) -> tuple[AlertSummary | SourceAway, ...]:
        """Both, the newest first."""
        # Of four publications a second, few find anything that ended since.
        of = (ended, self.away[-1] if self.away else None)
        is_same = self._of is not None and all(map(operator.is_, of, self._of))
        if not is_same or self._persistence.unwritten:
            held = self._persistence.is_held
            entries: list[AlertSummary | SourceAway] = [*self.away]
            entries += [summary(each, held=held(each.id)) for each in ended]
            entries.sort(key=_moment, reverse=True)
            self._noted = tuple(entries[:_MOST_RECENT])
            # Which of them are held changes with time.
            self._of = None if self._persistence.unwritten else of
        return self._noted


def _moment(entry: AlertSummary | SourceAway) -> float:
    return (entry.until if isinstance(entry, SourceAway) else entry.ended_at) or 0.0
