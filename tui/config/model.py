"""The settings as they are written: the options' tables, and what is written in another way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Required

from msgspec import Meta
from pydantic import create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

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
from tui.text.toml_lines import Tree

SECRET_OPTIONS = ("auth_token", "proxy")
"""Options of one text that may be a secret."""
SECRET_TABLE_OPTIONS = ("params", "headers")
"""Options of named texts, each of which may be a secret."""


@dataclass(frozen=True, slots=True)
class WrittenTopic:
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

HEADINGS = tuple(headings(SETTINGS))
"""The heading that begins each table, and the table's keys."""


class _Layered(BaseSettings):
    # A table that nobody set is left out, which is no value of its type.
    model_config = SettingsConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, validate_default=False
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Our own in place of the library's: they know where a value stands, and their errors repeat none."""
        return tuple(_TreeSource(settings_cls, tree) for tree in _trees.get())

    @model_validator(mode="before")
    @classmethod
    def _open(cls, data: Tree) -> Any:
        return _opened(data)


class _TreeSource(PydanticBaseSettingsSource):
    def __init__(self, settings: type[BaseSettings], tree: Tree) -> None:
        super().__init__(settings)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._tree.get(field_name), field_name, False

    def __call__(self) -> Tree:
        return {top: _closed(value, 2 if top == "connections" else 1) for top, value in self._tree.items()}


class _Whole(NamedTuple):
    """A table that the library is not to merge with another."""

    table: Tree


def _closed(value: Any, depth: int) -> Any:
    """The tables that are ``depth`` tables down, whole."""
    if not isinstance(value, dict):
        return value
    return {key: _closed(each, depth - 1) for key, each in value.items()} if depth else _Whole(value)


def _opened(value: Any) -> Any:
    if isinstance(value, _Whole):
        return value.table
    return {key: _opened(each) for key, each in value.items()} if isinstance(value, dict) else value


_trees: ContextVar[tuple[Tree, ...]] = ContextVar("settings", default=())
_fields: dict[str, Any] = {key: (hint, None) for key, hint in SETTINGS.__annotations__.items()}
_Settings = create_model("_Settings", __base__=_Layered, **_fields)


def validate(*trees: Tree) -> Tree:
    """What was set in several places, the first first, checked: a tree of the shape of :data:`SETTINGS`.

    Raises:
        ValidationError: pydantic's, with every mistake.
    """
    token = _trees.set(trees)
    try:
        found = _Settings()
    finally:
        _trees.reset(token)
    return {name: getattr(found, name) for name in found.model_fields_set}
