"""Events of the hub as alerts know them: which type one is, who did it, and one of each to try with."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from tui.alerts.alert import MOST_TITLE, MOST_TYPE
from tui.alerts.templates import field, objects, shown
from tui.text.fitted import fitted
from tui.text.nearest import nearest

MOST_KIND = 200
"""Characters of a kind; a longer one is none."""

TYPES = ("follow", "sub", "resub", "gift", "cheer", "raid", "redemption")
"""The types that have rules of their own; any other word is a type too."""

ANY_EVENT = "*"
"""In a source's events: every one that is not named."""

_WITH_KINDS = ("event", "twitch_event")
_CALLED_ALIKE = {
    "channel.raid": "raid",
    "channel.subscription.message": "resub",
    "channel.channel_points_custom_reward_redemption.add": "redemption",
}
"""What Twitch calls what the hub tells under one name, its kind inside."""

EVENTS: Mapping[str, str] = MappingProxyType({
    "follower": "follow", "subscription": "sub", "gift_subscription": "gift", "resubscription": "resub",
    "cheer": "cheer", "raid": "raid", "redemption": "redemption",
    **{f"{event}:{kind}": type for event in _WITH_KINDS for kind, type in _CALLED_ALIKE.items()},
})  # fmt: skip
"""The alert type of each event that a hub sends of its viewers: by its name, or by name and kind."""

_NO_KINDS = (
    "channel.channel_points_custom_reward_redemption.update", "channel.chat.message", "channel.update",
    "stream.offline", "stream.online",
)  # fmt: skip
NO_ALERTS = frozenset((
    "alert_ended", "alert_shown", "channel_update", "chat_message", "connection_established",
    "content_update", "event_batch", "health_update", "initial_state", "new_transcription", "obs_event",
    "performance_update", "queue_state", "show_changed", "stream_event", "stream_state", "system_event",
    "takeover", "takeover_clear", "telemetry_update",
    *(f"{event}:{kind}" for event in _WITH_KINDS for kind in _NO_KINDS),
))  # fmt: skip
"""What a hub sends beside those; it is not told as unknown, and a source may map it all the same."""

_OF_ALL = frozenset(
    (
        *("id", "type", "raw_type", "timestamp", "correlation_id", "source", "source_id", "data"),
        *(f"{whose}_{part}" for whose in ("user", "broadcaster_user") for part in ("id", "login", "name")),
    )
)
_OF_SUBS = {"tier", "is_gift", "cumulative_months"}
DOCUMENTED: Mapping[str, frozenset[str]] = MappingProxyType({
    "follow": _OF_ALL | {"followed_at"},
    "sub": _OF_ALL | _OF_SUBS,
    "resub": _OF_ALL | _OF_SUBS | {"duration_months", "streak_months", "message"},
    "gift": _OF_ALL | {"tier", "total", "cumulative_total", "is_anonymous"},
    "cheer": _OF_ALL | {"bits", "message", "is_anonymous"},
    "raid": _OF_ALL | {"viewers"}
    | {f"{way}_broadcaster_user_{part}" for way in ("from", "to") for part in ("id", "login", "name")},
    "redemption": _OF_ALL | {"reward", "user_input", "status", "redeemed_at"},
})  # fmt: skip
"""The fields that an event of each type is known to have, in the words of any of the hubs that there are."""

ANONYMOUS = "anonymous"
_WHO = ("user_name", "from_broadcaster_user_name", "display_name", "user_login", "user", "name", "who")
_USER_ID = ("user_id", "from_broadcaster_user_id")

_NAMES = ("avalon", "kaelan", "mira", "zed", "quietfox", "ønske", "tanuki_dev", "さくら", "nightjar")
_LINES = ("good evening!", "that jump was clean", "LUL", "no way 😂", "the overlay looks great tonight")
_REWARDS = ("hydrate", "pick the next song", "pixel confetti", "ask the oracle")


class EventTypes:
    """Which type of alert an event is.

    Args:
        events: types by the name of an event, by ``EVENT:KIND``, or by :data:`ANY_EVENT`; a name goes
            before a kind. An event's name may hold colons; the kind is what follows the first one.
        kind_field: a dotted path to the kind; what the payload calls so goes before what its ``data`` does.
    """

    def __init__(self, events: Mapping[str, str], kind_field: str) -> None:
        self._events = events
        self._kind_field = kind_field
        self._with_kinds = {event.partition(":")[0] for event in events if ":" in event}
        self._other = events.get(ANY_EVENT)

    @property
    def all(self) -> frozenset[str] | None:
        types = frozenset(self._events.values())
        if ANY_EVENT in types:
            return None
        return types | {"resub"} if "sub" in types else types

    def may_have(self, event: str) -> bool:
        """Whether an event of this name may have a type; which one, its payload may have to tell."""
        return self._other is not None or event in self._events or event in self._with_kinds

    def find(self, event: str, payload: Mapping[str, Any]) -> tuple[str, str | None]:
        """The name by which it was looked for, its kind included where it has one, and the type; None
        where nobody gave it one. A ``sub`` of a later month is a ``resub``.
        """
        name, type = event, self._events.get(event)
        if type is None and event in self._with_kinds:
            for kind in self._kinds(payload):
                name = f"{event}:{kind}"
                if (type := self._events.get(name)) is not None:
                    break
        if type is None:
            type = event if self._other == ANY_EVENT else self._other
        if type == "sub":
            months = field(payload, "cumulative_months")
            again = isinstance(months, int | float) and months > 1
            type = "resub" if again and field(payload, "is_gift") is not True else type
        return name, type

    def _kinds(self, payload: Mapping[str, Any]) -> Iterator[str]:
        for noted in objects(payload):
            kind = field(noted, self._kind_field)
            if isinstance(kind, str) and len(kind) <= MOST_KIND:
                yield kind


def unknown_type(type: str, known: Collection[str]) -> str | None:
    """What is to be said of a type that is none of the known ones; None for one of them."""
    if type in known:
        return None
    return f"no source or rule has type {fitted(type, MOST_TYPE)}; nearest: {nearest(type, sorted(known))}"


def who_of(payload: Mapping[str, Any]) -> str:
    """The name of whoever did it; ``anonymous`` where the event tells none."""
    if field(payload, "is_anonymous") is True:
        return ANONYMOUS
    for key in _WHO:
        value = field(payload, key)
        if isinstance(value, str) and (name := fitted(value, MOST_TITLE)):
            return name
    return ANONYMOUS


def viewer_of(payload: Mapping[str, Any]) -> str | None:
    """A mark of whoever did it, the same in every run: by the user's id, else by the name; None where
    neither is told.
    """
    if field(payload, "is_anonymous") is True:
        return None
    for key in (*_USER_ID, *_WHO):
        if value := shown(field(payload, key)):
            noted = f"{key in _USER_ID} {value}".casefold()
            return hashlib.blake2s(noted.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return None


def sample(type: str, random_source: random.Random, now: float) -> dict[str, Any]:
    """A test event of ``type`` (of alerts, not of the hub), with the fields that the hub's events have.

    Its id is drawn from ``random_source``, so that no two are one event. ``now`` is epoch seconds.
    """
    return {
        "id": f"test-{random_source.getrandbits(64):016x}",
        "type": next((event for event, known in EVENTS.items() if known == type), type),
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        "correlation_id": f"{random_source.getrandbits(32):08x}-test",
        "source": "test",
        "user_name": random_source.choice(_NAMES),
        **_details(type, random_source),
        "user_id": str(random_source.getrandbits(40)),
    }


def _details(type: str, random_source: random.Random) -> dict[str, Any]:
    match type:
        case "sub":
            return {"tier": "1000", "cumulative_months": 1, "is_gift": False}
        case "resub":
            months = random_source.randint(2, 40)
            return {"tier": "1000", "cumulative_months": months, "is_gift": False,
                    "message": random_source.choice(_LINES)}  # fmt: skip
        case "gift":
            return {"tier": "1000", "total": random_source.choice((1, 5, 5, 10, 50))}
        case "cheer":
            return {
                "bits": random_source.choice((1, 50, 100, 420, 1000)),
                "message": random_source.choice(_LINES),
            }
        case "raid":
            return {"viewers": random_source.randint(3, 300)}
        case "redemption":
            return {"reward": {"title": random_source.choice(_REWARDS), "cost": 500}, "user_input": ""}
        case _:
            return {}
