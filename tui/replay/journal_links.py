"""The connections of a journal: what was told of each, and what follows from it for any moment."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from typing import NamedTuple

from tui.channels.health import ConnectionDetails, ConnectionState, HealthMetrics
from tui.connections.history import StateLog, spent_in
from tui.connections.minutes import DAY, HOUR
from tui.model.events import ChannelChanged, RunStarted, RunStopped, SettingsReloaded, StateChanged
from tui.model.figures import CHANNELS, METRICS
from tui.model.history import Minute, Spent
from tui.model.snapshot import (
    Availability,
    ChannelSnapshot,
    ConnectionHistory,
    ConnectionSnapshot,
    StateEntry,
)
from tui.store.journal import Entry, Gap

_KNOWN_DETAILS = ("reason", "since", "time_in_state")
NOT_KNOWN = frozenset(
    (
        *(f"details.{name}" for name in ConnectionDetails.__struct_fields__ if name not in _KNOWN_DETAILS),
        *("connections.label", "connections.address", "connections.max_reconnect_attempts"),
        *("connections.heartbeat_interval", "connections.heartbeat_timeout"),
        *("connections.heartbeat_failed_since_stable",),
        *("connections.messages_per_second_in", "connections.messages_per_second_out"),
        *(f"metrics.{name}" for name in METRICS),
        *(f"channels.{name}" for name in CHANNELS),
        *("channels.push_buffer", "channels.last_event", "channels.last_text", "channels.last_at"),
        *("history.round_trips", "history.settings"),
        *("alerts.mode", "alerts.playing", "alerts.waiting", "alerts.beside", "alerts.accepted"),
        *("alerts.ignored", "alerts.duplicates", "alerts.unmapped", "alerts.mutes", "alerts.overlays"),
        *("alerts.restored", "alerts.delivers_to"),
        *("services", "debug"),
    )
)
"""What the journal does not hold; see :attr:`tui.replay.values.Position.not_known`."""


class Interval(NamedTuple):
    """A time in one state; it lasts until the next one. Times are epoch seconds."""

    begin: float
    state: ConnectionState | None
    """None: nobody observed it."""
    event: StateChanged | None = None
    """What told of it."""
    since: float | None = None
    """When it came into that state; it may have been unobserved in between."""
    run: int = 0
    """Which run of the program it is of."""
    gone: bool = False
    """It was taken out of the settings."""
    successes: int = 0
    """Times that it was connected in this run, this one counted."""


class StateIntervals:
    def __init__(self) -> None:
        self._spans: list[Interval] = []

    def add(self, span: Interval) -> None:
        """Add the latest one; one that begins before the last begins with it."""
        if self._spans and span.begin < self._spans[-1].begin:
            span = span._replace(begin=self._spans[-1].begin)
        self._spans.append(span)

    @property
    def last(self) -> Interval | None:
        return self._spans[-1] if self._spans else None

    def _place(self, at: float) -> int:
        return bisect.bisect_right(self._spans, at, key=lambda span: span.begin) - 1

    def at(self, at: float) -> Interval | None:
        """The one that ``at`` is in; None before the first."""
        place = self._place(at)
        return self._spans[place] if place >= 0 else None

    def last_known(self, at: float) -> Interval | None:
        """The one that ``at`` is in or, where nobody observed it, the last one before that somebody did."""
        place = self._place(at)
        while place >= 0 and self._spans[place].state is None:
            place -= 1
        return self._spans[place] if place >= 0 else None

    def _spent(self, begin: float, end: float) -> Iterator[tuple[float, float, Spent]]:
        place = max(0, self._place(begin))
        while place < len(self._spans) and self._spans[place].begin < end:
            span = self._spans[place]
            until = self._spans[place + 1].begin if place + 1 < len(self._spans) else end
            since, until = max(begin, span.begin), min(end, until)
            if span.state is not None and until > since:
                before = self._spans[place - 1].state if place else None
                yield since, until, spent_in(span.state, before)
            place += 1

    def hour(self, at: float) -> str:
        present = math.floor(at / 60)
        first = present - HOUR + 1
        minutes = [Minute(first + place) for place in range(HOUR)]
        for begin, end, how in self._spent(first * 60.0, at):
            while begin < end:
                number = math.floor(begin / 60)
                until = min(end, (number + 1) * 60.0)
                minutes[number - first].add(how, until - begin)
                begin = until
        return "".join(minute.digit for minute in minutes)

    def availability(self, at: float, minutes: int) -> Availability:
        """Of the minute of ``at`` up to it and the ``minutes`` before it."""
        oldest = math.floor(at / 60) - minutes
        total = Minute(oldest)
        for begin, end, how in self._spent(oldest * 60.0, at):
            total.add(how, end - begin)
        return total.availability


class Run(NamedTuple):
    """A run of the program, or the time after it was stopped. Times are epoch seconds."""

    begin: float
    """When the run began."""
    stopped_at: float | None = None
    """None while it runs, or when it ended without a word."""


class JournalConnections:
    """Fed with the entries and gaps of a journal in order."""

    def __init__(self) -> None:
        self._spans: dict[str, StateIntervals] = {}
        self._changes: dict[str, list[tuple[float, StateEntry, bool]]] = {}
        """By connection: when each change is shown, the change, and whether it goes on with a trouble."""
        self._topics: dict[str, dict[str, list[tuple[float, ChannelChanged]]]] = {}
        self._runs: list[Run] = []
        """In order of :func:`_began`; one that was stopped is there twice."""
        self._added: dict[str, float] = {}
        """When a reload brought a connection of which nothing was told yet."""

    def take(self, entry: Entry, at: float) -> None:
        match entry.event:
            case RunStarted():
                self._end_run(at)
                self._runs.append(Run(at))
            case RunStopped():
                self._end_run(at)
                self._runs.append(Run(self._runs[-1].begin if self._runs else at, at))
            case SettingsReloaded() as event:
                for verb in ("added", "removed", "replaced"):
                    for name in getattr(event, verb):
                        self._reloaded(name, verb, at)
            case StateChanged() as event if entry.connection is not None:
                change = StateEntry(
                    timestamp=entry.timestamp, state=event.new, reason=event.reason, before=event.before
                )
                self._changes.setdefault(entry.connection, []).append((at, change, event.goes_on))
                self._span(entry.connection, at, event)
            case ChannelChanged() as event if entry.connection is not None:
                topics = self._topics.setdefault(entry.connection, {})
                topics.setdefault(event.topic, []).append((at, event))

    def _reloaded(self, name: str, verb: str, at: float) -> None:
        known = self._spans.get(name)
        if verb != "removed":
            self._added[name] = at
        else:
            self._added.pop(name, None)
        if known is not None and verb == "removed":
            known.add(Interval(at, None, run=len(self._runs), gone=True))
        elif known is not None and verb == "replaced":
            known.add(Interval(at, "connecting", run=len(self._runs), since=at))

    def _end_run(self, at: float) -> None:
        self._added.clear()
        for spans in self._spans.values():
            if spans.last is not None and spans.last.state is not None:
                spans.add(Interval(at, None, run=len(self._runs)))

    def take_gap(self, gap: Gap) -> None:
        for spans in self._spans.values():
            last = spans.last
            if last is None or last.state is None:
                continue
            spans.add(last._replace(begin=gap.since, state=None))
            if gap.because == "stood still" and not gap.lasts:
                # It ran all the time: what changed meanwhile was told when it went on.
                spans.add(last._replace(begin=gap.until))

    def _span(self, name: str, at: float, event: StateChanged) -> None:
        spans = self._spans.setdefault(name, StateIntervals())
        run = len(self._runs)
        last = spans.last
        if last is None or last.run != run or last.state is None:
            # It was begun with the run, or at the reload that brought it, and had not been connected before.
            begun = self._added.get(
                name, self._runs[-1].begin if self._runs and self._runs[-1].stopped_at is None else None
            )
            unseen = last is not None and last.run == run and begun is not None and begun < last.begin
            if begun is not None and not unseen:
                spans.add(Interval(begun, event.old, run=run, since=begun))
                last = spans.last
        successes = last.successes if last is not None and last.run == run else 0
        spans.add(
            Interval(
                at, event.new, event, run=run, since=at, successes=successes + (event.new == "connected")
            )
        )

    # What was shown

    def run_at(self, at: float) -> Run | None:
        """The run that ``at`` is in, or the last one before it; None before the first that is told of."""
        place = bisect.bisect_right(self._runs, at, key=_began) - 1
        return self._runs[place] if place >= 0 else None

    def at(self, at: float) -> tuple[ConnectionSnapshot, ...]:
        """The connections of the run at a moment, or of the last before it."""
        run = self.run_at(at)
        since = 0.0 if run is None else run.begin
        found = []
        for name, spans in self._spans.items():
            span = spans.at(at)
            if span is not None and not span.gone:
                span = spans.last_known(at)
            if span is not None and span.begin >= since and not span.gone:
                found.append(self._connection(name, spans, span, at, since))
        return tuple(found)

    def _connection(
        self, name: str, spans: StateIntervals, span: Interval, at: float, run_since: float
    ) -> ConnectionSnapshot:
        assert span.state is not None
        began = span.begin if span.since is None else span.since
        event = span.event
        circuit_open = event is not None and event.circuit_open
        return ConnectionSnapshot(
            name=name,
            label="",
            address="",
            metrics=HealthMetrics(
                connection_state=span.state,
                successful_connects=span.successes,
                total_reconnects=max(0, span.successes - 1),
                is_circuit_open=circuit_open,
            ),
            details=ConnectionDetails(
                reason=None if event is None else event.reason, since=began, time_in_state=at - began
            ),
            trouble=None if event is None else event.trouble,
            previous_state_seconds=None if event is None else event.before,
            channels=self._channels(name, span, at, run_since),
            hour=spans.hour(at),
        )

    def _channels(
        self, name: str, span: Interval, at: float, run_since: float
    ) -> tuple[ChannelSnapshot, ...]:
        found = []
        for topic, changes in self._topics.get(name, {}).items():
            place = bisect.bisect_right(changes, at, key=lambda change: change[0]) - 1
            if place < 0 or changes[place][0] < run_since:
                continue
            change = changes[place][1]
            if span.state != "connected":
                found.append(ChannelSnapshot(topic=topic, state="errored", reason="not connected"))
            else:
                found.append(ChannelSnapshot(topic=topic, state=change.state, reason=change.reason))
        return tuple(found)

    def history(self, name: str, at: float) -> ConnectionHistory | None:
        """The past of one connection at a moment; None for one that the journal does not know."""
        spans = self._spans.get(name)
        if spans is None:
            return None
        log = StateLog()
        for moment, change, goes_on in self._changes.get(name, ()):
            if moment > at:
                break
            log.add(change, goes_on=goes_on)
        return ConnectionHistory(
            name=name,
            last_5_minutes=spans.availability(at, 5),
            last_hour=spans.availability(at, HOUR),
            last_day=spans.availability(at, DAY),
            states=tuple(log.states),
        )


def _began(run: Run) -> float:
    return run.begin if run.stopped_at is None else run.stopped_at
