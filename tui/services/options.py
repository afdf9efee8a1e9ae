"""What the settings of services and incidents come to: plain, frozen values. Times in seconds.

The docstrings of options are the comments of the example settings.
"""

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
    """Where services report: one table for each topic and event."""

    connection: ConnectionName
    """One of [connections]."""
    topic: Topic
    """One of its topics: it must stand in them."""
    kind: ReportsKind = "report"
    """Who tells: "report", each service of itself; "hub", the hub of its services and overlay pages."""
    event: EventName = ""
    """The event. Not set, it is "health_report", or "telemetry_update" for "hub"."""
    stale_after: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A report that is older is shown as old; ten times as old the service counts as missing."""

    def __post_init__(self) -> None:
        if not self.event:
            object.__setattr__(self, "event", EVENTS[self.kind])


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointOptions:
    """A health endpoint, asked over HTTP: one table for each, under the service's name; one that is not plain
    stands in quotes. This needs the extra: pip install '.[http]'."""

    name: str
    """The service's name."""
    url: _Url
    """http:// or https://. It may hold no user, no password and no query. Redirects are not followed."""
    interval: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    """Time between two requests."""
    timeout: Annotated[float, Meta(ge=0.1, le=60)] = 5.0
    """Time for an answer."""
    headers: Mapping[str, ReadSecret] = field(default_factory=dict, repr=False)
    """Headers of the request, such as { Authorization = { env = "HEALTH_TOKEN" } }: as those of a
    connection."""
    ca_file: PemFile | None = None
    """A PEM file of certificate authorities to trust in place of the system's. Not set by default. A relative
    path starts at this file's folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServicesOptions:
    """What is watched beside our own links: the services that tell of themselves, or of which a hub tells."""

    most: Annotated[int, Meta(ge=1, le=MOST_SERVICES)] = 500
    """Services that are held; beyond it new ones are counted and left out."""
    reports: tuple[ReportsOptions, ...] = ()
    endpoints: tuple[EndpointOptions, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalOptions:
    """What replay and journal know of the past, for two weeks and at most 50 MB."""

    frames: bool = False
    """Every frame as well, secrets masked. They take the room of older days. Taken from here at the start."""
