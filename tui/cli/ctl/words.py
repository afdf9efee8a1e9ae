"""A snapshot in words, for shell commands. All words returned are printable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tui.channels.health import ConnectionState
from tui.model.alerts import TEST_SOURCE, AlertsSnapshot, AlertSummary
from tui.model.incidents import IncidentSnapshot, IncidentsSnapshot
from tui.model.known import (
    SERVICE_SYMBOLS,
    SERVICE_TROUBLES,
    SEVERITY_SYMBOLS,
    Rank,
    coming,
    count_dropped,
    count_missed,
    count_open,
    count_unacknowledged,
    is_up,
    not_present,
    open_words,
    queue_state,
    queue_waits,
    rank,
    reasons,
    rule_words,
    state_shown,
    troubled_services,
)
from tui.model.services import ServiceSnapshot, ServicesSnapshot
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text.formats import age, counted, for_json, noted_state
from tui.text.printable import columns, cut_to, printable

LINE_COLUMNS = 60
"""The most that :func:`short_line` takes."""

_ASIDE_COLUMNS = 42
"""The most that it takes for what is no connection."""

_MOST_NAMED = 5
_TIMES = "\N{MULTIPLICATION SIGN}"


# Connections --------------------------------------------------------------------------------------


def joined(connection: ConnectionSnapshot) -> int:
    """How many of its channels are joined."""
    return sum(channel.state == "joined" for channel in connection.channels)


class Status(NamedTuple):
    """How a connection stands, a probe that is under way left aside."""

    rank: Rank
    symbol: str
    message: str


_WORTH_A_WORD = {
    Rank.BREAKER_OPEN: "down",
    Rank.FAILED: "down",
    Rank.RECONNECTING: "reconnecting",
    Rank.CONNECTING: "connecting",
    Rank.DISCONNECTED: "disconnected",
    Rank.UNANSWERED: "with heartbeats unanswered",
}
_SYMBOLS: dict[ConnectionState, str] = {
    "connected": "●",
    "connecting": "◐",
    "reconnecting": "◐",
    "failed": "✗",
    "disconnected": "○",
}


def lasting(connection: ConnectionSnapshot, now: float) -> Status:
    """The state to show: while a trouble lasts its failed probes change nothing."""
    state, circuit_open = state_shown(connection)
    words: str = state
    if circuit_open:
        words = "breaker open"
    elif state == "reconnecting":
        limit = connection.max_reconnect_attempts
        words = f"retry {connection.metrics.reconnect_attempts}" + (f" of {limit}" if limit else "")
    elif (since := connection.details.heartbeats_unanswered_since) is not None:
        return Status(rank(connection), "◐", noted_state(state, since, now))
    return Status(rank(connection), _SYMBOLS[state], words)


def why(connection: ConnectionSnapshot, now: float) -> str:
    """Why a connection stands as it does and what comes next, printable; empty while all is well."""
    parts = (*reasons(connection), coming(connection, now))
    return printable("; ".join(part for part in parts if part))


def short_line(snapshot: Snapshot, now: float) -> str:
    """One line of at most :data:`LINE_COLUMNS` columns: the worst there is, how many are up, the alert
    queue where something of it is off, the open incidents, and the services that are not well."""
    stale = not_present(snapshot, now)
    if stale is not None:
        return cut_to(f"? {stale.message}", LINE_COLUMNS)
    end = ""
    for aside in (
        None if snapshot.alerts is None else off_shortly(snapshot.alerts),
        incidents_shortly(snapshot.incidents),
        services_shortly(snapshot.services),
    ):
        # What a service lacks is an incident too, most often: that goes where there is no room for all.
        if aside is not None and columns(end) + len(aside) + 2 <= _ASIDE_COLUMNS:
            end += f", {aside}"
    line = _connections_line(snapshot.connections, now, LINE_COLUMNS - columns(end))
    return cut_to(line + end, LINE_COLUMNS)


def _connections_line(connections: tuple[ConnectionSnapshot, ...], now: float, width: int) -> str:
    if not connections:
        return "? no connections"
    up = sum(is_up(connection) for connection in connections)
    tally = f"{up}/{len(connections)}"
    stands = {connection.name: lasting(connection, now) for connection in connections}
    worst = min(stands.values())
    if worst.rank in _WORTH_A_WORD:
        what = _WORTH_A_WORD[worst.rank]
        names = [name for name, each in stands.items() if _WORTH_A_WORD.get(each.rank) == what]
        begin = f"{worst.symbol} {len(names)} {what}"
    else:
        missing = {each.name: count_missed(each) for each in connections if count_missed(each)}
        if not missing:
            return f"● {tally} up"
        names = list(missing)
        begin = f"◐ {counted(sum(missing.values()), 'channel')} not joined"
    room = width - len(begin) - len(tally) - 2
    return f"{begin} {cut_to(printable(' '.join(names)), room)} {tally}"


# Incidents and services ---------------------------------------------------------------------------


def incident_symbol(incident: IncidentSnapshot) -> str:
    """Of its severity; of what is well, once it is resolved."""
    return "●" if incident.resolved_at is not None else SEVERITY_SYMBOLS[incident.severity]


def named_incident(incident: IncidentSnapshot) -> str:
    """Such as ``breaker open of events``."""
    return f"{rule_words(incident.rule)} of {printable(incident.subject)}"


def service_symbol(service: ServiceSnapshot) -> str:
    """Of its state, as long as that is known."""
    return SERVICE_SYMBOLS[service.state if service.freshness == "fresh" else "unknown"]


def ways(service: ServiceSnapshot) -> str:
    """The ways in which it is seen, such as ``report+http``."""
    return printable("+".join(dict.fromkeys(seen.via for seen in service.observations)))


def how_old(service: ServiceSnapshot, now: float) -> str:
    """How fresh what is known of a service is, and its age."""
    if service.reported_at is None:
        return "never seen" if service.freshness == "never" else printable(service.freshness)
    return f"{printable(service.freshness)} {age(service.reported_at, now)}"


def incidents_line(incidents: IncidentsSnapshot) -> str | None:
    """The open incidents, for a line of its own; None while there are none."""
    words = open_words(incidents)
    if words is None:
        return None
    first = [
        f"{incident_symbol(incident)} {named_incident(incident)}" for incident in incidents.open[:_MOST_NAMED]
    ]
    return "; ".join([words, *first])


def services_line(services: ServicesSnapshot) -> str | None:
    """The services that are not well, for a line of its own; None while all are."""
    parts = []
    for words, troubled in troubled_services(services.services).items():
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
    for words, troubled in troubled_services(services.services).items():
        return f"{counted(len(troubled), 'service')} {words}"
    return None


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
    found = troubled_services(services.services)
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


# The alert queue ----------------------------------------------------------------------------------


def named_alert(alert: AlertSummary) -> str:
    """Such as ``raid of bob``."""
    return printable(f"{alert.type} of {alert.who}" if alert.who else alert.type)


def what_is_shown(alert: AlertSummary) -> str:
    """What is shown of it, and of how many viewers."""
    words = printable(alert.title or alert.message)
    if alert.source == TEST_SOURCE:
        words = f"(test) {words}"
    return f"{words} {_TIMES}{alert.count}".lstrip() if alert.count > 1 else words


def state_words(alerts: AlertsSnapshot, now: float) -> str:
    """How the queue stands and, where it waits, why."""
    words = queue_state(alerts, now)
    return printable(f"{words}: {alerts.message}" if queue_waits(alerts) and alerts.message else words)


def warnings(alerts: AlertsSnapshot) -> list[str]:
    """What else a person must know."""
    found = []
    if alerts.store is not None:
        held = alerts.unsaved
        kept = f"; {counted(held, 'alert')} in memory alone" if held else ""
        found.append(f"the store: {alerts.store}{kept}")
    if len(alerts.waiting) >= alerts.most_waiting:
        found.append(f"the queue is full: {count_dropped(alerts)} dropped since the start")
    if alerts.rules is not None:
        found.append(f"the rules: {alerts.rules}")
    if alerts.warning is not None:
        found.append(alerts.warning)
    return [printable(words) for words in found]


def what_is_off(alerts: AlertsSnapshot, now: float) -> str | None:
    """What keeps alerts from being shown or stored, for a line of its own; None while nothing does."""
    parts = [state_words(alerts, now)] if queue_waits(alerts) else []
    parts += warnings(alerts)
    if not parts:
        return None
    return "; ".join([*parts, f"{len(alerts.waiting)} waiting"])


def off_shortly(alerts: AlertsSnapshot) -> str | None:
    """The same in at most 26 columns, for a status bar; the rules' and the hub's faults are left out."""
    parts = []
    if queue_waits(alerts):
        parts.append("alerts wait" if alerts.mode == "waiting for overlays" else f"alerts {alerts.mode}")
    if alerts.store_fails:
        parts.append("store fails" if parts else "alert store fails")
    return ", ".join(parts) or None


def unmapped_words(alerts: AlertsSnapshot) -> str:
    """What came that no source maps, the most frequent first; empty where nothing did."""
    return printable(
        ", ".join(f"{name} {_TIMES}{number}" for name, number in alerts.unmapped.items()), 20_000
    )


def tally(counts: Mapping[str, int]) -> str:
    """How many came to which outcome, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return printable(", ".join(f"{number} {outcome}" for outcome, number in ordered))
