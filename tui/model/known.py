"""What is known: whether it is the present, how bad it stands and which of several is the worst.

The screens, the shell commands, the checks and the metrics all read it here: none contradicts another.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from tui.channels.health import ConnectionState
from tui.model.alerts import AlertsSnapshot, AlertSummary
from tui.model.incidents import RANKS, IncidentSeverity, IncidentSnapshot, IncidentsSnapshot
from tui.model.services import ServiceSnapshot, ServiceState
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text.formats import duration, time_of_day
from tui.text.printable import printable

SILENT_AFTER = 5.0
"""Seconds after which a snapshot is no longer taken for the present: the engine publishes 4 a second."""


class NotPresent(NamedTuple):
    """Why a snapshot does not tell the present. Both texts are printable."""

    message: str
    """By itself, such as ``engine stopped: out of memory``."""
    reason: str
    """The same where the engine is named before it, such as ``stopped: out of memory``."""


def not_present(snapshot: Snapshot, now: float) -> NotPresent | None:
    """Why a snapshot does not tell the present; None when it does.

    One from the future does not either: the clock was set back, and nothing was published since.
    """
    if snapshot.waiting is not None:
        waiting = printable(snapshot.waiting)
        return NotPresent(f"waiting for the engine: {waiting}", waiting)
    if snapshot.stopped is not None:
        reason = f"stopped: {printable(snapshot.stopped)}"
    elif now - snapshot.taken_at > SILENT_AFTER:
        reason = f"silent since {time_of_day(snapshot.taken_at, now)}"
    elif snapshot.taken_at - now > SILENT_AFTER:
        reason = "silent since the clock was set back"
    else:
        return None
    return NotPresent(f"engine {reason}", reason)


def is_present(snapshot: Snapshot, now: float) -> bool:
    """Whether a snapshot tells the present: the engine runs and has not fallen silent."""
    return not_present(snapshot, now) is None


# Connections --------------------------------------------------------------------------------------


class Rank(IntEnum):
    """How a connection stands, the worst first.

    Disconnected is what a person asked for: it must not hide a trouble that nobody asked for.
    """

    BREAKER_OPEN = 0
    FAILED = 1
    RECONNECTING = 2
    CONNECTING = 3
    DISCONNECTED = 4
    UNANSWERED = 5
    """Connected, and something proves life, but not the answers to its heartbeats."""
    UNSETTLED = 6
    """Connected again, and has not held yet."""
    NOT_JOINED = 7
    WELL = 8


class StateShown(NamedTuple):
    state: ConnectionState
    circuit_open: bool


def is_up(connection: ConnectionSnapshot) -> bool:
    """Connected: a heartbeat was answered on this very connection."""
    return connection.metrics.connection_state == "connected"


def in_trouble(connection: ConnectionSnapshot) -> bool:
    """Whether a trouble lasts that a probe or a try does not end."""
    state = connection.metrics.connection_state
    return connection.trouble is not None and state not in ("connected", "disconnected")


def state_shown(connection: ConnectionSnapshot) -> StateShown:
    """The state to show: while a trouble lasts its failed probes change nothing."""
    if connection.trouble is not None and in_trouble(connection):
        return StateShown(connection.trouble.state, connection.trouble.circuit_open)
    return StateShown(connection.metrics.connection_state, connection.metrics.is_circuit_open)


def count_missed(connection: ConnectionSnapshot) -> int:
    """How many of its channels are not joined, and are not just coming back."""
    return sum(channel.is_missed for channel in connection.channels)


def rank(connection: ConnectionSnapshot) -> Rank:
    """How a connection stands, a probe that is under way left aside."""
    state, circuit_open = state_shown(connection)
    if circuit_open:
        return Rank.BREAKER_OPEN
    if state != "connected":
        return Rank[state.upper()]
    if connection.details.heartbeats_unanswered_since is not None:
        return Rank.UNANSWERED
    if connection.metrics.reconnect_attempts > 0 or connection.heartbeat_failed_since_stable:
        return Rank.UNSETTLED
    return Rank.NOT_JOINED if count_missed(connection) else Rank.WELL


def reasons(connection: ConnectionSnapshot) -> list[str]:
    """Why a connection is in its state, not yet printable; a refusal stays visible until the next success."""
    details, trouble = connection.details, connection.trouble
    latest = details.reason or (trouble.last_reason or trouble.message if trouble else None)
    found = (details.refusal,) if is_up(connection) else (details.refusal, latest)
    return list(dict.fromkeys(each for each in found if each))


def coming(connection: ConnectionSnapshot, now: float) -> str:
    """When the next attempt is due; empty when none is."""
    next_try = connection.details.next_try
    return "" if next_try is None else f"next try {time_of_day(next_try, now)}"


def worst_first(connections: Iterable[ConnectionSnapshot]) -> list[ConnectionSnapshot]:
    return sorted(connections, key=lambda each: (rank(each), each.name))


# Services -----------------------------------------------------------------------------------------


SERVICE_TROUBLES = {"bad": "unhealthy", "missing": "missing", "stale": "stale", "busy": "not well"}
"""The signs that are worth a word, in words, the worst first."""

_SIGNS = (*SERVICE_TROUBLES, "off", "never", "good")
"""The worst first. What is off was asked to be, what was never seen may not have begun: both hide nothing."""

SERVICE_SYMBOLS: dict[ServiceState, str] = {"good": "●", "busy": "◐", "bad": "✗", "off": "○", "unknown": "?"}


def service_sign(service: ServiceSnapshot) -> str:
    """How a service stands: its state while that is fresh, else how old the newest word of it is."""
    if service.freshness != "fresh":
        return service.freshness
    return "never" if service.state == "unknown" else service.state


def services_by_name(services: Iterable[ServiceSnapshot]) -> list[ServiceSnapshot]:
    return sorted(services, key=lambda service: (service.name, service.host))


def worst_services_first(services: Iterable[ServiceSnapshot]) -> list[ServiceSnapshot]:
    return sorted(services_by_name(services), key=lambda each: _SIGNS.index(service_sign(each)))


def troubled_services(services: Iterable[ServiceSnapshot]) -> dict[str, list[ServiceSnapshot]]:
    """The services that are not well, by what is wrong with them, the worst first."""
    found: dict[str, list[ServiceSnapshot]] = {}
    for service in worst_services_first(services):
        if (words := SERVICE_TROUBLES.get(service_sign(service))) is not None:
            found.setdefault(words, []).append(service)
    return found


# The alert queue ----------------------------------------------------------------------------------


def on_stage(alerts: AlertsSnapshot) -> tuple[AlertSummary, ...]:
    """What plays: the queue's own first, then what is shown beside it."""
    return alerts.beside if alerts.playing is None else (alerts.playing, *alerts.beside)


def queue_waits(alerts: AlertsSnapshot) -> bool:
    """Whether the queue does not go on, though there may be something to show."""
    return alerts.mode in ("paused", "held", "waiting for overlays")


def queue_state(alerts: AlertsSnapshot, now: float) -> str:
    """The queue's mode and, of one that is held, until when."""
    if alerts.mode == "held" and alerts.held_until is not None:
        return f"held until {time_of_day(alerts.held_until, now)}"
    return alerts.mode


def count_dropped(alerts: AlertsSnapshot) -> int:
    """How many were dropped since the start because the queue was full."""
    return sum(outcomes.get("dropped", 0) for outcomes in alerts.counts.values())


# Incidents ----------------------------------------------------------------------------------------

_RULES = {
    "failed": "link failed",
    "queue_dropping": "alert queue",
    "undecodable": "undecodable frames",
    "loop_late": "own loop late",
}
"""The rules whose own name does not say it."""

SEVERITY_SYMBOLS: dict[IncidentSeverity, str] = {"info": "○", "warning": "◐", "critical": "✗"}


def lasted_words(incident: IncidentSnapshot) -> str:
    """How long a resolved incident was open: ``lasted 14 s``, or ``25 times, 2 min in all``."""
    lasted = duration(incident.lasted)
    return f"lasted {lasted}" if incident.times == 1 else f"{incident.times:,} times, {lasted} in all"


def rule_words(rule: str) -> str:
    """A rule as a person says it, printable."""
    return _RULES.get(rule) or printable(rule, 40).replace("_", " ")


def worst_incidents_first(incidents: Iterable[IncidentSnapshot]) -> list[IncidentSnapshot]:
    """The incidents, the most severe first, then as they opened."""
    return sorted(incidents, key=lambda each: (-RANKS[each.severity], each.opened_at))


def count_open(incidents: IncidentsSnapshot) -> int:
    return len(incidents.open) + incidents.left_out


def count_unacknowledged(incidents: IncidentsSnapshot) -> int:
    """How many of the open ones nobody has acknowledged; of what is not held nobody has."""
    return incidents.left_out + sum(incident.acknowledged_at is None for incident in incidents.open)


def open_words(incidents: IncidentsSnapshot) -> str | None:
    """How many incidents are open, and whether somebody has seen them; None while there are none."""
    count, unseen = count_open(incidents), count_unacknowledged(incidents)
    if not count:
        return None
    seen = f"{unseen:,} not acknowledged" if unseen < count else "none acknowledged"
    return f"{count:,} open, {seen if unseen else 'all acknowledged'}"
