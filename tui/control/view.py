"""What a shell command reads of a snapshot: few fields, decoded without the engine's modules.

The names and meanings are those of :mod:`tui.engine.snapshot`; the rest of a snapshot is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tui.control.alerts_view import AlertsView, off_shortly
from tui.control.watch_view import IncidentsView, ServicesView, incidents_shortly, services_shortly
from tui.formats import counted, time_of_day, told_state
from tui.text.printable import columns, cut_to, printable

SILENT_AFTER = 5.0
"""Seconds after which a snapshot is no longer the present: the engine publishes 4 a second."""

LINE_COLUMNS = 60
"""The most that :func:`short_line` takes."""

_ASIDE_COLUMNS = 42
"""The most that it takes for what is no connection."""


class MetricsView(msgspec.Struct, frozen=True):
    connection_state: str
    reconnect_attempts: int
    is_circuit_open: bool


class DetailsView(msgspec.Struct, frozen=True):
    reason: str | None
    refusal: str | None
    since: float
    next_try: float | None
    round_trip_last: float | None
    heartbeats_unanswered_since: float | None = None
    circuit_breaker_probes: int = 0


class TroubleView(msgspec.Struct, frozen=True):
    state: str
    circuit_open: bool
    words: str
    since: float
    tries: int
    last_reason: str | None


class ChannelView(msgspec.Struct, frozen=True):
    topic: str
    state: str
    reason: str | None
    is_coming_back: bool = False


class ConnectionView(msgspec.Struct, frozen=True):
    name: str
    label: str
    address: str
    metrics: MetricsView
    details: DetailsView
    max_reconnect_attempts: int | None
    trouble: TroubleView | None
    channels: tuple[ChannelView, ...]

    @property
    def is_up(self) -> bool:
        """Connected: a heartbeat was answered on this very connection."""
        return self.metrics.connection_state == "connected"

    @property
    def joined(self) -> int:
        """How many of its channels are joined."""
        return sum(channel.state == "joined" for channel in self.channels)

    @property
    def missed(self) -> int:
        """How many are not, and are not just coming back."""
        return sum(channel.state != "joined" and not channel.is_coming_back for channel in self.channels)


class KeepingView(msgspec.Struct, frozen=True):
    recording: bool = False
    troubles: tuple[str, ...] = ()


class SnapshotView(msgspec.Struct, frozen=True):
    taken_at: float
    started_at: float
    connections: tuple[ConnectionView, ...]
    notice: str | None
    stopped: str | None
    alerts: AlertsView | None = None
    services: ServicesView = ServicesView()
    incidents: IncidentsView = IncidentsView()
    keeping: KeepingView = KeepingView()
    loop_delay_seconds: float = 0.0


class Standing(NamedTuple):
    """How a connection stands, a probe that is under way left aside."""

    rank: int
    """0 is the worst."""
    symbol: str
    words: str


_UNANSWERED = "with heartbeats unanswered"
_RANKS = ("failed", "reconnecting", "connecting", "disconnected", _UNANSWERED, "connected")
_SYMBOLS = {"connected": "●", "connecting": "◐", "reconnecting": "◐", "failed": "✗", "disconnected": "○"}


def standing(connection: ConnectionView, now: float) -> Standing:
    """The state to show: while a trouble lasts its failed probes change nothing."""
    state, circuit_open = connection.metrics.connection_state, connection.metrics.is_circuit_open
    trouble = connection.trouble
    if trouble is not None and state not in ("connected", "disconnected"):
        state, circuit_open = trouble.state, trouble.circuit_open
    words = state
    if circuit_open:
        words = "breaker open"
    elif state == "reconnecting":
        limit = connection.max_reconnect_attempts
        words = f"retry {connection.metrics.reconnect_attempts}" + (f" of {limit}" if limit else "")
    elif (since := connection.details.heartbeats_unanswered_since) is not None:
        return Standing(_RANKS.index(_UNANSWERED), "◐", told_state(printable(state), since, now))
    rank = _RANKS.index(state) if state in _RANKS else 0
    return Standing(rank, _SYMBOLS.get(state, "?"), printable(words))


def why(connection: ConnectionView, now: float) -> str:
    """Why a connection stands as it does and what comes next, printable; empty while all is well."""
    details, trouble = connection.details, connection.trouble
    reason = details.reason or (trouble.last_reason or trouble.words if trouble else None)
    parts = [details.refusal] if connection.is_up else [details.refusal, reason]
    if details.next_try is not None:
        parts.append(f"next try {time_of_day(details.next_try, now)}")
    return printable("; ".join(dict.fromkeys(part for part in parts if part)))


def not_the_present(snapshot: SnapshotView, now: float) -> str | None:
    """Why a snapshot does not tell the present, in words; None when it does."""
    if snapshot.stopped is not None:
        return printable(f"engine stopped: {snapshot.stopped}")
    if now - snapshot.taken_at > SILENT_AFTER:
        return f"engine silent since {time_of_day(snapshot.taken_at, now)}"
    return None


def short_line(snapshot: SnapshotView, now: float) -> str:
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


def _connections_line(connections: tuple[ConnectionView, ...], now: float, width: int) -> str:
    if not connections:
        return "? no connections"
    up = sum(connection.is_up for connection in connections)
    tally = f"{up}/{len(connections)}"
    standings = {connection.name: standing(connection, now) for connection in connections}
    worst = min(standings.values())
    if worst.rank < _RANKS.index("connected"):
        names = [name for name, each in standings.items() if each.rank == worst.rank]
        what = "down" if worst.symbol == "✗" else _RANKS[worst.rank]
        begin = f"{worst.symbol} {len(names)} {what}"
    else:
        names = [connection.name for connection in connections if connection.missed]
        if not names:
            return f"● {tally} up"
        missing = sum(connection.missed for connection in connections)
        begin = f"◐ {counted(missing, 'channel')} not joined"
    room = width - len(begin) - len(tally) - 2
    return f"{begin} {cut_to(printable(' '.join(names)), room)} {tally}"
