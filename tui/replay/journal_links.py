"""The connections of a journal: what was told of each, and what follows from it for any moment."""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple, cast

from tui.channels.channel import CLOSED_BY_SERVER
from tui.channels.health import ConnectionDetails, ConnectionState, HealthMetrics
from tui.engine.api import (
    ChannelSnapshot,
    ChannelState,
    ConnectionHistory,
    ConnectionSnapshot,
    StateEntry,
    Trouble,
)
from tui.engine.history import DAY, HOUR, KEPT_STATES
from tui.replay.spells import Spell, Spells
from tui.store.journal import STARTED, STOPPED, Entry, Gap

_KNOWN_DETAILS = ("reason", "since", "time_in_state")
NOT_KNOWN = frozenset(
    (
        *(f"details.{name}" for name in ConnectionDetails.__struct_fields__ if name not in _KNOWN_DETAILS),
        *("connections.label", "connections.address", "connections.max_reconnect_attempts"),
        *("connections.heartbeat_interval", "connections.heartbeat_timeout"),
        *("connections.heartbeat_failed_since_stable", "connections.previous_state_seconds"),
        *("connections.messages_per_second_in", "connections.messages_per_second_out"),
        *("metrics.reconnect_attempts", "metrics.failed_reconnects", "metrics.heartbeat_failures"),
        *("metrics.circuit_breaker_trips", "metrics.last_heartbeat"),
        *("channels.joins", "channels.received", "channels.buffered", "channels.push_buffer"),
        *("channels.dropped", "channels.last_event", "channels.last_text", "channels.last_at"),
        *("trouble.tries", "history.round_trips", "history.settings"),
        *("alerts.mode", "alerts.playing", "alerts.waiting", "alerts.beside", "alerts.accepted"),
        *("alerts.ignored", "alerts.duplicates", "alerts.unmapped", "alerts.mutes", "alerts.overlays"),
        *("alerts.restored", "alerts.delivers_to"),
        *("services", "debug"),
    )
)
"""Fields that a snapshot from the journal has at their defaults because the journal does not hold them: to
be shown as not known. ``connections``, ``metrics``, ``details``, ``trouble`` and ``channels`` are those of
each connection."""

_STATE = re.compile(r"(connected|disconnected)(?: after .*)?\Z|(reconnecting|failed): (.*)\Z", re.DOTALL)
_STILL = re.compile(r"still (reconnecting|failed) after (\d{1,9}) tries: (.*)\Z", re.DOTALL)
_RELOADED = ("added", "removed", "replaced", "changed")
_BREAKER = "circuit breaker open"


class Run(NamedTuple):
    """A run of the program, or the time after it was stopped. Times are epoch seconds."""

    begin: float
    """When the run began."""
    stopped_at: float | None = None
    """None while it runs, or when it ended without a word."""


class Links:
    """Fed with the entries and gaps of a journal in order."""

    def __init__(self) -> None:
        self._spells: dict[str, Spells] = {}
        self._topics: dict[str, dict[str, list[tuple[float, str | None]]]] = {}
        """By connection and topic: since when it was joined (None), or why it was not."""
        self._runs: list[Run] = []
        """In order of :func:`_began`; one that was stopped is there twice."""
        self._added: dict[str, float] = {}
        """When a reload brought a connection of which nothing was told yet."""

    def take(self, entry: Entry, at: float) -> None:
        """Take one entry, of whatever kind."""
        if entry.kind == "engine":
            self._take_engine(entry.text, at)
        elif entry.connection is not None and entry.kind == "state":
            self._take_state(entry.connection, entry.text, at)
        elif entry.connection is not None and entry.kind == "join":
            self._take_join(entry.connection, entry.text, at)

    def _take_engine(self, text: str, at: float) -> None:
        if text == STARTED:
            self._end_run(at)
            self._runs.append(Run(at))
        elif text == STOPPED or text.startswith("the engine stopped"):
            self._end_run(at)
            begin = self._runs[-1].begin if self._runs else at
            self._runs.append(Run(begin, at))
        elif text.startswith("settings reloaded: "):
            for part in text.removeprefix("settings reloaded: ").partition(";")[0].split(", "):
                verb, *names = part.split(" ")
                if verb not in _RELOADED:
                    break  # the settings that changed stand behind
                for name in names if verb != "changed" else ():
                    self._reloaded(name, verb, at)

    def _reloaded(self, name: str, verb: str, at: float) -> None:
        known = self._spells.get(name)
        if verb != "removed":
            self._added[name] = at
        else:
            self._added.pop(name, None)
        if known is not None and verb == "removed":
            known.add(Spell(at, None, run=len(self._runs), gone=True))
        elif known is not None and verb == "replaced":
            known.add(Spell(at, "connecting", run=len(self._runs), since=at))

    def _end_run(self, at: float) -> None:
        self._added.clear()
        for spells in self._spells.values():
            if spells.last is not None and spells.last.state is not None:
                spells.add(Spell(at, None, run=len(self._runs)))

    def take_gap(self, gap: Gap) -> None:
        """Take one gap: nobody observed anything in it."""
        for spells in self._spells.values():
            last = spells.last
            if last is None or last.state is None:
                continue
            spells.add(last._replace(begin=gap.since, state=None))
            if gap.because == "stood still" and not gap.lasts:
                # It ran all the time: what changed meanwhile was told when it went on.
                spells.add(last._replace(begin=gap.until))

    def _take_state(self, name: str, text: str, at: float) -> None:
        if match := _STATE.match(text):
            state = cast("ConnectionState", match[1] or match[2])
            self._spell(name, at, state, match[3])
        elif match := _STILL.match(text):
            state = cast("ConnectionState", match[1])
            self._spell(name, at, state, match[3], tries=int(match[2]))
        elif text == "reconnecting by command":
            # The connection is replaced, or tried at once; neither is told in another way.
            self._spell(name, at, "connecting", None)
        elif text == "connecting by command":
            last = self._spells[name].last if name in self._spells else None
            if last is not None and last.state != "connected":
                self._spell(name, at, "connecting", None)

    def _spell(
        self, name: str, at: float, state: ConnectionState, reason: str | None, tries: int = 0
    ) -> None:
        spells = self._spells.setdefault(name, Spells())
        run = len(self._runs)
        last = spells.last
        if last is None or last.run != run or last.state is None:
            # It was begun with the run, or at the reload that brought it, and had not been connected before.
            begun = self._added.get(
                name, self._runs[-1].begin if self._runs and self._runs[-1].stopped_at is None else None
            )
            unseen = last is not None and last.run == run and begun is not None and begun < last.begin
            if begun is not None and not unseen:
                spells.add(Spell(begun, "connecting", run=run, since=begun))
                last = spells.last
        same_run = last is not None and last.run == run
        successes = (last.successes if last is not None and same_run else 0) + (state == "connected")
        in_trouble = state in ("reconnecting", "failed")
        before = last.trouble_since if last is not None and same_run else None
        goes_on = last is not None and same_run and last.state == state
        spells.add(
            Spell(
                at,
                state,
                reason,
                tries=tries,
                last_try=at if in_trouble else None,
                trouble_since=(before or at) if in_trouble else None,
                run=run,
                since=last.since if last is not None and goes_on else at,
                successes=successes,
            )
        )

    def _take_join(self, name: str, text: str, at: float) -> None:
        topics = self._topics.setdefault(name, {})
        if text.startswith("joined "):
            topics.setdefault(text.removeprefix("joined "), []).append((at, None))
            return
        # Topics hold colons themselves; what they do not hold is a colon and a space.
        topic, separator, words = text.partition(": ")
        if separator:
            topics.setdefault(topic, []).append((at, words))

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
        for name, spells in self._spells.items():
            spell = self._known_at(spells, at)
            if spell is not None and spell.begin >= since and not spell.gone:
                found.append(self._connection(name, spells, spell, at, since))
        return tuple(found)

    @staticmethod
    def _known_at(spells: Spells, at: float) -> Spell | None:
        """The spell at a moment; where nobody observed it, the last one that somebody did."""
        spell = spells.at(at)
        if spell is not None and spell.state is None and not spell.gone:
            last = spells.before(at, 1)
            return last[0][0] if last else None
        return spell

    def _connection(
        self, name: str, spells: Spells, spell: Spell, at: float, run_since: float
    ) -> ConnectionSnapshot:
        assert spell.state is not None
        began = spell.begin if spell.since is None else spell.since
        circuit_open = spell.state == "failed" and (spell.reason or "").startswith(_BREAKER)
        trouble = None
        if spell.trouble_since is not None:
            trouble = Trouble(
                state=spell.state,
                circuit_open=circuit_open,
                words=spell.reason or spell.state,
                since=spell.trouble_since,
                tries=spell.tries,
                last_try=spell.last_try,
                last_reason=spell.reason,
            )
        return ConnectionSnapshot(
            name=name,
            label="",
            address="",
            metrics=HealthMetrics(
                connection_state=spell.state,
                successful_connects=spell.successes,
                total_reconnects=max(0, spell.successes - 1),
                is_circuit_open=circuit_open,
            ),
            details=ConnectionDetails(reason=spell.reason, since=began, time_in_state=at - began),
            trouble=trouble,
            channels=self._channels(name, spell, at, run_since),
            hour=spells.hour(at),
        )

    def _channels(self, name: str, spell: Spell, at: float, run_since: float) -> tuple[ChannelSnapshot, ...]:
        found = []
        for topic, changes in self._topics.get(name, {}).items():
            place = bisect.bisect_right(changes, at, key=lambda change: change[0]) - 1
            if place < 0 or changes[place][0] < run_since:
                continue
            words = changes[place][1]
            if spell.state != "connected":
                found.append(ChannelSnapshot(topic=topic, state="errored", reason="not connected"))
            elif words is None:
                found.append(ChannelSnapshot(topic=topic, state="joined"))
            else:
                state: ChannelState = "closed" if words == CLOSED_BY_SERVER else "errored"
                found.append(ChannelSnapshot(topic=topic, state=state, reason=words))
        return tuple(found)

    def history(self, name: str, at: float) -> ConnectionHistory | None:
        """The past of one connection at a moment; None for one that the journal does not know."""
        spells = self._spells.get(name)
        if spells is None:
            return None
        return ConnectionHistory(
            name=name,
            last_5_minutes=spells.availability(at, 5),
            last_hour=spells.availability(at, HOUR),
            last_day=spells.availability(at, DAY),
            states=tuple(
                StateEntry(timestamp=spell.begin, state=spell.state, reason=spell.reason, before=before)
                for spell, before in spells.before(at, KEPT_STATES)
                if spell.state is not None
            ),
        )


def _began(run: Run) -> float:
    return run.begin if run.stopped_at is None else run.stopped_at
