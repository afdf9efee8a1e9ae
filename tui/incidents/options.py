"""What the settings of incidents come to: plain, frozen values. Times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import get_args

from tui.model.incidents import IncidentRule, IncidentSeverity

_CRITICAL = ("failed", "breaker_open", "channel_refused", "endpoint_unhealthy", "loop_late")
SEVERITIES: Mapping[IncidentRule, IncidentSeverity] = MappingProxyType(
    {rule: "critical" if rule in _CRITICAL else "warning" for rule in get_args(IncidentRule)}
)


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
