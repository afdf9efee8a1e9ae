"""What is known of a connection's health: the nine metrics, their counters, round-trip times."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from tui.text.formats import for_json

ConnectionState = Literal["disconnected", "connecting", "connected", "reconnecting", "failed"]
"""The five states. ``connected`` means that a heartbeat was answered on this very connection."""

ChannelState = Literal["closed", "errored", "joined", "joining", "leaving"]
"""The five states of a channel."""


class HealthMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The nine health metrics, as they stood when they were read. Reading changes nothing."""

    connection_state: ConnectionState = "disconnected"
    reconnect_attempts: int = 0
    """Retries since the connection was last stable."""
    total_reconnects: int = 0
    """Successful connects after the first."""
    failed_reconnects: int = 0
    """Retries that never got a heartbeat answered."""
    successful_connects: int = 0
    """Connections whose first heartbeat was answered."""
    heartbeat_failures: int = 0
    """Connections dropped because nothing came after a heartbeat."""
    circuit_breaker_trips: int = 0
    """Times that the breaker opened after having been closed; a probe that fails is none."""
    last_heartbeat: float | None = None
    """When a heartbeat was last *answered*, in epoch seconds."""
    is_circuit_open: bool = False
    """False from half-open on."""

    def to_camel(self) -> dict[str, Any]:
        """The same under the camelCase names of the JSON reports; ``lastHeartbeat`` in epoch milliseconds."""
        last = None if self.last_heartbeat is None else round(self.last_heartbeat * 1000)
        return {**for_json(self), "lastHeartbeat": last}


class ConnectionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the nine metrics. Times are epoch seconds, durations seconds."""

    reason: str | None = None
    """Why the connection is in its state, in words; None while all is well."""
    refusal: str | None = None
    """The last 401 or 403, in words, until the next success."""
    since: float = 0.0
    """When the present state began, by the wall clock of that moment."""
    time_in_state: float = 0.0
    """Seconds in the present state, by a clock that counts while the machine sleeps."""
    next_try: float | None = None
    """When the next attempt is due; None when none is planned."""
    stable: bool = False
    """Connected for at least ``stable_after``."""
    attempts_begun: int = 0
    attempts_aborted: int = 0
    """Attempts ended by disconnect or reconnect before their first answered heartbeat."""
    failed_attempts: int = 0
    """Attempts that ended before their first answered heartbeat by themselves."""
    heartbeats_sent: int = 0
    """Part of ``messages_out``."""
    heartbeats_answered: int = 0
    """Part of ``messages_in``."""
    heartbeat_unanswered_since: float | None = None
    """When the first heartbeat was sent after all that were answered, once it has been out for more than a
    second; None while there is none."""
    heartbeats_unanswered_since: float | None = None
    """The same, while two in a row or more were not answered in their time though something else proves
    life; there are no round trips then."""
    circuit_breaker_probes: int = 0
    """Single attempts that an open breaker let go when its time had ended."""
    round_trip_last: float | None = None
    round_trip_p50: float | None = None
    round_trip_p95: float | None = None
    round_trips_unjudged: int = 0
    """Round trips in which our own loop was late: they are none of the three above."""
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped_messages: int = 0
    """Frames dropped from the handler queues of all channels."""
    dropped_pushes: int = 0
    """Pushes dropped from full push buffers."""
    undecodable: int = 0
    """Frames or payloads that did not decode."""
    handler_errors: int = 0
    """Handlers that raised."""
    last_close_code: int | None = None
    """The code of the last close; 1006 when there was no close frame."""
    last_close_reason: str | None = None
    """The last close in words. That a connection was dropped for its silence is one; what was asked for is
    none."""
    last_close_at: float | None = None
    """When that was."""


class RoundTrips:
    """The round-trip times of the last 100 heartbeats, in seconds, oldest first."""

    def __init__(self, size: int = 100) -> None:
        self._size = size
        self.times: list[float] = []  # a deque begins with 0.6 KB

    def add(self, seconds: float) -> None:
        self.times.append(seconds)
        if len(self.times) > self._size:
            del self.times[0]

    @property
    def last(self) -> float | None:
        return self.times[-1] if self.times else None

    def percentile(self, part: float) -> float | None:
        """The nearest-rank percentile, ``part`` from 0 to 1; None before the first round trip."""
        if not self.times:
            return None
        ranked = sorted(self.times)
        return ranked[max(0, math.ceil(part * len(ranked)) - 1)]


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state, as it happened."""

    old_state: ConnectionState
    new_state: ConnectionState
    error: str | None
    """Why, in words; None when nothing is wrong."""
    timestamp: float
    """Epoch seconds."""
