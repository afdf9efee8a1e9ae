"""What services say of themselves, and hubs of them, read from JSON that anybody may have sent.

Pure functions that raise for nothing: what cannot be read is left out. Every text is one line of bounded
length; of a payload only its first members are looked at, so that the work is bounded too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from itertools import islice
from typing import Any, NamedTuple, get_args

import msgspec

from tui.channels.health import ConnectionState, HealthMetrics
from tui.model.services import ServiceState
from tui.services.figures import (
    MOST_FIGURE,
    MOST_WORDS,
    Figures,
    bare_url,
    cut,
    error_text,
    label,
    line,
    moment,
    time_text,
    whole_number,
)

MOST_NAME = 100
PAGE = "page "
"""Before the name of an overlay page."""
MOST_NAMED = 200
"""Pages and, again, services that are taken from one report of a hub."""

RANK: dict[ServiceState, int] = {"unknown": 0, "good": 1, "off": 2, "busy": 3, "bad": 4}
"""From what says nothing to the worst."""

_MOST_MEMBERS = 200

_WORDS: dict[ServiceState, tuple[str, ...]] = {
    "good": ("connected", "healthy", "ok", "up", "good", "pass", "passing", "alive", "running", "ready",
             "online", "active", "joined", "operational", "success", "green", "true"),
    "busy": ("connecting", "reconnecting", "degraded", "warning", "warn", "starting", "restarting",
             "initializing", "stopping", "draining", "joining", "partial", "retrying", "yellow"),
    "bad": ("failed", "failing", "fail", "unhealthy", "error", "errored", "down", "critical", "fatal", "dead",
            "crashed", "offline", "unavailable", "not connected", "red", "false"),
    "off": ("disconnected", "disabled", "stopped", "off", "inactive", "paused", "maintenance"),
}  # fmt: skip
_STATES: dict[str, ServiceState] = {word: state for state, words in _WORDS.items() for word in words}

_COUNTS = (
    "reconnect_attempts",
    "total_reconnects",
    "failed_reconnects",
    "successful_connects",
    "heartbeat_failures",
    "circuit_breaker_trips",
)
_FIELDS = (
    "connection_state", *_COUNTS, "last_heartbeat", "is_circuit_open", "state", "status", "connected", "ok",
    "healthy", "channel_state", "service", "name", "host", "environment", "url", "since", "last_error",
    "close_code", "uptime_seconds", "last_seen", "metrics", "metadata", "websocket", "warnings",
)  # fmt: skip


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


_KNOWN: dict[str, str] = {
    **{spelled: name for name in _FIELDS for spelled in (name, _camel(name))},
    "error": "last_error",
    "last_close_code": "close_code",
    "lastCloseCode": "close_code",
    "hostname": "host",
    "env": "environment",
    "uptime": "uptime_seconds",
}
_LEFT_OUT = "timestamp"
"""Of a word's members: when it came is known by our own clock."""

_TELEMETRY = ("overlays", "services", "websocket", "performance", "system", "timestamp")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one word says of one service. Texts are from the network; times are epoch seconds."""

    name: str = ""
    """At most 100 characters, as is the host."""
    host: str = ""
    """In lower case; holds no ``@``."""
    environment: str = ""
    url: str = ""
    """Without query, fragment and user: they may hold a token."""
    state: ServiceState = "unknown"
    message: str = ""
    """At most 200 characters, as the last error."""
    since: float | None = None
    """When it came into its state, by its own clock."""
    metrics: HealthMetrics | None = None
    """Only where all of the nine are told; else those that are told are figures."""
    last_error: str | None = None
    close_code: int | None = None
    figures: dict[str, str] = {}


class Telemetry(NamedTuple):
    """What a hub tells of others."""

    noted: tuple[Report, ...]
    """The overlay pages first, as ``page NAME``, then the services; each name once."""
    left_out: int
    """Pages and services beyond :data:`MOST_NAMED`."""
    pages: bool
    """It tells of pages: one that it does not name it does not know any more."""
    services: bool
    """Likewise."""


def read_report(payload: Any, now: float) -> Report | None:
    """A service's own report; None when it names no service.

    Its nine metrics and all else may be camelCase or snake_case, flat or under ``metrics``, or all of it
    under ``data``; times may be seconds, milliseconds or ISO 8601.

    Args:
        now: epoch seconds, beyond which no time makes sense.
    """
    if not isinstance(payload, dict):
        return None
    if isinstance(inner := payload.get("data"), dict) and "service" not in payload and "name" not in payload:
        payload = inner
    fields, others = _gather(payload)
    name = line(fields.pop("service", None), MOST_NAME) or line(fields.pop("name", None), MOST_NAME)
    return _noted(name, fields, others, now) if name else None


def read_telemetry(payload: Any, now: float) -> Generator[None, None, Telemetry | None]:
    """A hub's ``telemetry_update``, or its reply to ``get_telemetry``; None when it is neither. In steps, one
    a page or service, since it may take a tenth of a second.

    Args:
        now: as of :func:`read_report`.
    """
    if not isinstance(payload, dict):
        return None
    if isinstance(inner := payload.get("data"), dict) and not any(key in payload for key in _TELEMETRY[:2]):
        payload = inner
    if not any(key in payload for key in _TELEMETRY):
        return None
    pages, services = payload.get("overlays"), payload.get("services")
    found: dict[str, Report] = {}
    left_out = 0
    if isinstance(pages, list):
        left_out += max(0, len(pages) - MOST_NAMED)
        for page in islice(pages, MOST_NAMED):
            yield
            noted = _page(page, now)
            if noted is not None:
                found[noted.name] = _both(found[noted.name], noted) if noted.name in found else noted
    if isinstance(services, dict):
        left_out += max(0, len(services) - MOST_NAMED)
        for name, value in islice(services.items(), MOST_NAMED):
            yield
            noted = _service(name, value, now)
            if noted is not None:
                found.setdefault(noted.name, noted)
    return Telemetry(tuple(found.values()), left_out, isinstance(pages, list), isinstance(services, dict))


def _page(page: Any, now: float) -> Report | None:
    if not isinstance(page, dict):
        return None
    fields, others = _gather(page)
    name = line(fields.pop("name", None), MOST_NAME - 5)
    channel = line(fields.get("channel_state"), MOST_FIGURE)
    if not name:
        return None
    noted = _noted(f"{PAGE}{name}", fields, others, now)
    if noted.state == "good" and channel and channel != "joined":
        words = cut(f"{noted.message}, channel {channel}", MOST_WORDS)
        return msgspec.structs.replace(noted, state="busy", message=words)
    return noted


def _both(one: Report, other: Report) -> Report:
    """One word of a page that is listed twice.

    Of one environment a page is there if it is open anywhere: a hub may list ones that it was before.
    Of two environments the worse is told, and which it is.
    """
    better, worse = (one, other) if RANK[one.state] <= RANK[other.state] else (other, one)
    if one.environment == other.environment:
        # What says nothing is no better than what says something.
        return worse if better.state == "unknown" else better
    words = f"{worse.message} ({worse.environment})" if worse.environment else worse.message
    return msgspec.structs.replace(worse, message=cut(words, MOST_WORDS))


def _service(name: Any, value: Any, now: float) -> Report | None:
    known = line(name, MOST_NAME) if isinstance(name, str) else None
    if not known:
        return None
    if isinstance(value, dict):
        return _noted(known, *_gather(value), now)
    if isinstance(value, bool):
        return _noted(known, {"connected": value}, [], now)
    return _noted(known, {"status": value}, [], now) if isinstance(value, str) else None


def read_health(
    code: int,
    body: bytes,
    now: float,
    *,
    unread: str | None = None,
    url: str = "",
    location: str | None = None,
) -> Report:
    """The answer of a health endpoint.

    Args:
        code: the HTTP status.
        body: as it came, at most as much as the caller cares to keep.
        unread: why that is not all of it, None where it is.
        url: where it was asked, against which ``location`` is read.
        location: the header of a redirect, which nobody follows.
    """
    if 300 <= code < 400 and location is not None:
        return Report(
            state="bad", message=cut(f"redirects to {bare_url(location, url)}, not followed", MOST_WORDS)
        )
    value = _decoded(body)
    noted = _answer(value, now)
    if not 200 <= code < 300:
        words = f"HTTP {code}: {noted.message}" if noted.message else f"HTTP {code}"
        return msgspec.structs.replace(noted, state="bad", message=cut(words, MOST_WORDS))
    if value is msgspec.UNSET:
        return _unread(body, unread)
    return (
        noted if noted.message else msgspec.structs.replace(noted, state="good", message="answers, no status")
    )


def _unread(body: bytes, unread: str | None) -> Report:
    if unread is not None:
        return Report(state="good", message=f"answers, {unread}")
    text = body.decode("utf-8", "replace").strip()
    if text.startswith(("{", "[")):
        # It may say anything; to call it well would be a guess.
        return Report(state="unknown", message="answers, JSON that cannot be read")
    word = line(text, MOST_FIGURE) or ""
    state = state_of(word)
    return (
        Report(state="good", message="answers, no JSON")
        if state == "unknown"
        else Report(state=state, message=word)
    )


def _decoded(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_leniently(body)


def _decoded_leniently(body: bytes) -> Any:
    """JSON as Python's own library writes it, which knows NaN; those numbers are left out of it."""
    try:
        value = json.loads(
            body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None, parse_float=_finite
        )
        # Without what no text may hold, such as half of a pair of surrogates.
        return _decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return msgspec.UNSET


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_decode = msgspec.json.Decoder().decode


def _answer(value: Any, now: float) -> Report:
    if isinstance(value, str | bool):
        return _noted("", {"status": value}, [], now)
    if not isinstance(value, dict):
        return Report()
    fields, others = _gather(value)
    for known in ("service", "name"):
        if known in fields:
            others.insert(0, (known, fields.pop(known)))
    return _noted("", fields, others, now)


# The parts of a payload


def _gather(
    payload: dict[Any, Any], *, is_inner: bool = False
) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """What is known of a payload's members, by its name in snake_case, and what is not, in order."""
    fields: dict[str, Any] = {}
    others: list[tuple[str, Any]] = []
    for key, value in islice(payload.items(), _MOST_MEMBERS):
        known = _KNOWN.get(key)
        if known is None or (is_inner and known == "metrics"):
            if is_inner or key != _LEFT_OUT:
                others.append((key, value))
        elif known == "metrics" and isinstance(value, dict):
            inner, further = _gather(value, is_inner=True)
            fields = inner | fields
            others += further
        elif fields.get(known) is None:
            fields[known] = value
    return fields, others


def _noted(name: str, fields: dict[str, Any], others: list[tuple[str, Any]], now: float) -> Report:
    metrics = _metrics(fields, now)
    state, words = _state(fields)
    figures = Figures()
    if metrics is None:
        figures.add_fields(fields, *_COUNTS, "last_heartbeat", "is_circuit_open")
    figures.add_fields(fields, "channel_state")
    for known in ("uptime_seconds", "last_seen"):
        if known in fields:
            figures.add_text(label(known.removesuffix("_seconds")), time_text(known, fields[known], now))
    figures.add_fields(fields, "websocket", "warnings")
    for key, value in others:
        figures.add(key, value)
    if isinstance(metadata := fields.get("metadata"), dict):
        for key, value in islice(metadata.items(), _MOST_MEMBERS):
            figures.add(key, value)
    return Report(
        name=name,
        host=(line(fields.get("host"), MOST_NAME) or "").lower().replace("@", "_"),
        environment=line(fields.get("environment"), MOST_NAME) or "",
        url=bare_url(url) if isinstance(url := fields.get("url"), str) else "",
        state=state,
        message=words,
        since=moment(fields.get("since"), now),
        metrics=metrics,
        last_error=error_text(fields.get("last_error")),
        close_code=_close_code(fields.get("close_code")),
        figures=figures.found,
    )


def _metrics(fields: dict[str, Any], now: float) -> HealthMetrics | None:
    state = fields.get("connection_state")
    is_open = fields.get("is_circuit_open")
    counts = {name: count for name in _COUNTS if (count := whole_number(fields.get(name))) is not None}
    if not isinstance(state, str) or not isinstance(is_open, bool) or len(counts) < len(_COUNTS):
        return None
    known = next((known for known in get_args(ConnectionState) if known == state.lower()), None)
    last = moment(fields.get("last_heartbeat"), now)
    return known and HealthMetrics(
        connection_state=known, last_heartbeat=last, is_circuit_open=is_open, **counts
    )


def _state(fields: dict[str, Any]) -> tuple[ServiceState, str]:
    """The worst of what the fields say, and its words; of two that are as bad the first."""
    found: list[tuple[ServiceState, str]] = []
    for known in ("status", "connection_state", "state"):
        value = fields.get(known)
        if isinstance(value, dict):
            value = value.get("status", value.get("state"))
        if isinstance(value, bool):
            value = "ok" if value else "not ok"
            found.append(("good" if value == "ok" else "bad", value))
        elif (code := whole_number(value)) is not None and 100 <= code < 600:
            found.append(("good" if code < 400 else "bad", f"status {code}"))
        elif words := line(value, MOST_WORDS):
            state = state_of(words)
            attempts = whole_number(fields.get("reconnect_attempts"))
            if attempts and words.lower() == "reconnecting":
                words = f"reconnecting ({attempts})"
            found.append((state, words))
    if fields.get("is_circuit_open") is True:
        # Over every state; it is the reason for the one there is.
        found.insert(0, ("bad", "circuit breaker open"))
    for known in ("connected", "ok", "healthy"):
        if isinstance(value := fields.get(known), bool):
            found.append(("good", known) if value else ("bad", f"not {known}"))
    if isinstance(socket := fields.get("websocket"), dict) and (trouble := _socket_trouble(socket)):
        found.append(trouble)
    if not found:
        return "unknown", ""
    state, words = max(found, key=lambda each: RANK[each[0]])
    warnings = fields.get("warnings")
    if state == "busy" and isinstance(warnings, list) and warnings and (first := error_text(warnings[0])):
        words = cut(f"{words}: {first}", MOST_WORDS)
    return state, words


def _socket_trouble(socket: dict[Any, Any]) -> tuple[ServiceState, str] | None:
    """What is wrong with a service's own WebSocket; the service may be well without it."""
    if socket.get("connected") is not False:
        return None
    words = line(socket.get("state"), MOST_FIGURE) or "not connected"
    return "busy", f"websocket {words}"


def state_of(words: str) -> ServiceState:
    """The state that a word stands for; ``unknown`` for one that nobody knows."""
    return _STATES.get(words.lower().replace("_", " ").replace("-", " "), "unknown")


def _close_code(value: Any) -> int | None:
    code = whole_number(value)
    return code if code is not None and 1000 <= code < 5000 else None
