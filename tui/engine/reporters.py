"""State changes and metrics as JSON lines, for standard output of the headless form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tui.channels import StateChange
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text.json_text import json_text


class Reporter(Protocol):
    """Who is told of every state change and, now and then, of all metrics. Never blocks."""

    def state_changed(self, name: str, change: StateChange) -> None:
        """A state changed, exactly as it happened."""

    def report(self, snapshot: Snapshot) -> None:
        """The report interval has passed."""


class JsonLines:
    """Writes one JSON object a line, and never blocks.

    ``{"type":"state","connection":NAME,"oldState":..,"newState":..,"error":..,"timestamp":SECONDS}``
    at every change, and ``{"type":"metrics","connection":NAME,"metrics":{..},..}`` at every report.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def state_changed(self, name: str, change: StateChange) -> None:
        line = {
            "type": "state",
            "connection": name,
            "oldState": change.old_state,
            "newState": change.new_state,
            "error": change.error,
            "timestamp": round(change.timestamp, 3),
        }
        self._write(json_text(line))

    def report(self, snapshot: Snapshot) -> None:
        for connection in snapshot.connections:
            self._write(json_text(metrics_line(connection, snapshot.taken_at)))


def metrics_line(connection: ConnectionSnapshot, timestamp: float) -> dict[str, object]:
    """The metrics report of one connection: the nine, and what is known beside them."""
    details = connection.details
    return {
        "type": "metrics",
        "connection": connection.name,
        "timestamp": round(timestamp, 3),
        "metrics": connection.metrics.to_camel(),
        "timeInState": round(details.time_in_state, 3),
        "reason": details.reason,
        "nextTry": details.next_try,
        "roundTrip": {
            "last": details.round_trip_last,
            "p50": details.round_trip_p50,
            "p95": details.round_trip_p95,
        },
        "heartbeatsUnansweredSince": details.heartbeats_unanswered_since,
        "circuitBreakerProbes": details.circuit_breaker_probes,
        "messages": {"in": details.messages_in, "out": details.messages_out},
        "bytes": {"in": details.bytes_in, "out": details.bytes_out},
        "dropped": {"messages": details.dropped_messages, "pushes": details.dropped_pushes},
        "undecodable": details.undecodable,
        "handlerErrors": details.handler_errors,
        "lastClose": {
            "code": details.last_close_code,
            "reason": details.last_close_reason,
            "at": details.last_close_at,
        },
        "channels": {channel.topic: channel.state for channel in connection.channels},
    }
