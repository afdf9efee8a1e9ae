"""What happened around an incident: from memory, and from the journal on disk without waiting for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tui.channels.apart import apart, is_under_way
from tui.channels.inspector import MAX_FRAMES, InspectedFrame, without_secrets
from tui.connections.subscriptions import Connections
from tui.model.events import StateChanged
from tui.model.incidents import IncidentSnapshot, LineSeverity, Timeline, TimelineEntry, TimelineKind
from tui.model.snapshot import StateEntry
from tui.store.event_log import ChangeLog
from tui.store.journal import Entry, Gap

BEFORE = 300.0
"""Seconds before the opening from which a timeline tells."""

MOST_ENTRIES = 1000

READ_LIMIT = 3.0
"""Seconds for the journal; then what memory holds must do."""

ReadJournal = Callable[[float, float], Iterable[Entry | Gap]]
"""The journal from one moment to another, in epoch seconds; called in a thread of its own.

Raises:
    OSError: it cannot be read.
"""

_MOST_LINES = 1000
_MOST_KNOWN = 5000
_PREVIEW = 200
_KINDS: Mapping[str, TimelineKind] = {
    "join": "join",
    "alert": "alert",
    "incident": "incident",
    "engine": "engine",
}
"""The rest of what a journal holds is ``other``."""
_WHY = {
    "stopped": "the program was not running: it had been stopped",
    "killed": "the program was not running: it was killed, or the machine went",
    "stood still": "the program stood still: asleep, held, or its disk did not answer",
}
_SEVERITIES: Mapping[str, LineSeverity] = {"failed": "error", "reconnecting": "warning"}
_OF_SERVICES = ("report_stale", "endpoint_unhealthy")
_LOUD_EVENTS = ("phx_error", "phx_close")


class Window(NamedTuple):
    """What belongs to one incident."""

    incident: IncidentSnapshot
    connections: tuple[str, ...]
    """Whose past belongs to it."""
    until: float
    """Epoch seconds."""

    @property
    def since(self) -> float:
        return self.incident.opened_at - BEFORE

    def holds(self, moment: float) -> bool:
        return self.since <= moment <= self.until

    def concerns(self, entry: Entry) -> bool:
        if entry.kind == "incident" or entry.connection in self.connections:
            return True
        if entry.connection is not None:
            return False
        if entry.kind in ("engine", "missing"):
            return True
        if self.incident.rule == "queue_dropping":
            return entry.kind != "service"
        if self.incident.rule not in _OF_SERVICES or entry.kind != "service":
            return False
        subject = self.incident.subject
        # It was told of by its name alone before it said on which host it is.
        return entry.subject is not None and entry.subject in (subject, subject.rpartition("@")[0])


class Timelines:
    """Puts timelines together, on the engine's loop; only the journal is waited for, up to its limit.

    Args:
        connections: looked at anew each time, since a reload replaces them.
        read_journal: None where no journal is kept.
    """

    def __init__(
        self, connections: Connections, changes: ChangeLog, read_journal: ReadJournal | None = None
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._read_journal = read_journal
        self._turn = asyncio.Lock()

    async def of(self, window: Window) -> Timeline:
        """What happened in a window, oldest first: at most :data:`MOST_ENTRIES`, those nearest to the
        opening, frames after everything else."""
        found, trouble = await self._from_journal(window)
        connections = self._connections()
        concerned = [connections[name] for name in window.connections if name in connections]
        entries = [*found.entries, *self._from_log(window, found)]
        states = {(each.subject, each.timestamp) for each in entries if each.kind in ("state", "close")}
        for connection in concerned:
            before: str | None = None
            for state in connection.past.states:
                if window.holds(state.timestamp) and (connection.name, state.timestamp) not in states:
                    entries.append(_of_state(connection.name, state, before))
                before = state.state
        entries.sort(key=_moment)
        if trouble is not None:
            words = f"the journal {trouble}: this is what memory holds"
            note = TimelineEntry(
                timestamp=window.since, kind="other", subject="", text=words, severity="warning"
            )
            entries = [note, *entries]
        frames = [
            _of_frame(connection.name, frame)
            for connection in concerned
            if connection.socket.inspector is not None
            for frame in connection.socket.inspector.after(0, MAX_FRAMES)
            if window.holds(frame.timestamp)
        ]
        opened_at = window.incident.opened_at
        nearest = _nearest(entries, MOST_ENTRIES, opened_at)
        kept = [*nearest, *_nearest(frames, MOST_ENTRIES - len(nearest), opened_at)]
        left_out = found.left_out + len(entries) + len(frames) - len(kept)
        return Timeline(incident=window.incident, entries=tuple(sorted(kept, key=_moment)), left_out=left_out)

    def _from_log(self, window: Window, found: _Found) -> Iterable[TimelineEntry]:
        """The lines that the journal does not have: not yet, or because there is none."""
        for line in self._changes.entries():
            if window.holds(line.timestamp) and not found.has(line) and window.concerns(line):
                yield _entry(line)

    # The journal

    async def _from_journal(self, window: Window) -> tuple[_Found, str | None]:
        """What the journal has, and why it has not answered."""
        read = self._read_journal
        if read is None:
            return _Found(window), None
        try:
            async with asyncio.timeout(READ_LIMIT), self._turn:
                if is_under_way(self):
                    return _Found(window), "still does not answer"
                found = _Found(window)
                try:
                    await apart(self, lambda: found.read(read), "journal")
                finally:
                    found.is_given_up = True
                return found, None
        except TimeoutError:
            return _Found(window), f"has not answered within {READ_LIMIT:g} s"
        except OSError as error:
            return _Found(window), f"cannot be read ({error.strerror or type(error).__name__})"


class _Found:
    """What a reading of the journal finds; bounded however long the incident lasts."""

    def __init__(self, window: Window) -> None:
        self.left_out = 0
        self.is_given_up = False
        """Nobody waits for it any more."""
        self._window = window
        self._before: deque[TimelineEntry] = deque(maxlen=MOST_ENTRIES)
        self._after: list[TimelineEntry] = []
        self._known: dict[tuple[float, str | None, str], None] = {}

    @property
    def entries(self) -> list[TimelineEntry]:
        return [*self._before, *self._after]

    def has(self, line: Entry) -> bool:
        return (line.timestamp, line.connection, line.text) in self._known

    def read(self, read: ReadJournal) -> None:
        window = self._window
        for each in read(window.since, window.until):
            if self.is_given_up:
                return
            if isinstance(each, Gap):
                self._keep(_of_gap(each, window))
                continue
            self._known[(each.timestamp, each.connection, each.text)] = None
            if len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            if each.text and window.concerns(each):
                self._keep(_entry(each))

    def _keep(self, entry: TimelineEntry) -> None:
        if entry.timestamp < self._window.incident.opened_at:
            self.left_out += len(self._before) == MOST_ENTRIES
            self._before.append(entry)
        elif len(self._after) < MOST_ENTRIES:
            self._after.append(entry)
        else:
            self.left_out += 1


# One entry


def _entry(line: Entry) -> TimelineEntry:
    event = line.event
    kind = _KINDS.get(line.kind, "other")
    if line.kind == "state":
        # What else is told of a connection changes no state of it.
        kind = "other" if not isinstance(event, StateChanged) else _kind_of(event.old, event.new)
    return TimelineEntry(
        timestamp=line.timestamp,
        kind=kind,
        subject=line.connection or "",
        text=line.text,
        severity=line.severity,
    )


def _kind_of(before: str | None, state: str) -> TimelineKind:
    """The end of a connection is called its close."""
    return "close" if before == "connected" and state in ("reconnecting", "failed") else "state"


def _of_gap(gap: Gap, window: Window) -> TimelineEntry:
    moment = max(window.since, gap.since)
    return TimelineEntry(timestamp=moment, kind="gap", subject="", text=_WHY[gap.because], severity="warning")


def _of_state(connection: str, entry: StateEntry, before: str | None) -> TimelineEntry:
    return TimelineEntry(
        timestamp=entry.timestamp,
        kind=_kind_of(before, entry.state),
        subject=connection,
        text=f"{entry.state}: {entry.message}" if entry.message else entry.state,
        severity=_SEVERITIES.get(entry.state, "info"),
    )


def _of_frame(connection: str, frame: InspectedFrame) -> TimelineEntry:
    frame = without_secrets(frame, 4 * _PREVIEW)
    preview = frame.payload.hex() if frame.binary else frame.payload.decode(errors="replace")
    text = f"{frame.direction} {frame.topic[:_PREVIEW]} {frame.event[:_PREVIEW]} {preview[:_PREVIEW]}"
    return TimelineEntry(
        timestamp=frame.timestamp,
        kind="frame",
        subject=connection,
        text=text,
        severity="warning" if frame.event in _LOUD_EVENTS else "info",
    )


def _moment(entry: TimelineEntry) -> float:
    return entry.timestamp


def _nearest(entries: list[TimelineEntry], most: int, moment: float) -> list[TimelineEntry]:
    if len(entries) <= most:
        return entries
    return sorted(entries, key=lambda entry: abs(entry.timestamp - moment))[:most]
