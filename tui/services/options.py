"""What the settings of services and incidents come to: plain, frozen values. Times in seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ReadSecret = Callable[[], Awaitable[str]]


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
class JournalOptions:
    """``[journal]``: what is kept of the past beside what always is."""

    frames: bool = False
    """Every frame, masked: they take the room of older days."""
