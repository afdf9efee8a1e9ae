"""What the settings of services and incidents come to: plain, frozen values. Times in seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from tui.engine.incident_values import IncidentSeverity

ReadSecret = Callable[[], Awaitable[str]]

IncidentRule = Literal[
    "failed",
    "breaker_open",
    "flapping",
    "slow_heartbeat",
    "heartbeats_unanswered",
    "silent_topic",
    "channel_refused",
    "topic_closed",
    "report_stale",
    "endpoint_unhealthy",
    "queue_dropping",
    "undecodable",
    "loop_late",
]

SEVERITIES: Mapping[IncidentRule, IncidentSeverity] = MappingProxyType(
    {
        "failed": "critical",
        "breaker_open": "critical",
        "flapping": "warning",
        "slow_heartbeat": "warning",
        "heartbeats_unanswered": "warning",
        "silent_topic": "warning",
        "channel_refused": "critical",
        "topic_closed": "warning",
        "report_stale": "warning",
        "endpoint_unhealthy": "critical",
        "queue_dropping": "warning",
        "undecodable": "warning",
        "loop_late": "critical",
    }
)


ReportsKind = Literal["report", "hub"]

EVENTS: Mapping[ReportsKind, str] = MappingProxyType({"report": "health_report", "hub": "telemetry_update"})
"""The event of each kind unless another is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportsOptions:
    """A topic on which services publish their metrics, or on which a hub tells of its services."""

    connection: str
    topic: str
    event: str
    """``health_report`` for the services' own, ``telemetry_update`` for a hub's telemetry."""
    kind: ReportsKind = "report"
    stale_after: float = 30.0
    """A figure that is older is shown as old; ten times as old it counts as missing. 1 to 86,400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointOptions:
    """A health endpoint that is asked over HTTP."""

    name: str
    """The service's name."""
    url: str
    """``http://`` or ``https://``; holds no secret."""
    interval: float = 10.0
    """1 to 3,600."""
    timeout: float = 5.0
    """0.1 to 60."""
    headers: Mapping[str, ReadSecret] = field(default_factory=dict, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServicesOptions:
    """``[services]``: what is watched beside our own links."""

    reports: tuple[ReportsOptions, ...] = ()
    endpoints: tuple[EndpointOptions, ...] = ()
    most: int = 500
    """Services that are held, 1 to 1,000; beyond it new ones are counted and left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentTopicOptions:
    """A topic on which something is expected."""

    connection: str
    topic: str
    after: float = 60.0
    """Seconds without a message after which it is silent. 1 to 86,400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentsOptions:
    """``[incidents]``: what counts as one, and what is done at it."""

    flapping_reconnects: int = 5
    """So many within :attr:`flapping_minutes`; 1 to 1,000."""
    flapping_minutes: float = 10.0
    """0.1 to 1,440."""
    slow_heartbeat: float = 1.0
    """The p95 of round trips above which a link is slow. 0.001 to 60."""
    silent: tuple[SilentTopicOptions, ...] = ()
    quiet_for: float = 60.0
    """An incident whose trouble comes back within this time of its end is the same one, open again.
    0 to 86,400."""
    severity: Mapping[IncidentRule, IncidentSeverity] = field(default_factory=lambda: SEVERITIES)
    off: frozenset[IncidentRule] = frozenset()
    """Rules that open nothing."""
    bell_from: IncidentSeverity | None = None
    """None for no bell."""
    toast_from: IncidentSeverity | None = "warning"
    """None for no toasts."""
    command: tuple[str, ...] = field(default=(), repr=False)
    """Run, without a shell, for each incident that opens or is resolved; none when empty. A program with
    a ``/`` in its name is a path that holds from anywhere. The rest may hold a secret."""
    command_from: IncidentSeverity = "critical"
    command_timeout: float = 10.0
    """0.1 to 60."""
    command_per_minute: int = 6
    """1 to 60."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalOptions:
    """``[journal]``: what is kept of the past beside what always is."""

    frames: bool = False
    """Every frame, masked: they take the room of older days."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsOptions:
    """``[metrics]``: an OpenMetrics endpoint."""

    host: str = "127.0.0.1"
    """Who reaches it can read what is there: names, addresses, figures."""
    port: int = 0
    """0 is off."""
