"""What a shell command reads of services and incidents: decoded without the engine's modules, put into words.

The names and meanings are those of :mod:`tui.engine.service_values` and :mod:`tui.engine.incident_values`.
All words returned are printable.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tui.formats import duration, for_json
from tui.text.printable import printable

_SEVERITIES = {"critical": "✗", "warning": "◐", "info": "○"}
_STATES = {"good": "●", "busy": "◐", "bad": "✗", "off": "○"}
_UNKNOWN = "?"

_MOST_NAMED = 5


class IncidentView(msgspec.Struct, frozen=True):
    id: str
    rule: str
    subject: str
    severity: str
    words: str
    opened_at: float
    updated_at: float
    resolved_at: float | None = None
    acknowledged_at: float | None = None
    times: int = 1

    @property
    def symbol(self) -> str:
        """Of its severity; of what is well, once it is resolved."""
        return _STATES["good"] if self.resolved_at is not None else _SEVERITIES.get(self.severity, _UNKNOWN)

    @property
    def what(self) -> str:
        """Its rule as a person says it."""
        return printable(self.rule.replace("_", " "))

    @property
    def named(self) -> str:
        """Such as ``breaker open of events``."""
        return f"{self.what} of {printable(self.subject)}"


class IncidentsView(msgspec.Struct, frozen=True):
    open: tuple[IncidentView, ...] = ()
    resolved: tuple[IncidentView, ...] = ()
    left_out: int = 0
    command: str | None = None
    commands_dropped: int = 0

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self.open) + self.left_out

    @property
    def unacknowledged(self) -> int:
        """How many of them nobody has seen."""
        return self.left_out + sum(incident.acknowledged_at is None for incident in self.open)


class TimelineEntryView(msgspec.Struct, frozen=True):
    timestamp: float
    kind: str
    subject: str
    text: str
    severity: str = "info"


class TimelineView(msgspec.Struct, frozen=True):
    incident: IncidentView
    entries: tuple[TimelineEntryView, ...] = ()
    left_out: int = 0


class NineView(msgspec.Struct, frozen=True):
    connection_state: str = "disconnected"
    reconnect_attempts: int = 0
    total_reconnects: int = 0
    failed_reconnects: int = 0
    successful_connects: int = 0
    heartbeat_failures: int = 0
    circuit_breaker_trips: int = 0
    last_heartbeat: float | None = None
    is_circuit_open: bool = False


class SightView(msgspec.Struct, frozen=True):
    via: str
    origin: str
    words: str = ""
    state: str = "unknown"
    freshness: str = "never"
    reported_at: float | None = None
    stale_after: float = 30.0
    metrics: NineView | None = None
    last_error: str | None = None
    close_code: int | None = None
    figures: dict[str, str] = {}


class ServiceView(msgspec.Struct, frozen=True):
    key: str
    name: str
    host: str = ""
    environment: str = ""
    url: str = ""
    state: str = "unknown"
    words: str = ""
    freshness: str = "never"
    reported_at: float | None = None
    since: float | None = None
    sights: tuple[SightView, ...] = ()
    hour: str = ""

    @property
    def symbol(self) -> str:
        """Of its state, as long as that is known."""
        return _STATES.get(self.state, _UNKNOWN) if self.freshness == "fresh" else _UNKNOWN

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, in a word of :data:`TROUBLES`; None for nothing.

        What is off was asked to be; what was never seen may not have begun.
        """
        if self.freshness in ("missing", "stale"):
            return self.freshness
        if self.freshness != "fresh":
            return None
        return {"bad": "unhealthy", "busy": "not well"}.get(self.state)

    @property
    def via(self) -> str:
        """The ways in which it is seen, such as ``report+http``."""
        return printable("+".join(dict.fromkeys(sight.via for sight in self.sights)))


TROUBLES = ("unhealthy", "missing", "stale", "not well")
"""The worst first."""


class ServicesView(msgspec.Struct, frozen=True):
    services: tuple[ServiceView, ...] = ()
    left_out: int = 0
    rejected: int = 0

    @property
    def troubles(self) -> dict[str, list[ServiceView]]:
        """The services that are not well, by what is wrong with them, the worst first."""
        found = {
            words: [service for service in self.services if service.trouble == words] for words in TROUBLES
        }
        return {words: services for words, services in found.items() if services}


def how_old(service: ServiceView, now: float) -> str:
    """How fresh what is known of a service is, and its age."""
    if service.reported_at is None:
        return "never seen" if service.freshness == "never" else printable(service.freshness)
    return f"{printable(service.freshness)} {duration(max(0.0, now - service.reported_at))}"


def worst_first(services: Iterable[ServiceView]) -> list[ServiceView]:
    """The services, the worst first, then by name and host; what is off or was never seen before the well."""

    def order(service: ServiceView) -> tuple[int, str, str]:
        if service.trouble is not None:
            rank = TROUBLES.index(service.trouble)
        else:
            rank = len(TROUBLES) + (service.freshness == "fresh" and service.state == "good")
        return rank, service.name, service.host

    return sorted(services, key=order)


# In short -----------------------------------------------------------------------------------------


def open_words(incidents: IncidentsView) -> str:
    """How many incidents are open, and whether somebody has seen them."""
    if not incidents.count:
        return "no incident is open"
    unseen = incidents.unacknowledged
    seen = f"{unseen} not acknowledged" if unseen < incidents.count else "none acknowledged"
    return f"{incidents.count} open, {seen if unseen else 'all acknowledged'}"


def incidents_line(incidents: IncidentsView) -> str | None:
    """The open incidents, for a line of its own; None while there are none."""
    if not incidents.count:
        return None
    first = [f"{incident.symbol} {incident.named}" for incident in incidents.open[:_MOST_NAMED]]
    return "; ".join([open_words(incidents), *first])


def services_line(services: ServicesView) -> str | None:
    """The services that are not well, for a line of its own; None while all are."""
    parts = []
    for words, troubled in services.troubles.items():
        names = ", ".join(printable(service.name, 40) for service in worst_first(troubled)[:_MOST_NAMED])
        parts.append(f"{len(troubled)} {words}: {names}{', ...' if len(troubled) > _MOST_NAMED else ''}")
    return "; ".join(parts) or None


def incidents_shortly(incidents: IncidentsView) -> str | None:
    """The open incidents in some 15 columns, for a status bar."""
    count = incidents.unacknowledged or incidents.count
    if not count:
        return None
    return f"{_counted(count, 'incident')}{'' if incidents.unacknowledged else ' seen'}"


def services_shortly(services: ServicesView) -> str | None:
    """The worst of the services that are not well in some 20 columns, for a status bar."""
    for words, troubled in services.troubles.items():
        return f"{_counted(len(troubled), 'service')} {words}"
    return None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# JSON ---------------------------------------------------------------------------------------------


def service_json(service: ServiceView) -> dict[str, Any]:
    """A service as JSON has it here; ``lastHeartbeat`` of the nine metrics in milliseconds, as everywhere."""
    told: dict[str, Any] = for_json(service)
    for sight in told["sights"]:
        metrics = sight["metrics"]
        if metrics is not None and metrics["lastHeartbeat"] is not None:
            metrics["lastHeartbeat"] = round(metrics["lastHeartbeat"] * 1000)
    return told


def summary_json(incidents: IncidentsView, services: ServicesView) -> dict[str, object]:
    """Both in numbers."""
    return {
        "incidents": {"open": incidents.count, "notAcknowledged": incidents.unacknowledged},
        "services": {
            "count": len(services.services),
            **{
                words: len(services.troubles.get(known, ()))
                for words, known in zip(("unhealthy", "missing", "stale", "notWell"), TROUBLES, strict=True)
            },
        },
    }
