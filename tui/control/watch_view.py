"""Services and incidents in words, for shell commands. All words returned are printable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tui.engine.api import IncidentSnapshot, IncidentsSnapshot, ServiceSnapshot, ServicesSnapshot
from tui.formats import counted, duration, for_json
from tui.text.printable import printable

_SEVERITIES = {"critical": "✗", "warning": "◐", "info": "○"}
_STATES = {"good": "●", "busy": "◐", "bad": "✗", "off": "○"}
_UNKNOWN = "?"

_MOST_NAMED = 5


def incident_symbol(incident: IncidentSnapshot) -> str:
    """Of its severity; of what is well, once it is resolved."""
    return _STATES["good"] if incident.resolved_at is not None else _SEVERITIES[incident.severity]


def rule_words(incident: IncidentSnapshot) -> str:
    """Its rule as a person says it."""
    return printable(incident.rule.replace("_", " "))


def named(incident: IncidentSnapshot) -> str:
    """Such as ``breaker open of events``."""
    return f"{rule_words(incident)} of {printable(incident.subject)}"


def count_open(incidents: IncidentsSnapshot) -> int:
    """How many are open."""
    return len(incidents.open) + incidents.left_out


def unacknowledged(incidents: IncidentsSnapshot) -> int:
    """How many of the open ones nobody has seen."""
    return incidents.left_out + sum(incident.acknowledged_at is None for incident in incidents.open)


def service_symbol(service: ServiceSnapshot) -> str:
    """Of its state, as long as that is known."""
    return _STATES.get(service.state, _UNKNOWN) if service.freshness == "fresh" else _UNKNOWN


def trouble_of(service: ServiceSnapshot) -> str | None:
    """What is wrong with it, in a word of :data:`TROUBLES`; None for nothing.

    What is off was asked to be; what was never seen may not have begun.
    """
    if service.freshness in ("missing", "stale"):
        return service.freshness
    if service.freshness != "fresh":
        return None
    return {"bad": "unhealthy", "busy": "not well"}.get(service.state)


def ways(service: ServiceSnapshot) -> str:
    """The ways in which it is seen, such as ``report+http``."""
    return printable("+".join(dict.fromkeys(sight.via for sight in service.sights)))


TROUBLES = ("unhealthy", "missing", "stale", "not well")
"""The worst first."""


def troubles(services: ServicesSnapshot) -> dict[str, list[ServiceSnapshot]]:
    """The services that are not well, by what is wrong with them, the worst first."""
    found = {
        words: [service for service in services.services if trouble_of(service) == words]
        for words in TROUBLES
    }
    return {words: services for words, services in found.items() if services}


def how_old(service: ServiceSnapshot, now: float) -> str:
    """How fresh what is known of a service is, and its age."""
    if service.reported_at is None:
        return "never seen" if service.freshness == "never" else printable(service.freshness)
    return f"{printable(service.freshness)} {duration(max(0.0, now - service.reported_at))}"


def worst_first(services: Iterable[ServiceSnapshot]) -> list[ServiceSnapshot]:
    """The services, the worst first, then by name and host; what is off or was never seen before the well."""

    def order(service: ServiceSnapshot) -> tuple[int, str, str]:
        if (trouble := trouble_of(service)) is not None:
            rank = TROUBLES.index(trouble)
        else:
            rank = len(TROUBLES) + (service.freshness == "fresh" and service.state == "good")
        return rank, service.name, service.host

    return sorted(services, key=order)


# In short -----------------------------------------------------------------------------------------


def open_words(incidents: IncidentsSnapshot) -> str:
    """How many incidents are open, and whether somebody has seen them."""
    count, unseen = count_open(incidents), unacknowledged(incidents)
    if not count:
        return "no incident is open"
    seen = f"{unseen} not acknowledged" if unseen < count else "none acknowledged"
    return f"{count} open, {seen if unseen else 'all acknowledged'}"


def incidents_line(incidents: IncidentsSnapshot) -> str | None:
    """The open incidents, for a line of its own; None while there are none."""
    if not count_open(incidents):
        return None
    first = [f"{incident_symbol(incident)} {named(incident)}" for incident in incidents.open[:_MOST_NAMED]]
    return "; ".join([open_words(incidents), *first])


def services_line(services: ServicesSnapshot) -> str | None:
    """The services that are not well, for a line of its own; None while all are."""
    parts = []
    for words, troubled in troubles(services).items():
        names = ", ".join(printable(service.name, 40) for service in worst_first(troubled)[:_MOST_NAMED])
        parts.append(f"{len(troubled)} {words}: {names}{', ...' if len(troubled) > _MOST_NAMED else ''}")
    return "; ".join(parts) or None


def incidents_shortly(incidents: IncidentsSnapshot) -> str | None:
    """The open incidents in some 15 columns, for a status bar."""
    unseen = unacknowledged(incidents)
    count = unseen or count_open(incidents)
    if not count:
        return None
    return f"{counted(count, 'incident')}{'' if unseen else ' seen'}"


def services_shortly(services: ServicesSnapshot) -> str | None:
    """The worst of the services that are not well in some 20 columns, for a status bar."""
    for words, troubled in troubles(services).items():
        return f"{counted(len(troubled), 'service')} {words}"
    return None


# JSON ---------------------------------------------------------------------------------------------


def service_json(service: ServiceSnapshot) -> dict[str, Any]:
    """A service as JSON has it here; ``lastHeartbeat`` of the nine metrics in milliseconds, as everywhere."""
    told: dict[str, Any] = for_json(service)
    for sight in told["sights"]:
        metrics = sight["metrics"]
        if metrics is not None and metrics["lastHeartbeat"] is not None:
            metrics["lastHeartbeat"] = round(metrics["lastHeartbeat"] * 1000)
    return told


def summary_json(incidents: IncidentsSnapshot, services: ServicesSnapshot) -> dict[str, object]:
    """Both in numbers."""
    found = troubles(services)
    return {
        "incidents": {"open": count_open(incidents), "notAcknowledged": unacknowledged(incidents)},
        "services": {
            "count": len(services.services),
            **{
                words: len(found.get(known, ()))
                for words, known in zip(("unhealthy", "missing", "stale", "notWell"), TROUBLES, strict=True)
            },
        },
    }
