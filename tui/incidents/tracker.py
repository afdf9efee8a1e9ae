"""Incidents in the engine: one for each thing that is wrong, from its beginning to its end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec

from tui.channels.clock import Clock
from tui.connections.subscriptions import Connections
from tui.incidents.hook import IncidentCommand
from tui.incidents.options import SEVERITIES, IncidentsOptions
from tui.incidents.rules import HELD_AFTER, JOIN_TIMEOUT, Finding, Memory, judge
from tui.incidents.timeline import ReadJournal, Timelines, Window
from tui.model.events import IncidentChanged
from tui.model.incidents import (
    MOST_RESOLVED,
    RANKS,
    IncidentRule,
    IncidentSeverity,
    IncidentSnapshot,
    IncidentsSnapshot,
    LineSeverity,
    Timeline,
)
from tui.model.known import lasted_words, worst_incidents_first
from tui.model.snapshot import CommandResult, Snapshot
from tui.store.event_log import ChangeLog

log = logging.getLogger("tui.connections.trouble")

MOST_OPEN = 500
"""Open ones, and again resolved ones, that are held: so a trouble that comes back is known."""

OPEN_AFTER: dict[IncidentRule, float] = {
    "channel_refused": 5.0,
    "topic_closed": 15.0,
    "queue_dropping": 2.0,
}
"""Seconds that a trouble of these rules must last; channels and disks are back within them every day."""

RESOLVE_AFTER = 2.0
"""Seconds that a trouble must be gone."""

MOST_LINES = 20
"""Changes at one look that have a line each in the log; of more the log has one line, the journal all."""

NOT_WATCHED = "not watched any more, it never came back"
"""Of a service that is forgotten, or that no settings have any more."""

_OF_SERVICES: frozenset[IncidentRule] = frozenset({"report_stale", "endpoint_unhealthy"})
_MOST_WORDS = 300

_SEVERITY_OF_LINES: dict[str, LineSeverity] = {"info": "info", "warning": "warning", "critical": "error"}

Key = tuple[IncidentRule, str]


class _Incident:
    """One incident, open or resolved."""

    def __init__(self, snapshot: IncidentSnapshot, finding: Finding, now: float) -> None:
        self.snapshot = snapshot
        self.key: Key = (finding.rule, finding.subject)
        self.connections = finding.connections
        self.opened_at = now
        """The last time, by the monotonic clock, as the others here."""
        self.gone_since: float | None = None
        self.ended_at = now

    def change(self, **changes: object) -> None:
        self.snapshot = msgspec.structs.replace(self.snapshot, **changes)

    @property
    def connection(self) -> str | None:
        first = next(iter(self.connections), None)
        subject = self.snapshot.subject
        return first if first is not None and f"{subject} ".startswith(f"{first} ") else None


class IncidentTracker:
    """Opens an incident for each rule and subject, once; to be used on the engine's loop. Nothing waits in it
    but :meth:`timeline`.

    An incident that was open when the engine stopped is not known to the next one: nobody can tell what
    became of it.

    Args:
        connections: looked at anew each time, since a reload replaces them.
        changed: called when something is to be published soon.
        read_journal: as of :class:`tui.incidents.timeline.Timelines`.
    """

    def __init__(
        self,
        options: IncidentsOptions,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        changed: Callable[[], None],
        read_journal: ReadJournal | None = None,
    ) -> None:
        self._options = options
        self._connections = connections
        self._changes = changes
        self._clock = clock
        self._changed = changed
        self._memory = Memory(self._join_timeout)
        self._timelines = Timelines(connections, changes, read_journal)
        self._command = IncidentCommand(options, clock, self._note_of_command, self._on_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = False
        self._open: dict[Key, _Incident] = {}
        self._resolved: deque[_Incident] = deque()
        self._latest: dict[Key, _Incident] = {}
        """The last one resolved of each key."""
        self._pending: dict[Key, float] = {}
        """Since when there is a trouble that has not lasted long enough."""
        self._left_out = 0
        self._looked_at = clock.monotonic()
        self._wall = clock.time()
        """At the last look: what a line tells has the line's own time."""
        self._run = f"{int(clock.time()):x}"
        self._number = 0
        self._snapshot: IncidentsSnapshot | None = IncidentsSnapshot()

    # The engine's loop

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """End: what happens from now on is the end of the engine, and no incident."""
        self._is_stopped = True
        self._command.stop()

    def configure(self, options: IncidentsOptions) -> None:
        """Take these settings from now on; what is open stays so as long as they find it wrong."""
        self._options = options
        self._command.configure(options)
        for incident in self._open.values():
            incident.change(severity=self._severity(incident.key[0]))
        self._snapshot = None

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds: what is open has lasted as long as it has."""
        for incident in self._open.values():
            known = incident.snapshot
            seen_at = None if known.acknowledged_at is None else known.acknowledged_at + step
            incident.change(
                opened_at=known.opened_at + step, updated_at=known.updated_at + step, acknowledged_at=seen_at
            )
        self._snapshot = None

    def poll(self, snapshot: Snapshot) -> None:
        """Open, update and resolve by what a snapshot says. Cheap; called at each publication."""
        if self._is_stopped or snapshot.stopped is not None:
            return
        found = judge(snapshot, self._clock.monotonic(), self._memory, self._options)
        # Of the very moment of the snapshot that will show it, not of one just after.
        watched = frozenset(service.key for service in snapshot.services.services)
        self.take(found, snapshot.taken_at, watched)

    def take(
        self, findings: Iterable[Finding], at: float | None = None, watched: frozenset[str] | None = None
    ) -> None:
        """Open, update and resolve by everything that is wrong now, or ``at`` epoch seconds.

        Args:
            watched: the keys of all services; of one that is not among them nobody can say that it came back.
        """
        now, self._wall = self._clock.monotonic(), self._clock.time() if at is None else at
        was_held, self._looked_at = now - self._looked_at > HELD_AFTER, now
        found = {(each.rule, each.subject): each for each in findings}
        lasting = self._last(found, now, was_held=was_held)
        lines = [
            self._resolve(incident, now, watched) for incident in self._gone(found, now, was_held=was_held)
        ]
        # The most severe first, should there not be room for all.
        lasting.sort(key=lambda finding: -RANKS[self._severity(finding.rule)])
        room = max(0, MOST_OPEN - len(self._open))
        lines += [self._begin(finding, now) for finding in lasting[:room]]
        self._note(lines)
        self._note_left_out(len(lasting[room:]))
        self._command.poll()

    def _last(self, found: dict[Key, Finding], now: float, *, was_held: bool) -> list[Finding]:
        """Update what is open; what is not and has lasted long enough."""
        before = {} if was_held else self._pending
        self._pending = {}
        lasting = []
        for key, finding in found.items():
            incident = self._open.get(key)
            if incident is not None:
                self._update(incident, finding)
            elif finding.is_certain:
                since = self._pending[key] = before.get(key, now)
                if now - since >= OPEN_AFTER.get(finding.rule, 0.0):
                    lasting.append(finding)
        return lasting

    def _update(self, incident: _Incident, finding: Finding) -> None:
        incident.gone_since = None
        if not finding.is_certain:
            return
        incident.connections = finding.connections
        if finding.message != incident.snapshot.message:
            incident.change(message=finding.message, updated_at=self._wall)
            self._snapshot = None

    def _gone(self, found: dict[Key, Finding], now: float, *, was_held: bool) -> list[_Incident]:
        """The open ones whose trouble has been gone for long enough."""
        gone = []
        for key, incident in self._open.items():
            if key in found:
                continue
            if incident.gone_since is None or was_held:
                incident.gone_since = now
            if now - incident.gone_since >= RESOLVE_AFTER:
                gone.append(incident)
        return gone

    def _begin(self, finding: Finding, now: float) -> _Line:
        key = (finding.rule, finding.subject)
        self._pending.pop(key, None)
        before = self._latest.get(key)
        if before is not None and now - before.ended_at <= self._options.quiet_for:
            return self._reopen(before, finding)
        self._number += 1
        incident = _Incident(
            IncidentSnapshot(
                id=f"{self._run}-{self._number}",
                rule=finding.rule,
                subject=finding.subject,
                severity=self._severity(finding.rule),
                message=finding.message,
                opened_at=self._wall,
                updated_at=self._wall,
            ),
            finding,
            now,
        )
        return self._opened(incident, "opened")

    def _reopen(self, incident: _Incident, finding: Finding) -> _Line:
        self._resolved.remove(incident)
        del self._latest[incident.key]
        incident.connections, incident.gone_since = finding.connections, None
        incident.opened_at = self._clock.monotonic()
        incident.change(
            severity=self._severity(finding.rule),
            message=finding.message,
            updated_at=self._wall,
            resolved_at=None,
            times=incident.snapshot.times + 1,
        )
        return self._opened(incident, "reopened")

    def _opened(self, incident: _Incident, event: Literal["opened", "reopened"]) -> _Line:
        self._open[incident.key] = incident
        self._snapshot = None
        snapshot = incident.snapshot
        if snapshot.acknowledged_at is None:
            # Who has acknowledged it is not to be told again.
            self._command.run(event, snapshot)
        text = f"{_named('opened again' if event == 'reopened' else event, snapshot)}: {snapshot.message}"
        return _Line(incident, text, _SEVERITY_OF_LINES[snapshot.severity], event)

    def _resolve(self, incident: _Incident, now: float, watched: frozenset[str] | None) -> _Line:
        rule, subject = incident.key
        is_lost = watched is not None and rule in _OF_SERVICES and subject not in watched
        if is_lost:
            words = f"{NOT_WATCHED}; it was {incident.snapshot.message}"
            incident.change(message=words[:_MOST_WORDS])
        ended_at = now if incident.gone_since is None else incident.gone_since
        # The wall clock may have been set meanwhile.
        resolved_at = max(incident.snapshot.opened_at, self._wall - (now - ended_at))
        incident.ended_at = ended_at
        lasted = incident.snapshot.lasted + max(0.0, ended_at - incident.opened_at)
        incident.change(resolved_at=resolved_at, updated_at=max(resolved_at, self._wall), lasted=lasted)
        del self._open[incident.key]
        self._resolved.appendleft(incident)
        self._latest[incident.key] = incident
        if len(self._resolved) > MOST_OPEN:
            oldest = self._resolved.pop()
            if self._latest.get(oldest.key) is oldest:
                del self._latest[oldest.key]
        self._snapshot = None
        self._command.run("resolved", incident.snapshot)
        why = f": {NOT_WATCHED}" if is_lost else ""
        return _Line(
            incident,
            f"{_named('resolved', incident.snapshot)}: {lasted_words(incident.snapshot)}{why}",
            "info",
            "resolved",
        )

    def _severity(self, rule: IncidentRule) -> IncidentSeverity:
        return self._options.severity.get(rule, SEVERITIES[rule])

    def _join_timeout(self, name: str) -> float:
        connection = self._connections().get(name)
        return JOIN_TIMEOUT if connection is None else connection.socket.options.join_timeout

    def _on_loop(self, callback: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._called, callback)
        except RuntimeError:
            log.debug("the engine's loop had ended already")

    def _called(self, callback: Callable[[], None]) -> None:
        before = self._command.trouble
        callback()
        if self._command.trouble != before:
            self._changed()

    # What is told

    def _note(self, lines: list[_Line]) -> None:
        wall = self._wall
        in_one = len(lines) > MOST_LINES
        for incident, text, severity, change in lines:
            event = IncidentChanged(change=change, incident=incident.snapshot)
            self._changes.add(
                wall, incident.connection, text, severity, "incident", quiet=in_one, event=event
            )
        if in_one:
            opened = sum(line.incident.key in self._open for line in lines)
            worst = max((line.severity for line in lines), key=("info", "warning", "error").index)
            text = f"{opened} incidents opened and {len(lines) - opened} resolved at once"
            self._changes.add(wall, None, text, worst, "engine")

    def _note_left_out(self, left_out: int) -> None:
        if left_out == self._left_out:
            return
        if not self._left_out:
            text = f"{MOST_OPEN} incidents are open; what else is wrong is counted alone"
            self._changes.add(self._clock.time(), None, text, "error", "engine")
        self._left_out = left_out
        self._snapshot = None

    def _note_of_command(self, text: str, severity: LineSeverity) -> None:
        self._changes.add(self._clock.time(), None, text, severity, "engine")

    def snapshot(self) -> IncidentsSnapshot:
        """The incidents as of the last look; the same object as long as they are the same."""
        command = self._command
        last = self._snapshot
        if last is None or (last.command, last.commands_dropped) != (command.trouble, command.dropped):
            resolved = [each.snapshot for each in self._resolved]
            resolved.sort(key=lambda each: -(each.resolved_at or 0.0))
            last = self._snapshot = IncidentsSnapshot(
                open=tuple(worst_incidents_first(each.snapshot for each in self._open.values())),
                resolved=tuple(resolved[:MOST_RESOLVED]),
                left_out=self._left_out,
                command=command.trouble,
                commands_dropped=command.dropped,
            )
        return last

    # What is asked

    def acknowledge(self, id: str) -> CommandResult:
        incident = self._find(id)
        if incident is None:
            return CommandResult(ok=False, message=f"no incident {id}")
        snapshot = incident.snapshot
        words = f"{snapshot.rule} of {snapshot.subject}"
        if snapshot.resolved_at is not None:
            return CommandResult(ok=False, message=f"{words} is resolved: there is nothing to acknowledge")
        if snapshot.acknowledged_at is not None:
            return CommandResult(ok=True, message=f"{words} is acknowledged already")
        now = self._clock.time()
        incident.change(acknowledged_at=now)
        self._snapshot = None
        text = _named("acknowledged", snapshot)
        event = IncidentChanged(change="acknowledged", incident=incident.snapshot)
        self._changes.add(now, incident.connection, text, kind="incident", quiet=True, event=event)
        return CommandResult(ok=True, message=text)

    async def timeline(self, id: str) -> Timeline | CommandResult:
        """As of :class:`tui.model.engine.Engine`; takes as long as the journal does, within
        :data:`tui.incidents.timeline.READ_LIMIT`."""
        incident = self._find(id)
        if incident is None:
            return CommandResult(ok=False, message=f"no incident {id}")
        snapshot = incident.snapshot
        until = self._clock.time() if snapshot.resolved_at is None else snapshot.updated_at
        return await self._timelines.of(Window(snapshot, incident.connections, until))

    def _find(self, id: str) -> _Incident | None:
        return next(
            (each for each in (*self._open.values(), *self._resolved) if each.snapshot.id == id), None
        )


class _Line(NamedTuple):
    incident: _Incident
    text: str
    severity: LineSeverity
    change: Literal["opened", "reopened", "resolved"]


def _named(verb: str, incident: IncidentSnapshot) -> str:
    return f"{verb} {incident.rule} of {incident.subject}"
