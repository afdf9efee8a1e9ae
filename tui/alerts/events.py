"""Events of the hub as alerts know them: which type one is, who did it, and one of each to try with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tui.alerts.alert import MOST_TITLE, MOST_TYPE, fitted

TYPES = ("follow", "sub", "resub", "gift", "cheer", "raid", "redemption")
"""The types that have rules of their own; any other word is a type too."""

TYPE_OF_EVENT = {
    "follower": "follow",
    "gift_subscription": "gift",
    "channel.follow": "follow",
    "channel.subscribe": "sub",
    "channel.subscription.gift": "gift",
    "channel.subscription.message": "resub",
    "channel.cheer": "cheer",
    "channel.raid": "raid",
    "channel.channel_points_custom_reward_redemption.add": "redemption",
}
"""Names of events, of the hub and of Twitch, for the types of alerts. ``subscription`` depends on more."""

ANONYMOUS = "anonymous"
_WHO = ("user_name", "from_broadcaster_user_name", "display_name", "user_login", "user", "name", "who")

_NAMES = ("avalon", "kaelan", "mira", "zed", "quietfox", "ønske", "tanuki_dev", "さくら", "nightjar")
_LINES = ("good evening!", "that jump was clean", "LUL", "no way 😂", "the overlay looks great tonight")
_REWARDS = ("hydrate", "pick the next song", "pixel confetti", "ask the oracle")


def type_of(event: str, payload: Mapping[str, Any]) -> str:
    """The alert's type for an event's name: ``follower`` is ``follow``; a later month's ``subscription``
    is ``resub``. An unknown name is its own type, cut to 40 characters.
    """
    if event == "subscription":
        months = payload.get("cumulative_months")
        again = isinstance(months, int | float) and months > 1 and payload.get("is_gift") is not True
        return "resub" if again else "sub"
    return TYPE_OF_EVENT.get(event) or fitted(event, MOST_TYPE)


def who_of(payload: Mapping[str, Any]) -> str:
    """The name of whoever did it; ``anonymous`` where the event tells none."""
    if payload.get("is_anonymous") is True:
        return ANONYMOUS
    for key in _WHO:
        value = payload.get(key)
        if isinstance(value, str) and (name := fitted(value, MOST_TITLE)):
            return name
    return ANONYMOUS


def sample(type: str, chance: random.Random, now: float) -> dict[str, Any]:
    """A test event of ``type`` (of alerts, not of the hub), with the fields that the hub's events have.

    Its id is drawn from ``chance``, so that no two are one event. ``now`` is epoch seconds.
    """
    event = next((name for name, known in TYPE_OF_EVENT.items() if known == type), type)
    return {
        "id": f"test-{chance.getrandbits(64):016x}",
        "type": "subscription" if type in ("sub", "resub") else event,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        "correlation_id": f"{chance.getrandbits(32):08x}-test",
        "source": "test",
        "user_name": chance.choice(_NAMES),
        **_details(type, chance),
    }


def _details(type: str, chance: random.Random) -> dict[str, Any]:
    match type:
        case "sub":
            return {"tier": "1000", "cumulative_months": 1, "is_gift": False}
        case "resub":
            months = chance.randint(2, 40)
            return {"tier": "1000", "cumulative_months": months, "is_gift": False,
                    "message": chance.choice(_LINES)}  # fmt: skip
        case "gift":
            return {"tier": "1000", "total": chance.choice((1, 5, 5, 10, 50))}
        case "cheer":
            return {"bits": chance.choice((1, 50, 100, 420, 1000)), "message": chance.choice(_LINES)}
        case "raid":
            return {"viewers": chance.randint(3, 300)}
        case "redemption":
            return {"reward": {"title": chance.choice(_REWARDS), "cost": 500}, "user_input": ""}
        case _:
            return {}
