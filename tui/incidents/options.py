"""What the settings of incidents come to: plain, frozen values. Times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, get_args

from msgspec import Meta

from tui.model.incidents import IncidentRule, IncidentSeverity
from tui.text.option_types import Check, ConnectionName, OrNone, Topic, check_no_nul

_CRITICAL = ("failed", "breaker_open", "channel_refused", "endpoint_unhealthy", "loop_late")
SEVERITIES: Mapping[IncidentRule, IncidentSeverity] = MappingProxyType(
    {rule: "critical" if rule in _CRITICAL else "warning" for rule in get_args(IncidentRule)}
)


def _check_command(command: tuple[str, ...]) -> tuple[str, ...]:
    if command and not command[0]:
        raise ValueError("expected the program's name or path as the first text")
    return command


SeverityOrNone = Annotated[
    IncidentSeverity | None, Meta(description='"none", "info", "warning" or "critical"'), OrNone()
]
_Rule = Annotated[IncidentRule, Meta(description=f"the name of a rule: {', '.join(get_args(IncidentRule))}")]
_Argument = Annotated[str, Check(check_no_nul)]


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentTopicOptions:
    """A topic on which something is expected."""

    connection: ConnectionName
    topic: Topic
    after: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    """Seconds without a message after which it is silent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentsOptions:
    """``[incidents]``: what counts as one, and what is done at it."""

    flapping_reconnects: Annotated[int, Meta(ge=1, le=1000)] = 5
    """So many within :attr:`flapping_minutes`."""
    flapping_minutes: Annotated[float, Meta(ge=0.1, le=1440, description="a number of minutes")] = 10.0
    slow_heartbeat: Annotated[float, Meta(ge=0.001, le=60)] = 1.0
    """The p95 of round trips above which a link is slow."""
    quiet_for: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """An incident whose trouble comes back within this time of its end is the same one, open again."""
    off: Annotated[tuple[_Rule, ...], Meta(description='a list of rules such as ["flapping"]')] = ()
    """Rules that open nothing."""
    bell_from: SeverityOrNone = None
    """None for no bell."""
    toast_from: SeverityOrNone = "warning"
    """None for no toasts."""
    command: Annotated[
        tuple[_Argument, ...],
        Meta(description='a list of texts, the program first, such as ["notify-send", "incident"]'),
        Check(_check_command),
    ] = field(default=(), repr=False)
    """Run, without a shell, for each incident that opens or is resolved; none when empty. A program with
    a ``/`` in its name is a path that holds from anywhere. The rest may hold a secret."""
    command_from: IncidentSeverity = "critical"
    command_timeout: Annotated[float, Meta(ge=0.1, le=60)] = 10.0
    command_per_minute: Annotated[int, Meta(ge=1, le=60)] = 6
    silent: tuple[SilentTopicOptions, ...] = ()
    severity: Annotated[
        Mapping[IncidentRule, IncidentSeverity], Meta(description="a table of severities by rule")
    ] = field(default_factory=lambda: SEVERITIES)
