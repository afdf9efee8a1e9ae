"""The hubs that a supervisor may meet: what each of them says, in which words, and what it keeps quiet.

``plain`` is a polite hub: it answers everything, names what it made, and shows what was forced last. The
others do as the code of the real hub, Landale's, does, read or recorded at three moments of one summer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

from .show import Happening, Show

DialectName = Literal["plain", "old", "telemetry", "new"]
"""``old``: July. ``telemetry``: ten days in August. ``new``: the end of August."""

TELEMETRY_INTERVAL = 2.0
"""Seconds between two ``telemetry_update`` of a hub that pushes them by itself."""

DEFAULT_PAGE = "Takeover"
"""What a hub that tracks pages calls whoever joins without saying what it is."""

_KINDS = {
    "raid": "channel.raid",
    "resubscription": "channel.subscription.message",
    "redemption": "channel.channel_points_custom_reward_redemption.add",
    "follower": "channel.follow",
    "subscription": "channel.subscribe",
    "gift_subscription": "channel.subscription.gift",
    "cheer": "channel.cheer",
    "chat_message": "channel.chat.message",
    "channel_update": "channel.update",
}
"""What Twitch's EventSub calls what a viewer does."""

_OWN_EVENTS = ("follower", "subscription", "gift_subscription", "cheer")
"""What bears an event name of its own in every dialect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one hub does differently from another."""

    name: DialectName
    stack: str
    """Where ``stream_state`` holds what is forced."""
    tracks_pages: bool = False
    """Whoever joins ``stream:overlays`` is kept as a page of the name ``overlay_type``."""
    notes_pages: bool = False
    """``dashboard:telemetry`` gets a ``telemetry_update`` every 2 s, with the pages that are there."""
    queue_crashes: bool = False
    """``stream:queue`` crashes at each change while an item is there."""
    flat_events: bool = False
    """Events are flat and bear an id; else what they tell stands in ``data``, without any."""

    def events(self, happening: Happening) -> list[tuple[str, dict[str, Any]]]:
        """What ``events:*`` carries of something that a viewer did: events and payloads, in order."""
        kind, payload = happening
        twitch = _KINDS.get(kind, kind)
        if self.flat_events:
            named = kind in (*_OWN_EVENTS, "chat_message", "channel_update")
            head = {key: payload[key] for key in ("correlation_id", "id", "source", "timestamp")}
            flat = {**head, "source_id": None, "raw_type": twitch, "type": twitch, **_fields(happening)}
            return [(kind if named else "twitch_event", flat)]
        if kind in _OWN_EVENTS:
            return [(kind, {"type": kind, "data": _fields(happening), "timestamp": payload["timestamp"]})]
        data = {"type": twitch, **_fields(happening)}
        return [("event", {"type": "twitch", "data": data, "timestamp": payload["timestamp"]})]


def _fields(happening: Happening) -> dict[str, Any]:
    """What an event tells, under Twitch's names; what nobody filled in is null."""
    kind, payload = happening
    name = payload["user_name"]
    number = name and str(crc32(name.encode()))
    viewer = {"user_id": number, "user_login": name and name.lower(), "user_name": name}
    channel = dict.fromkeys(f"broadcaster_user_{part}" for part in ("id", "login", "name"))
    noted = {key: value for key, value in payload.items() if key not in _ENVELOPE}
    match kind:
        case "raid":
            whose = {f"from_broadcaster_{key}": value for key, value in viewer.items()}
            return {**{f"to_{key}": None for key in channel}, **whose, "viewers": payload["viewers"]}
        case "redemption":
            noted.setdefault("source_id", payload["id"])
        case "subscription":
            noted.pop("cumulative_months", None)
        case "cheer":
            noted.setdefault("is_anonymous", name is None)
    return {**channel, **viewer, **_UNFILLED.get(kind, {}), **noted}


_UNFILLED: dict[str, dict[str, Any]] = {
    "redemption": {"redeemed_at": None, "status": "unfulfilled"},
    "follower": {"followed_at": None},
    "gift_subscription": {"cumulative_total": None, "is_anonymous": False},
    "resubscription": {"duration_months": None, "streak_months": None},
}
"""What the hub tells of some events though nobody filled it in."""

_ENVELOPE = ("id", "type", "timestamp", "correlation_id", "source")


REAL: dict[str, Dialect] = {
    "old": Dialect(name="old", stack="interrupt_stack"),
    "telemetry": Dialect(name="telemetry", stack="interrupt_stack", tracks_pages=True, notes_pages=True),
    "new": Dialect(name="new", stack="alerts", tracks_pages=True, queue_crashes=True, flat_events=True),
}


def stream_event(state: dict[str, Any], show: Show, number: str) -> dict[str, Any]:
    """What ``new`` sends on ``events:*`` behind every event: the state, as an event of its own."""
    return {
        **state,
        "id": f"evt_{number}",
        "correlation_id": number[:8],
        "type": "stream.state_updated",
        "raw_type": "stream.state_updated",
        "source": "stream",
        "source_id": None,
        "timestamp": show.timestamp(),
        "version": show.version,
    }
