"""What is shown of incidents: what is wrong now and since when, what was, and what happened before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tui.app.presenters.frames import milliseconds
from tui.model.incidents import (
    RANKS,
    IncidentSeverity,
    IncidentSnapshot,
    IncidentsSnapshot,
    Timeline,
    TimelineEntry,
)
from tui.model.known import SEVERITY_SYMBOLS, count_unacknowledged, is_present, lasted_words, rule_words
from tui.model.snapshot import Snapshot
from tui.text.formats import NOTHING, counted, duration, time_of_day
from widgets.facts import Fact, folded_fact
from widgets.incident_list import IncidentRow
from widgets.lines import Line, Span, Tone
from widgets.untrusted import displayable

NEWS_SECONDS = 10.0
"""At least so long between two of those that are told as they open; what opens meanwhile is told together."""
_TONES: dict[IncidentSeverity, Tone] = {"info": "plain", "warning": "busy", "critical": "bad"}
_ENTRY_TONES: dict[str, Tone] = {"info": "plain", "warning": "busy", "error": "bad"}


def unacknowledged(incidents: IncidentsSnapshot) -> list[IncidentSnapshot]:
    """The open ones that nobody has acknowledged."""
    return [incident for incident in incidents.open if incident.acknowledged_at is None]


def found_incident(incidents: IncidentsSnapshot, id: object) -> IncidentSnapshot | None:
    """The incident of that id, open or resolved."""
    return next((each for each in (*incidents.open, *incidents.resolved) if each.id == id), None)


def incidents_note(incidents: IncidentsSnapshot, key: str) -> Span | None:
    """How many are open and unacknowledged, and the key that shows them; None when there are none."""
    count = count_unacknowledged(incidents)
    if not count:
        return None
    words = counted(count, "incident")
    if key:
        words += f", {key} shows {'it' if count == 1 else 'them'}"
    return Span(
        words, "bad" if any(each.severity == "critical" for each in unacknowledged(incidents)) else "busy"
    )


def notice_words(incidents: IncidentsSnapshot) -> str | None:
    """What is wrong with incidents themselves."""
    parts = []
    if incidents.left_out:
        parts.append(f"{incidents.left_out:,} more are open, of which nothing is held")
    if incidents.command is not None:
        parts.append(f"your command: {incidents.command}")
    if incidents.commands_dropped:
        parts.append(f"{incidents.commands_dropped:,} calls of your command left out, too many a minute")
    return "   ".join(parts) or None


def incident_row(incident: IncidentSnapshot, now: float) -> IncidentRow:
    """One row of the list."""
    resolved, seen = incident.resolved_at is not None, incident.acknowledged_at is not None
    if incident.resolved_at is not None:
        state = duration(incident.lasted)
    else:
        state = "acknowledged" if seen else "open"
    times = f" ({incident.times:,} times)" if incident.times > 1 else ""
    return IncidentRow(
        key=incident.id,
        symbol="●" if resolved else SEVERITY_SYMBOLS[incident.severity],
        severity=incident.severity,
        since=time_of_day(incident.opened_at, now),
        state=state,
        subject=incident.subject,
        rule=rule_words(incident.rule) + times,
        message=incident.message,
        tone="dim" if resolved or seen else _TONES[incident.severity],
        quiet=resolved or seen,
    )


# One incident ---------------------------------------------------------------------------------------


def opened_words(incident: IncidentSnapshot) -> str:
    symbol = SEVERITY_SYMBOLS[incident.severity]
    return f"{symbol} {incident.subject}: {rule_words(incident.rule)}: {incident.message}"


def incident_facts(incident: IncidentSnapshot, now: float, width: int) -> list[Line]:
    """The incident itself, its words whole."""
    opened = time_of_day(incident.opened_at, now)
    if incident.resolved_at is None:
        state = Fact("state", f"open since {opened}", _TONES[incident.severity])
    else:
        resolved = time_of_day(incident.resolved_at, now)
        state = Fact("state", f"resolved {resolved}; opened {opened}, {lasted_words(incident)}", "good")
    seen = incident.acknowledged_at
    facts = [
        Fact("what", f"{rule_words(incident.rule)}, {incident.severity}", _TONES[incident.severity]),
        Fact("where", incident.subject or NOTHING),
        Fact("words", incident.message or NOTHING),
        state,
        Fact("seen", "not acknowledged" if seen is None else f"acknowledged {time_of_day(seen, now)}"),
    ]
    if incident.times > 1:
        facts.append(Fact("came back", f"{incident.times - 1:,} times within the quiet time"))
    return [line for fact in facts for line in folded_fact(fact, width)]


def timeline_lines(timeline: Timeline, now: float, width: int) -> tuple[list[Line], int]:
    """What happened before, then since the incident opened, oldest first; and the line at which it opened."""
    incident, entries = timeline.incident, timeline.entries
    lines = [*incident_facts(incident, now, width), ()]
    if timeline.left_out:
        lines.append((Span(f" {timeline.left_out:,} entries more are not shown", "busy"),))
    lines.append((Span(" BEFORE IT", "heading"),))
    before = [entry for entry in entries if entry.timestamp < incident.opened_at]
    lines += _entry_lines(before, incident) or [(Span("  nothing was noted", "dim"),)]
    opened_at = len(lines)
    lines.append((Span(f" OPENED {milliseconds(incident.opened_at)}", "heading"),))
    lines += _entry_lines(entries[len(before) :], incident) or [(Span("  nothing was noted", "dim"),)]
    if incident.resolved_at is not None:
        lines.append((Span(f" RESOLVED {milliseconds(incident.resolved_at)}", "heading"),))
    return lines, opened_at


def _entry_lines(entries: Sequence[TimelineEntry], incident: IncidentSnapshot) -> list[Line]:
    lines: list[Line] = []
    for entry in entries:
        quiet = entry.kind == "frame" and entry.severity == "info"
        tone: Tone = "dim" if quiet else _ENTRY_TONES[entry.severity]
        # Most of them are of the one thing that the title names.
        subject = "" if entry.subject == incident.subject else displayable(entry.subject, 60)
        line = (
            Span(f"  {milliseconds(entry.timestamp)} ", "dim"),
            Span(f"{entry.kind:<8} ", "dim"),
            Span(f"{subject} " if subject else "", "plain" if quiet else "strong"),
            Span(displayable(entry.text, 400), tone),
        )
        lines.append(line)
    return lines


# As they open ----------------------------------------------------------------------------------------


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
        return News(text, _TONES[first.severity], ring)


def _reaches(incident: IncidentSnapshot, least: IncidentSeverity | None) -> bool:
    return least is not None and RANKS[incident.severity] >= RANKS[least]
