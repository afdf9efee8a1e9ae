"""Incidents: what is wrong now and since when, what was, and what happened before one of them."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from tui.app.presenters import incidents as present
from tui.app.screens.base import SupervisorScreen, bindings
from tui.model.incidents import IncidentSnapshot, Timeline
from tui.model.known import open_words, rule_words
from tui.model.snapshot import Snapshot
from widgets.incident_list import IncidentList, incident_heading
from widgets.lines import LinesPane
from widgets.text_line import HeadingLine, TitleLine

READ_SECONDS = 10.0
"""Between two readings of the timeline of an incident that is still open."""
_FACTS_FROM = 15
"""Rows from which the selected incident is shown whole below the list."""


def _acknowledge(screen: SupervisorScreen, incident: IncidentSnapshot | None) -> None:
    if incident is None:
        screen.note("no incident is selected", "busy")
    elif incident.resolved_at is not None:
        screen.note("it is resolved already", "busy")
    elif incident.acknowledged_at is not None:
        screen.note("it is acknowledged already", "busy")
    else:
        screen.app.run_command("acknowledge", screen.app.engine.acknowledge(incident.id))


class IncidentsScreen(SupervisorScreen):
    """The open ones, the most severe first, then the resolved ones, the newest first."""

    BINDINGS = bindings("incidents")
    HELP_FIRST = ("incidents", "list")
    HINTS = ("incidents.timeline", "incidents.acknowledge", "move.down", "move.up", "help", "back")
    AUTO_FOCUS = "#incidents"

    def __init__(self) -> None:
        self._list = IncidentList(self._cursor_moved, self.action_timeline, id="incidents")
        super().__init__(self._list)
        self._heading = HeadingLine(incident_heading, spare=IncidentList.SPARE, id="list-heading")
        self._facts_title = TitleLine(id="log-title")
        self._facts = LinesPane(id="incident-facts")
        self.parts = (self._title, self._notice, self._heading, self._list, self._facts_title, self._facts)
        self._chosen: str | None = None
        """The incident chosen by hand; None is the first."""

    @property
    def incident(self) -> IncidentSnapshot | None:
        return present.found_incident(self.app.snapshot.incidents, self._list.selected)

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        incidents = snapshot.incidents
        opened, resolved = (
            [present.incident_row(each, now) for each in group]
            for group in (incidents.open, incidents.resolved)
        )
        keys = [row.key for row in (*opened, *resolved)]
        selected = self._chosen if self._chosen in keys else keys[0] if keys else None
        self._list.show(opened, resolved, selected)
        self._title.show("incidents", open_words(incidents) or "nothing is wrong now")
        self._notice.show(present.notice_words(incidents))
        self._notice.display = bool(self._notice.lines)
        self._heading.display = bool(opened)
        self._show_facts(now)

    def _show_facts(self, now: float) -> None:
        incident = self.incident
        there = incident is not None and self.size.height >= _FACTS_FROM
        self._facts_title.display = self._facts.display = there
        if incident is not None and there:
            lines = present.incident_facts(incident, now, self.size.width - 1)
            self._facts_title.show(rule_words(incident.rule), incident.subject)
            self._facts.set_lines(lines)
            self._facts.styles.height = min(len(lines), self.size.height // 4)

    def _cursor_moved(self, key: Hashable) -> None:
        self._chosen = str(key)
        self._show_facts(self.app.now)

    def action_acknowledge(self) -> None:
        if (incident := self.incident) is not None:
            self._chosen = incident.id
        _acknowledge(self, self.incident)

    def action_timeline(self) -> None:
        incident = self.incident
        if incident is None:
            self.note("no incident is selected", "busy")
            return
        self._chosen = incident.id
        self.app.open_screen(TimelineScreen(incident.id))


class TimelineScreen(SupervisorScreen):
    """One incident, and what happened before and during it."""

    BINDINGS = bindings("incidents")
    HELP_FIRST = ("incidents", "list")
    HINTS = ("incidents.acknowledge", "move.down", "move.up", "back")
    AUTO_FOCUS = "#lines"

    def __init__(self, id: str) -> None:
        self._lines = LinesPane(id="lines")
        super().__init__(self._lines)
        self._incident_id = id
        self._timeline: Timeline | None = None
        self._timeline_of: tuple[object, ...] = ()
        self._is_placed = False
        """The first look is at the moment at which it opened."""

    @property
    def incident(self) -> IncidentSnapshot | None:
        found = present.found_incident(self.app.snapshot.incidents, self._incident_id)
        return found or (self._timeline.incident if self._timeline is not None else None)

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        incident = self.incident
        if incident is not None:
            self._title.show(rule_words(incident.rule), incident.subject)
            turn = None if incident.resolved_at is not None else int(now // READ_SECONDS)
            wanted: tuple[object, ...] = (incident, turn)
        else:
            wanted = ("gone",)
        if wanted != self._timeline_of:
            self._timeline_of = wanted
            self.with_answer(partial(self.app.engine.timeline, self._incident_id), self._take, "timeline")
        self._lay_out(now)

    def _lay_out(self, now: float) -> None:
        if self._timeline is None:
            return
        lines, opened_at = present.timeline_lines(self._timeline, now, self.size.width - 1)
        self._lines.set_lines(lines)
        height = self._lines.size.height
        if not self._is_placed and height > 0:
            self._is_placed = True
            if len(lines) > height:
                y = max(0, opened_at - height // 2)
                # Once the scrollbar is there: before, there is nothing to scroll.
                self.call_after_refresh(self._lines.scroll_to, y=y, animate=False)

    def _take(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._lay_out(self.app.now)

    def action_acknowledge(self) -> None:
        _acknowledge(self, self.incident)
