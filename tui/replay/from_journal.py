"""What can be known of the screen from the journal alone: states, reasons, strips, incidents, outcomes."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui.model.alerts import TEST_SOURCE, TESTS, AlertsSnapshot, AlertSummary
from tui.model.events import (
    AlertEnded,
    ConnectionFigures,
    FrameSeen,
    IncidentChanged,
    LinesLeftOut,
    MinuteFigures,
    RunStarted,
    RunStopped,
)
from tui.model.figures import ALERTS, CHANNELS, DETAILS, METRICS
from tui.model.incidents import MOST_RESOLVED, IncidentSnapshot, IncidentsSnapshot
from tui.model.known import worst_incidents_first
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ConnectionSnapshot,
    FrameContent,
    FramePage,
    LogLine,
    Snapshot,
)
from tui.replay.journal_links import NOT_KNOWN, JournalConnections, Run
from tui.replay.values import Event, Mark, MarkKind, Shown, moment
from tui.store.journal import ALIVE_EVERY, WHY, Entry, Gap, line_of, read

LINES_HELD = 1000
"""Lines of the log before a moment that are shown at it, as a running engine holds them."""
_RECENT = 50
_OLDEST_FIGURES = 2.5 * ALIVE_EVERY
FRAMES_BACK = 300.0
"""Seconds before a moment whose frames are shown at it."""
_NO_FRAMES = CommandResult(
    ok=False, message="the journal holds no frames; set frames under [journal] to have them"
)

_KNOWN_BY_THE_MINUTE = frozenset(
    (
        *("connections.label", "connections.address"),
        *("connections.messages_per_second_in", "connections.messages_per_second_out"),
        *(f"metrics.{name}" for name in METRICS),
        *(f"details.{name}" for name in DETAILS),
        *(f"channels.{name}" for name in CHANNELS),
        *(f"alerts.{name}" for name in ALERTS),
    )
)
"""Fields that are known where there are figures."""

T = TypeVar("T", bound=msgspec.Struct)


class Incidents:
    def __init__(self) -> None:
        self._states: list[tuple[float, IncidentsSnapshot]] = []
        self._open: dict[str, IncidentSnapshot] = {}
        self._resolved: list[IncidentSnapshot] = []

    def take(self, event: IncidentChanged, at: float) -> None:
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
        found = tuple(worst_incidents_first(self._open.values()))
        self._states.append((at, IncidentsSnapshot(open=found, resolved=tuple(self._resolved))))

    def at(self, at: float) -> IncidentsSnapshot:
        place = bisect.bisect_right(self._states, at, key=lambda each: each[0]) - 1
        return self._states[place][1] if place >= 0 else IncidentsSnapshot()


class JournalSource:
    """What is known of any moment, for one thread at a time; the journal is read once, at the start.

    All times are epoch seconds. Without a journal it is a FileNotFoundError.
    """

    def __init__(self, folder: Path, now: float) -> None:
        self._entries: list[Entry] = []
        self._times: list[float] = []
        self._gaps: list[Gap] = []
        self._links = JournalConnections()
        self._outcomes: list[tuple[float, AlertSummary]] = []
        self._figures: list[tuple[float, MinuteFigures]] = []
        self._frames: dict[str, list[tuple[float, int]]] = {}
        """By connection: when each came, and its place among the entries."""
        self.left_out = 0
        """Lines that cannot be read."""
        self._incidents = Incidents()
        self._lines: tuple[LogLine, ...] = ()
        self._lines_end = -1
        last = 0.0
        for each in read(folder, now=now):
            if isinstance(each, Gap):
                self._gaps.append(each)
                self._links.take_gap(each)
            else:
                # A line that cannot be read has the time of its file. A clock that was set back must not put
                # what came later before what came earlier.
                if each.kind != "missing":
                    last = max(last, each.timestamp)
                self._take(each, last or each.timestamp)
        if not self._entries:
            raise FileNotFoundError(2, "there is no journal, or it is empty", str(folder))
        gap = self._gaps[-1] if self._gaps else None
        self._end = gap.since if gap is not None and gap.lasts else now

    # Reading

    def _take(self, entry: Entry, at: float) -> None:
        self._entries.append(entry)
        self._times.append(at)
        self._links.take(entry, at)
        match entry.event:
            case AlertEnded() as event:
                self._outcomes.append((at, event.alert))
            case IncidentChanged() as event:
                self._incidents.take(event, at)
            case RunStarted() | RunStopped():
                self._incidents.run_ended(at)
            case MinuteFigures() as event:
                self._figures.append((at, event))
            case FrameSeen() if entry.connection is not None:
                places = self._frames.setdefault(entry.connection, [])
                places.append((at, len(self._entries) - 1))
            case LinesLeftOut() as event:
                self.left_out += event.count

    # What was shown

    def bounds(self) -> tuple[float, float]:
        """The first and the last moment of which anything is known."""
        return self._times[0], max(self._end, self._times[-1])

    def shown(self, at: float) -> Shown:
        end = bisect.bisect_right(self._times, at)
        if end != self._lines_end:
            self._lines, self._lines_end = self._lines_before(end), end
        begin, last = self.bounds()
        if at < begin:
            words = f"the journal holds nothing before {moment(begin)}"
            return Shown(None, words, self._lines, NOT_KNOWN)
        run = self._links.run_at(at) or Run(begin)
        connections, alerts = self._links.at(at), self._alerts(at, run.begin)
        figures = self._figures_at(at, run.begin)
        by_name = {each.name: each for each in figures.connections} if figures is not None else {}
        not_known = NOT_KNOWN
        if figures is not None and all(each.name in by_name for each in connections):
            not_known = NOT_KNOWN - _KNOWN_BY_THE_MINUTE
            connections = tuple(_with_figures(each, by_name[each.name]) for each in connections)
            alerts = _with_counts(alerts, figures.alerts)
        snapshot = Snapshot(
            sequence=0,
            taken_at=at,
            started_at=run.begin,
            connections=connections,
            alerts=alerts,
            incidents=self._incidents.at(at),
        )
        return Shown(snapshot, self._missing(at, run, last), self._lines, not_known)

    def _figures_at(self, at: float, since: float) -> MinuteFigures | None:
        """The last before ``at``; None where there are none since ``since`` or they are too old."""
        place = bisect.bisect_right(self._figures, at, key=lambda each: each[0]) - 1
        if place < 0 or self._figures[place][0] < max(since, at - _OLDEST_FIGURES):
            return None
        return self._figures[place][1]

    def _missing(self, at: float, run: Run, end: float) -> str | None:
        for gap in reversed(self._gaps):
            if gap.since <= at < gap.until and (gap.since < at or gap.because == "stopped"):
                until = "" if gap.lasts else f" to {moment(gap.until)}"
                return f"not running from {moment(gap.since)}{until}: {WHY[gap.because]}"
        if at > end:
            return f"the journal holds nothing after {moment(end)}"
        stopped = run.stopped_at
        return None if stopped is None else f"not running since {moment(stopped)}: {WHY['stopped']}"

    def _lines_before(self, end: int) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        for place in range(end - 1, -1, -1):
            if len(lines) == LINES_HELD:
                break
            entry = self._entries[place]
            if _is_noted(entry):
                line = line_of(entry, place + 1)
                lines.append(msgspec.structs.replace(line, timestamp=self._times[place]))
        return tuple(reversed(lines))

    def _alerts(self, at: float, since: float) -> AlertsSnapshot | None:
        end = bisect.bisect_right(self._outcomes, at, key=lambda each: each[0])
        if not end:
            return None
        # Of one that is told of again the latest counts, in the place at which it ended.
        ended = {alert.id: alert for _, alert in self._outcomes[:end]}
        counts: dict[str, dict[str, int]] = {}
        for alert in ended.values():
            if (alert.ended_at or 0.0) >= since and alert.outcome is not None:
                type = TESTS if alert.source == TEST_SOURCE else alert.type
                of_type = counts.setdefault(type, {})
                of_type[alert.outcome] = of_type.get(alert.outcome, 0) + 1
        return AlertsSnapshot(
            message="the journal holds outcomes alone",
            recent=tuple(itertools.islice(reversed(ended.values()), _RECENT)),
            counts=counts,
        )

    def frames(self, name: str, after: int, limit: int, at: float) -> FramePage | CommandResult:
        if not self._frames:
            return _NO_FRAMES
        held = self._frames.get(name, [])
        begin = bisect.bisect_left(held, at - FRAMES_BACK, key=lambda each: each[0])
        end = bisect.bisect_right(held, at, key=lambda each: each[0])
        places = [place for _, place in held[begin:end] if place + 1 > after]
        frames = tuple(content.frame for place in places[-limit:] if (content := self._content(place)))
        last = held[end - 1][1] + 1 if end else 0
        return FramePage(
            frames=frames, next_cursor=last, missed=max(0, len(places) - len(frames)) if after else 0
        )

    def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        is_held = 0 < cursor <= len(self._entries) and self._entries[cursor - 1].connection == name
        content = self._content(cursor - 1) if is_held else None
        return content or CommandResult(ok=False, message="the journal does not hold that frame")

    def _content(self, place: int) -> FrameContent | None:
        event = self._entries[place].event
        if not isinstance(event, FrameSeen):
            return None
        frame = msgspec.structs.replace(event.content.frame, cursor=place + 1)
        return msgspec.structs.replace(event.content, frame=frame)

    def history(self, name: str, at: float) -> ConnectionHistory | CommandResult:
        found = self._links.history(name, at)
        return found or CommandResult(ok=False, message=f"the journal holds nothing of {name}")

    # The time line

    def event(self, at: float, beyond: int | None, *, forward: bool, incidents: bool) -> Event | None:
        """The nearest line of the log, or incident that began, after ``at`` or before it; with ``beyond`` the
        one beyond that order."""
        if beyond is not None:
            place = beyond + 1 if forward else beyond - 1
        elif forward:
            place = bisect.bisect_right(self._times, at)
        else:
            place = bisect.bisect_left(self._times, at) - 1
        while 0 <= place < len(self._entries):
            entry = self._entries[place]
            began = _begins(entry)
            if began if incidents else _is_noted(entry):
                words = f"{entry.connection} {entry.text}" if entry.connection else entry.text
                timestamp = self._times[place]
                return Event(timestamp, words, place, began)
            place += 1 if forward else -1
        return None

    def marks(self, begin: float, end: float, most: int) -> tuple[Mark, ...]:
        """At most ``most`` of each kind, neighbours in one."""
        found = [
            Mark(gap.since, gap.until, "gap") for gap in self._gaps if gap.since < end and gap.until > begin
        ]
        for place in range(bisect.bisect_left(self._times, begin), bisect.bisect_right(self._times, end)):
            entry, timestamp = self._entries[place], self._times[place]
            kind: MarkKind | None = None
            if _begins(entry):
                kind = "incident"
            elif entry.severity == "error":
                kind = "error"
            elif entry.kind == "missing":
                kind = "loss"
            if kind is not None:
                found.append(Mark(timestamp, timestamp, kind))
        found.sort()
        return _thinned(found, end - begin, most)

    def resumes(self, at: float) -> float | None:
        """Where nothing is known at ``at``: the next moment of which something is; None at the end."""
        place = bisect.bisect_right(self._times, at)
        return self._times[place] if place < len(self._times) else None


def _is_noted(entry: Entry) -> bool:
    """Whether it is a line of the log: what became of alerts has a place of its own."""
    return bool(entry.text) and entry.kind not in ("alert", "alive")


def _begins(entry: Entry) -> bool:
    return isinstance(entry.event, IncidentChanged) and entry.event.change in ("opened", "reopened")


def _thinned(marks: list[Mark], width: float, most: int) -> tuple[Mark, ...]:
    """Marks in order, those of a kind that are closer than a ``most``-th of ``width`` in one."""
    step = width / max(1, most)
    found: list[Mark] = []
    last: dict[MarkKind, int] = {}
    for mark in marks:
        place = last.get(mark.kind)
        if place is not None and mark.begin - found[place].begin < step:
            found[place] = found[place]._replace(end=max(found[place].end, mark.end))
            continue
        last[mark.kind] = len(found)
        found.append(mark)
    return tuple(found)


def _with_figures(connection: ConnectionSnapshot, figures: ConnectionFigures) -> ConnectionSnapshot:
    return msgspec.structs.replace(
        connection,
        label=figures.label,
        address=figures.address,
        messages_per_second_in=figures.rate_in,
        messages_per_second_out=figures.rate_out,
        metrics=_with(connection.metrics, figures.metrics, METRICS),
        details=_with(connection.details, figures.details, DETAILS),
        channels=tuple(
            _with(each, figures.channels.get(each.topic, {}), CHANNELS) for each in connection.channels
        ),
    )


def _with_counts(alerts: AlertsSnapshot | None, counts: Mapping[str, int]) -> AlertsSnapshot | None:
    """The queue with its counts; None where nothing is known of one."""
    if not counts:
        return alerts
    words = f"the journal holds outcomes and counts alone; waiting then: {counts.get('waiting', 0):,}"
    return msgspec.structs.replace(_with(alerts or AlertsSnapshot(), counts, ALERTS), message=words)


def _with(value: T, figures: Mapping[str, Any], names: tuple[str, ...]) -> T:
    return msgspec.structs.replace(value, **{name: figures[name] for name in names if name in figures})
