"""What the alert queue is told: where events come from, where alerts go, and its bounds. Times in seconds.

The docstrings of options are the comments of the example settings.
"""

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
    """Where viewer events come from: one table for each topic."""

    connection: ConnectionName
    """One of [connections]."""
    topic: Topic
    """One of its topics: it must stand in them."""
    events: Annotated[
        Mapping[str, AlertType],
        Meta(description="a table of alert types by event"),
        Check(_check_events),
    ] = field(default_factory=lambda: EVENTS)
    """The type of alert that each event becomes; any word is a type, and rules may be written for it. One
    that tells its kind inside is named with it, "EVENT:KIND". "*" stands for every event that is not named;
    "*" = "*" gives each its own name as type. A "sub" of a later month becomes a "resub". Set one, and no
    other is taken that is not set too."""
    kind_field: Name = "type"
    """Which field of an event holds its kind."""
    fields: Mapping[EventField, Name] = field(default_factory=lambda: FIELDS)
    """Which field of an event holds its id, and which the name of who did it; "user.name" is the field name
    of the field user. One that is not given is the one that is shown here; one that an event lacks is looked
    for in its object "data"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryOptions:
    """Where alerts are shown. Without it the queue runs on its own clock, and shows nothing anywhere."""

    connection: ConnectionName
    """One of [connections]."""
    topic: Topic = "stream:overlays"
    """One of its topics: it must stand in them."""
    join_as: Payload = field(default_factory=lambda: JOIN_AS)
    """Parameters of our own join there, beside those that the topic has: a hub may take whoever joins for a
    page. {} for none."""
    event: EventName = "force_content"
    """The event that shows an alert."""
    payload: Payload = field(default_factory=lambda: PAYLOAD)
    """What is sent for an alert: any values, but no secrets. A text that is one name in braces becomes the
    value, a number for instance; names in a longer text are put into it. The names: id, type, who, title,
    message, count, priority, duration (seconds), duration_ms, and payload with the event's own fields, such
    as {payload.bits}. Set one key, and the payload has no other that is not set too."""
    clear_event: EventOrNone = "takeover_clear"
    """The event that takes an alert off again, or "none" where the hub has nothing that does."""
    clear_payload: Payload = field(default_factory=dict)
    """What is sent with it. { id = "{reply_id}" } goes with clear_event = "remove_queue_item"."""
    clear_topic: Topic | None = None
    """The topic of clear_event, such as "stream:queue". Not set by default: then the one above."""
    reply_id: Name = "data.id"
    """The field of the hub's reply that names what it shows: {reply_id} in clear_payload."""
    acknowledged_by: EventOrNone = "alert_shown"
    """The event on this topic by which an overlay says that it shows an alert, or "none"."""
    acknowledged_id: Name = "id"
    """The field of that event that holds the alert's id."""
    overlays: Annotated[
        tuple[Name, ...], Meta(description='a list of overlay pages such as ["omnibar"]')
    ] = ()
    """The overlay pages that show alerts, as they join and the hub's reports name them: one that is connected
    while an alert plays says that it is seen. With [] only a page that acknowledges does."""
    wait_for_page: bool = False
    """Start no alert while the hub's reports say that none of these pages is connected; without it alerts go
    on and end unconfirmed. What plays goes on; a report that is older than a minute holds nothing."""
    timeout: Annotated[float, Meta(ge=0.1, le=60)] = DELIVERY_TIMEOUT
    """Time for the hub's answer."""

    @property
    def our_names(self) -> frozenset[str]:
        """By which a hub that takes whoever joins for a page may call us."""
        return frozenset(value for value in self.join_as.values() if isinstance(value, str))


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertOptions:
    """The alert queue: what viewers do becomes alerts, which wait in order and are shown one at a time. There
    is none unless something is set here."""

    rules: Path | None = None
    """A TOML file of your own rules: priority, duration, texts. Not set by default: then the built-in rules
    alone hold. It is read anew when it changes. A relative path starts at this file's folder."""
    most_waiting: Annotated[int, Meta(ge=1, le=1000)] = 50
    """Alerts that wait; beyond it the oldest of the lowest priority is dropped."""
    gap: Annotated[float, Meta(ge=0, le=60)] = 0.25
    """Time between two alerts."""
    same_id_window: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    """An event whose id came within this time is the same one."""
    on_uncertain: Literal["again", "leave"] = "again"
    """An alert of which nobody knows whether it was shown, after a crash for instance: show it "again", or
    "leave" it."""
    kept_days: Annotated[float, Meta(ge=0.01, le=3650, description="a number of days")] = 30.0
    """Days after which an ended alert is forgotten."""
    kept_count: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    """Ended alerts that are kept; beyond it the oldest is forgotten."""
    sources: tuple[SourceOptions, ...] = ()
    delivery: DeliveryOptions | None = None
    """None: the queue runs on its own clock, and shows nothing anywhere."""

    @property
    def types(self) -> frozenset[str] | None:
        """Every type that there can be: of the built-in rules, and what sources bring; None for any."""
        found = [EventTypes(each.events, each.kind_field).all for each in self.sources]
        return None if None in found else frozenset(TYPES).union(*filter(None, found))
