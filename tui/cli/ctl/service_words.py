"""Services and incidents in words, for shell commands. All words returned are printable."""

from __future__ import annotations

from typing import Any

from tui.model.engine import IncidentSnapshot, IncidentsSnapshot, ServiceSnapshot, ServicesSnapshot
from tui.model.known import (
    SERVICE_TROUBLES,
    count_open,
    count_unacknowledged,
    open_words,
    rule_words,
    service_rank,
    worst_services_first,
)
from tui.text.formats import age, counted, for_json
from tui.text.printable import printable

_SEVERITIES = {"critical": "✗", "warning": "◐", "info": "○"}
_STATES = {"good": "●", "busy": "◐", "bad": "✗", "off": "○"}
_UNKNOWN = "?"

_MOST_NAMED = 5


def incident_symbol(incident: IncidentSnapshot) -> str:
    """Of its severity; of what is well, once it is resolved."""
    return _STATES["good"] if incident.resolved_at is not None else _SEVERITIES[incident.severity]


def named(incident: IncidentSnapshot) -> str:
    """Such as ``breaker open of events``."""
    return f"{rule_words(incident.rule)} of {printable(incident.subject)}"


def service_symbol(service: ServiceSnapshot) -> str:
    """Of its state, as long as that is known."""
    return _STATES.get(service.state, _UNKNOWN) if service.freshness == "fresh" else _UNKNOWN


def ways(service: ServiceSnapshot) -> str:
    """The ways in which it is seen, such as ``report+http``."""
    return printable("+".join(dict.fromkeys(seen.via for seen in service.observations)))


def troubles(services: ServicesSnapshot) -> dict[str, list[ServiceSnapshot]]:
    """The services that are not well, by what is wrong with them, the worst first."""
    found: dict[str, list[ServiceSnapshot]] = {}
    for service in worst_services_first(services.services):
        if (words := SERVICE_TROUBLES.get(service_rank(service))) is not None:
            found.setdefault(words, []).append(service)
    return found


def how_old(service: ServiceSnapshot, now: float) -> str:
    """How fresh what is known of a service is, and its age."""
    if service.reported_at is None:
        return "never seen" if service.freshness == "never" else printable(service.freshness)
    return f"{printable(service.freshness)} {age(service.reported_at, now)}"


# In short -----------------------------------------------------------------------------------------


def incidents_line(incidents: IncidentsSnapshot) -> str | None:
    """The open incidents, for a line of its own; None while there are none."""
    words = open_words(incidents)
    if words is None:
        return None
    first = [f"{incident_symbol(incident)} {named(incident)}" for incident in incidents.open[:_MOST_NAMED]]
    return "; ".join([words, *first])


def services_line(services: ServicesSnapshot) -> str | None:
    """The services that are not well, for a line of its own; None while all are."""
    parts = []
    for words, troubled in troubles(services).items():
        names = ", ".join(printable(service.name, 40) for service in troubled[:_MOST_NAMED])
        parts.append(f"{len(troubled)} {words}: {names}{', ...' if len(troubled) > _MOST_NAMED else ''}")
    return "; ".join(parts) or None


def incidents_shortly(incidents: IncidentsSnapshot) -> str | None:
    """The open incidents in some 15 columns, for a status bar."""
    unseen = count_unacknowledged(incidents)
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
    noted: dict[str, Any] = for_json(service)
    for seen in noted["observations"]:
        metrics = seen["metrics"]
        if metrics is not None and metrics["lastHeartbeat"] is not None:
            metrics["lastHeartbeat"] = round(metrics["lastHeartbeat"] * 1000)
    return noted


def summary_json(incidents: IncidentsSnapshot, services: ServicesSnapshot) -> dict[str, object]:
    """Both in numbers."""
    found = troubles(services)
    return {
        "incidents": {"open": count_open(incidents), "notAcknowledged": count_unacknowledged(incidents)},
        "services": {
            "count": len(services.services),
            **{
                words: len(found.get(known, ()))
                for words, known in zip(
                    ("unhealthy", "missing", "stale", "notWell"), SERVICE_TROUBLES.values(), strict=True
                )
            },
        },
    }
