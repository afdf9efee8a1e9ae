"""The shape of ``[services]``, ``[incidents]`` and ``[metrics]``: their tables, keys, types and bounds.

What a key means and what it is unless given stands in :mod:`tui.services.options`; the value of
one that was not given is meaningless.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints

from tui.config.secret import Secret, parse_headers
from tui.config.table import Table, check_topic, given
from tui.model.incidents import IncidentRule, IncidentSeverity

MOST_NAME = 100
"""Characters of a service's name; what reports say of one is cut there."""
MOST_SERVICES = 1000
"""The snapshot of more would be too long for a face in another process."""

NONE = "none"
"""The word for no severity at all."""

_URL = "a URL such as http://saya:8891/health"
_RULES = get_args(IncidentRule)
_RULE = f"the name of a rule: {', '.join(_RULES)}"
_SEVERITY = '"info", "warning" or "critical"'
_SEVERITY_OR_NONE = f'"none", {_SEVERITY}'


def _check_event(event: str) -> str:
    if not event or not event.isprintable():
        raise ValueError("expected the name of an event, all printable")
    return event


def _check_url(url: str) -> str:
    """``http://`` or ``https://``; it is shown as it is, so it must hold no secret."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(f"expected {_URL}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("expected a URL that begins with http:// or https://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("a URL must not hold a user or a password; put secrets into headers")
    if "?" in url:
        raise ValueError("a URL must not hold a query; put secrets into headers")
    if "#" in url:
        raise ValueError("a URL must not hold a fragment (#)")
    if not parts.hostname or not port_is_valid or not url.isprintable() or " " in url:
        raise ValueError(f"expected {_URL}")
    return url


def _check_service_name(name: str) -> str:
    if not name or not name.isprintable() or name != name.strip() or len(name) > MOST_NAME:
        raise ValueError(
            f"not a name for a service; expected a printable text, at most {MOST_NAME} characters"
        )
    return name


def _parse_rule(value: object) -> str:
    if value not in _RULES:
        raise ValueError(f"expected {_RULE}")
    return str(value)


def _parse_argument(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("expected a text")
    return value


def _check_command(command: list[str]) -> list[str]:
    if command and not command[0]:
        raise ValueError("expected the program's name or path as the first text")
    return command


def _check_host(host: str) -> str:
    if not host or not host.isprintable() or " " in host or "/" in host:
        raise ValueError('expected a host\'s name or address such as "127.0.0.1"')
    return host


_ConnectionName = Annotated[str, StringConstraints(min_length=1)]
_Topic = Annotated[str, AfterValidator(check_topic)]
_SeverityOrNone = Literal["none", "info", "warning", "critical"]

_CONNECTION = "the name of one of [connections]"
_TOPIC = 'a topic such as "dashboard:main"'


class ReportsTable(Table):
    """One of ``[[services.reports]]``."""

    connection: _ConnectionName = Field(description=_CONNECTION)
    topic: _Topic = Field(description=_TOPIC)
    event: Annotated[str, AfterValidator(_check_event)] = given("the name of an event")
    kind: Literal["report", "hub"] = given('"report" or "hub"')
    stale_after: Annotated[float, Field(ge=1, le=86_400)] = given("a number of seconds from 1 to 86400")


class EndpointTable(Table):
    """``[services.endpoints.NAME]``."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(description=_URL)
    interval: Annotated[float, Field(ge=1, le=3600)] = given("a number of seconds from 1 to 3600")
    timeout: Annotated[float, Field(ge=0.1, le=60)] = given("a number of seconds from 0.1 to 60")
    headers: Annotated[dict[str, Secret], PlainValidator(parse_headers)] = given("a table of texts")
    ca_file: Annotated[str, StringConstraints(min_length=1)] = given("the path of a PEM file")


class ServicesTable(Table):
    """``[services]``: what is watched beside our own links."""

    most: Annotated[int, Field(ge=1, le=MOST_SERVICES)] = given(f"a whole number from 1 to {MOST_SERVICES}")
    reports: list[ReportsTable] = given("a list of tables, each begun with [[services.reports]]")
    endpoints: dict[Annotated[str, AfterValidator(_check_service_name)], EndpointTable] = given(
        "tables by name, each begun with [services.endpoints.NAME]"
    )


class SilentTable(Table):
    """One of ``[[incidents.silent]]``."""

    connection: _ConnectionName = Field(description=_CONNECTION)
    topic: _Topic = Field(description=_TOPIC)
    after: Annotated[float, Field(ge=1, le=86_400)] = given("a number of seconds from 1 to 86400")


class SeverityTable(Table):
    """``[incidents.severity]``."""

    failed: IncidentSeverity = given(_SEVERITY)
    breaker_open: IncidentSeverity = given(_SEVERITY)
    flapping: IncidentSeverity = given(_SEVERITY)
    slow_heartbeat: IncidentSeverity = given(_SEVERITY)
    heartbeats_unanswered: IncidentSeverity = given(_SEVERITY)
    silent_topic: IncidentSeverity = given(_SEVERITY)
    channel_refused: IncidentSeverity = given(_SEVERITY)
    topic_closed: IncidentSeverity = given(_SEVERITY)
    report_stale: IncidentSeverity = given(_SEVERITY)
    endpoint_unhealthy: IncidentSeverity = given(_SEVERITY)
    queue_dropping: IncidentSeverity = given(_SEVERITY)
    undecodable: IncidentSeverity = given(_SEVERITY)
    loop_late: IncidentSeverity = given(_SEVERITY)


class IncidentsTable(Table):
    """``[incidents]``: what counts as one, and what is done at it."""

    flapping_reconnects: Annotated[int, Field(ge=1, le=1000)] = given("a whole number from 1 to 1000")
    flapping_minutes: Annotated[float, Field(ge=0.1, le=1440)] = given("a number of minutes from 0.1 to 1440")
    slow_heartbeat: Annotated[float, Field(ge=0.001, le=60)] = given("a number of seconds from 0.001 to 60")
    silent: list[SilentTable] = given("a list of tables, each begun with [[incidents.silent]]")
    quiet_for: Annotated[float, Field(ge=0, le=86_400)] = given("a number of seconds from 0 to 86400")
    severity: SeverityTable = given("a table of severities by rule")
    off: list[Annotated[str, PlainValidator(_parse_rule)]] = given('a list of rules such as ["flapping"]')
    bell_from: _SeverityOrNone = given(_SEVERITY_OR_NONE)
    toast_from: _SeverityOrNone = given(_SEVERITY_OR_NONE)
    command: Annotated[
        list[Annotated[str, PlainValidator(_parse_argument)]], AfterValidator(_check_command)
    ] = given('a list of texts, the program first, such as ["notify-send", "incident"]')
    command_from: IncidentSeverity = given(_SEVERITY)
    command_timeout: Annotated[float, Field(ge=0.1, le=60)] = given("a number of seconds from 0.1 to 60")
    command_per_minute: Annotated[int, Field(ge=1, le=60)] = given("a whole number from 1 to 60")


class JournalTable(Table):
    """``[journal]``: what is kept of the past."""

    frames: bool = given("true or false")


class MetricsTable(Table):
    """``[metrics]``: an OpenMetrics endpoint."""

    host: Annotated[str, AfterValidator(_check_host)] = given("a host's name or address")
    port: Annotated[int, Field(ge=0, le=65_535)] = given("a whole number from 0 to 65535")


REPORTS_KEYS = tuple(ReportsTable.model_fields)
ENDPOINT_KEYS = tuple(EndpointTable.model_fields)
SERVICES_KEYS = tuple(ServicesTable.model_fields)
SILENT_KEYS = tuple(SilentTable.model_fields)
INCIDENTS_KEYS = tuple(IncidentsTable.model_fields)
JOURNAL_KEYS = tuple(JournalTable.model_fields)
METRICS_KEYS = tuple(MetricsTable.model_fields)

WATCH_TABLES: Mapping[str, type[Table]] = MappingProxyType(
    {
        "[services]": ServicesTable,
        "[[services.reports]]": ReportsTable,
        "[services.endpoints.NAME]": EndpointTable,
        "[incidents]": IncidentsTable,
        "[[incidents.silent]]": SilentTable,
        "[incidents.severity]": SeverityTable,
        "[metrics]": MetricsTable,
    }
)
"""By the heading that begins each."""
