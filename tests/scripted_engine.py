"""An engine for the tests of the face: says what it is told to say, and records what it is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tui.channels.health import ConnectionDetails, HealthMetrics
from tui.model.alerts import (
    AlertCommand,
    AlertContent,
    AlertOutcome,
    AlertPage,
    AlertsSnapshot,
    AlertSummary,
    OverlayPage,
    SourceAway,
)
from tui.model.incidents import IncidentSnapshot, IncidentsSnapshot, Timeline, TimelineEntry
from tui.model.services import Observation, ServiceSnapshot, ServicesSnapshot
from tui.model.snapshot import (
    Availability,
    ChannelSnapshot,
    CommandResult,
    ConnectionHistory,
    ConnectionSnapshot,
    DiskHealthSnapshot,
    EffectiveSetting,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogLine,
    LogPage,
    Snapshot,
    StateEntry,
    Trouble,
)


class ScriptedEngine:
    """Publishes ``connections`` anew at each reading, as an engine that runs does.

    ``clock`` gives epoch seconds; the values below take the same moment as ``at``, the present unless given.
    """

    def __init__(
        self,
        connections: Sequence[ConnectionSnapshot] = (),
        *,
        notice: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.connections = tuple(connections)
        self.notice = notice
        self.stopped: str | None = None
        self.debug = False
        self.silent_since: float | None = None
        self.answer = CommandResult(ok=True, message="done")
        self.asked: list[tuple[str, ...]] = []
        self.lines: list[LogLine] = []
        self.missed = 0
        self.histories: dict[str, ConnectionHistory] = {}
        self.recorded: list[FrameContent] = []
        self.frames_refused: str | None = None
        self.alerts_value: AlertsSnapshot | None = None
        self.extras: tuple[ExtraCommand, ...] = (
            ExtraCommand(id="restart", label="demo: restart the hub", help="Cuts every connection."),
        )
        self.past: list[AlertSummary | SourceAway] = []
        """What its store has of the alerts that ended, the newest first."""
        self.past_refused: str | None = None
        self.words_asked: tuple[str, ...] = ()
        self.services = ServicesSnapshot()
        self.incidents = IncidentsSnapshot()
        self.persistence = DiskHealthSnapshot()
        self.timelines: dict[str, tuple[TimelineEntry, ...]] = {}
        """What happened around each incident, by its id."""
        self._sequence = 0
        self._clock = clock
        self._started_at = clock() - 3600

    def replace(self, name: str, **changes: Any) -> None:
        """Change fields of one connection."""
        self.connections = tuple(
            msgspec.structs.replace(each, **changes) if each.name == name else each
            for each in self.connections
        )

    def write(self, text: str, connection: str | None = None, severity: Any = "info", at: float = 0) -> None:
        """Add a line to the log."""
        self.lines.append(
            LogLine(
                cursor=len(self.lines) + 1,
                timestamp=at or self._clock(),
                connection=connection,
                text=text,
                severity=severity,
            )
        )

    def snapshot(self) -> Snapshot:
        self._sequence += 1
        return Snapshot(
            sequence=self._sequence,
            taken_at=self.silent_since or self._clock(),
            started_at=self._started_at,
            connections=self.connections,
            debug=self.debug,
            notice=self.notice,
            stopped=self.stopped,
            alerts=self.alerts_value,
            services=self.services,
            incidents=self.incidents,
            persistence=self.persistence,
        )

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        lines = tuple(self.lines[after : after + limit])
        missed, self.missed = self.missed, 0
        return LogPage(lines=lines, next_cursor=after + len(lines), missed=missed)

    async def history(self, name: str) -> ConnectionHistory | CommandResult:
        known = any(each.name == name for each in self.connections)
        return self.histories.get(name) or (
            history(name, at=self._clock())
            if known
            else CommandResult(ok=False, message=f"no connection {name}")
        )

    async def frames(self, name: str, after: int = 0, limit: int = 200) -> FramePage | CommandResult:
        if self.frames_refused is not None:
            return CommandResult(ok=False, message=self.frames_refused)
        held = [each.frame for each in self.recorded if each.frame.cursor > after][-limit:]
        last = self.recorded[-1].frame.cursor if self.recorded else 0
        return FramePage(
            frames=tuple(held), next_cursor=last, missed=last - after - len(held) if after else 0
        )

    async def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        for each in self.recorded:
            if each.frame.cursor == cursor:
                return each
        return CommandResult(ok=False, message="the frame is no longer held")

    async def connect(self, name: str | None = None) -> CommandResult:
        return self._asked("connect", str(name))

    async def reconnect(self, name: str | None = None) -> CommandResult:
        return self._asked("reconnect", str(name))

    async def disconnect(self, name: str | None = None) -> CommandResult:
        return self._asked("disconnect", str(name))

    async def push(self, name: str, topic: str, event: str, payload: Any) -> CommandResult:
        return self._asked("push", name, topic, event, repr(payload))

    async def set_debug(self, shown: bool) -> CommandResult:
        self.debug = shown
        return self._asked("set_debug", str(shown))

    def change_service(self, key: str, **changes: Any) -> None:
        """Change fields of one service."""
        changed = tuple(
            msgspec.structs.replace(each, **changes) if each.key == key else each
            for each in self.services.services
        )
        self.services = msgspec.structs.replace(self.services, services=changed)

    def open_incident(self, *opened: IncidentSnapshot) -> None:
        """Open incidents beside those that are."""
        self.incidents = msgspec.structs.replace(self.incidents, open=(*self.incidents.open, *opened))

    async def acknowledge(self, incident: str) -> CommandResult:
        result = self._asked("acknowledge", incident)
        if result.ok:
            seen = tuple(
                msgspec.structs.replace(each, acknowledged_at=self._clock()) if each.id == incident else each
                for each in self.incidents.open
            )
            self.incidents = msgspec.structs.replace(self.incidents, open=seen)
        return result

    async def timeline(self, incident: str) -> Timeline | CommandResult:
        for each in (*self.incidents.open, *self.incidents.resolved):
            if each.id == incident:
                return Timeline(incident=each, entries=self.timelines.get(incident, ()))
        return CommandResult(ok=False, message=f"no incident {incident}")

    def change_alerts(self, **changes: Any) -> None:
        """Change fields of the alert queue."""
        assert self.alerts_value is not None
        self.alerts_value = msgspec.structs.replace(self.alerts_value, **changes)

    async def alerts(self, command: AlertCommand) -> CommandResult:
        given = msgspec.to_builtins(command)
        return self._asked("alerts", *(str(value) for value in given.values()))

    async def alert_history(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        alert_type: str | None = None,
        outcome: AlertOutcome | None = None,
        words: tuple[str, ...] = (),
    ) -> AlertPage | CommandResult:
        if self.past_refused is not None:
            return CommandResult(ok=False, message=self.past_refused)
        self.words_asked = words
        found = [
            entry
            for entry in self.past
            if (alert_type is None and outcome is None)
            or (
                isinstance(entry, AlertSummary)
                and alert_type in (None, entry.type)
                and outcome in (None, entry.outcome)
            )
        ]
        start = int(before or 0)
        end = start + limit
        return AlertPage(
            alerts=tuple(found[start:end]),
            next_before=str(end) if end < len(found) else None,
            counts={"follow": {"shown": 61, "collapsed": 412}, "raid": {"shown": 2, "unconfirmed": 1}},
        )

    async def alert(self, alert: str) -> AlertContent | CommandResult:
        value = self.alerts_value or AlertsSnapshot()
        playing = (value.playing,) if value.playing else ()
        for entry in (*playing, *value.beside, *value.waiting, *value.recent, *self.past):
            if isinstance(entry, AlertSummary) and entry.id == alert:
                payload = json.dumps({"id": entry.id, "user_name": entry.who, "bits": 420})
                return AlertContent(alert=entry, payload=payload, source_id=f"evt-{entry.id}")
        return CommandResult(ok=False, message=f"no alert {alert}")

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        return self.extras

    async def run_extra(self, command: str) -> CommandResult:
        return self._asked("run_extra", command)

    def _asked(self, *what: str) -> CommandResult:
        self.asked.append(what)
        return self.answer


class BusyEngine(ScriptedEngine):
    """Changes every row at every reading."""

    def snapshot(self) -> Snapshot:
        snapshot = super().snapshot()
        rate = float(snapshot.sequence)
        changed = tuple(
            msgspec.structs.replace(each, messages_per_second_in=rate) for each in snapshot.connections
        )
        return msgspec.structs.replace(snapshot, connections=changed)


def connection(name: str = "stage", *, at: float | None = None, **changes: Any) -> ConnectionSnapshot:
    """A connection that is up and well, with ``changes``; ``metrics`` and ``details`` may be mappings."""
    now = at or time.time()
    metrics: dict[str, Any] = {
        "connection_state": "connected",
        "successful_connects": 1,
        "last_heartbeat": now - 3,
    }
    details: dict[str, Any] = {
        "since": now - 7200,
        "time_in_state": 7200.0,
        "stable": True,
        "attempts_begun": 1,
        "round_trip_last": 0.0121,
        "round_trip_p50": 0.011,
        "round_trip_p95": 0.034,
        "messages_in": 12_345,
        "messages_out": 204,
        "bytes_in": 1_234_567,
        "bytes_out": 12_004,
    }
    metrics |= changes.pop("metrics", {})
    details |= changes.pop("details", {})
    values: dict[str, Any] = {
        "name": name,
        "label": name,
        "address": "saya:7175",
        "metrics": HealthMetrics(**metrics),
        "details": ConnectionDetails(**details),
        "channels": (channel(at=at),),
        "hour": "8" * 60,
    }
    return ConnectionSnapshot(**values | changes)


def history(name: str = "stage", *, at: float | None = None, **changes: Any) -> ConnectionHistory:
    """What an engine keeps of a connection that has been up for an hour, with ``changes``."""
    now = at or time.time()
    values: dict[str, Any] = {
        "name": name,
        "last_5_minutes": Availability(share=1.0, observed=300.0),
        "last_hour": Availability(share=0.998, observed=3600.0),
        "last_day": Availability(share=0.9995, observed=7200.0),
        "round_trips": tuple(0.010 + 0.001 * (n % 7) for n in range(100)),
        "states": (
            StateEntry(timestamp=now - 7201, state="connecting", before=0.1),
            StateEntry(timestamp=now - 7200, state="connected", before=0.3),
        ),
        "settings": (
            EffectiveSetting(key="url", text='"ws://saya:7175/socket"', source="config.toml:4"),
            EffectiveSetting(key="auth_token", text="***", source="config.toml:5"),
        ),
    }
    return ConnectionHistory(**values | changes)


def channel(topic: str = "stream:overlays", *, at: float | None = None, **changes: Any) -> ChannelSnapshot:
    """A joined channel with a last value, with ``changes``."""
    values: dict[str, Any] = {
        "topic": topic,
        "state": "joined",
        "joins": 1,
        "received": 120,
        "last_event": "stream_state",
        "last_text": '{"current_show":"variety","active_content":null}',
        "last_at": (at or time.time()) - 20,
    }
    return ChannelSnapshot(**values | changes)


def hub_away(name: str = "stage", *, at: float | None = None) -> ConnectionSnapshot:
    """A connection whose server went away: pushes wait, the last value grows old."""
    now = at or time.time()
    return connection(
        name,
        at=now,
        metrics={
            "connection_state": "reconnecting",
            "reconnect_attempts": 3,
            "failed_reconnects": 2,
            "total_reconnects": 2,
            "successful_connects": 3,
        },
        details={
            "reason": "refused by saya:7175",
            "since": now - 30,
            "next_try": now + 3,
            "last_close_code": 1012,
            "last_close_reason": "service restart",
            "last_close_at": now - 30,
            "stable": False,
        },
        hour="8" * 30 + "5" + "8" * 28 + "4",
        trouble=Trouble(
            state="reconnecting",
            circuit_open=False,
            message="refused by saya:7175",
            since=now - 30,
            state_since=now - 30,
            tries=3,
            last_try=now - 1,
        ),
        channels=(
            channel(state="errored", reason="not connected", buffered=7, last_at=now - 94),
            channel("stream:queue", state="errored", reason="not connected", last_at=now - 31),
        ),
    )


def alert(id: str, type: str = "follow", who: str = "zed", **changes: Any) -> AlertSummary:
    """An alert that waits, with ``changes``."""
    values: dict[str, Any] = {
        "id": id,
        "type": type,
        "who": who,
        "title": f"{who} followed",
        "priority": 3,
        "duration": 5.0,
        "source": "events events:all",
        "accepted_at": time.time() - 12,
    }
    return AlertSummary(**values | changes)


def ended(id: str, outcome: AlertOutcome = "shown", *, at: float, **changes: Any) -> AlertSummary:
    """An alert that ended so at a moment, with ``changes``."""
    values: dict[str, Any] = {
        "state": "ended",
        "outcome": outcome,
        "accepted_at": at - 9,
        "ended_at": at,
        "confirmed": outcome == "shown",
    }
    return alert(id, **values | changes)


def evening_alerts(*, at: float | None = None, **changes: Any) -> AlertsSnapshot:
    """The queue of that evening: a raid on the air, two waiting, a source that was away, with ``changes``."""
    now = at or time.time()
    values: dict[str, Any] = {
        "mode": "playing",
        "message": "playing",
        "playing": alert(
            "raid-1",
            "raid",
            "avalon",
            title="avalon raids with 120",
            priority=9,
            duration=10.0,
            accepted_at=now - 5,
            state="playing",
            phase="on air",
            sent_at=now - 4,
            ends_at=now + 6,
            confirmed=True,
        ),
        "waiting": (
            alert(
                "sub-1",
                "sub",
                "kaelan",
                title="kaelan subscribed",
                message="fourteen months of this",
                priority=7,
                accepted_at=now - 3,
            ),
            alert("follow-9", "follow", "zed", count=12, accepted_at=now - 30),
        ),
        "recent": (
            ended(
                "cheer-4", type="cheer", who="mira", title="mira cheered 420 bits", priority=6, at=now - 20
            ),
            ended("follow-8", "skipped", who="bot_9", at=now - 71),
            ended("follow-7", "collapsed", who="bot_8", at=now - 72),
            SourceAway(source="events events:all", since=now - 310, until=now - 291),
            ended(
                "resub-2",
                "unconfirmed",
                type="resub",
                who="さくら",
                title="さくら subscribed, month 14",
                priority=7,
                reason="sent; no overlay confirmed it",
                at=now - 400,
            ),
            ended(
                "redemption-1",
                "expired",
                type="redemption",
                who="quietfox",
                title="quietfox redeemed hydrate",
                priority=5,
                at=now - 700,
            ),
        ),
        "accepted": 214,
        "counts": {
            "cheer": {"shown": 14, "skipped": 1},
            "follow": {"shown": 31, "skipped": 9, "collapsed": 142, "muted": 4},
            "redemption": {"expired": 2},
            "resub": {"shown": 6, "unconfirmed": 2},
        },
        "ignored": 50,
        "duplicates": 3,
        "mutes": {"redemption": now + 540},
        "overlays": (
            OverlayPage(name="omnibar", connected=True, reported_at=now - 4),
            OverlayPage(name="takeover", connected=False, reported_at=now - 4),
        ),
        "delivers_to": "stage stream:overlays",
        "can_clear": True,
    }
    return AlertsSnapshot(**values | changes)


def evening(at: float | None = None) -> ScriptedEngine:
    """A live evening with all that can be wrong at once; at a moment that is given, time stands still."""
    now = at or time.time()
    broken = connection(
        "phononmaser_in",
        at=now,
        metrics={
            "connection_state": "failed",
            "is_circuit_open": True,
            "reconnect_attempts": 6,
            "total_reconnects": 11,
            "successful_connects": 12,
            "failed_reconnects": 9,
            "heartbeat_failures": 1,
            "circuit_breaker_trips": 2,
            "last_heartbeat": now - 340,
        },
        details={
            "reason": "refused by saya:8890",
            "since": now - 320,
            "next_try": now + 180,
            "messages_in": 812,
            "bytes_in": 91_220,
            "dropped_pushes": 2,
            "last_close_code": 1006,
            "last_close_reason": "closed without a close frame",
            "last_close_at": now - 320,
        },
        trouble=Trouble(
            state="failed",
            circuit_open=True,
            message="refused by saya:8890",
            since=now - 320,
            state_since=now - 312,
            tries=9,
            last_try=now - 12,
        ),
        address="saya:8890",
        hour="8" * 49 + "777" + "8" + "30" + "0" * 5,
        heartbeat_failed_since_stable=True,
        channels=(
            channel(
                "transcription:live",
                state="errored",
                reason="not connected",
                buffered=3,
                last_event="new_transcription",
                last_text='{"text":"and that is the third shiny today","confidence":0.93}',
                last_at=now - 341,
                joins=12,
            ),
        ),
    )
    engine = ScriptedEngine(
        (
            connection(
                "stage",
                at=now,
                messages_per_second_in=34.2,
                messages_per_second_out=0.2,
                channels=(
                    channel(at=now),
                    channel(
                        "stream:queue",
                        at=now,
                        last_event="queue_state",
                        last_text='{"queue":[],"is_processing":false}',
                    ),
                    channel("overlay:obs", at=now, last_event="obs_event", last_text='{"scene":"BRB ☕"}'),
                    channel("overlay:twitch", at=now),
                ),
            ),
            connection("dashboard", at=now, messages_per_second_in=2.0, details={"round_trip_last": 0.0108}),
            hub_away("events", at=now),
            broken,
            connection("seed_events", at=now, messages_per_second_in=1.4),
            connection(
                "seed_words",
                at=now,
                messages_per_second_in=0.6,
                channels=(channel("transcription:live", at=now),),
            ),
            connection(
                "takeover", at=now, metrics={"connection_state": "connecting", "successful_connects": 0}
            ),
            connection("omnibar", at=now, messages_per_second_in=0.4),
            connection("ironmon", at=now, messages_per_second_in=3.3),
        ),
        notice="DEMO: faults are staged; next: hub restart",
        clock=time.time if at is None else lambda: at,
    )
    engine.alerts_value = evening_alerts(at=now)
    engine.past = list(engine.alerts_value.recent)
    engine.write("connected", "stage", at=now - 7200)
    engine.write("failed: refused by saya:8890, breaker open", "phononmaser_in", "error", at=now - 320)
    engine.write("reconnecting: 1012 service restart", "events", "warning", at=now - 30)
    return engine


def sight(via: Any = "hub", *, at: float | None = None, **changes: Any) -> Observation:
    """A fresh word of a service that is well, with ``changes``."""
    now = at or time.time()
    origins = {
        "hub": "dashboard dashboard:main",
        "report": "stage health:reports",
        "http": "http://saya:8891/health",
    }
    values: dict[str, Any] = {
        "via": via,
        "origin": origins[via],
        "message": "healthy" if via == "http" else "connected",
        "state": "good",
        "freshness": "fresh",
        "reported_at": now - 4,
    }
    return Observation(**values | changes)


def service(name: str, *, at: float | None = None, **changes: Any) -> ServiceSnapshot:
    """A service that is well, seen through its hub, with ``changes``."""
    now = at or time.time()
    host = changes.get("host", "saya")
    values: dict[str, Any] = {
        "key": f"{name}@{host}",
        "name": name,
        "host": host,
        "environment": "live",
        "state": "good",
        "message": "connected",
        "freshness": "fresh",
        "reported_at": now - 4,
        "since": now - 5400,
        "observations": (sight(at=now),),
        "hour": "8" * 60,
    }
    return ServiceSnapshot(**values | changes)


def stale_service(name: str, age: float = 94, *, at: float | None = None, **changes: Any) -> ServiceSnapshot:
    """A page that its hub told of last ``age`` seconds ago, with ``changes``."""
    now = at or time.time()
    minutes = max(1, int(age // 60))
    values: dict[str, Any] = {
        "state": "unknown",
        "message": "was connected",
        "freshness": "stale",
        "reported_at": now - age,
        "since": now - age + 30,
        "observations": (sight(at=now, freshness="stale", reported_at=now - age),),
        "hour": "8" * (60 - minutes) + "?" * minutes,
    }
    return service(name, at=now, **values | changes)


def evening_services(at: float | None = None) -> ServicesSnapshot:
    """The services of that evening: a page that is gone, one that never came, one seen in two ways."""
    now = at or time.time()
    metrics = HealthMetrics(
        connection_state="connected",
        successful_connects=3,
        total_reconnects=2,
        heartbeat_failures=1,
        last_heartbeat=now - 11,
    )
    unhealthy = sight(
        "http",
        at=now,
        origin="http://zelan:8891/health",
        message="unhealthy",
        state="bad",
        last_error="websocket: disconnected, 6 attempts",
        figures={"uptime": "3 h 12 min", "version": "1.14.2", "websocket": "disconnected"},
    )
    reported = sight(
        "report",
        at=now,
        message="connected",
        metrics=metrics,
        figures={"messages sent": "12,044", "queue": "3 of 100"},
    )
    return ServicesSnapshot(
        services=(
            stale_service("page takeover", at=now),
            service(
                "page omnibar",
                at=now,
                observations=(sight(at=now, figures={"scene": "BRB ☕", "fps": "60"}),),
            ),
            service(
                "seed",
                at=now,
                url="ws://saya:7175/socket",
                message="connected",
                observations=(reported, sight("http", at=now, figures={"uptime": "14 h 2 min"})),
            ),
            service(
                "phononmaser",
                at=now,
                host="zelan",
                state="bad",
                message="unhealthy",
                since=now - 320,
                observations=(unhealthy,),
                hour="8" * 54 + "30" + "0" * 4,
            ),
            ServiceSnapshot(
                key="ironmon@alys",
                name="ironmon",
                host="alys",
                environment="test",
                message="never seen",
                observations=(Observation(via="http", origin="http://alys:8080/health"),),
                hour="?" * 60,
            ),
        )
    )


def incident(id: str, *, at: float | None = None, **changes: Any) -> IncidentSnapshot:
    """An incident that is open for five minutes, with ``changes``."""
    now = at or time.time()
    opened = changes.get("opened_at", now - 320)
    values: dict[str, Any] = {
        "id": id,
        "rule": "breaker_open",
        "subject": "phononmaser_in",
        "severity": "critical",
        "message": "refused by saya:8890, 5 failures, breaker open",
        "opened_at": opened,
        "updated_at": opened,
    }
    return IncidentSnapshot(**values | changes)


def evening_incidents(at: float | None = None) -> IncidentsSnapshot:
    """The incidents of that evening: three open, one of them acknowledged, and three resolved."""
    now = at or time.time()
    return IncidentsSnapshot(
        open=(
            incident("i-7", at=now),
            incident(
                "i-6",
                at=now,
                rule="endpoint_unhealthy",
                subject="phononmaser on zelan",
                message="unhealthy: websocket: disconnected, 6 attempts",
                opened_at=now - 316,
                acknowledged_at=now - 200,
            ),
            incident(
                "i-8",
                at=now,
                rule="report_stale",
                subject="page takeover on saya",
                severity="warning",
                message="was connected, nothing for 94 s",
                opened_at=now - 64,
            ),
        ),
        resolved=(
            incident(
                "i-5",
                at=now,
                rule="flapping",
                subject="events",
                severity="warning",
                message="5 reconnects in 10 min",
                opened_at=now - 2460,
                resolved_at=now - 1740,
                lasted=150.0,
                times=3,
            ),
            incident(
                "i-4",
                at=now,
                rule="silent_topic",
                subject="stage stream:queue",
                severity="warning",
                message="nothing for 60 s",
                opened_at=now - 5400,
                resolved_at=now - 5290,
                lasted=110.0,
            ),
            incident(
                "i-3",
                at=now,
                rule="channel_refused",
                subject="dashboard dashboard:main",
                message="unauthorized",
                opened_at=now - 9000,
                resolved_at=now - 8990,
                lasted=10.0,
                acknowledged_at=now - 8995,
            ),
        ),
    )


def evening_timeline(at: float | None = None) -> tuple[TimelineEntry, ...]:
    """What happened before the breaker opened, and since."""
    now = at or time.time()
    told: tuple[tuple[float, Any, str, Any], ...] = (
        (-430.2, "frame", 'in transcription:live new_transcription {"text":"third shiny"}', "info"),
        (-401.7, "frame", "out phoenix heartbeat", "info"),
        (-401.69, "frame", "in phoenix phx_reply ok", "info"),
        (-371.7, "frame", "out phoenix heartbeat", "info"),
        (-361.7, "state", "no answer to the heartbeat within 10 s", "warning"),
        (-361.68, "close", "1006 closed without a close frame", "error"),
        (-361.6, "state", "reconnecting: heartbeat not answered", "warning"),
        (-355.1, "state", "try 1 of 10: refused by saya:8890", "warning"),
        (-341.9, "state", "try 4 of 10: refused by saya:8890", "warning"),
        (-320.0, "state", "failed: 5 refusals, breaker open", "error"),
        (-319.9, "incident", "opened: breaker open", "error"),
        (-20.0, "state", "probe: refused by saya:8890, breaker open until 21:18", "warning"),
    )
    return tuple(
        TimelineEntry(timestamp=now + ago, kind=kind, subject="phononmaser_in", text=text, severity=severity)
        for ago, kind, text, severity in told
    )


def watched_evening(at: float | None = None) -> ScriptedEngine:
    """The same evening with the services that others tell of, and the incidents that it made."""
    engine = evening(at)
    engine.services = evening_services(at)
    engine.incidents = evening_incidents(at)
    engine.timelines["i-7"] = evening_timeline(at)
    return engine


def quiet_evening(at: float | None = None) -> ScriptedEngine:
    """Links that are all well, and the same services."""
    engine = ScriptedEngine(
        [connection(name, at=at) for name in ("stage", "dashboard", "events")],
        clock=time.time if at is None else lambda: at,
    )
    engine.services = evening_services(at)
    return engine
