"""What the settings of incidents come to: plain, frozen values. Times in seconds.

The docstrings of options are the comments of the example settings.
"""

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
    """A topic on which something is expected: one table for each."""

    connection: ConnectionName
    """One of [connections]."""
    topic: Topic
    """One of its topics: it must stand in them."""
    after: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    """Time without a message after which it is silent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentsOptions:
    """What counts as an incident, and what is done at it."""

    flapping_reconnects: Annotated[int, Meta(ge=1, le=1000)] = 5
    """So many reconnects of a link within flapping_minutes are flapping."""
    flapping_minutes: Annotated[float, Meta(ge=0.1, le=1440, description="a number of minutes")] = 10.0
    """The minutes within which they are counted."""
    slow_heartbeat: Annotated[float, Meta(ge=0.001, le=60)] = 1.0
    """A link is slow when 95 of 100 heartbeats do not stay below this round trip."""
    quiet_for: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """A trouble that comes back within this time of its end is the same incident."""
    off: Annotated[tuple[_Rule, ...], Meta(description='a list of rules such as ["flapping"]')] = ()
    """Rules that open nothing, such as ["flapping", "slow_heartbeat"]: names of [incidents.severity]
    below."""
    bell_from: SeverityOrNone = None
    """Ring the terminal's bell for an incident that opens, from this severity on: "none", "info", "warning"
    or "critical"."""
    toast_from: SeverityOrNone = "warning"
    """The same for a note on the screen."""
    command: Annotated[
        tuple[_Argument, ...],
        Meta(description='a list of texts, the program first, such as ["notify-send", "incident"]'),
        Check(_check_command),
    ] = field(default=(), repr=False)
    """A program and its arguments, run without a shell for each incident that opens or is resolved, with the
    incident as JSON on its standard input. None is run for []. A relative path with a "/" starts at this
    file's folder. The arguments are never shown."""
    command_from: IncidentSeverity = "critical"
    """Run it from this severity on."""
    command_timeout: Annotated[float, Meta(ge=0.1, le=60)] = 10.0
    """Time after which it is killed."""
    command_per_minute: Annotated[int, Meta(ge=1, le=60)] = 6
    """Runs within a minute; beyond it they are counted and left out."""
    silent: tuple[SilentTopicOptions, ...] = ()
    severity: Annotated[
        Mapping[IncidentRule, IncidentSeverity], Meta(description="a table of severities by rule")
    ] = field(default_factory=lambda: SEVERITIES)
    """How severe an incident of each rule is: "info", "warning" or "critical"."""
