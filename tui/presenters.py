"""What each widget shows of a snapshot. Pure: the same snapshot and time give the same values.

``now`` is in whole seconds, so that what merely ticks changes at most once a second. Times are shown
as times of day; an age is shown only where a value is old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import msgspec

from tui.engine.api import ChannelSnapshot, ChannelState, ConnectionSnapshot, LogLine, Snapshot
from tui.formats import NOTHING, age, duration, rate, round_trip, size, time_of_day
from widgets.change_log import LogEntry
from widgets.channel_table import ChannelRow
from widgets.connection_list import ConnectionRow
from widgets.facts import Fact
from widgets.indicator import UNKNOWN_SYMBOL, IndicatorValue
from widgets.lines import Tone
from widgets.status_bar import BarTone, StatusBarValue

Order = Literal["worst", "name"]


_CHANNELS: dict[ChannelState, tuple[str, Tone]] = {
    "joined": ("●", "good"),
    "joining": ("◐", "busy"),
    "leaving": ("◐", "busy"),
    "errored": ("✗", "bad"),
    "closed": ("○", "dim"),
}
_LOG_TONES: dict[str, Tone] = {"info": "plain", "warning": "busy", "error": "bad"}
_BAR_TONES: dict[Tone, BarTone] = {"good": "good", "busy": "busy", "bad": "bad"}


BUSY_SYMBOL = "◐"
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
        *(
            (
                each.name,
                each.metrics.connection_state,
                each.metrics.is_circuit_open,
                each.metrics.reconnect_attempts,
                each.heartbeat_failed_since_stable,
                each.details.next_try,
                each.details.reason,
                *((channel.topic, channel.state, channel.buffered > 0) for channel in each.channels),
            )
            for each in snapshot.connections
        ),
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
        return 5 if shaky else 6 if _unjoined(connection) else 7
    return ("failed", "reconnecting", "connecting", "disconnected").index(state) + 1


def in_order(connections: Iterable[ConnectionSnapshot], order: Order) -> list[ConnectionSnapshot]:
    """The connections worst first, or by name."""
    by_name = sorted(connections, key=lambda connection: connection.name)
    return sorted(by_name, key=severity) if order == "worst" else by_name


def matches(connection: ConnectionSnapshot, wanted: str, snapshot: Snapshot) -> bool:
    """Whether a connection's name, label, address, topics or state hold ``wanted``."""
    state = steady_indicator(connection, snapshot, 0).words
    texts = (connection.name, connection.label, connection.address, state)
    topics = (channel.topic for channel in connection.channels)
    return any(wanted.casefold() in text.casefold() for text in (*texts, *topics))


def status_bar(snapshot: Snapshot, now: float) -> StatusBarValue:
    """Row 1: the worst connection's indicator, and how many are up."""
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
    if not connections:
        return StatusBarValue("unknown", f"{UNKNOWN_SYMBOL} no connections")
    worst = in_order(connections, "worst")[0]
    value = steady_indicator(worst, snapshot, now)
    words = f"{value.symbol} {value.words}"
    if severity(worst) == 7:
        return StatusBarValue(
            "good", words, "1 connection" if up == 1 else f"all {up} connections", tally=tally
        )
    detail = why(worst, now)
    if severity(worst) == 6:
        count = _unjoined(worst)
        detail = f"{count} channel{'s' if count > 1 else ''} not joined"
        # Green would say from afar that all is well.
        return StatusBarValue("busy", f"{BUSY_SYMBOL} {value.words}", worst.name, detail, tally)
    if severity(worst) == 5 and not detail:
        detail = "  ".join(value.counts) or "not yet stable"
    return StatusBarValue(_BAR_TONES.get(value.tone, "unknown"), words, worst.name, detail, tally)


def connection_row(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> ConnectionRow:
    """One row of the list."""
    value = steady_indicator(connection, snapshot, now)
    live = value.known and connection.metrics.connection_state == "connected"
    joined = sum(channel.state == "joined" for channel in connection.channels)
    total = len(connection.channels)
    return ConnectionRow(
        name=connection.name,
        symbol=value.symbol,
        state=value.words,
        tone=value.tone,
        round_trip=round_trip(connection.details.round_trip_last) if live else NOTHING,
        rate_in=rate(connection.messages_per_second_in) if live else NOTHING,
        rate_out=rate(connection.messages_per_second_out) if live else NOTHING,
        joined=f"{joined}/{total}" if value.known else NOTHING,
        joined_tone="plain" if joined == total else "busy",
        since=time_of_day(_since(connection), now),
        why=value.detail,
    )


def _since(connection: ConnectionSnapshot) -> float | None:
    trouble = connection.trouble
    in_trouble = trouble and connection.metrics.connection_state not in ("connected", "disconnected")
    since = trouble.since if trouble and in_trouble else connection.details.since
    return since or None


def _unjoined(connection: ConnectionSnapshot) -> int:
    return sum(channel.state != "joined" for channel in connection.channels)


# The panes of one connection ----------------------------------------------------------------------


def title_note(connection: ConnectionSnapshot, now: float) -> str:
    """Where a connection goes and since when it is in its state."""
    label = f"{connection.label}, " if connection.label != connection.name else ""
    since = _since(connection)
    return f"{label}{connection.address}" + (f", since {time_of_day(since, now)}" if since else "")


def health(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """The nine metrics; all dimmed when nobody observes the connection any more."""
    metrics = connection.metrics
    rows = (
        (
            Fact("state", metrics.connection_state),
            _count("attempts", metrics.reconnect_attempts),
            Fact("last heartbeat", time_of_day(metrics.last_heartbeat, now)),
        ),
        (
            Fact("connects", f"{metrics.successful_connects:,}"),
            Fact("reconnects", f"{metrics.total_reconnects:,}"),
            Fact("heartbeat failures", f"{metrics.heartbeat_failures:,}"),
        ),
        (
            Fact("circuit", "open", "bad") if metrics.is_circuit_open else Fact("circuit", "closed"),
            Fact("trips", f"{metrics.circuit_breaker_trips:,}"),
            Fact("failed reconnects", f"{metrics.failed_reconnects:,}"),
        ),
    )
    if known(snapshot, now):
        return rows
    return tuple(tuple(fact._replace(tone="dim") for fact in row) for row in rows)


def heartbeat(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """Round trips, the last answer, failures. Old values are dimmed, an old answer tells its age."""
    details, metrics = connection.details, connection.metrics
    live = metrics.connection_state == "connected" and known(snapshot, now)
    tone: Tone = "plain" if live else "dim"
    answered, answered_tone = time_of_day(metrics.last_heartbeat, now), tone
    if metrics.last_heartbeat is not None:
        late = now - metrics.last_heartbeat > connection.heartbeat_interval + connection.heartbeat_timeout
        if late or not live:
            answered += f", {age(metrics.last_heartbeat, now)} ago"
        if late and live:
            answered_tone = "busy"
    return (
        (
            Fact("rtt", round_trip(details.round_trip_last), tone),
            Fact("p50", round_trip(details.round_trip_p50), tone),
            Fact("p95", round_trip(details.round_trip_p95), tone),
            _count("failed", metrics.heartbeat_failures),
            Fact("answered", answered, answered_tone),
        ),
    )


def traffic(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """Messages and bytes, drops, what did not decode, the last close."""
    details = connection.details
    live = connection.metrics.connection_state == "connected" and known(snapshot, now)
    into = f"{details.messages_in:,}  {size(details.bytes_in)}"
    out = f"{details.messages_out:,}  {size(details.bytes_out)}"
    if live:
        into += f"  {rate(connection.messages_per_second_in)}/s"
        out += f"  {rate(connection.messages_per_second_out)}/s"
    dropped = f"{details.dropped_messages:,} in  {details.dropped_pushes:,} out"
    any_dropped = details.dropped_messages or details.dropped_pushes
    close = NOTHING
    if details.last_close_code is not None or details.last_close_reason:
        code = str(details.last_close_code or "")
        words = details.last_close_reason or ""
        close = words if words.startswith(code) else f"{code} {words}".rstrip()
    return (
        (
            Fact("in", into),
            Fact("out", out),
            _count("undecodable", details.undecodable),
        ),
        (
            Fact("dropped", dropped if any_dropped else "0", "busy" if any_dropped else "plain"),
            Fact("last close", close),
        ),
    )


def _count(label: str, count: int) -> Fact:
    return Fact(label, f"{count:,}", "busy" if count else "plain")


def channel_rows(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[ChannelRow, ...]:
    """The channels in their own order; last values are dimmed, with their age, while not connected."""
    live = connection.metrics.connection_state == "connected" and known(snapshot, now)
    return tuple(_channel_row(channel, live, known(snapshot, now), now) for channel in connection.channels)


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


# The rest -----------------------------------------------------------------------------------------


def log_entries(lines: Sequence[LogLine], now: float) -> list[LogEntry]:
    """The log's lines."""
    return [
        LogEntry(
            time_of_day(line.timestamp, now), line.connection or "", line.text, _LOG_TONES[line.severity]
        )
        for line in lines
    ]


def metrics_json(connection: ConnectionSnapshot) -> str:
    """The nine metrics under their camelCase names, as the browser's console printed them."""
    return msgspec.json.format(msgspec.json.encode(connection.metrics.to_camel()), indent=2).decode()


def terminal_title(snapshot: Snapshot, now: float) -> str:
    """The terminal's title; changes with the state only."""
    if not known(snapshot, now):
        return "sup waits for the engine" if snapshot.waiting is not None else "sup engine stopped!"
    up = sum(connection.metrics.connection_state == "connected" for connection in snapshot.connections)
    down = len(snapshot.connections) - up
    return f"sup {up}/{len(snapshot.connections)} up" + (f" {down}!" if down else "")


def state_details(connection: ConnectionSnapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """What else is known of a connection's state, for the details."""
    details, trouble = connection.details, connection.trouble
    limit = connection.max_reconnect_attempts
    before = connection.previous_state_seconds
    rows = [
        (
            Fact("since", f"{time_of_day(details.since or None, now)}"),
            Fact("stable", "yes" if details.stable else "no"),
        ),
        (
            Fact("state before", NOTHING if before is None else f"lasted {duration(before)}"),
            Fact("next try", time_of_day(details.next_try, now)),
        ),
        (
            Fact("attempts begun", f"{details.attempts_begun:,}"),
            Fact("failed", f"{details.failed_attempts:,}"),
        ),
        (
            Fact("retries allowed", "unlimited" if limit is None else f"{limit:,}"),
            Fact("aborted", f"{details.attempts_aborted:,}"),
        ),
        (
            Fact("heartbeat every", f"{connection.heartbeat_interval:g} s"),
            Fact("handler errors", f"{details.handler_errors:,}"),
        ),
        (Fact("reason", details.reason or NOTHING),),
        (Fact("refusal", details.refusal or NOTHING),),
    ]
    if trouble is not None:
        words = f"{trouble.words}, since {time_of_day(trouble.since, now)}, {trouble.tries:,} tries"
        if trouble.last_reason and trouble.last_reason != trouble.words:
            words += f", last: {trouble.last_reason}"
        rows.append((Fact("trouble", words),))
    return tuple(rows)


def channel_counts(channel: ChannelSnapshot) -> tuple[Fact, ...]:
    """A channel's counters, for the details."""
    return (
        Fact("joins", f"{channel.joins:,}"),
        Fact("received", f"{channel.received:,}"),
        Fact(
            "buffered",
            f"{channel.buffered} of {channel.push_buffer}",
            "busy" if channel.buffered else "plain",
        ),
        _count("dropped", channel.dropped),
    )
