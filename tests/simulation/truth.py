"""What a snapshot says of the connection, held against the frames that passed and the hub itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tests.simulation.world import EngineHost, World
from tui.channels import Options
from tui.model.snapshot import ChannelSnapshot, ConnectionSnapshot, Snapshot
from tui.simulation.network import Line

SETTLED = 0.6
"""Seconds after a change in which a snapshot of before may still be the last."""
STEADY = 120.0
"""Seconds after a sleep in which ages may hold it."""
DELIVERED = 15.0
"""Seconds of calm after which the hub and the engine know the same."""
ALLOWED = 0.3
"""Seconds by which turns of the loop and latencies may blur a moment."""

Find = Callable[[str, str, str], None]


class LinkTruth:
    """Follows the frames of the engine that runs now."""

    def __init__(self, world: World, find: Find) -> None:
        self._world = world
        self._find = find
        self._options = Options.preset("live")
        self._differs_since: float | None = None
        self._sequence = 0
        self._line: Line | None = None
        self._begin(None)
        self.disturbed_at = 0.0
        """When a person or a sleep last did something to the connection by itself."""

    def _begin(self, line: Line | None) -> None:
        self._line = line
        self._changed_at = self._world.loop.now
        self._connected_at: float | None = None
        self._last_data = self._answered_at = -1.0
        self._beats: dict[str, float] = {}
        self._unanswered: list[float] = []
        self._joins: dict[str, tuple[str, float]] = {}
        self._joined: dict[str, str] = {}
        # By topic, joins that may keep the server from answering anything, those that were left too.
        self._holding_up: dict[str, tuple[str, float]] = {}
        self._is_noted = False

    # What passes

    def tapped(self, line: Line, is_up: bool, message: bytes) -> None:
        """A frame of the engine's."""
        if line is not self._line:
            self._begin(line)
        now = self._world.loop.now
        join_ref, ref, topic, event, payload = msgspec.json.decode(message)
        if is_up:
            self._sent(ref, topic, event, now)
        else:
            self._last_data = now
            self._came(join_ref, ref, topic, event, payload, now)

    def _sent(self, ref: str, topic: str, event: str, now: float) -> None:
        if event == "heartbeat":
            self._beats[ref] = now
            self._unanswered.append(now)
        elif event in ("phx_join", "phx_leave"):
            # An answer to what went before counts no more.
            self._joins = {other: join for other, join in self._joins.items() if join[0] != topic}
            self._left(topic)
            if event == "phx_join":
                self._joins[ref] = self._holding_up[topic] = topic, now

    def _came(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any, now: float) -> None:
        if event == "phx_reply" and ref in self._beats:
            sent = self._beats.pop(ref)
            self._holding_up = {of: join for of, join in self._holding_up.items() if join[1] > sent}
            self._unanswered = [at for at in self._unanswered if at > sent]
            self._answered_at = now
            if self._connected_at is None:
                self._connected_at = self._changed_at = now
        elif event == "phx_reply" and ref in self._joins:
            joined, _ = self._joins.pop(ref)
            self._holding_up.pop(joined, None)
            if payload["status"] == "ok":
                self._joined[joined] = join_ref
            self._changed_at = now
        elif event in ("phx_error", "phx_close") and self._joined.get(topic) == join_ref:
            self._left(topic)

    def _left(self, topic: str) -> None:
        self._joined.pop(topic, None)
        self._changed_at = self._world.loop.now

    # What is said

    def poll(self, snapshot: Snapshot, engine: EngineHost, calm_since: float) -> None:
        """Hold a snapshot against what passed."""
        now = self._world.loop.now
        if self._line is not None and self._line.name != engine.name:
            self._begin(None)
        if snapshot.sequence == self._sequence and now - self.disturbed_at >= SETTLED:
            self._find("ages", "nothing was published since the last look", "")
        self._sequence = snapshot.sequence
        (connection,) = snapshot.connections
        self._counters(connection)
        line = self._line
        is_there = line is not None and line.link.ended_at is None
        if line is not None and line.link.ended_at is not None:
            self._ended(line, line.link.ended_at)
            if now - line.link.ended_at < SETTLED:
                return
        if now - self._changed_at < SETTLED or now - self.disturbed_at < SETTLED:
            return
        is_connected = is_there and self._connected_at is not None
        if (connection.metrics.connection_state == "connected") != is_connected:
            words = f"said {connection.metrics.connection_state}"
            self._find("connected", f"{words}, is {'' if is_connected else 'not '}connected", "")
        if line is not None and is_connected:
            self._alive(connection, now)
            self._channels(line, connection.channels, now, calm_since)

    def _limit(self) -> float:
        return self._options.join_timeout if self._joins else self._options.heartbeat_timeout

    def _alive(self, connection: ConnectionSnapshot, now: float) -> None:
        options, connected_at = self._options, self._connected_at
        assert connected_at is not None
        beat = max(self._unanswered, default=now)
        silent = now - beat if self._last_data < beat else 0.0
        # The timers of a machine that slept may still stand as they were.
        silent = min(silent, now - self.disturbed_at - options.heartbeat_interval)
        is_held_up = any(now - at < 2 * options.join_timeout + 1 for _, at in self._holding_up.values())
        if silent > 2 * options.join_timeout + 1 or (not is_held_up and silent > self._limit() + 1):
            self._find("dead, and connected", f"nothing came for {silent:.1f} s of a heartbeat", "")
        told = connection.details.heartbeats_unanswered_since
        # What was out while the machine slept is not judged.
        judged = [at for at in self._unanswered if at >= self.disturbed_at]
        overdue = [at for at in judged if now - at > options.heartbeat_timeout + SETTLED]
        due = [at for at in self._unanswered if now - at > options.heartbeat_timeout - SETTLED]
        if len(overdue) >= 2 and told is None and not self._joins:
            self._find("unanswered", f"{len(overdue)} heartbeats are unanswered, and it is not said", "")
        elif len(due) < 2 and told is not None and now - self._answered_at > SETTLED:
            self._find("unanswered", f"it is said, though {len(due)} are", "")
        said, length = connection.details.time_in_state, now - connected_at
        if now - self.disturbed_at > STEADY and abs(said - length) > 1.5 * SETTLED:
            self._find("ages", f"connected for {said:.1f} s, is {length:.1f}", "")

    def _channels(
        self, line: Line, channels: tuple[ChannelSnapshot, ...], now: float, calm_since: float
    ) -> None:
        for channel in channels:
            if (channel.state == "joined") != (channel.topic in self._joined):
                words = f"{channel.topic} said {channel.state}, by the frames it is not"
                self._find("channels", words, channel.topic)
        served = line.transport.connection
        calm = now - max(calm_since, self._changed_at, self.disturbed_at)
        said = {channel.topic for channel in channels if channel.state == "joined"}
        if served is None or calm < DELIVERED or self._joins or said == set(served.channels):
            self._differs_since = None
        elif self._differs_since is None:
            self._differs_since = now  # the last frames may be under way
        elif now - self._differs_since > SETTLED:
            self._find("channels", f"said {sorted(said)}, the hub has {sorted(served.channels)}", "hub")

    def _ended(self, line: Line, at: float) -> None:
        """It ended: if by the engine, by design's rule or because a person asked for it."""
        if self._is_noted:
            return
        self._is_noted = True
        if line.link.ended_by != "itself" or abs(at - self.disturbed_at) < 15 or self._connected_at is None:
            return
        beat = max(self._unanswered, default=at)
        if self._last_data > beat + ALLOWED or at - beat < self._limit() - ALLOWED:
            self._find("dropped alive", f"dropped {at - self._last_data:.1f} s after the last data", str(at))

    def _counters(self, connection: ConnectionSnapshot) -> None:
        known, health = connection.details, connection.metrics
        ended = health.successful_connects + known.failed_attempts + known.attempts_aborted
        under_way = health.connection_state == "connecting"
        if known.attempts_begun != ended + under_way:
            self._find("counters", f"{known.attempts_begun} attempts, {ended} ended", "attempts")
        if health.total_reconnects != max(0, health.successful_connects - 1):
            self._find("counters", f"{health.total_reconnects} reconnects", "reconnects")
        if known.heartbeats_answered > known.heartbeats_sent:
            self._find("counters", "more heartbeats answered than sent", "heartbeats")
