"""The stream that the domain's topics tell of: its state, and what happens next, from one generator."""

from __future__ import annotations

import datetime
import random
import time
from collections import deque
from typing import Any, NamedTuple

import msgspec

SERVER_VERSION = "1.8.12-demo"
MAX_QUEUE = 50
MAX_RECENT = 20

GAMES = (
    ("490100", "Lost Ark"),
    ("13765", "Pokémon FireRed/LeafGreen"),
    ("509658", "Just Chatting"),
    ("1469308723", "Software and Game Development"),
)
SHOWS = ("variety", "ironmon", "coding")
NAMES = (
    "avalon", "kaelan", "mira", "zed", "quietfox", "ønske", "tanuki_dev", "bot_9", "marginalia",
    "さくら", "lumen", "ferrous", "nightjar", "pixelwitch", "orrery",
)  # fmt: skip
LINES = (
    "good evening!", "that jump was clean", "LUL", "what keyboard is that?", "first time here, hi",
    "can we see the map again", "no way 😂", "the overlay looks great tonight", "gg", "brb tea",
)  # fmt: skip
SAID = (
    "okay so this should just work", "let me check the logs first", "thank you so much for the raid",
    "we are one badge away", "that is not what I expected", "welcome in everyone",
)  # fmt: skip
REWARDS = ("hydrate", "pick the next song", "pixel confetti", "ask the oracle")


class Happening(NamedTuple):
    """One event of the stream, as ``events:*`` carries it."""

    type: str
    payload: dict[str, Any]


def timestamp() -> str:
    """The time of day as Elixir prints it: UTC, microseconds, Z."""
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


class Show:
    """Everything that the stream is doing now. Pure state: no timer, no socket.

    The same seed brings the same happenings in the same order; only the timestamps differ.
    """

    def __init__(self, seed: int | None) -> None:
        self.chance = random.Random(seed)
        self.current = "variety"
        self.game = GAMES[0]
        self.version = 0
        self.active: dict[str, Any] | None = None
        self.stack: list[dict[str, Any]] = []
        self.ticker = ["emote_stats", "recent_follows", "stream_goals"]
        self.queue: list[dict[str, Any]] = []
        self.processed = 0
        self.last_processed: str | None = None
        self.transcripts: deque[dict[str, Any]] = deque(maxlen=MAX_RECENT)
        self._number = 0
        self._owed: deque[Happening] = deque()
        self._started = time.monotonic()

    # What the topics push

    def stream_state(self) -> dict[str, Any]:
        """``stream_state`` of ``stream:overlays``."""
        return {
            "current_show": self.current,
            "active_content": self.active,
            "priority_level": "alert" if self.stack else "ticker",
            "interrupt_stack": list(self.stack),
            "ticker_rotation": list(self.ticker),
            "metadata": {"last_updated": timestamp(), "state_version": self.version},
        }

    def queue_state(self) -> dict[str, Any]:
        """``queue_state`` of ``stream:queue``."""
        for position, item in enumerate(self.queue):
            item["position"] = position
        active = next((item for item in self.queue if item["status"] == "active"), None)
        pending = sum(item["status"] == "pending" for item in self.queue)
        return {
            "queue": list(self.queue),
            "active_content": active,
            "metrics": {
                "total_items": len(self.queue),
                "active_items": int(active is not None),
                "pending_items": pending,
                "average_wait_time": 4_000 * pending,
                "last_processed": self.last_processed,
            },
            "is_processing": active is not None,
        }

    def show_changed(self) -> dict[str, Any]:
        """``show_changed`` of ``stream:overlays``."""
        number, name = self.game
        return {"show": self.current, "game": {"id": number, "name": name}, "changed_at": timestamp()}

    def telemetry(self, connections: int, topics: dict[str, int], totals: dict[str, int]) -> dict[str, Any]:
        """``telemetry_update`` of ``dashboard:*``, from the hub's own counts."""
        overlays = [
            {
                "name": name,
                "connected": topics.get("stream:overlays", 0) > index,
                "lastSeen": timestamp(),
                "channelState": "joined" if topics.get("stream:overlays", 0) > index else "closed",
                "environment": "production",
            }
            for index, name in enumerate(("omnibar", "takeover", "ironmon"))
        ]
        uptime = round(time.monotonic() - self._started, 1)
        return {
            "timestamp": timestamp(),
            "websocket": {
                "total_connections": connections,
                "active_channels": sum(topics.values()),
                "channels_by_type": topics,
                "recent_disconnects": 0,
                "totals": totals,
                "status": "healthy",
            },
            "services": {
                "obs": {"connected": True, "status": "healthy", "metadata": {"fps": 60.0}},
                "twitch": {"connected": True, "status": "healthy", "metadata": {"subscriptions": 9}},
                "phononmaser": {"connected": topics.get("transcription:live", 0) > 0, "status": "healthy"},
                "seed": {"connected": False, "status": "down", "error": "no heartbeat for 94 s"},
            },
            "performance": {"memory_mb": 182.4, "cpu_percent": 3.1, "run_queue": 0},
            "system": {
                "uptime": uptime, "version": SERVER_VERSION, "environment": "demo", "status": "healthy",
            },
            "overlays": overlays,
        }  # fmt: skip

    def health(self) -> bytes:
        """The body of ``GET /health``."""
        return msgspec.json.encode({"status": "healthy", "timestamp": timestamp()})

    # What changes it

    def force_content(self, kind: str, data: Any, duration: int, priority: int = 50) -> dict[str, Any]:
        """Puts content into the queue (at most 50 items; the oldest waiting one makes room)."""
        if len(self.queue) >= MAX_QUEUE:
            del self.queue[1]
        self._number += 1
        item = {
            "id": f"content-{self._number}",
            "type": "alert",
            "priority": priority,
            "content_type": kind,
            "data": data,
            "duration": duration,
            "started_at": None,
            "status": "pending",
            "position": len(self.queue),
        }
        self.queue.append(item)
        self._changed()
        return item

    def remove(self, number: str) -> bool:
        """Takes an item out of the queue; False when it is not there."""
        kept = [item for item in self.queue if item["id"] != number]
        found = len(kept) < len(self.queue)
        self.queue = kept
        if found:
            self._changed()
        return found

    def advance(self) -> dict[str, Any] | None:
        """Ends the item on screen and begins the next; returns the new one."""
        if self.queue and self.queue[0]["status"] == "active":
            self.queue.pop(0)
            self.processed += 1
            self.last_processed = timestamp()
        nothing_left = not self.queue
        if nothing_left:
            self.active, self.stack = None, []
        else:
            self.queue[0].update(status="active", started_at=timestamp())
            item = self.queue[0]
            self.active = {"type": item["content_type"], "data": item["data"], "priority": item["priority"]}
            self.stack = [self.active]
        self._changed()
        return None if nothing_left else self.queue[0]

    def change_show(self) -> dict[str, Any]:
        """Goes on to another show and game."""
        self.current = self.chance.choice([show for show in SHOWS if show != self.current])
        self.game = self.chance.choice(GAMES)
        self._changed()
        return self.show_changed()

    def next_happening(self) -> Happening:
        """What a viewer does next. A gift bomb brings its single subscriptions behind it."""
        if self._owed:
            return self._owed.popleft()
        kinds = ("chat_message", "follower", "subscription", "cheer", "redemption", "raid",
                 "gift_subscription", "channel_update")  # fmt: skip
        (kind,) = self.chance.choices(kinds, weights=(60, 10, 8, 8, 8, 2, 2, 2))
        happening = self.happening(kind)
        if kind == "gift_subscription":
            for _ in range(happening.payload["total"]):
                self._owed.append(self.happening("subscription", is_gift=True, cumulative_months=1))
        return happening

    def happening(self, kind: str, **fields: Any) -> Happening:
        """One event of ``kind``; ``fields`` replace what chance would choose."""
        self._number += 1
        payload: dict[str, Any] = {
            "id": f"{self.chance.getrandbits(64):016x}",
            "type": kind,
            "timestamp": timestamp(),
            "correlation_id": f"{self.chance.getrandbits(32):08x}-{self._number}",
            "source": "twitch",
            "user_name": self.chance.choice(NAMES),
            **self._details(kind),
            **fields,
        }
        return Happening(kind, payload)

    def transcription(self) -> dict[str, Any]:
        """``new_transcription`` of ``transcription:live``; the last 20 are kept for ``get_recent``."""
        self._number += 1
        said = {
            "id": f"transcription-{self._number}",
            "timestamp": timestamp(),
            "duration": round(self.chance.uniform(0.8, 4.5), 2),
            "text": self.chance.choice(SAID),
            "source_id": "phononmaser",
            "stream_session_id": "stream_demo",
            "confidence": round(self.chance.uniform(0.7, 0.99), 3),
        }
        self.transcripts.append(said)
        return said

    def _details(self, kind: str) -> dict[str, Any]:
        chance = self.chance
        match kind:
            case "chat_message":
                return {"message": chance.choice(LINES), "badges": [], "color": "#9146FF"}
            case "subscription":
                return {"tier": "1000", "cumulative_months": chance.randint(1, 40), "is_gift": False}
            case "gift_subscription":
                return {"tier": "1000", "total": chance.choice((1, 5, 5, 10))}
            case "cheer":
                return {"bits": chance.choice((1, 50, 100, 420, 1000)), "message": chance.choice(LINES)}
            case "raid":
                return {"viewers": chance.randint(3, 300)}
            case "redemption":
                return {"reward": {"title": chance.choice(REWARDS), "cost": 500}, "user_input": ""}
            case "channel_update":
                return {"title": "late night tinkering", "category_name": chance.choice(GAMES)[1]}
            case _:
                return {}

    def _changed(self) -> None:
        self.version += 1
