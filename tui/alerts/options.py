"""What the alert queue is told: where events come from, where alerts go, and the bounds in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tui.alerts.events import EVENTS, TYPES, EventTypes

FIELDS: Mapping[str, str] = MappingProxyType({"id": "id", "who": "user_name"})
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


def _plain(values: Mapping[str, Any]) -> Any:
    return field(default_factory=lambda: values)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """A topic on which viewer events come."""

    connection: str
    topic: str
    events: Mapping[str, str] = _plain(EVENTS)
    """Alert types by event, or by ``EVENT:KIND``. ``"*"`` stands for every event that is not named,
    ``"*" = "*"`` gives each its own name as type; without it such an event is no alert."""
    kind_field: str = "type"
    """Which field of an event holds its kind."""
    fields: Mapping[str, str] = _plain(FIELDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryOptions:
    """Where alerts are shown."""

    connection: str
    topic: str = "stream:overlays"
    join_as: Mapping[str, Any] = _plain(JOIN_AS)
    """Join parameters of ``topic``, in so far as the topic's own do not hold these names."""
    event: str = "force_content"
    payload: Mapping[str, Any] = _plain(PAYLOAD)
    clear_event: str | None = "takeover_clear"
    """Takes an alert off again; None where the hub has nothing that does."""
    clear_payload: Mapping[str, Any] = _plain(MappingProxyType({}))
    clear_topic: str | None = None
    """None for ``topic``."""
    reply_id: str = "data.id"
    """The field of the hub's reply that names the shown item, for ``{reply_id}`` in ``clear_payload``."""
    acknowledged_by: str | None = "alert_shown"
    """The event on ``topic`` by which an overlay says that it shows an alert."""
    acknowledged_id: str = "id"
    """The field of that event that holds the alert's id."""
    overlays: tuple[str, ...] = ()
    """The overlay pages that show alerts, as the hub's reports name them: one of these that is connected
    while an alert plays vouches for it."""
    wait_for_page: bool = False
    """Show nothing while the hub reports that none of these pages is connected, or, with none, no page."""
    timeout: float = DELIVERY_TIMEOUT
    """Seconds for the hub's answer."""

    @property
    def our_names(self) -> frozenset[str]:
        """By which a hub that takes whoever joins for a page may call us."""
        return frozenset(value for value in self.join_as.values() if isinstance(value, str))


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertOptions:
    """Everything of ``[alerts]``. Times in seconds."""

    sources: tuple[SourceOptions, ...] = ()
    delivery: DeliveryOptions | None = None
    """None: the queue runs on its own clock, and shows nothing anywhere."""
    rules: Path | None = None
    """A TOML file, read anew when it changes; None for the built-in rules alone."""
    most_waiting: int = 50
    """1 to 1,000."""
    gap: float = 0.25
    """Between two alerts; 0 to 60."""
    same_id_window: float = 600.0
    """An event whose id came within this time is the same one; 0 to 86,400."""
    on_uncertain: Literal["again", "leave"] = "again"
    """What becomes of an alert of which nobody knows whether it was shown."""
    kept_days: float = 30.0
    """Age at which history is forgotten; 0.01 to 3,650."""
    kept_count: int = 10_000
    """Alerts of the history that are kept; 100 to 1,000,000."""

    @property
    def types(self) -> frozenset[str] | None:
        """Every type that there can be: of the built-in rules, and what sources bring; None for any."""
        found = [EventTypes(each.events, each.kind_field).all for each in self.sources]
        return None if None in found else frozenset(TYPES).union(*filter(None, found))
