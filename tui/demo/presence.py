"""Who is present on a topic: ``presence_state`` and ``presence_diff`` as Phoenix.Presence sends them."""

from __future__ import annotations

import asyncio
import base64
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel
    from .hub import Hub


class Presence:
    """The tracker of one hub. A presence lives as long as the channel that tracks it."""

    def __init__(self, hub: Hub, random_source: random.Random) -> None:
        self._hub = hub
        self._random_source = random_source
        self._topics: dict[str, dict[Channel, dict[str, dict[str, Any]]]] = {}

    def track(self, channel: Channel, key: str, meta: dict[str, Any]) -> str:
        """Adds ``key`` and broadcasts the diff at once, so the joiner sees it before its own state."""
        entry = {"phx_ref": self._new_ref(), **meta}
        self._topics.setdefault(channel.topic, {}).setdefault(channel, {})[key] = entry
        self._note(channel.topic, {key: entry}, {})
        return str(entry["phx_ref"])

    def update(self, channel: Channel, key: str, meta: dict[str, Any]) -> str:
        """Replaces the meta of ``key``: one diff with the new one joined and the old one left.

        Phoenix's tracker is a process of its own, so its diff comes after the handler's reply.
        Raises: KeyError when the channel does not track the key.
        """
        tracked = self._topics[channel.topic][channel]
        old = tracked[key]
        new = {"phx_ref": self._new_ref(), "phx_ref_prev": old["phx_ref"], **meta}
        tracked[key] = new
        asyncio.get_running_loop().call_soon(self._note, channel.topic, {key: new}, {key: old})
        return str(new["phx_ref"])

    def forget(self, channel: Channel) -> None:
        tracked_by = self._topics.get(channel.topic)
        if tracked_by is None or (left := tracked_by.pop(channel, None)) is None:
            return
        if not tracked_by:
            del self._topics[channel.topic]
        self._note(channel.topic, {}, left)

    def state(self, topic: str) -> dict[str, Any]:
        """``{key: {"metas": [...]}}``."""
        listed: dict[str, Any] = {}
        for tracked in self._topics.get(topic, {}).values():
            for key, meta in tracked.items():
                listed.setdefault(key, {"metas": []})["metas"].append(meta)
        return listed

    def _note(self, topic: str, joins: dict[str, Any], leaves: dict[str, Any]) -> None:
        self._hub.send_to_topic(
            topic,
            "presence_diff",
            {
                "joins": {key: {"metas": [meta]} for key, meta in joins.items()},
                "leaves": {key: {"metas": [meta]} for key, meta in leaves.items()},
            },
        )

    def _new_ref(self) -> str:
        return base64.urlsafe_b64encode(self._random_source.randbytes(12)).decode()
