"""An engine of the past: shows what was on the screen at a moment, and does nothing."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui.channels.apart import apart
from tui.channels.clock import Clock, SystemClock
from tui.model.alerts import AlertContent, AlertOutcome, AlertPage, AlertSummary, SourceAway
from tui.model.engine import Engine
from tui.model.incidents import IncidentSnapshot, Timeline, TimelineEntry
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogLine,
    LogPage,
    Snapshot,
)
from tui.replay.from_journal import JournalSource
from tui.replay.values import SPEEDS, Event, Mark, Position, moment
from tui.store.journal import ALIVE_EVERY
from tui.store.journal import FOLDER_NAME as JOURNAL
from tui.text.formats import counted

T = TypeVar("T")

ADVANCE_EVERY = 0.25
"""Seconds between two publications while it plays."""
BEFORE_THE_END = 3600.0
"""Seconds before the end at which it begins unless told where."""
TIMELINE_BACK = 300.0
"""Seconds before an incident of which its timeline tells."""
MOST_STEPS = 1000

_TIMELINE_FRAMES = 200
_TIMELINE_ENTRIES = 1000

When = float | Callable[[float], float] | None
"""Epoch seconds, or what tells them when it is given the end of what there is; None for an hour before it."""


class ReplayError(Exception):
    """There is nothing to replay, or it cannot be read; the message is for a person."""


def open_replay(path: Path, when: When = None, *, clock: Clock | None = None) -> ReplayEngine:
    """A replay of a state folder, or of its journal, that stands at a moment; raises :class:`ReplayError`."""
    clock = clock or SystemClock()
    folder = path.parent if path.name == JOURNAL and not (path / JOURNAL).is_dir() else path
    if not (folder / JOURNAL).is_dir():
        raise ReplayError(f"{path}: {'it holds no journal' if path.is_dir() else 'there is no such folder'}")
    try:
        source = JournalSource(folder, clock.time())
    except FileNotFoundError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None
    # A program that runs says so each minute: its end is the present.
    at = when(source.bounds()[1] + ALIVE_EVERY) if callable(when) else when
    return ReplayEngine(source, at, clock=clock)


class ReplayEngine(Engine):
    """Shows the past; what would change it is refused by what it inherits.

    A snapshot's times are those of its moment: its face reckons by :meth:`now`, not by the present. One that
    reckons by the present calls the engine silent, and so takes nothing old for new.

    Args:
        source: read under a lock, by whichever thread needs it; by :meth:`snapshot` and :meth:`log` never.
        at: where to begin; None for an hour before the end.
    """

    def __init__(self, source: JournalSource, at: float | None = None, *, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        # Held while the source is read and a moment is made; what is published is read without it.
        self._lock = threading.Lock()
        self._event: Event | None = None
        self._playing_from: tuple[float, float] | None = None
        """The moment, and the clock's reading, from which it plays; None while it stands."""
        self._speed = SPEEDS[0]
        self._jumps = 0
        self._sequence = 0
        self._lines: tuple[LogLine, ...] = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        begin, end = source.bounds()
        start = end - BEFORE_THE_END if at is None else at
        with self._lock:
            self._move(max(begin, min(start, end)))

    # Any thread

    def start(self) -> None:
        """Have it go on by itself when it plays. Once only."""
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """Stop; waits at most ``timeout`` seconds. Any number of times."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def now(self) -> float:
        """The moment that is shown, in epoch seconds: the clock by which its face must reckon ages."""
        return self._position.at

    def position(self) -> Position:
        """Never blocks."""
        return self._position

    def snapshot(self) -> Snapshot:
        """Its notice says that it is a replay, and of when."""
        return self._snapshot

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        """The cursor goes back where time did."""
        lines = self._lines
        last = lines[-1].cursor if lines else 0
        found = tuple(line for line in lines if line.cursor > after)[:limit]
        return LogPage(lines=found, next_cursor=found[-1].cursor if found else min(last, max(after, 0)))

    async def seek(self, at: float) -> CommandResult:
        """Go to a moment, or to the nearer end."""
        return await self._reading(self._seek, at)

    async def step(self, count: int = 1) -> CommandResult:
        """Go to the next line of the log, or with -1 to the one before; says which it is.

        At most :data:`MOST_STEPS` at once. The words may hold text from the network.
        """
        return await self._reading(self._step, max(-MOST_STEPS, min(count, MOST_STEPS)), False)

    async def next_incident(self) -> CommandResult:
        return await self._reading(self._step, 1, True)

    async def previous_incident(self) -> CommandResult:
        return await self._reading(self._step, -1, True)

    async def play(self, speed: float = 1.0) -> CommandResult:
        """Go on by itself, ``speed`` seconds in a second (one of :data:`SPEEDS`), to the end."""
        if speed not in SPEEDS:
            known = ", ".join(f"{each:g}" for each in SPEEDS)
            return CommandResult(ok=False, message=f"no speed {speed:g}; there are: {known}")
        return await self._reading(self._play, speed)

    async def pause(self) -> CommandResult:
        return await self._reading(self._pause)

    async def marks(self, begin: float, end: float, most: int = 500) -> tuple[Mark, ...]:
        """At most ``most`` of each kind, in order."""
        found = await self._reading(self._source.marks, begin, end, most)
        return () if isinstance(found, CommandResult) else found

    # What is read

    async def history(self, name: str) -> ConnectionHistory | CommandResult:
        return await self._of(name, lambda at: self._source.history(name, at))

    async def frames(self, name: str, after: int = 0, limit: int = 200) -> FramePage | CommandResult:
        """Of the 5 minutes before the moment."""
        limit = max(1, min(limit, 1000))
        return await self._of(name, lambda at: self._source.frames(name, max(0, after), limit, at))

    async def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        return await self._of(name, lambda at: self._source.frame(name, cursor))

    async def timeline(self, incident: str) -> Timeline | CommandResult:
        """Up to the moment that is shown."""
        return await self._reading(self._timeline, incident)

    async def alert_history(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        alert_type: str | None = None,
        outcome: AlertOutcome | None = None,
        words: tuple[str, ...] = (),
    ) -> AlertPage | CommandResult:
        """Of the last that had ended, as they were shown."""
        alerts = self._snapshot.alerts
        if alerts is None:
            return CommandResult(ok=False, message="nothing is known of an alert queue at that time")
        ended = list(alerts.recent)
        if before is not None:
            place = next((i for i, each in enumerate(ended) if _alert_id(each) == before), len(ended))
            ended = ended[place + 1 :]
        if alert_type is not None or outcome is not None:
            ended = [
                each
                for each in ended
                if isinstance(each, AlertSummary)
                and alert_type in (None, each.type)
                and outcome in (None, each.outcome)
            ]
        ended = [each for each in ended if all(word.casefold() in _searched(each) for word in words)]
        page = ended[: max(1, min(limit, 1000))]
        more = _alert_id(page[-1]) if page and len(page) < len(ended) else None
        return AlertPage(alerts=tuple(page), next_before=more)

    async def alert(self, alert: str) -> AlertContent | CommandResult:
        return CommandResult(ok=False, message="what an alert carried is not in the journal")

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        return ()

    # Moving; under the lock

    def _seek(self, at: float) -> CommandResult:
        begin, end = self._source.bounds()
        self._move(min(max(at, begin), end))
        words = moment(self._position.at)
        # A face's times are whole seconds.
        if math.isfinite(at) and not begin - 1 <= at <= end + 1:
            words += f", the {'beginning' if at < begin else 'end'}: nothing is known of {moment(at)}"
        return CommandResult(ok=True, message=words)

    def _step(self, count: int, incidents: bool) -> CommandResult:
        forward = count > 0
        event: Event | None = None
        for _ in range(abs(count)):
            at, beyond = self._position.at, None
            lasting = event or (self._event if self._event and self._event.timestamp == at else None)
            if lasting is not None and (not incidents or lasting.incident):
                beyond = lasting.order
            found = self._source.event(at, beyond, forward=forward, incidents=incidents)
            if found is None:
                break
            event = found
        if event is None:
            what, way = "incident" if incidents else "line of the log", "later" if forward else "earlier"
            return CommandResult(ok=False, message=f"there is no {way} {what}")
        self._move(event.timestamp)
        self._event = event
        return CommandResult(ok=True, message=f"{moment(event.timestamp)} {event.message}")

    def _play(self, speed: float) -> CommandResult:
        at = self._position.at
        if at >= self._source.bounds()[1]:
            return CommandResult(ok=False, message="this is the end")
        self._speed = speed
        self._playing_from = (at, self._clock.monotonic())
        self._publish(at)
        return CommandResult(ok=True, message=f"playing, {speed:g} s in a second")

    def _pause(self) -> CommandResult:
        self._playing_from = None
        self._publish(self._position.at)
        return CommandResult(ok=True, message=f"paused at {moment(self._position.at)}")

    def _move(self, at: float) -> None:
        self._jumps += 1
        self._event = None
        if self._playing_from is not None:
            self._playing_from = (at, self._clock.monotonic())
        self._publish(at)

    def advance(self) -> None:
        """Go on to where playing has come to; the replay's thread does it four times a second."""
        with self._lock:
            if self._playing_from is None:
                return
            began, then = self._playing_from
            self._publish(self._go_on(began + (self._clock.monotonic() - then) * self._speed))

    def _go_on(self, at: float) -> float:
        """Where playing comes to: over a time of which nothing is known, and not beyond the end."""
        end = self._source.bounds()[1]
        if at < end:
            shown = self._source.shown(at)
            if shown.missing is None and (shown.snapshot is None or shown.snapshot.stopped is None):
                return at
            resumes = self._source.resumes(at)
            if resumes is not None:
                self._playing_from = (resumes, self._clock.monotonic())
                return resumes
        self._playing_from = None
        return end

    def _run(self) -> None:
        while not self._stop.wait(ADVANCE_EVERY):
            self.advance()

    def _publish(self, at: float) -> None:
        shown = self._source.shown(at)
        self._lines = shown.lines
        begin, end = self._source.bounds()
        missing = shown.missing
        self._sequence += 1
        self._position = Position(
            at=at,
            begin=begin,
            end=max(end, at),
            playing=self._playing_from is not None,
            speed=self._speed,
            jumps=self._jumps,
            missing=missing,
            not_known=shown.not_known,
        )
        snapshot = shown.snapshot or Snapshot(sequence=0, taken_at=at, started_at=at)
        self._snapshot = msgspec.structs.replace(
            snapshot, sequence=self._sequence, notice=self._notice(snapshot.notice), waiting=missing
        )

    def _notice(self, shown_then: str | None) -> str:
        where = self._position
        how = f"playing x{where.speed:g}" if where.playing else "paused"
        words = f"REPLAY {moment(where.at)}, {how}"
        if "details.messages_in" in where.not_known:
            words += ", from the journal: most figures are not known"
        if self._source.left_out:
            words += f"; {counted(self._source.left_out, 'line')} of the journal left out"
        return f"{words}; shown then: {shown_then}" if shown_then else words

    # Reading

    def _timeline(self, id: str) -> Timeline | CommandResult:
        incidents = self._snapshot.incidents
        found = next((each for each in (*incidents.open, *incidents.resolved) if each.id == id), None)
        if found is None:
            return CommandResult(ok=False, message=f"no incident {id} at that time")
        begin, end = found.opened_at - TIMELINE_BACK, self._position.at
        if found.resolved_at is not None:
            end = min(end, found.resolved_at)
        entries = [_entry(line) for line in self._lines if begin <= line.timestamp <= end]
        entries += self._frames_before(found, begin)
        entries.sort(key=lambda entry: entry.timestamp)
        left_out = max(0, len(entries) - _TIMELINE_ENTRIES)
        return Timeline(incident=found, entries=tuple(entries[left_out:]), left_out=left_out)

    def _frames_before(self, incident: IncidentSnapshot, begin: float) -> list[TimelineEntry]:
        """The last frames before an incident, of the connection that it is about."""
        names = {each.name for each in self._snapshot.connections}
        name = incident.subject if incident.subject in names else incident.subject.partition(" ")[0]
        if name not in names:
            return []
        page = self._source.frames(name, 0, _TIMELINE_FRAMES, incident.opened_at)
        if isinstance(page, CommandResult):
            return []
        return [
            TimelineEntry(
                timestamp=each.timestamp,
                kind="frame",
                subject=name,
                text=f"{each.direction} {each.topic} {each.event}, {each.size} bytes",
            )
            for each in page.frames
            if each.timestamp >= begin
        ]

    async def _of(self, name: str, read: Callable[[float], T | CommandResult]) -> T | CommandResult:
        at = self._position.at
        names = [each.name for each in self._snapshot.connections]
        if name not in names:
            known = ", ".join(names) or "none"
            return CommandResult(ok=False, message=f"no connection {name} at that time; there are: {known}")
        return await self._reading(read, at)

    async def _reading(self, read: Callable[..., T | CommandResult], *arguments: Any) -> T | CommandResult:
        """What needs the source, in a thread: a journal may be large."""

        def locked() -> T | CommandResult:
            with self._lock:
                return read(*arguments)

        try:
            return await apart(locked, locked, "journal")
        except OSError as error:
            return CommandResult(ok=False, message=f"the journal cannot be read: {error.strerror}")


def _searched(entry: AlertSummary | SourceAway) -> str:
    if isinstance(entry, SourceAway):
        return "(away) away"
    return f"{entry.type} {entry.outcome or ''} {entry.who} {entry.title} {entry.message}".casefold()


def _alert_id(alert: object) -> str | None:
    return alert.id if isinstance(alert, AlertSummary) else None


def _entry(line: LogLine) -> TimelineEntry:
    return TimelineEntry(
        timestamp=line.timestamp,
        kind="other" if line.connection is None else "state",
        subject=line.connection or "",
        text=line.text,
        severity=line.severity,
    )
