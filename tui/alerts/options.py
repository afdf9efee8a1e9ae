"""What the alert queue is told: where events come from, where alerts go, and the bounds in between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta

from tui.alerts.alert import MOST_TYPE
from tui.alerts.events import ANY_EVENT, EVENTS, TYPES, EventTypes
from tui.text.option_types import (
    Check,
    ConnectionName,
    EventName,
    Name,
    OrNone,
    Topic,
    check_printable,
    is_reference,
)

EventField = Literal["id", "who"]

FIELDS: Mapping[EventField, str] = MappingProxyType({"id": "id", "who": "user_name"})
"""Which field of an event holds its id and who it is about; dots go one object down, and what is missing
is looked for in an object ``data``."""

PAYLOAD: Mapping[str, Any] = MappingProxyType(
    {
        "type": "alert",
        "duration": "{duration_ms}",
        "data": {
            "id": "{id}",
            "type": "{type}",
            "who": "{who}",
            "title": "{title}",
            "message": "{message}",
            "count": "{count}",
            "priority": "{priority}",
        },
    }
)
"""What is pushed for an alert. A text that is one name in braces becomes its value, number or object;
names inside a longer text are put into it."""

JOIN_AS: Mapping[str, Any] = MappingProxyType({"overlay_type": "overlay-supervisor"})
"""What our own join on the topic of the overlays bears, so that no hub takes us for a page."""

DELIVERY_TIMEOUT = 5.0


MAX_PAYLOAD_DEPTH = 20
"""Tables and lists within each other in a payload."""


def _check_events(events: dict[str, str]) -> dict[str, str]:
    if not events:
        raise ValueError('expected at least one event, such as follower = "follow"')
    for event, kind in events.items():
        if not event or not event.isprintable():
            raise ValueError("expected names of events that are not empty and all printable")
        if kind == ANY_EVENT != event:
            raise ValueError(f'{event}: "{ANY_EVENT}" is no type of alert but for the event "{ANY_EVENT}"')
    return events


def _check_payload(value: Any, depth: int = MAX_PAYLOAD_DEPTH) -> Any:
    """A template that can be sent as JSON, and shown: what is in it is no secret."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected neither inf nor nan: JSON has no such numbers")
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"expected at most {MAX_PAYLOAD_DEPTH} tables and lists within each other")
        if is_reference(value):
            raise ValueError(
                'expected no { env = "NAME" } or { file = "path" }: this is no place for secrets'
            )
        for inner in value.values() if isinstance(value, dict) else value:
            _check_payload(inner, depth - 1)
    return value


Payload = Annotated[Mapping[str, Any], Check(_check_payload)]
EventOrNone = Annotated[EventName | None, Meta(description='the name of an event, or "none"'), OrNone()]
AlertType = Annotated[
    str,
    Meta(
        max_length=MOST_TYPE,
        description=f'a type of alert such as "follow", at most {MOST_TYPE} characters',
    ),
    Check(check_printable),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """A topic on which viewer events come."""

    connection: ConnectionName
    topic: Topic
    events: Annotated[
        Mapping[str, AlertType],
        Meta(description="a table of alert types by event"),
        Check(_check_events),
    ] = field(default_factory=lambda: EVENTS)
    """Alert types by event, or by ``EVENT:KIND``. ``"*"`` stands for every event that is not named,
    ``"*" = "*"`` gives each its own name as type; without it such an event is no alert."""
    kind_field: Name = "type"
    """Which field of an event holds its kind."""
    fields: Mapping[EventField, Name] = field(default_factory=lambda: FIELDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryOptions:
    """Where alerts are shown."""

    connection: ConnectionName
    topic: Topic = "stream:overlays"
    join_as: Payload = field(default_factory=lambda: JOIN_AS)
    """Join parameters of ``topic``, in so far as the topic's own do not hold these names."""
    event: EventName = "force_content"
    payload: Payload = field(default_factory=lambda: PAYLOAD)
    clear_event: EventOrNone = "takeover_clear"
    """Takes an alert off again; None where the hub has nothing that does."""
    clear_payload: Payload = field(default_factory=dict)
    clear_topic: Topic | None = None
    """None for ``topic``."""
    reply_id: Name = "data.id"
    """The field of the hub's reply that names the shown item, for ``{reply_id}`` in ``clear_payload``."""
    acknowledged_by: EventOrNone = "alert_shown"
    """The event on ``topic`` by which an overlay says that it shows an alert."""
    acknowledged_id: Name = "id"
    """The field of that event that holds the alert's id."""
    overlays: Annotated[
        tuple[Name, ...], Meta(description='a list of overlay pages such as ["omnibar"]')
    ] = ()
    """The overlay pages that show alerts, as the hub's reports name them: one of these that is connected
    while an alert plays vouches for it."""
    wait_for_page: bool = False
    """Show nothing while the hub reports that none of these pages is connected, or, with none, no page."""
    timeout: Annotated[float, Meta(ge=0.1, le=60)] = DELIVERY_TIMEOUT
    """Seconds for the hub's answer."""

    @property
    def our_names(self) -> frozenset[str]:
        """By which a hub that takes whoever joins for a page may call us."""
        return frozenset(value for value in self.join_as.values() if isinstance(value, str))


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertOptions:
    """Everything of ``[alerts]``. Times in seconds."""

    rules: Path | None = None
    """A TOML file, read anew when it changes; None for the built-in rules alone."""
    most_waiting: Annotated[int, Meta(ge=1, le=1000)] = 50
    gap: Annotated[float, Meta(ge=0, le=60)] = 0.25
    """Between two alerts."""
    same_id_window: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    """An event whose id came within this time is the same one."""
    on_uncertain: Literal["again", "leave"] = "again"
    """What becomes of an alert of which nobody knows whether it was shown."""
    kept_days: Annotated[float, Meta(ge=0.01, le=3650, description="a number of days")] = 30.0
    """Age at which history is forgotten."""
    kept_count: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    """Alerts of the history that are kept."""
    sources: tuple[SourceOptions, ...] = ()
    delivery: DeliveryOptions | None = None
    """None: the queue runs on its own clock, and shows nothing anywhere."""

    @property
    def types(self) -> frozenset[str] | None:
        """Every type that there can be: of the built-in rules, and what sources bring; None for any."""
        found = [EventTypes(each.events, each.kind_field).all for each in self.sources]
        return None if None in found else frozenset(TYPES).union(*filter(None, found))
