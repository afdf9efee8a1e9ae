"""What leaves the engine of the services that it does not own: whatever they or a hub say of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from tui.channels.health import HealthMetrics

Freshness = Literal["fresh", "stale", "missing", "never"]
"""Of the newest word: within its time; older; ten times as old; none came yet."""

ServiceState = Literal["good", "busy", "bad", "off", "unknown"]
"""Well; warning, degraded or connecting; failed or unhealthy; disconnected as asked; not known."""

Via = Literal["report", "hub", "http"]


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way in which a service is seen. All texts are from the network. Times are epoch seconds."""

    via: Via
    origin: str
    """Such as ``dashboard dashboard:main`` or ``http://saya:8891/health``."""
    message: str = ""
    """The state in its own words: ``connected``, ``healthy``, ``no answer within 5 s``."""
    state: ServiceState = "unknown"
    freshness: Freshness = "never"
    reported_at: float | None = None
    """When the newest word came."""
    stale_after: float = 30.0
    metrics: HealthMetrics | None = None
    """The nine, where it gives them."""
    last_error: str | None = None
    close_code: int | None = None
    figures: dict[str, str] = {}
    """What else it says, by name, ready to be shown; at most 30."""


class ServiceSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One service, seen in one way or several."""

    key: str
    """Unique: its name and host."""
    name: str
    host: str = ""
    environment: str = ""
    url: str = ""
    state: ServiceState = "unknown"
    """The worst of what fresh sights say; ``unknown`` when none is fresh."""
    message: str = ""
    """The state in words; ``was connected`` when nothing fresh says so."""
    freshness: Freshness = "never"
    """The best of its sights."""
    reported_at: float | None = None
    since: float | None = None
    """When it came into its state, as far as we saw."""
    observations: tuple[Observation, ...] = ()
    hour: str = ""
    """As of :attr:`tui.model.snapshot.ConnectionSnapshot.hour`: the share of each minute that it was known
    to be well."""


class ServicesSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    services: tuple[ServiceSnapshot, ...] = ()
    left_out: int = 0
    """Services beyond the bound, of which nothing is held."""
    rejected: int = 0
    """Reports that could not be read."""


MISSING = 10
"""Times ``stale_after`` from which a word counts as missing."""
NOT_REPORTED = "not reported"
