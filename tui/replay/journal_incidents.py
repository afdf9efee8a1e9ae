"""The incidents of a journal: what was open at any moment."""

from __future__ import annotations

import bisect

from tui.model.engine import IncidentSnapshot, IncidentsSnapshot
from tui.model.events import IncidentChanged

MOST_RESOLVED = 50

_RANKS = {"critical": 0, "warning": 1, "info": 2}


class Incidents:
    """Fed with the changes of incidents in order."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._states: list[IncidentsSnapshot] = []
        self._open: dict[str, IncidentSnapshot] = {}
        self._resolved: list[IncidentSnapshot] = []

    def take(self, event: IncidentChanged, at: float) -> None:
        """Take one change."""
        incident = event.incident
        self._resolved = [each for each in self._resolved if each.id != incident.id]
        if event.change == "resolved":
            self._open.pop(incident.id, None)
            self._resolved = [incident, *self._resolved][:MOST_RESOLVED]
        else:
            self._open[incident.id] = incident
        self._keep(at)

    def run_ended(self, at: float) -> None:
        """The program went: nothing is claimed of what was open."""
        if self._open:
            self._open.clear()
            self._keep(at)

    def _keep(self, at: float) -> None:
        state = IncidentsSnapshot(
            open=tuple(sorted(self._open.values(), key=lambda each: (_RANKS[each.severity], each.opened_at))),
            resolved=tuple(self._resolved),
        )
        self._times.append(at)
        self._states.append(state)

    def at(self, at: float) -> IncidentsSnapshot:
        """What was open, and resolved before, at a moment."""
        place = bisect.bisect_right(self._times, at) - 1
        return self._states[place] if place >= 0 else IncidentsSnapshot()
