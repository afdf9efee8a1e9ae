"""The shape of ``[alerts]``: its tables, keys, types and bounds.

What a key means and what it is unless given stands in :mod:`tui.alerts.options`, which is built from
the keys that were given; the value of one that was not is meaningless.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints

from tui.alerts.alert import MOST_TYPE
from tui.alerts.events import ANY_EVENT
from tui.config.secret import is_reference
from tui.config.table import Table, check_topic, given

NONE = "none"
"""The word for an event that the hub or its overlays do not have."""
MOST_DEPTH = 20
"""Tables and lists within each other in a payload."""

_NAME = "a printable text of at least one character"


def _check_name(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"expected {_NAME}")
    return value


def _parse_event_or_none(value: object) -> str | None:
    if not isinstance(value, str):
        raise ValueError(f'expected the name of an event, or "{NONE}"')
    return None if value == NONE else _check_name(value)


def _check_type(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > MOST_TYPE:
        raise ValueError(f'expected a type of alert such as "follow", at most {MOST_TYPE} characters')
    return value


def _check_events(events: dict[str, str]) -> dict[str, str]:
    if not events:
        raise ValueError('expected at least one event, such as follower = "follow"')
    for event, kind in events.items():
        if not event or not event.isprintable():
            raise ValueError("expected names of events that are not empty and all printable")
        if kind == ANY_EVENT != event:
            raise ValueError(f'{event}: "{ANY_EVENT}" is no type of alert but for the event "{ANY_EVENT}"')
    return events


def _check_path(path: str) -> str:
    if not path or "\0" in path:
        raise ValueError("expected the path of a TOML file")
    return path


def _check_payload(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    _check_inside(value, MOST_DEPTH)
    return value


def _check_inside(value: object, depth: int) -> None:
    """Whether a payload template can be sent as JSON, and shown: what is in it is no secret."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected neither inf nor nan: JSON has no such numbers")
    if not isinstance(value, dict | list):
        return
    if not depth:
        raise ValueError(f"expected at most {MOST_DEPTH} tables and lists within each other")
    if is_reference(value):
        raise ValueError('expected no { env = "NAME" } or { file = "path" }: this is no place for secrets')
    for inner in value.values() if isinstance(value, dict) else value:
        _check_inside(inner, depth - 1)


_ConnectionName = Annotated[str, StringConstraints(min_length=1)]
_Topic = Annotated[str, AfterValidator(check_topic)]
_Name = Annotated[str, PlainValidator(_check_name)]
_EventOrNone = Annotated[str | None, PlainValidator(_parse_event_or_none)]
_Type = Annotated[str, PlainValidator(_check_type)]
_Payload = Annotated[dict[str, Any], PlainValidator(_check_payload)]

_CONNECTION = "the name of one of [connections]"
_TOPIC = 'a topic such as "stream:overlays"'
_EVENT_OR_NONE = f'the name of an event, or "{NONE}"'


class FieldsTable(Table):
    """``[alerts.sources.fields]``."""

    id: _Name = given(_NAME)
    who: _Name = given(_NAME)


class SourceTable(Table):
    """One of ``[[alerts.sources]]``."""

    connection: _ConnectionName = Field(description=_CONNECTION)
    topic: _Topic = Field(description=_TOPIC)
    events: Annotated[dict[str, _Type], AfterValidator(_check_events)] = given(
        "a table of alert types by event"
    )
    kind_field: _Name = given(_NAME)
    fields: FieldsTable = given("a table")


class DeliveryTable(Table):
    """``[alerts.delivery]``."""

    connection: _ConnectionName = Field(description=_CONNECTION)
    topic: _Topic = given(_TOPIC)
    join_as: _Payload = given("a table")
    event: _Name = given("the name of an event")
    payload: _Payload = given("a table")
    clear_event: _EventOrNone = given(_EVENT_OR_NONE)
    clear_payload: _Payload = given("a table")
    clear_topic: _Topic = given(_TOPIC)
    reply_id: _Name = given(_NAME)
    acknowledged_by: _EventOrNone = given(_EVENT_OR_NONE)
    acknowledged_id: _Name = given(_NAME)
    overlays: list[_Name] = given('a list of overlay pages such as ["omnibar"]')
    wait_for_page: bool = given("true or false")
    timeout: Annotated[float, Field(ge=0.1, le=60)] = given("a number of seconds from 0.1 to 60")


class AlertsTable(Table):
    """``[alerts]``: what viewer events become, and where alerts are shown."""

    rules: Annotated[str, AfterValidator(_check_path)] = given("the path of a TOML file")
    most_waiting: Annotated[int, Field(ge=1, le=1000)] = given("a whole number from 1 to 1000")
    gap: Annotated[float, Field(ge=0, le=60)] = given("a number of seconds from 0 to 60")
    same_id_window: Annotated[float, Field(ge=0, le=86_400)] = given("a number of seconds from 0 to 86400")
    on_uncertain: Literal["again", "leave"] = given('"again" or "leave"')
    kept_days: Annotated[float, Field(ge=0.01, le=3650)] = given("a number of days from 0.01 to 3650")
    kept_count: Annotated[int, Field(ge=100, le=1_000_000)] = given("a whole number from 100 to 1000000")
    sources: list[SourceTable] = given("a list of tables, each begun with [[alerts.sources]]")
    delivery: DeliveryTable = given("a table")


ALERT_KEYS = tuple(AlertsTable.model_fields)
SOURCE_KEYS = tuple(SourceTable.model_fields)
DELIVERY_KEYS = tuple(DeliveryTable.model_fields)

ALERT_TABLES: Mapping[str, type[Table]] = MappingProxyType(
    {
        "[alerts]": AlertsTable,
        "[[alerts.sources]]": SourceTable,
        "[alerts.delivery]": DeliveryTable,
        "[alerts.sources.fields]": FieldsTable,
    }
)
"""By the heading that begins each."""
