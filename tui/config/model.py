"""The settings as they are written: the options' tables, and what is written in another way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Required

from msgspec import Meta
from pydantic import TypeAdapter

from tui.alerts.options import AlertOptions
from tui.channels.options import PRESETS, Options
from tui.config.secret import (
    EXPECTED,
    Secret,
    SecretTable,
    parse_headers,
    parse_secret,
    parse_secrets,
    parse_table,
)
from tui.config.shape import headings, table, table_of, tables_by
from tui.config.values import AppSettings
from tui.incidents.options import IncidentsOptions
from tui.metrics.options import MetricsOptions
from tui.services.options import EndpointOptions, JournalOptions, ServicesOptions
from tui.services.payloads import MOST_NAME
from tui.text.nearest import nearest
from tui.text.option_types import Check, check_no_nul, check_topic, split_url

SECRET_OPTIONS = ("auth_token", "proxy")
"""Options of one text that may be a secret."""
SECRET_TABLE_OPTIONS = ("params", "headers")
"""Options of named texts, each of which may be a secret."""


@dataclass(frozen=True, slots=True)
class WrittenTopic:
    """A topic with the parameters of its join."""

    topic: str
    params: SecretTable | None = None


def _check_connection_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ValueError(
            "not a name for a connection; expected lower-case letters, digits and single underscores, "
            "beginning with a letter, such as hub_2"
        )
    return name


def _check_url(url: str) -> str:
    """``ws://`` or ``wss://``, as given to phoenix.js; no message holds any of it."""
    # As phoenix.js takes them.
    ours = {"http:": "ws:", "https:": "wss:"}
    scheme, colon, rest = url.partition(":")
    url = f"{ours.get(scheme + colon, scheme + colon)}{rest}"
    parts = split_url(
        url,
        schemes=("ws", "wss"),
        example=_EXAMPLE_URL,
        user="put secrets into params or auth_token",
        query="put what it says into params",
    )
    path = parts.path.rstrip("/")
    if path.endswith("/websocket"):
        raise ValueError("leave /websocket out of the URL, it is added")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _check_label(label: str) -> str:
    label = label.strip()
    if not label or not label.isprintable():
        raise ValueError("expected a printable text of one line")
    return label


def _parse_topic(value: object) -> WrittenTopic:
    if isinstance(value, str):
        return WrittenTopic(check_topic(value))
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
    return WrittenTopic(check_topic(topic), params)


def _check_topics(topics: tuple[WrittenTopic, ...]) -> tuple[WrittenTopic, ...]:
    seen: set[str] = set()
    for number, entry in enumerate(topics):
        if entry.topic in seen:
            raise ValueError(f"entry {number + 1} repeats a topic; a connection joins each once")
        seen.add(entry.topic)
    return topics


def _parse_token(value: object) -> Secret:
    if value == "":
        raise ValueError("expected a text that is not empty")
    return parse_secret(value)


_PROXY_SCHEMES = ("http://", "https://", "socks5://", "socks5h://", "socks4://", "socks4a://")


def _parse_proxy(value: object) -> Secret | str:
    if value in ("environment", "none"):
        return str(value)
    if isinstance(value, str) and not value.startswith(_PROXY_SCHEMES):
        raise ValueError('expected "environment", "none" or a URL such as http://, https:// or socks5://')
    return parse_secret(value)


def _check_version(version: object) -> object:
    # To Python, true and 1.0 are 1.
    if type(version) is not int or version not in (1, 2):
        raise ValueError
    return version


def _parse_keys(value: object) -> tuple[str, ...]:
    """One key, or a list of them; what they are called is for the app to judge."""
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError
    return tuple(keys)


def _check_service_name(name: str) -> str:
    if not name or not name.isprintable() or name != name.strip() or len(name) > MOST_NAME:
        raise ValueError(
            f"not a name for a service; expected a printable text, at most {MOST_NAME} characters"
        )
    return name


_EXAMPLE_URL = "ws://hub:4000/socket"
_TEXTS = Meta(description="a table of texts")
_RULES_FILE = Annotated[str, Meta(min_length=1, description="the path of a TOML file"), Check(check_no_nul)]
_KEYS = Annotated[object, Meta(description='a key such as "r", or a list of keys'), Check(_parse_keys)]
_HEADERS = Annotated[dict[str, Any], _TEXTS, Check(parse_headers)]
_TOPIC = Annotated[object, Check(_parse_topic)]

# What every option of the client takes; a secret is written as a text or a reference.
_DEFAULTS: Mapping[str, Any] = {
    "preset": Literal[tuple(PRESETS)],
    "proxy": Annotated[object, Meta(description=EXPECTED), Check(_parse_proxy)],
    "auth_token": Annotated[object, Meta(description=EXPECTED), Check(_parse_token)],
    "protocol_version": Annotated[object, Meta(description="1 or 2"), Check(_check_version)],
    "params": Annotated[dict[str, Any], _TEXTS, Check(parse_secrets)],
    "headers": _HEADERS,
}
_CONNECTION = table_of(
    Options,
    **_DEFAULTS,
    url=Required[Annotated[str, Meta(description=f"a URL such as {_EXAMPLE_URL}"), Check(_check_url)]],
    label=Annotated[str, Check(_check_label)],
    topics=Annotated[
        tuple[_TOPIC, ...],
        Meta(description='a list of topics such as ["room:1"]'),
        Check(_check_topics),
    ],
)
_ENDPOINT = table_of(EndpointOptions, name=None, headers=_HEADERS)

SETTINGS = table(
    "Settings",
    {
        "debug": bool,
        "defaults": table_of(Options, **_DEFAULTS),
        "connections": tables_by(Annotated[str, Check(_check_connection_name)], _CONNECTION),
        "alerts": table_of(
            AlertOptions,
            rules=_RULES_FILE,
        ),
        "services": table_of(
            ServicesOptions, endpoints=tables_by(Annotated[str, Check(_check_service_name)], _ENDPOINT)
        ),
        "incidents": table_of(IncidentsOptions),
        "journal": table_of(JournalOptions),
        "metrics": table_of(MetricsOptions),
        # These two are of the app and stand in [incidents].
        "app": table_of(AppSettings, toast_from=None, bell_from=None),
        "keys": Annotated[dict[str, _KEYS], Meta(description="a table of keys by action")],
    },
)
"""Every table and key that there is."""

HEADINGS = tuple(headings(SETTINGS))
"""The heading that begins each table, and the table's keys."""

validate = TypeAdapter[dict[str, Any]](SETTINGS).validate_python
"""What was set, checked, as a tree of the same shape. Raises pydantic's ValidationError."""
