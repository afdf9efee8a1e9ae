"""How bad things are: what is known at all, each connection's indicator, row 1 and the title."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from tui.engine.api import AlertsSnapshot, ConnectionSnapshot, IncidentsSnapshot, ServicesSnapshot, Snapshot
from tui.formats import counted, time_of_day, unanswered
from tui.presenters import service_state
from widgets.indicator import UNKNOWN_SYMBOL, IndicatorValue
from widgets.lines import Tone
from widgets.status_bar import BarTone, StatusBarValue

Order = Literal["worst", "name"]

BUSY_SYMBOL = "◐"
_BAR_TONES: dict[Tone, BarTone] = {"good": "good", "busy": "busy", "bad": "bad"}
_SAID_ALREADY = re.compile(r"^circuit breaker open:? ?(after \d+ failures: )?")

SILENT_AFTER = 5.0
"""Seconds after which a snapshot is no longer taken for the present: the engine publishes 4 a second."""


def known(snapshot: Snapshot, now: float) -> bool:
    """Whether a snapshot tells the present: the engine runs and has not fallen silent."""
    if snapshot.stopped is not None or snapshot.waiting is not None:
        return False
    return now - snapshot.taken_at <= SILENT_AFTER


def urgent(snapshot: Snapshot) -> tuple[object, ...]:
    """What must be seen as soon as it changes; figures that merely tick are not in it."""
    return (
        snapshot.stopped,
        snapshot.waiting,
        snapshot.notice,
        snapshot.debug,
        _urgent_of_alerts(snapshot.alerts),
        _urgent_of_services(snapshot.services),
        _urgent_of_incidents(snapshot.incidents),
        *(
            (
                each.name,
                each.metrics.connection_state,
                each.metrics.is_circuit_open,
                each.metrics.reconnect_attempts,
                each.heartbeat_failed_since_stable,
                each.details.next_try,
                each.details.reason,
                each.details.heartbeats_unanswered_since is None,
                *((channel.topic, channel.state, channel.buffered > 0) for channel in each.channels),
            )
            for each in snapshot.connections
        ),
    )


def _urgent_of_alerts(alerts: AlertsSnapshot | None) -> tuple[object, ...] | None:
    if alerts is None:
        return None
    return (
        alerts.mode,
        alerts.held_until,
        *((each.id, each.phase, each.confirmed) for each in (alerts.playing, *alerts.beside) if each),
        tuple(each.id for each in alerts.waiting),
        # A number that grows follows the words.
        alerts.store and alerts.store.partition(";")[0],
        alerts.rules,
        alerts.warning,
        tuple(each.source for each in alerts.away),
        tuple(alerts.mutes),
    )


def _urgent_of_services(services: ServicesSnapshot) -> tuple[object, ...]:
    return tuple((each.key, each.state, each.words, each.freshness) for each in services.services)


def _urgent_of_incidents(incidents: IncidentsSnapshot) -> tuple[object, ...]:
    return (
        incidents.left_out > 0,
        incidents.command,
        tuple((each.id, each.acknowledged_at is not None) for each in incidents.open),
    )


# The indicator ------------------------------------------------------------------------------------


def indicator(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> IndicatorValue:
    """The indicator of one connection as it stands, a probe under way included."""
    metrics = connection.metrics
    return IndicatorValue(
        state=metrics.connection_state,
        circuit_open=metrics.is_circuit_open,
        attempts=metrics.reconnect_attempts,
        reconnects=metrics.total_reconnects,
        heartbeat_failures=metrics.heartbeat_failures,
        circuit_trips=metrics.circuit_breaker_trips,
        failed_reconnects=metrics.failed_reconnects,
        heartbeat_failed=connection.heartbeat_failed_since_stable,
        known=known(snapshot, now),
        detail=why(connection, now),
        remark=unanswered(connection.details.heartbeats_unanswered_since, now),
        debug=snapshot.debug,
    )


def steady_indicator(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> IndicatorValue:
    """The same for row 1 and the list: a probe that is under way does not hide the trouble it probes."""
    value = indicator(connection, snapshot, now)
    trouble = connection.trouble
    if trouble is None or value.state in ("connected", "disconnected"):
        return value
    return replace(value, state=trouble.state, circuit_open=trouble.circuit_open)


def why(connection: ConnectionSnapshot, now: float) -> str:
    """Why a connection is in its state and what comes next; empty while all is well."""
    # The end is cut where there is no room: what comes next first, then why.
    return "; ".join(part for part in (coming(connection, now), reason(connection)) if part)


def reason(connection: ConnectionSnapshot) -> str:
    """Why a connection is in its state; a refusal stays visible until the next success."""
    details, trouble = connection.details, connection.trouble
    if connection.metrics.connection_state == "connected":
        return details.refusal or ""
    latest = details.reason or (trouble.last_reason or trouble.words if trouble else "")
    # The indicator says that already, in front of it.
    latest = _SAID_ALREADY.sub("", latest)
    return "; ".join(dict.fromkeys(part for part in (details.refusal, latest) if part))


def coming(connection: ConnectionSnapshot, now: float) -> str:
    """When the next attempt is due; empty when none is."""
    next_try = connection.details.next_try
    return "" if next_try is None else f"next try {time_of_day(next_try, now)}"


# Row 1 and the list -------------------------------------------------------------------------------


def severity(connection: ConnectionSnapshot) -> int:
    """How bad a connection's state is: 0 is the worst.

    Disconnected is what a person asked for: it must not hide a trouble that nobody asked for.
    """
    trouble, metrics = connection.trouble, connection.metrics
    state, circuit_open = metrics.connection_state, metrics.is_circuit_open
    if trouble and state not in ("connected", "disconnected"):
        state, circuit_open = trouble.state, trouble.circuit_open
    if circuit_open:
        return 0
    if state == "connected":
        shaky = metrics.reconnect_attempts > 0 or connection.heartbeat_failed_since_stable
        shaky = shaky or connection.details.heartbeats_unanswered_since is not None
        return 5 if shaky else 6 if unjoined(connection) else BEST
    return ("failed", "reconnecting", "connecting", "disconnected").index(state) + 1


BEST = 7
"""The severity of a connection with which all is well."""

RINGS_FROM = 2
"""Reconnecting and worse; -1 is an engine that is silent."""


def worst(snapshot: Snapshot, now: float) -> int:
    """The severity of the worst connection; -1 when nobody knows."""
    if not known(snapshot, now):
        return -1
    return min(map(severity, snapshot.connections), default=BEST)


def settled(snapshot: Snapshot) -> bool:
    """Whether every connection that is up again has held."""
    return not any(
        each.metrics.connection_state == "connected" and each.metrics.reconnect_attempts > 0
        for each in snapshot.connections
    )


def in_order(connections: Iterable[ConnectionSnapshot], order: Order) -> list[ConnectionSnapshot]:
    """The connections worst first, or by name."""
    by_name = sorted(connections, key=lambda connection: connection.name)
    return sorted(by_name, key=severity) if order == "worst" else by_name


def status_bar(snapshot: Snapshot, now: float) -> StatusBarValue:
    """Row 1: the worst connection's indicator, and how many are up; then what is wrong with services."""
    connections = snapshot.connections
    up = sum(connection.metrics.connection_state == "connected" for connection in connections)
    tally = f"{up}/{len(connections)} up"
    if not known(snapshot, now):
        if snapshot.waiting is not None:
            words = f"{UNKNOWN_SYMBOL} waiting for the engine: {snapshot.waiting}"
        elif snapshot.stopped is not None:
            words = f"✗ engine stopped: {snapshot.stopped}"
        else:
            words = f"✗ engine silent since {time_of_day(snapshot.taken_at, now)}"
        return StatusBarValue("bad", words, tally=f"was {tally}" if connections else "")
    if not connections or worst(snapshot, now) == BEST:
        trouble = service_state.trouble(snapshot.services.services)
        if trouble is not None:
            return StatusBarValue(
                trouble.tone, trouble.words, detail=trouble.detail, tally=tally if connections else ""
            )
    if not connections:
        return StatusBarValue("unknown", f"{UNKNOWN_SYMBOL} no connections")
    first = in_order(connections, "worst")[0]
    value = steady_indicator(first, snapshot, now)
    words = f"{value.symbol} {value.words}"
    if severity(first) == BEST:
        return StatusBarValue(
            "good", words, "1 connection" if up == 1 else f"all {up} connections", tally=tally
        )
    detail = why(first, now)
    if severity(first) == 6:
        count = unjoined(first)
        detail = f"{counted(count, 'channel')} not joined"
        # Green would say from afar that all is well.
        return StatusBarValue("busy", f"{BUSY_SYMBOL} {value.words}", first.name, detail, tally)
    if severity(first) == 5 and not detail:
        detail = "  ".join(value.counts) or ("" if value.remark else "not yet stable")
    return StatusBarValue(_BAR_TONES.get(value.tone, "unknown"), words, first.name, detail, tally)


def in_trouble(connection: ConnectionSnapshot) -> bool:
    """Whether a trouble lasts that a probe or a try does not end."""
    state = connection.metrics.connection_state
    return connection.trouble is not None and state not in ("connected", "disconnected")


def state_since(connection: ConnectionSnapshot) -> float | None:
    """Since when it is as row 1 and the list say; of a trouble since it began."""
    trouble = connection.trouble
    since = trouble.since if trouble and in_trouble(connection) else connection.details.since
    return since or None


def unjoined(connection: ConnectionSnapshot) -> int:
    return sum(channel.is_missed for channel in connection.channels)


def terminal_title(snapshot: Snapshot, now: float) -> str:
    """The terminal's title; changes with the state only."""
    if not known(snapshot, now):
        return "sup waits for the engine" if snapshot.waiting is not None else "sup engine stopped!"
    up = sum(connection.metrics.connection_state == "connected" for connection in snapshot.connections)
    down = len(snapshot.connections) - up
    return f"sup {up}/{len(snapshot.connections)} up" + (f" {down}!" if down else "")
