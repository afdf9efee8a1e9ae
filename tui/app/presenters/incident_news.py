"""Which incidents a person is told of as they open: each once, and not many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tui.app.presenters.incidents import RANKS, opened_words, tone_of, unacknowledged
from tui.model.engine import IncidentSeverity, IncidentSnapshot, Snapshot
from tui.model.known import is_present
from widgets.lines import Tone

NEWS_SECONDS = 10.0
"""At least so long between two of them; what opens meanwhile is told together."""


class News(NamedTuple):
    """What is to be said; ``ring`` with the bell, ``text`` in the last row unless it is empty."""

    text: str = ""
    tone: Tone = "plain"
    ring: bool = False


class IncidentNews:
    """Looks at every snapshot. What was open at the first of an engine, or was acknowledged, is no news.

    Args:
        toast_from: the least severity that is told; None tells nothing.
        bell_from: the same of the bell.
    """

    def __init__(self, toast_from: IncidentSeverity | None, bell_from: IncidentSeverity | None) -> None:
        self._toast_from, self._bell_from = toast_from, bell_from
        self._engine: float | None = None
        """When the engine was started whose incidents are known."""
        self._known: set[str] = set()
        self._waiting: dict[str, IncidentSnapshot] = {}
        self._noted_at: float | None = None

    def poll(
        self, snapshot: Snapshot, now: float, *, may_note: Callable[[], bool] = lambda: True
    ) -> News | None:
        """What is to be told now; while ``may_note``, asked only if there is something, denies it, it is
        kept for the next look."""
        if not is_present(snapshot, now):
            return None
        incidents = snapshot.incidents
        there = {each.id: each for each in (*incidents.open, *incidents.resolved)}
        if snapshot.started_at != self._engine:
            self._engine, self._known, self._waiting = snapshot.started_at, set(there), {}
            return None
        unseen = {each.id: each for each in unacknowledged(incidents)}
        self._waiting |= {id: each for id, each in unseen.items() if id not in self._known}
        # What is no longer held does not come back; what ended or was seen meanwhile is no news.
        self._known = set(there)
        self._waiting = {id: unseen[id] for id in self._waiting if id in unseen}
        if not self._waiting or not self._is_time(now) or not may_note():
            return None
        opened, self._waiting = list(self._waiting.values()), {}
        news = self._news(opened)
        if news is not None:
            self._noted_at = now
        return news

    def _is_time(self, now: float) -> bool:
        return self._noted_at is None or not 0 <= now - self._noted_at < NEWS_SECONDS

    def _news(self, opened: list[IncidentSnapshot]) -> News | None:
        ring = any(_reaches(each, self._bell_from) for each in opened)
        noted = [each for each in opened if _reaches(each, self._toast_from)]
        if not noted:
            return News(ring=True) if ring else None
        first = max(noted, key=lambda each: RANKS[each.severity])
        text = opened_words(first)
        if len(noted) > 1:
            text = f"{len(noted)} incidents: {text}"
        return News(text, tone_of(first), ring)


def _reaches(incident: IncidentSnapshot, least: IncidentSeverity | None) -> bool:
    return least is not None and RANKS[incident.severity] >= RANKS[least]
