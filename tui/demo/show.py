"""The stream that the domain's topics tell of: its state, and what happens next, from one generator."""

from __future__ import annotations

import datetime
import random
import time
from collections import deque
from collections.abc import Collection
from typing import Any, NamedTuple, Protocol

import msgspec

SERVER_VERSION = "1.8.12-demo"
MAX_QUEUE = 50
MAX_RECENT = 20
MAX_PAGES = 20
PAGES = ("omnibar", "takeover", "ironmon")

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

CHAT_WEIGHT = 60
"""Chat messages on an ordinary evening beside 42 of everything else that viewers do."""


class Happening(NamedTuple):
    """One event of the stream, as ``events:*`` carries it."""

    type: str
    payload: dict[str, Any]


class Clock(Protocol):
    """Seconds that never go back, and those of the epoch; the module ``time`` has both."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...


def page_listed(name: str, is_there: bool, last_seen: str | None) -> dict[str, Any]:
    """An overlay page as ``telemetry_update`` lists it."""
    return {
        "name": name,
        "connected": is_there,
        "lastSeen": last_seen,
        "channelState": "joined" if is_there else "closed",
        "environment": "production",
    }


class Show:
    """Everything that the stream is doing now. Pure state: no timer, no socket.

    The same seed brings the same happenings in the same order; only the timestamps differ.
    """

    def __init__(self, seed: int | None, clock: Clock = time) -> None:
        self._clock = clock
        self.random_source = random.Random(seed)
        self.current = "variety"
        self.version = 0
        self.active: dict[str, Any] | None = None
        self.ticker = ["emote_stats", "recent_follows", "stream_goals", "daily_stats"]
        self.chat_weight = CHAT_WEIGHT
        self.queue: list[dict[str, Any]] = []
        self.last_processed: str | None = None
        self.transcripts: deque[dict[str, Any]] = deque(maxlen=MAX_RECENT)
        self._number = 0
        self._owed: deque[Happening] = deque()
        self._forced_until: float | None = None
        self._pages_seen: dict[str, str] = {}
        self._started = self._clock.monotonic()

    def timestamp(self) -> str:
        """The time of day as Elixir prints it: UTC, microseconds, Z."""
        now = datetime.datetime.fromtimestamp(self._clock.time(), datetime.UTC)
        return now.isoformat(timespec="microseconds").replace("+00:00", "Z")

    # What the topics push

    def stream_state(self) -> dict[str, Any]:
        self._end_forced()
        return {
            "current_show": self.current,
            "active_content": self.active,
            "priority_level": "alert" if self.active else "ticker",
            "interrupt_stack": [self.active] if self.active else [],
            "ticker_rotation": list(self.ticker),
            "metadata": {"last_updated": self.timestamp(), "state_version": self.version},
        }

    def queue_state(self) -> dict[str, Any]:
        self._end_forced()
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

    def page_seen(self, name: str) -> None:
        """An overlay page is there, or was until now; the last 20 of them are kept."""
        self._pages_seen.pop(name, None)
        self._pages_seen[name] = self.timestamp()
        while len(self._pages_seen) > MAX_PAGES:
            del self._pages_seen[next(iter(self._pages_seen))]

    def telemetry(
        self, connections: int, topics: dict[str, int], totals: dict[str, int], pages: Collection[str]
    ) -> dict[str, Any]:
        """``telemetry_update`` of ``dashboard:*``, from the hub's own counts; ``pages`` have joined now."""
        for name in pages:
            self.page_seen(name)
        names = (*PAGES, *(seen for seen in self._pages_seen if seen not in PAGES))
        overlays = [page_listed(name, name in pages, self._pages_seen.get(name)) for name in names]
        uptime = round(self._clock.monotonic() - self._started, 1)
        return {
            "timestamp": self.timestamp(),
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
                "phononmaser": {"connected": True, "status": "healthy", "metadata": {"queue": 0}},
                "seed": {"connected": True, "status": "healthy", "metadata": {"buffers": 3}},
            },
            "performance": {"memory_mb": 182.4, "cpu_percent": 3.1, "run_queue": 0},
            "system": {
                "uptime": uptime, "version": SERVER_VERSION, "environment": "demo", "status": "healthy",
            },
            "overlays": overlays,
        }  # fmt: skip

    def health_report(self) -> dict[str, Any]:
        """What the service "phononmaser" on the host "saya" says of its own connection."""
        now = self._clock.time()
        return {
            "service": "phononmaser", "host": "saya", "environment": "demo",
            "connectionState": "connected", "reconnectAttempts": 0, "totalReconnects": 2,
            "failedReconnects": 1, "successfulConnects": 3, "heartbeatFailures": 0,
            "circuitBreakerTrips": 0, "lastHeartbeat": round(now * 1000), "isCircuitOpen": False,
        }  # fmt: skip

    def health(self) -> bytes:
        return msgspec.json.encode({"status": "healthy", "timestamp": self.timestamp()})

    # What changes it

    def force_content(self, kind: str, data: Any, duration: int) -> dict[str, Any]:
        """Puts content on screen at once, in the place of what is there, for ``duration`` milliseconds."""
        self._end_active()
        item = self._item(kind, data, duration, priority=100)
        self.queue.insert(0, item)
        self._begin_first()
        self._forced_until = self._clock.monotonic() + duration / 1000
        return item

    def clear_forced(self) -> bool:
        """Takes off what was forced; False when there is nothing of it."""
        found = self._forced_until is not None
        if found:
            self._end_active()
        return found

    def queue_content(self, kind: str, data: Any, duration: int) -> None:
        """Puts content into the queue (at most 50 items; the oldest waiting one makes room)."""
        if len(self.queue) >= MAX_QUEUE:
            del self.queue[1]
        self.queue.append(self._item(kind, data, duration, priority=50))
        self.version += 1

    def remove(self, number: str) -> bool:
        item = next((item for item in self.queue if item["id"] == number), None)
        if item is None:
            return False
        if item["status"] == "active":
            self._end_active()
        else:
            self.queue.remove(item)
            self.version += 1
        return True

    def advance(self) -> None:
        """Ends the item on screen and begins the next. Forced content has its time."""
        self._end_forced()
        if self._forced_until is None:
            self._end_active()
            if self.queue:
                self._begin_first()

    def change_show(self) -> dict[str, Any]:
        """Goes on to another show and game; ``show_changed`` of ``stream:overlays``."""
        self.current = self.random_source.choice([show for show in SHOWS if show != self.current])
        number, name = self.random_source.choice(GAMES)
        self.version += 1
        return {"show": self.current, "game": {"id": number, "name": name}, "changed_at": self.timestamp()}

    def next_happening(self) -> Happening:
        """What a viewer does next. A gift bomb brings its single subscriptions behind it."""
        if self._owed:
            return self._owed.popleft()
        kinds = ("chat_message", "follower", "subscription", "cheer", "redemption", "raid",
                 "gift_subscription", "channel_update")  # fmt: skip
        (kind,) = self.random_source.choices(kinds, weights=(self.chat_weight, 10, 8, 8, 8, 2, 2, 2))
        happening = self.happening(kind)
        if kind == "gift_subscription":
            for _ in range(happening.payload["total"]):
                self._owed.append(self.happening("subscription", is_gift=True, cumulative_months=1))
        return happening

    def happening(self, kind: str, **fields: Any) -> Happening:
        """One event of ``kind``; ``fields`` replace what chance would choose."""
        self._number += 1
        payload: dict[str, Any] = {
            "id": f"{self.random_source.getrandbits(64):016x}",
            "type": kind,
            "timestamp": self.timestamp(),
            "correlation_id": f"{self.random_source.getrandbits(32):08x}-{self._number}",
            "source": "twitch",
            "user_name": self.random_source.choice(NAMES),
            **self._details(kind),
            **fields,
        }
        return Happening(kind, payload)

    def transcription(self) -> dict[str, Any]:
        """``new_transcription`` of ``transcription:live``; the last 20 are kept for ``get_recent``."""
        self._number += 1
        said = {
            "id": f"transcription-{self._number}",
            "timestamp": self.timestamp(),
            "duration": round(self.random_source.uniform(0.8, 4.5), 2),
            "text": self.random_source.choice(SAID),
            "source_id": "phononmaser",
            "stream_session_id": "stream_demo",
            "confidence": round(self.random_source.uniform(0.7, 0.99), 3),
        }
        self.transcripts.append(said)
        return said

    def _details(self, kind: str) -> dict[str, Any]:
        random_source = self.random_source
        match kind:
            case "chat_message":
                return {"message": random_source.choice(LINES), "badges": [], "color": "#9146FF"}
            case "subscription":
                return {"tier": "1000", "cumulative_months": random_source.randint(1, 40), "is_gift": False}
            case "resubscription":
                months = random_source.randint(2, 40)
                return {"tier": "1000", "cumulative_months": months, "message": random_source.choice(LINES)}
            case "gift_subscription":
                return {"tier": "1000", "total": random_source.choice((1, 5, 5, 10))}
            case "cheer":
                return {
                    "bits": random_source.choice((1, 50, 100, 420, 1000)),
                    "message": random_source.choice(LINES),
                }
            case "raid":
                return {"viewers": random_source.randint(3, 300)}
            case "redemption":
                return {"reward": {"title": random_source.choice(REWARDS), "cost": 500}, "user_input": ""}
            case "channel_update":
                return {"title": "late night tinkering", "category_name": random_source.choice(GAMES)[1]}
            case _:
                return {}

    def _item(self, kind: str, data: Any, duration: int, priority: int) -> dict[str, Any]:
        self._number += 1
        return {
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

    def _begin_first(self) -> None:
        item = self.queue[0]
        item.update(status="active", started_at=self.timestamp())
        kept = ("id", "data", "priority", "duration", "started_at")
        self.active = {"type": item["content_type"], **{key: item[key] for key in kept}}
        self.version += 1

    def _end_active(self) -> None:
        if self.active is None:
            return
        if self.queue and self.queue[0]["status"] == "active":
            self.queue.pop(0)
            self.last_processed = self.timestamp()
        self.active = self._forced_until = None
        self.version += 1

    def _end_forced(self) -> None:
        if self._forced_until is not None and self._clock.monotonic() >= self._forced_until:
            self._end_active()
