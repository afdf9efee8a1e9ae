"""What the settings of services and incidents come to: plain, frozen values. Times in seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta

from tui.text.option_types import Check, ConnectionName, EventName, PemFile, Topic, split_url

ReadSecret = Callable[[], Awaitable[str]]


ReportsKind = Literal["report", "hub"]

EVENTS: Mapping[ReportsKind, str] = MappingProxyType({"report": "health_report", "hub": "telemetry_update"})
"""The event of each kind unless another is given."""

MOST_SERVICES = 1000
"""The snapshot of more would be too long for a screen in another process."""


def _check_url(url: str) -> str:
    headers = "put secrets into headers"
    split_url(url, schemes=("http", "https"), example=_EXAMPLE_URL, user=headers, query=headers)
    return url


_EXAMPLE_URL = "http://saya:8891/health"
_Url = Annotated[str, Meta(description=f"a URL such as {_EXAMPLE_URL}"), Check(_check_url)]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportsOptions:
    """A topic on which services publish their metrics, or on which a hub tells of its services."""

    connection: ConnectionName
    topic: Topic
    event: EventName = ""
    """Unless given ``health_report``, and for a hub's telemetry ``telemetry_update``."""
    kind: ReportsKind = "report"
    stale_after: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A figure that is older is shown as old; ten times as old it counts as missing."""

    def __post_init__(self) -> None:
        if not self.event:
            object.__setattr__(self, "event", EVENTS[self.kind])


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointOptions:
    """A health endpoint that is asked over HTTP."""

    name: str
    """The service's name."""
    url: _Url
    """``http://`` or ``https://``; holds no secret."""
    interval: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    timeout: Annotated[float, Meta(ge=0.1, le=60)] = 5.0
    headers: Mapping[str, ReadSecret] = field(default_factory=dict, repr=False)
    ca_file: PemFile | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServicesOptions:
    """``[services]``: what is watched beside our own links."""

    most: Annotated[int, Meta(ge=1, le=MOST_SERVICES)] = 500
    """Services that are held; beyond it new ones are counted and left out."""
    reports: tuple[ReportsOptions, ...] = ()
    endpoints: tuple[EndpointOptions, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalOptions:
    """``[journal]``: what is kept of the past beside what always is."""

    frames: bool = False
    """Every frame, masked: they take the room of older days."""
