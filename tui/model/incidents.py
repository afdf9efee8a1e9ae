"""What leaves the engine of incidents: what is wrong now, since when, and what happened before it."""

from __future__ import annotations

from typing import Literal

import msgspec

IncidentSeverity = Literal["info", "warning", "critical"]
RANKS: dict[IncidentSeverity, int] = {"info": 0, "warning": 1, "critical": 2}

MOST_RESOLVED = 50
"""Resolved ones that are shown."""

LineSeverity = Literal["info", "warning", "error"]
"""Of a line of the log, of the journal and of a timeline."""


class IncidentSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident. Texts may hold text from the network. Times are epoch seconds."""

    id: str
    rule: str
    """Such as ``breaker_open``; see :data:`tui.services.options.IncidentRule`."""
    subject: str
    """The connection, the connection and topic, or the service."""
    severity: IncidentSeverity
    message: str
    """What is wrong, in words, as it was last seen."""
    opened_at: float
    updated_at: float
    resolved_at: float | None = None
    acknowledged_at: float | None = None
    times: int = 1
    """How often it opened, each time but the first within the quiet time of its end."""
    lasted: float = 0.0
    """Seconds that its endings have closed so far: all of its length once it is resolved."""


class IncidentsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The open incidents, the most severe first; the last resolved ones, the newest first, at most 50."""

    open: tuple[IncidentSnapshot, ...] = ()
    resolved: tuple[IncidentSnapshot, ...] = ()
    left_out: int = 0
    """Open incidents beyond 500, of which nothing is held."""
    command: str | None = None
    """What is wrong with the user's command; None while nothing is, or none is set."""
    commands_dropped: int = 0
    """Calls of the user's command that its rate limit left out."""


TimelineKind = Literal["state", "close", "join", "frame", "alert", "incident", "engine", "gap", "other"]


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    timestamp: float
    kind: TimelineKind
    subject: str
    text: str
    severity: LineSeverity = "info"


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened around an incident, oldest first: from 5 minutes before it opened to its end or now."""

    incident: IncidentSnapshot
    entries: tuple[TimelineEntry, ...] = ()
    left_out: int = 0
    """Entries beyond 1,000 that are not in it."""


IncidentRule = Literal[
    "failed", "breaker_open", "flapping", "slow_heartbeat", "heartbeats_unanswered", "silent_topic",
    "channel_refused", "topic_closed", "report_stale", "endpoint_unhealthy", "queue_dropping", "undecodable",
    "loop_late",
]  # fmt: skip
