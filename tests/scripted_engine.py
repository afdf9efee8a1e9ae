"""An engine for the tests of the face: says what it is told to say, and records what it is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from tui.channels.health import ConnectionDetails, HealthMetrics
from tui.engine.api import (
    Availability,
    ChannelSnapshot,
    CommandResult,
    ConnectionHistory,
    ConnectionSnapshot,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogLine,
    LogPage,
    SettingInForce,
    Snapshot,
    StateEntry,
    Trouble,
)


class ScriptedEngine:
    """Publishes ``connections`` anew at each reading, as an engine that runs does."""

    def __init__(self, connections: Sequence[ConnectionSnapshot] = (), *, notice: str | None = None) -> None:
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
        self._sequence = 0
        self._started_at = time.time() - 3600

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
                timestamp=at or time.time(),
                connection=connection,
                text=text,
                severity=severity,
            )
        )

    def snapshot(self) -> Snapshot:
        self._sequence += 1
        return Snapshot(
            sequence=self._sequence,
            taken_at=self.silent_since or time.time(),
            started_at=self._started_at,
            connections=self.connections,
            debug=self.debug,
            notice=self.notice,
            stopped=self.stopped,
        )

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        lines = tuple(self.lines[after : after + limit])
        missed, self.missed = self.missed, 0
        return LogPage(lines=lines, next_cursor=after + len(lines), missed=missed)

    async def history(self, name: str) -> ConnectionHistory | CommandResult:
        known = any(each.name == name for each in self.connections)
        return self.histories.get(name) or (
            history(name) if known else CommandResult(ok=False, message=f"no connection {name}")
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

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        return (ExtraCommand(id="restart", label="demo: restart the hub", help="Cuts every connection."),)

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


def connection(name: str = "stage", **changes: Any) -> ConnectionSnapshot:
    """A connection that is up and well, with ``changes``; ``metrics`` and ``details`` may be mappings."""
    now = time.time()
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
        "channels": (channel(),),
        "hour": "8" * 60,
    }
    return ConnectionSnapshot(**values | changes)


def history(name: str = "stage", **changes: Any) -> ConnectionHistory:
    """What an engine keeps of a connection that has been up for an hour, with ``changes``."""
    values: dict[str, Any] = {
        "name": name,
        "last_5_minutes": Availability(share=1.0, observed=300.0),
        "last_hour": Availability(share=0.998, observed=3600.0),
        "last_day": Availability(share=0.9995, observed=7200.0),
        "round_trips": tuple(0.010 + 0.001 * (n % 7) for n in range(100)),
        "states": (
            StateEntry(timestamp=time.time() - 7201, state="connecting", before=0.1),
            StateEntry(timestamp=time.time() - 7200, state="connected", before=0.3),
        ),
        "settings": (
            SettingInForce(key="url", text='"ws://saya:7175/socket"', source="config.toml:4"),
            SettingInForce(key="auth_token", text="***", source="config.toml:5"),
        ),
    }
    return ConnectionHistory(**values | changes)


def channel(topic: str = "stream:overlays", **changes: Any) -> ChannelSnapshot:
    """A joined channel with a last value, with ``changes``."""
    values: dict[str, Any] = {
        "topic": topic,
        "state": "joined",
        "joins": 1,
        "received": 120,
        "last_event": "stream_state",
        "last_text": '{"current_show":"variety","active_content":null}',
        "last_at": time.time() - 20,
    }
    return ChannelSnapshot(**values | changes)


def hub_away(name: str = "stage") -> ConnectionSnapshot:
    """A connection whose server went away: pushes wait, the last value grows old."""
    now = time.time()
    return connection(
        name,
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
            "stable": False,
        },
        hour="8" * 30 + "5" + "8" * 28 + "4",
        trouble=Trouble(
            state="reconnecting",
            circuit_open=False,
            words="refused by saya:7175",
            since=now - 30,
            tries=3,
        ),
        channels=(
            channel(state="errored", reason="not connected", buffered=7, last_at=now - 94),
            channel("stream:queue", state="errored", reason="not connected", last_at=now - 31),
        ),
    )


def evening(at: float | None = None) -> ScriptedEngine:
    """A live evening with all that can be wrong at once."""
    now = at or time.time()
    broken = connection(
        "phononmaser_in",
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
        },
        trouble=Trouble(
            state="failed", circuit_open=True, words="refused by saya:8890", since=now - 320, tries=9
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
                messages_per_second_in=34.2,
                messages_per_second_out=0.2,
                channels=(
                    channel(),
                    channel(
                        "stream:queue",
                        last_event="queue_state",
                        last_text='{"queue":[],"is_processing":false}',
                    ),
                    channel("overlay:obs", last_event="obs_event", last_text='{"scene":"BRB ☕"}'),
                    channel("overlay:twitch"),
                ),
            ),
            connection("dashboard", messages_per_second_in=2.0, details={"round_trip_last": 0.0108}),
            hub_away("events"),
            broken,
            connection("seed_events", messages_per_second_in=1.4),
            connection("seed_words", messages_per_second_in=0.6, channels=(channel("transcription:live"),)),
            connection("takeover", metrics={"connection_state": "connecting", "successful_connects": 0}),
            connection("omnibar", messages_per_second_in=0.4),
            connection("ironmon", messages_per_second_in=3.3),
        ),
        notice="DEMO: faults are staged; next: hub restart",
    )
    engine.write("connected", "stage", at=now - 7200)
    engine.write("failed: refused by saya:8890, breaker open", "phononmaser_in", "error", at=now - 320)
    engine.write("reconnecting: 1012 service restart", "events", "warning", at=now - 30)
    return engine
