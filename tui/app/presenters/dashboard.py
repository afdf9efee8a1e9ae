"""What the dashboard shows: a row for each connection, panes for the selected one, the log."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tui.app.presenters.details import last_close, probes
from tui.app.presenters.status import state_since, steady_indicator
from tui.channels.health import ChannelState
from tui.model.known import in_trouble, is_present, state_shown
from tui.model.snapshot import (
    Availability,
    ChannelSnapshot,
    ConnectionHistory,
    ConnectionSnapshot,
    LogLine,
    Snapshot,
)
from tui.text.formats import NOTHING, age, counted, duration, rate, round_trip, time_of_day, unanswered
from widgets.change_log import LogEntry
from widgets.channel_table import ChannelRow
from widgets.connection_list import ConnectionRow
from widgets.facts import Fact
from widgets.indicator import UNKNOWN_SYMBOL
from widgets.lines import Tone
from widgets.sparkline import sparkline

_CHANNELS: dict[ChannelState, tuple[str, Tone]] = {
    "joined": ("●", "good"),
    "joining": ("◐", "busy"),
    "leaving": ("◐", "busy"),
    "errored": ("✗", "bad"),
    "closed": ("○", "dim"),
}
_LOG_TONES: dict[str, Tone] = {"info": "plain", "warning": "busy", "error": "bad"}
_SPARKS = 12


def connection_row(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> ConnectionRow:
    value = steady_indicator(connection, snapshot, now)
    live = value.known and connection.metrics.connection_state == "connected"
    joined = sum(channel.state == "joined" for channel in connection.channels)
    total = len(connection.channels)
    return ConnectionRow(
        name=connection.name,
        symbol=value.symbol,
        state=value.message,
        tone=value.tone,
        # The median of 100: the last one alone would change with every heartbeat.
        round_trip=round_trip(connection.details.round_trip_p50) if live else NOTHING,
        rate_in=rate(connection.messages_per_second_in) if live else NOTHING,
        rate_out=rate(connection.messages_per_second_out) if live else NOTHING,
        joined=f"{joined}/{total}" if live and total else "",
        joined_tone="plain" if joined == total else "busy",
        hour=connection.hour,
        reconnects=f"{connection.metrics.total_reconnects:,}",
        since=time_of_day(state_since(connection), now),
        why=value.detail,
    )


def title_note(connection: ConnectionSnapshot, now: float) -> str:
    """Where a connection goes and since when it is in its state."""
    label = connection.label if connection.label != connection.name else ""
    since = state_since(connection)
    parts = (label, connection.address, f"since {time_of_day(since, now)}" if since else "")
    return ", ".join(part for part in parts if part)


def facts(
    connection: ConnectionSnapshot, history: ConnectionHistory | None, snapshot: Snapshot, now: float
) -> tuple[Fact, ...]:
    """The selected connection in one column, the most telling first; all nine metrics are in it.

    Figures of a connection that nobody observes any more are dimmed.
    """
    metrics = connection.metrics
    observed = is_present(snapshot, now)
    live = observed and metrics.connection_state == "connected"
    rows = (
        Fact("since", _since_words(connection, history, now)),
        _breaker(connection, now),
        _heartbeat(connection, live, now),
        Fact("round trip", _round_trips(connection, history), "plain" if live else "dim"),
        Fact("reconnects", f"{metrics.total_reconnects:,}  failed {metrics.failed_reconnects:,}"),
        Fact("attempts", f"{metrics.reconnect_attempts:,}  connects {metrics.successful_connects:,}"),
        Fact("connected", _availability(history)),
        _channels(connection, live),
        Fact("traffic", _traffic(connection, live)),
        _losses(connection),
        Fact("last close", last_close(connection, now)),
    )
    return rows if observed else tuple(fact._replace(tone="dim") for fact in rows)


def _since_words(connection: ConnectionSnapshot, history: ConnectionHistory | None, now: float) -> str:
    since = time_of_day(state_since(connection), now)
    remark = unanswered(connection.details.heartbeats_unanswered_since, now)
    words = f"{state_shown(connection).state} {since}" + (f", {remark}" if remark else "")
    if in_trouble(connection):
        # The state before is a try that failed: what is asked for is how long it had been well.
        well = _connected_before(history)
        return words if well is None else f"{words}, after {duration(well)}"
    before = connection.previous_state_seconds
    return words if before is None else f"{words}, after {duration(before)}"


def _connected_before(history: ConnectionHistory | None) -> float | None:
    """How long it had been connected when it last was; None when that is not known."""
    states = history.states if history is not None else ()
    for before, entry in zip(reversed(states[:-1]), reversed(states), strict=False):
        if before.state == "connected" and entry.state != "connected":
            return entry.before
    return None


def _breaker(connection: ConnectionSnapshot, now: float) -> Fact:
    trips = connection.metrics.circuit_breaker_trips
    words = counted(trips, "trip")
    if connection.metrics.is_circuit_open:
        next_try = connection.details.next_try
        probe = "" if next_try is None else f", next {time_of_day(next_try, now)}"
        return Fact("breaker", f"open, {words}{probe}{probes(connection)}", "bad")
    return Fact("breaker", f"closed, {words}{probes(connection)}")


def _heartbeat(connection: ConnectionSnapshot, live: bool, now: float) -> Fact:
    failures = f"{connection.metrics.heartbeat_failures:,} failed"
    unanswered = connection.details.heartbeat_unanswered_since
    if live and unanswered is None:
        return Fact("heartbeat", f"{failures}, every {connection.heartbeat_interval:g} s")
    last = time_of_day(connection.metrics.last_heartbeat, now)
    if live and unanswered is not None:
        return Fact("heartbeat", f"{age(unanswered, now)} overdue, ok {last}", "busy")
    return Fact("heartbeat", f"{failures}, last ok {last}")


def _round_trips(connection: ConnectionSnapshot, history: ConnectionHistory | None) -> str:
    details = connection.details
    if details.round_trip_p50 is None:
        return NOTHING
    words = f"{round_trip(details.round_trip_p50)} p95 {round_trip(details.round_trip_p95)}"
    if history is not None and len(history.round_trips) > 1:
        words += f" {sparkline(history.round_trips, _SPARKS)}"
    return words


def _availability(history: ConnectionHistory | None) -> str:
    if history is None:
        return NOTHING
    windows = (
        ("5m", history.last_5_minutes, 5),
        ("1h", history.last_hour, 60),
        ("24h", history.last_day, 24 * 60),
    )
    return " ".join(f"{name} {share(window, minutes)}" for name, window, minutes in windows)


def share(availability: Availability, minutes: int) -> str:
    """A share of so many minutes in per cent, rounded down: 100 is said only of what was unbroken. Nothing is
    said until half of them were observed."""
    if availability.share is None or availability.observed < minutes * 60 / 2:
        return NOTHING
    per_mille = math.floor(availability.share * 1000)
    return "100%" if per_mille >= 1000 else f"{per_mille / 10:.1f}%"


def _channels(connection: ConnectionSnapshot, live: bool) -> Fact:
    joined = sum(channel.state == "joined" for channel in connection.channels)
    total = len(connection.channels)
    buffered = sum(channel.buffered for channel in connection.channels)
    dropped = sum(channel.dropped for channel in connection.channels)
    tone: Tone = "busy" if buffered or (live and joined < total) else "plain"
    return Fact("channels", f"{joined}/{total}  buffered {buffered:,}  dropped {dropped:,}", tone)


def _traffic(connection: ConnectionSnapshot, live: bool) -> str:
    details = connection.details
    # Without the heartbeats, which come though nothing happens.
    received = max(0, details.messages_in - details.heartbeats_answered)
    sent = max(0, details.messages_out - details.heartbeats_sent)
    if not live:
        return f"in {received:,}  out {sent:,}"
    into, out = rate(connection.messages_per_second_in), rate(connection.messages_per_second_out)
    return f"in {into}/s  out {out}/s"


def _losses(connection: ConnectionSnapshot) -> Fact:
    details = connection.details
    counts = (
        (details.dropped_messages, "in dropped"),
        (details.dropped_pushes, "pushes dropped"),
        (details.undecodable, "undecodable"),
        (details.handler_errors, "handler errors"),
    )
    words = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return Fact("lost", words or "nothing", "busy" if words else "plain")


def channel_rows(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[ChannelRow, ...]:
    """The channels in their own order; last values are dimmed, with their age, while not connected."""
    live = connection.metrics.connection_state == "connected" and is_present(snapshot, now)
    return tuple(
        _channel_row(channel, live, is_present(snapshot, now), now) for channel in connection.channels
    )


def _channel_row(channel: ChannelSnapshot, live: bool, observed: bool, now: float) -> ChannelRow:
    symbol, tone = _CHANNELS[channel.state] if observed else (UNKNOWN_SYMBOL, "dim")
    last = last_value(channel, now, aged=not live or channel.state != "joined")
    if live and channel.reason and channel.state != "joined":
        last = f"{channel.reason}; {last}" if last else channel.reason
    buffered = f"{channel.buffered}/{channel.push_buffer}" if channel.buffered else "0"
    return ChannelRow(
        symbol=symbol,
        tone=tone,
        topic=channel.topic,
        state=channel.state if observed else "was " + channel.state,
        joins=f"{channel.joins:,}",
        buffered=buffered,
        buffered_tone="busy" if channel.buffered else "plain",
        last=last,
        last_tone="plain" if live and channel.state == "joined" else "dim",
    )


def last_value(channel: ChannelSnapshot, now: float, *, aged: bool) -> str:
    """The last event of a channel: with its time of day, and how long ago when it may no longer hold."""
    if channel.last_at is None or channel.last_event is None:
        return NOTHING
    when = f"{age(channel.last_at, now)} ago" if aged else time_of_day(channel.last_at, now)
    return f"{when} {channel.last_event} {channel.last_text or ''}".rstrip()


def log_entries(lines: Sequence[LogLine], now: float) -> list[LogEntry]:
    return [
        LogEntry(
            time_of_day(line.timestamp, now), line.connection or "", line.text, _LOG_TONES[line.severity]
        )
        for line in lines
    ]
