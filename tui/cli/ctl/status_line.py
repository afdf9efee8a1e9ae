"""A snapshot in words, for shell commands: one short line, and how each connection stands."""

from __future__ import annotations

from typing import NamedTuple

from tui.cli.ctl.alert_words import off_shortly
from tui.cli.ctl.service_words import incidents_shortly, services_shortly
from tui.model.engine import ConnectionSnapshot, ConnectionState, Snapshot
from tui.model.known import Rank, coming, count_missed, is_up, not_present, rank, reasons, state_shown
from tui.text.formats import counted, noted_state
from tui.text.printable import columns, cut_to, printable

LINE_COLUMNS = 60
"""The most that :func:`short_line` takes."""

_ASIDE_COLUMNS = 42
"""The most that it takes for what is no connection."""


def joined(connection: ConnectionSnapshot) -> int:
    """How many of its channels are joined."""
    return sum(channel.state == "joined" for channel in connection.channels)


class PersistedOrders(NamedTuple):
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


def lasting(connection: ConnectionSnapshot, now: float) -> PersistedOrders:
    """The state to show: while a trouble lasts its failed probes change nothing."""
    state, circuit_open = state_shown(connection)
    words: str = state
    if circuit_open:
        words = "breaker open"
    elif state == "reconnecting":
        limit = connection.max_reconnect_attempts
        words = f"retry {connection.metrics.reconnect_attempts}" + (f" of {limit}" if limit else "")
    elif (since := connection.details.heartbeats_unanswered_since) is not None:
        return PersistedOrders(rank(connection), "◐", noted_state(state, since, now))
    return PersistedOrders(rank(connection), _SYMBOLS[state], words)


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
