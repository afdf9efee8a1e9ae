"""A snapshot in words, for shell commands: one short line, and how each connection stands."""

from __future__ import annotations

from typing import NamedTuple

from tui.control.alerts_view import off_shortly
from tui.control.watch_view import incidents_shortly, services_shortly
from tui.engine.api import ConnectionSnapshot, ConnectionState, Snapshot
from tui.formats import counted, time_of_day, told_state
from tui.text.printable import columns, cut_to, printable

SILENT_AFTER = 5.0
"""Seconds after which a snapshot is no longer the present: the engine publishes 4 a second."""

LINE_COLUMNS = 60
"""The most that :func:`short_line` takes."""

_ASIDE_COLUMNS = 42
"""The most that it takes for what is no connection."""


def is_up(connection: ConnectionSnapshot) -> bool:
    """Connected: a heartbeat was answered on this very connection."""
    return connection.metrics.connection_state == "connected"


def joined(connection: ConnectionSnapshot) -> int:
    """How many of its channels are joined."""
    return sum(channel.state == "joined" for channel in connection.channels)


def missed(connection: ConnectionSnapshot) -> int:
    """How many are not, and are not just coming back."""
    return sum(channel.is_missed for channel in connection.channels)


class Standing(NamedTuple):
    """How a connection stands, a probe that is under way left aside."""

    rank: int
    """0 is the worst."""
    symbol: str
    words: str


_UNANSWERED = "with heartbeats unanswered"
_RANKS = ("failed", "reconnecting", "connecting", "disconnected", _UNANSWERED, "connected")
_SYMBOLS: dict[ConnectionState, str] = {
    "connected": "●",
    "connecting": "◐",
    "reconnecting": "◐",
    "failed": "✗",
    "disconnected": "○",
}


def standing(connection: ConnectionSnapshot, now: float) -> Standing:
    """The state to show: while a trouble lasts its failed probes change nothing."""
    state, circuit_open = connection.metrics.connection_state, connection.metrics.is_circuit_open
    trouble = connection.trouble
    if trouble is not None and state not in ("connected", "disconnected"):
        state, circuit_open = trouble.state, trouble.circuit_open
    words: str = state
    if circuit_open:
        words = "breaker open"
    elif state == "reconnecting":
        limit = connection.max_reconnect_attempts
        words = f"retry {connection.metrics.reconnect_attempts}" + (f" of {limit}" if limit else "")
    elif (since := connection.details.heartbeats_unanswered_since) is not None:
        return Standing(_RANKS.index(_UNANSWERED), "◐", told_state(state, since, now))
    return Standing(_RANKS.index(state), _SYMBOLS[state], words)


def why(connection: ConnectionSnapshot, now: float) -> str:
    """Why a connection stands as it does and what comes next, printable; empty while all is well."""
    details, trouble = connection.details, connection.trouble
    reason = details.reason or (trouble.last_reason or trouble.words if trouble else None)
    parts = [details.refusal] if is_up(connection) else [details.refusal, reason]
    if details.next_try is not None:
        parts.append(f"next try {time_of_day(details.next_try, now)}")
    return printable("; ".join(dict.fromkeys(part for part in parts if part)))


def not_the_present(snapshot: Snapshot, now: float) -> str | None:
    """Why a snapshot does not tell the present, in words; None when it does."""
    if snapshot.stopped is not None:
        return printable(f"engine stopped: {snapshot.stopped}")
    if now - snapshot.taken_at > SILENT_AFTER:
        return f"engine silent since {time_of_day(snapshot.taken_at, now)}"
    return None


def short_line(snapshot: Snapshot, now: float) -> str:
    """One line of at most :data:`LINE_COLUMNS` columns: the worst there is, how many are up, the alert
    queue where something of it is off, the open incidents, and the services that are not well."""
    stale = not_the_present(snapshot, now)
    if stale is not None:
        return cut_to(f"? {stale}", LINE_COLUMNS)
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
    standings = {connection.name: standing(connection, now) for connection in connections}
    worst = min(standings.values())
    if worst.rank < _RANKS.index("connected"):
        names = [name for name, each in standings.items() if each.rank == worst.rank]
        what = "down" if worst.symbol == "✗" else _RANKS[worst.rank]
        begin = f"{worst.symbol} {len(names)} {what}"
    else:
        names = [connection.name for connection in connections if missed(connection)]
        if not names:
            return f"● {tally} up"
        missing = sum(missed(connection) for connection in connections)
        begin = f"◐ {counted(missing, 'channel')} not joined"
    room = width - len(begin) - len(tally) - 2
    return f"{begin} {cut_to(printable(' '.join(names)), room)} {tally}"
