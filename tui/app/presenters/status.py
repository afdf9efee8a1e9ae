"""How bad things are: what is known at all, each connection's indicator, row 1 and the title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from tui.model.alerts import AlertsSnapshot
from tui.model.incidents import IncidentsSnapshot
from tui.model.known import (
    SERVICE_TROUBLES,
    Rank,
    coming,
    count_missed,
    in_trouble,
    is_present,
    is_up,
    not_present,
    rank,
    reasons,
    service_sign,
    state_shown,
    troubled_services,
    worst_first,
)
from tui.model.services import ServiceSnapshot, ServicesSnapshot, ServiceState
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text.formats import counted, unanswered
from widgets.indicator import UNKNOWN_SYMBOL, IndicatorValue
from widgets.lines import Tone
from widgets.status_bar import BarTone, StatusBarValue
from widgets.untrusted import cut_to, displayable

Order = Literal["worst", "name"]

TONES: dict[ServiceState, Tone] = {
    "good": "good",
    "busy": "busy",
    "bad": "bad",
    "off": "dim",
    "unknown": "dim",
}
BUSY_SYMBOL = "◐"
_NAMES_WIDTH = 40
_BAR_TONES: dict[Tone, BarTone] = {"good": "good", "busy": "busy", "bad": "bad"}
_SAID_ALREADY = re.compile(r"^circuit breaker open:? ?(after \d+ failures: )?")


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
    return tuple((each.key, each.state, each.message, each.freshness) for each in services.services)


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
        known=is_present(snapshot, now),
        detail=why(connection, now),
        remark=unanswered(connection.details.heartbeats_unanswered_since, now),
        debug=snapshot.debug,
    )


def steady_indicator(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> IndicatorValue:
    """The same for row 1 and the list: a probe that is under way does not hide the trouble it probes."""
    state, circuit_open = state_shown(connection)
    return replace(indicator(connection, snapshot, now), state=state, circuit_open=circuit_open)


def why(connection: ConnectionSnapshot, now: float) -> str:
    """Why a connection is in its state and what comes next; empty while all is well."""
    # The end is cut where there is no room: what comes next first, then why.
    return "; ".join(part for part in (coming(connection, now), reason(connection)) if part)


def reason(connection: ConnectionSnapshot) -> str:
    """Why a connection is in its state, without what the indicator says in front of it."""
    said = (_SAID_ALREADY.sub("", each) for each in reasons(connection))
    return "; ".join(dict.fromkeys(each for each in said if each))


# Row 1 and the list -------------------------------------------------------------------------------


RINGS_FROM = Rank.RECONNECTING
"""What is worse rings too; -1 is an engine that is silent."""


def worst(snapshot: Snapshot, now: float) -> int:
    """The rank of the worst connection; -1 when nobody knows."""
    if not is_present(snapshot, now):
        return -1
    return min(map(rank, snapshot.connections), default=Rank.WELL)


def settled(snapshot: Snapshot) -> bool:
    """Whether every connection that is up again has held."""
    return not any(
        each.metrics.connection_state == "connected" and each.metrics.reconnect_attempts > 0
        for each in snapshot.connections
    )


def in_order(connections: Iterable[ConnectionSnapshot], order: Order) -> list[ConnectionSnapshot]:
    if order == "worst":
        return worst_first(connections)
    return sorted(connections, key=lambda connection: connection.name)


def is_troubled(service: ServiceSnapshot) -> bool:
    """Whether row 1 must say it."""
    return service_sign(service) in SERVICE_TROUBLES


def _service_trouble(services: Sequence[ServiceSnapshot]) -> StatusBarValue | None:
    """What row 1 says of services while our own links are well; None when nothing is wrong with them."""
    if not (troubled := troubled_services(services)):
        return None
    what, same = next(iter(troubled.items()))
    unhealthy = what == SERVICE_TROUBLES["bad"]
    names = cut_to(", ".join(displayable(service.name, 60) for service in same[:10]), _NAMES_WIDTH)
    others = sum(map(len, troubled.values())) - len(same)
    details = [same[0].message] if len(same) == 1 and same[0].message not in ("", what) else []
    if others:
        details.append(f"{others} more not well")
    return StatusBarValue(
        "bad" if unhealthy else "busy",
        f"{'✗' if unhealthy else BUSY_SYMBOL} {counted(len(same), 'service')} {what}: {names}",
        detail="; ".join(details),
    )


def status_bar(snapshot: Snapshot, now: float) -> StatusBarValue:
    """Row 1: the worst connection's indicator, and how many are up; then what is wrong with services."""
    connections = snapshot.connections
    up = sum(map(is_up, connections))
    tally = f"{up}/{len(connections)} up"
    if (stale := not_present(snapshot, now)) is not None:
        symbol = "✗" if snapshot.waiting is None else UNKNOWN_SYMBOL
        return StatusBarValue("bad", f"{symbol} {stale.message}", tally=f"was {tally}" if connections else "")
    if not connections or worst(snapshot, now) == Rank.WELL:
        trouble = _service_trouble(snapshot.services.services)
        if trouble is not None:
            return replace(trouble, tally=tally if connections else "")
    if not connections:
        return StatusBarValue("unknown", f"{UNKNOWN_SYMBOL} no connections")
    first = in_order(connections, "worst")[0]
    value = steady_indicator(first, snapshot, now)
    words = f"{value.symbol} {value.message}"
    stands = rank(first)
    if stands == Rank.WELL:
        return StatusBarValue(
            "good", words, "1 connection" if up == 1 else f"all {up} connections", tally=tally
        )
    detail = why(first, now)
    if stands == Rank.NOT_JOINED:
        detail = f"{counted(count_missed(first), 'channel')} not joined"
        # Green would say from afar that all is well.
        return StatusBarValue("busy", f"{BUSY_SYMBOL} {value.message}", first.name, detail, tally)
    if stands in (Rank.UNANSWERED, Rank.UNSETTLED) and not detail:
        detail = "  ".join(value.counts) or ("" if value.remark else "not yet stable")
    return StatusBarValue(_BAR_TONES.get(value.tone, "unknown"), words, first.name, detail, tally)


def state_since(connection: ConnectionSnapshot) -> float | None:
    """Since when it is as row 1 and the list say."""
    trouble = connection.trouble
    since = trouble.state_since if trouble and in_trouble(connection) else connection.details.since
    return since or None


def terminal_title(snapshot: Snapshot, now: float) -> str:
    """The terminal's title; changes with the state only."""
    if not is_present(snapshot, now):
        return "sup waits for the engine" if snapshot.waiting is not None else "sup engine stopped!"
    up = sum(map(is_up, snapshot.connections))
    down = len(snapshot.connections) - up
    return f"sup {up}/{len(snapshot.connections)} up" + (f" {down}!" if down else "")
