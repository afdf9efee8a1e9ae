"""The figures that the journal keeps once a minute, taken of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tui.model.events import ConnectionFigures, MinuteFigures
from tui.model.history import Minute
from tui.model.snapshot import ConnectionSnapshot, Snapshot

METRICS = (
    *("reconnect_attempts", "failed_reconnects", "heartbeat_failures", "circuit_breaker_trips"),
    "last_heartbeat",
)
DETAILS = (
    *("round_trip_last", "round_trip_p50", "round_trip_p95", "round_trips_unjudged"),
    *("messages_in", "messages_out", "bytes_in", "bytes_out", "heartbeats_sent", "heartbeats_answered"),
    *("dropped_messages", "dropped_pushes", "undecodable", "handler_errors"),
)
CHANNELS = ("joins", "received", "buffered", "dropped")
ALERTS = ("accepted", "restored", "ignored", "duplicates")


def minute_figures(snapshot: Snapshot, spent: Mapping[str, tuple[Minute, ...]]) -> MinuteFigures:
    """What is kept of a snapshot, and of how each connection's minutes were spent."""
    alerts = snapshot.alerts
    counts = {} if alerts is None else {**_some(alerts, ALERTS), "waiting": len(alerts.waiting)}
    return MinuteFigures(connections=tuple(map(_of, snapshot.connections)), spent=dict(spent), alerts=counts)


def spent_minutes(events: Iterable[object]) -> dict[str, list[Minute]]:
    """The minutes of each connection that the events of a journal, oldest first, tell of."""
    found: dict[str, dict[int, Minute]] = {}
    for event in events:
        if isinstance(event, MinuteFigures):
            for name, minutes in event.spent.items():
                found.setdefault(name, {}).update((each.number, each) for each in minutes)
    return {name: list(minutes.values()) for name, minutes in found.items()}


def _of(connection: ConnectionSnapshot) -> ConnectionFigures:
    return ConnectionFigures(
        name=connection.name,
        label=connection.label,
        address=connection.address,
        rate_in=round(connection.messages_per_second_in, 3),
        rate_out=round(connection.messages_per_second_out, 3),
        metrics=_some(connection.metrics, METRICS),
        details=_some(connection.details, DETAILS),
        channels={each.topic: _some(each, CHANNELS) for each in connection.channels},
    )


def _some(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: getattr(value, name) for name in names}
    return {name: figure for name, figure in found.items() if figure}
