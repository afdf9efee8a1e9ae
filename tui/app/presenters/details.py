"""What the details of one connection show: every figure, its channels, its settings, its past."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.app.presenters.status import state_since
from tui.model.known import in_trouble, is_present
from tui.model.snapshot import (
    ChannelSnapshot,
    ConnectionHistory,
    ConnectionSnapshot,
    EffectiveSetting,
    Snapshot,
    StateEntry,
    Trouble,
)
from tui.text.formats import NOTHING, age, counted, duration, noted_state, rate, round_trip, size, time_of_day
from widgets.facts import Fact
from widgets.lines import Line, Span, Tone

_STATE_TONES: dict[str, Tone] = {"connected": "good", "failed": "bad", "disconnected": "dim"}


def health(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """The nine metrics; all dimmed when nobody observes the connection any more."""
    metrics = connection.metrics
    since = connection.details.heartbeats_unanswered_since
    words = noted_state(metrics.connection_state, since, now)
    rows = (
        (
            Fact("state", words, "plain" if since is None else "busy"),
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
            Fact("trips", f"{metrics.circuit_breaker_trips:,}{probes(connection)}"),
            Fact("failed reconnects", f"{metrics.failed_reconnects:,}"),
        ),
    )
    if is_present(snapshot, now):
        return rows
    return tuple(tuple(fact._replace(tone="dim") for fact in row) for row in rows)


def probes(connection: ConnectionSnapshot) -> str:
    """How often an open breaker let an attempt go, to stand behind its trips."""
    count = connection.details.circuit_breaker_probes
    return f", {counted(count, 'probe')}" if count else ""


def heartbeat(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """Round trips, the last answer, failures. Old values are dimmed, an old answer tells its age."""
    details, metrics = connection.details, connection.metrics
    live = metrics.connection_state == "connected" and is_present(snapshot, now)
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
            *([_count("unjudged", unjudged)] if (unjudged := details.round_trips_unjudged) else []),
            _count("failed", metrics.heartbeat_failures),
            Fact("answered", answered, answered_tone),
        ),
    )


def traffic(connection: ConnectionSnapshot, snapshot: Snapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """Messages and bytes, drops, what did not decode, the last close."""
    details = connection.details
    live = connection.metrics.connection_state == "connected" and is_present(snapshot, now)
    into = f"{details.messages_in:,}  {size(details.bytes_in)}"
    out = f"{details.messages_out:,}  {size(details.bytes_out)}"
    if live:
        into += f"  {rate(connection.messages_per_second_in)}/s"
        out += f"  {rate(connection.messages_per_second_out)}/s"
    dropped = f"{details.dropped_messages:,} in  {details.dropped_pushes:,} out"
    any_dropped = details.dropped_messages or details.dropped_pushes
    return (
        (Fact("in", into), Fact("out", out), _count("undecodable", details.undecodable)),
        (
            Fact("dropped", dropped if any_dropped else "0", "busy" if any_dropped else "plain"),
            Fact("last close", last_close(connection, now)),
        ),
    )


def last_close(connection: ConnectionSnapshot, now: float) -> str:
    details = connection.details
    if details.last_close_code is None and not details.last_close_reason:
        return NOTHING
    code, words = str(details.last_close_code or ""), details.last_close_reason or ""
    words = words if words.startswith(code) else f"{code} {words}".rstrip()
    return f"{words}, {time_of_day(details.last_close_at, now)}"


def _count(label: str, count: int) -> Fact:
    return Fact(label, f"{count:,}", "busy" if count else "plain")


def state_details(connection: ConnectionSnapshot, now: float) -> tuple[tuple[Fact, ...], ...]:
    """What else is known of a connection's state, for the details."""
    details, trouble = connection.details, connection.trouble
    limit = connection.max_reconnect_attempts
    before = connection.previous_state_seconds
    rows = [
        (
            Fact("since", time_of_day(state_since(connection), now)),
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
    if in_trouble(connection) and details.since and details.since != state_since(connection):
        # A try or a probe, which row 1 and the list do not call a new state.
        rows.insert(1, (Fact("last change", time_of_day(details.since, now)),))
    if trouble is not None:
        rows.append((Fact("trouble", _trouble_words(trouble, now)),))
    return tuple(rows)


def _trouble_words(trouble: Trouble, now: float) -> str:
    words = f"{trouble.message}, since {time_of_day(trouble.state_since, now)}"
    if trouble.tries:
        tries = "1 try" if trouble.tries == 1 else f"{trouble.tries:,} tries"
        words += f"; {tries} since {time_of_day(trouble.since, now)}"
        words += f", the last {time_of_day(trouble.last_try, now)}"
        if trouble.last_reason and trouble.last_reason != trouble.message:
            words += f": {trouble.last_reason}"
    return words


def channel_counts(channel: ChannelSnapshot) -> tuple[Fact, ...]:
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


def state_lines(history: ConnectionHistory, now: float) -> list[Line]:
    """The last changes of state, the newest first: that one is asked for."""
    return [_state_line(entry, now) for entry in reversed(history.states)]


def _state_line(entry: StateEntry, now: float) -> Line:
    lasted = "" if entry.before is None else f"  after {duration(entry.before)}"
    return (
        Span(f"  {time_of_day(entry.timestamp, now)} ", "dim"),
        Span(f"{entry.state:<13}", _STATE_TONES.get(entry.state, "busy")),
        Span(entry.message),
        Span("" if entry.last_try is None else f" {time_of_day(entry.last_try, now)}", "dim"),
        Span(lasted, "dim"),
    )


def setting_lines(settings: tuple[EffectiveSetting, ...]) -> list[Line]:
    return [
        (Span(f"  {setting.key:<26} ", "dim"), Span(setting.text), Span(f"  {setting.source}", "dim"))
        for setting in settings
    ]


def indented(metrics: dict[str, Any]) -> str:
    """Metrics under their camelCase names, as the browser's console printed them."""
    return msgspec.json.format(msgspec.json.encode(metrics), indent=2).decode()
