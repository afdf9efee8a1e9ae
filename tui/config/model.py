"""The shape of the settings: tables, keys and types, validated by pydantic.

Bounds of the options are those of :class:`tui.channels.options.Options`, which is built from these
tables; here are only types. A key that was not given is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from tui.config.alert_tables import AlertsTable
from tui.config.headings import NESTED, heading_of, keys_of
from tui.config.secret import Secret, SecretTable, parse_headers, parse_secret, parse_secrets, parse_table
from tui.config.table import Table, check_topic, given
from tui.config.watch_tables import IncidentsTable, JournalTable, MetricsTable, ServicesTable
from tui.text.nearest import nearest

NAME_EXPECTED = "lower-case letters, digits and single underscores, beginning with a letter, such as hub_2"
SECRET_OPTIONS = ("auth_token", "proxy")
"""Options of one text that may be a secret."""
SECRET_TABLE_OPTIONS = ("params", "headers")
"""Options of named texts, each of which may be a secret."""
TEXT_KEYS = (
    *("url", "label", "preset", "ca_file", "theme", "on_hangup", "rules", "on_uncertain"),
    *("bell_from", "toast_from", "command_from", "host"),
)

# The client takes no upper bound; these keep a slip of the finger from meaning "never" or "all memory".
_MAX_SECONDS = 31_536_000
_MAX_COUNT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TopicTable:
    """A topic with the parameters of its join."""

    topic: str
    params: SecretTable | None = None


def _no_boolean(value: object) -> object:
    # To Python, true is 1.
    if isinstance(value, bool | float):
        raise ValueError("expected 1 or 2")
    return value


def _check_url(url: str) -> str:
    """``ws://`` or ``wss://``, as given to phoenix.js; no message holds any of it."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("expected a URL such as ws://hub:4000/socket") from None
    scheme = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None:
        raise ValueError("expected a URL that begins with ws:// or wss://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("a URL must not hold a user or a password; put secrets into params or auth_token")
    if "?" in url:
        raise ValueError("a URL must not hold a query; put what it says into params")
    if "#" in url:
        raise ValueError("a URL must not hold a fragment (#)")
    if not parts.hostname or not port_is_valid or not url.isprintable() or " " in url:
        raise ValueError("expected a URL such as ws://hub:4000/socket")
    path = parts.path.rstrip("/")
    if path.endswith("/websocket"):
        raise ValueError("leave /websocket out of the URL, it is added")
    return f"{scheme}://{parts.netloc}{path}"


def _check_label(label: str) -> str:
    label = label.strip()
    if not label or not label.isprintable():
        raise ValueError("expected a printable text of one line")
    return label


def _parse_topic(value: object) -> TopicTable:
    if isinstance(value, str):
        return TopicTable(check_topic(value))
    if not isinstance(value, dict):
        raise ValueError('expected a topic such as "room:1", or { topic = "room:1", params = { ... } }')
    for key in value:
        if key not in ("topic", "params"):
            raise ValueError(f"unknown key; nearest known: {nearest(str(key), ('topic', 'params'))}")
    topic = value.get("topic")
    if not isinstance(topic, str):
        raise ValueError("expected topic, a text")
    try:
        params = parse_table(value["params"]) if "params" in value else None
    except ValueError as error:
        raise ValueError(f"params: {error}") from None
    return TopicTable(check_topic(topic), params)


def _check_topics(topics: list[TopicTable]) -> list[TopicTable]:
    seen: set[str] = set()
    for number, entry in enumerate(topics):
        if entry.topic in seen:
            raise ValueError(f"entry {number + 1} repeats a topic; a connection joins each once")
        seen.add(entry.topic)
    return topics


def _parse_full_secret(value: object) -> Secret:
    if value == "":
        raise ValueError("expected a text that is not empty")
    return parse_secret(value)


_PROXY_SCHEMES = ("http://", "https://", "socks5://", "socks5h://", "socks4://", "socks4a://")


def _parse_proxy(value: object) -> Secret:
    words = ("environment", "none")
    if isinstance(value, str) and value not in words and not value.startswith(_PROXY_SCHEMES):
        raise ValueError('expected "environment", "none" or a URL such as http://, https:// or socks5://')
    return parse_secret(value)


Seconds = Annotated[float, Field(le=_MAX_SECONDS)]
Count = Annotated[int, Field(le=_MAX_COUNT)]
Preset = Literal["service", "overlay", "live"]
Theme = Literal["dark", "light", "ansi-dark", "ansi-light"]


_SECONDS = "a number of seconds"
_COUNT = "a whole number"


class OptionsTable(Table):
    """Every option of the client, none of which must be given. Explained in ``Options``."""

    max_reconnect_attempts: Count | Literal["unlimited"] | None = given('a whole number or "unlimited"')
    reconnect_base_delay: Seconds | None = given(_SECONDS)
    reconnect_max_delay: Seconds | None = given(_SECONDS)
    reconnect_jitter: float | None = given("a number from 0 to 1")
    heartbeat_interval: Seconds | None = given(_SECONDS)
    heartbeat_timeout: Seconds | None = given(_SECONDS)
    circuit_breaker_threshold: Count | None = given(_COUNT)
    circuit_breaker_timeout: Seconds | None = given(_SECONDS)
    stable_after: Seconds | None = given(_SECONDS)
    open_timeout: Seconds | None = given(_SECONDS)
    join_timeout: Seconds | None = given(_SECONDS)
    push_timeout: Seconds | None = given(_SECONDS)
    push_buffer: Count | None = given(_COUNT)
    handler_queue: Count | None = given(_COUNT)
    handler_queue_bytes: Count | None = given("a whole number of bytes")
    max_message_size: Count | None = given("a whole number of bytes")
    max_report_size: Count | None = given("a whole number of bytes")
    ca_file: Annotated[str, StringConstraints(min_length=1)] | None = given("the path of a PEM file")
    proxy: Annotated[Secret, PlainValidator(_parse_proxy)] | None = given("text or a reference")
    auth_token: Annotated[Secret, PlainValidator(_parse_full_secret)] | None = given("text or a reference")
    protocol_version: Annotated[Literal[1, 2], BeforeValidator(_no_boolean)] | None = given("1 or 2")
    params: Annotated[dict[str, Secret], PlainValidator(parse_secrets)] | None = given("a table of texts")
    headers: Annotated[dict[str, Secret], PlainValidator(parse_headers)] | None = given("a table of texts")
    revive_after: Seconds | Literal["never"] | None = given('a number of seconds or "never"')


class DefaultsTable(OptionsTable):
    """``[defaults]``: what every connection takes that does not say otherwise."""

    preset: Preset | None = given('"service", "overlay" or "live"')


class ConnectionTable(DefaultsTable):
    """``[connections.NAME]``."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(description="a URL such as ws://hub:4000/socket")
    label: Annotated[str, AfterValidator(_check_label)] | None = given("a text")
    topics: Annotated[
        list[Annotated[TopicTable, PlainValidator(_parse_topic)]], AfterValidator(_check_topics)
    ] = Field(default=[], description='a list of topics such as ["room:1"]')


class AppTable(Table):
    """``[app]``: how the screen looks and behaves."""

    theme: Theme | None = given('"dark", "light", "ansi-dark" or "ansi-light"')
    mouse: bool = Field(default=True, description="true or false")
    bell: bool = Field(default=False, description="true or false")
    on_hangup: Literal["quit", "keep"] = Field(default="quit", description='"quit" or "keep"')
    refresh: Annotated[float, Field(ge=0.25, le=60)] = Field(
        default=1.0, description="a number of seconds from 0.25 to 60"
    )


def _parse_keys(value: object) -> tuple[str, ...]:
    """One key, or a list of them; what they are called is for the app to judge."""
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError('expected a key such as "r", or a list of keys')
    return tuple(keys)


ConnectionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]


class SettingsTable(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    connections: dict[ConnectionName, ConnectionTable] = Field(default={}, description="tables by name")
    defaults: DefaultsTable = Field(default=DefaultsTable(), description="a table")
    debug: bool = Field(default=False, description="true or false")
    alerts: AlertsTable = Field(default=AlertsTable(), description="a table")
    services: ServicesTable = Field(default=ServicesTable(), description="a table")
    incidents: IncidentsTable = Field(default=IncidentsTable(), description="a table")
    journal: JournalTable = Field(default=JournalTable(), description="a table")
    metrics: MetricsTable = Field(default=MetricsTable(), description="a table")
    app: AppTable = Field(default=AppTable(), description="a table")
    keys: dict[str, Annotated[tuple[str, ...], PlainValidator(_parse_keys)]] = Field(
        default={}, description="a table of keys by action"
    )


TOP_KEYS = tuple(SettingsTable.model_fields)
CONNECTION_KEYS = tuple(ConnectionTable.model_fields)
DEFAULTS_KEYS = tuple(DefaultsTable.model_fields)
APP_KEYS = tuple(AppTable.model_fields)


def expected(path: tuple[str | int, ...]) -> str:
    """What the key at ``path`` takes, in words."""
    fields = SettingsTable.model_fields
    key = str(path[0])
    if path[0] == "connections" and len(path) == 2:
        return "a table"
    if path[0] == "connections" and len(path) > 2:
        fields, key = ConnectionTable.model_fields, str(path[2])
    elif path[0] == "defaults" and len(path) > 1:
        fields, key = DefaultsTable.model_fields, str(path[1])
    elif path[0] == "app" and len(path) > 1:
        fields, key = AppTable.model_fields, str(path[1])
    elif path[0] in NESTED and len(path) > 1:
        return keys_of(path[:-1]).get(str(path[-1])) or ("a table" if heading_of(path) else "something else")
    return (fields[key].description if key in fields else None) or "something else"
