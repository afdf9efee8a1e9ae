"""The topics of the real hub, in the dialect of the day: a stack with a mind of its own, pages, silences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .channel import Channel, Reply, Stop
from .dialect import DEFAULT_PAGE, TELEMETRY_INTERVAL, Dialect, stream_event
from .show import page_listed
from .topics import Dashboard, Enveloped, telemetry

if TYPE_CHECKING:
    from .hub import Hub


FORCED = "manual_override"

FORCED_PRIORITY = 100
"""Every forced item has it, so the newest is shown."""

DEFAULT_DURATION = 10_000
"""Milliseconds of an item that was forced without a duration."""


@dataclass(slots=True)
class Item:
    """One thing that was forced. Its time runs from the moment of adding, seen or not."""

    id: str
    """The hub's own."""
    data: Any
    """What was forced, as it came."""
    duration: int
    """Milliseconds."""
    added: float
    started_at: str

    @property
    def end(self) -> float:
        return self.added + self.duration / 1000

    def listed(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "duration": self.duration,
            "id": self.id,
            "priority": FORCED_PRIORITY,
            "started_at": self.started_at,
            "type": FORCED,
        }


class Landale:
    """What the real hub keeps: the stack, its timer, and who joined as a page."""

    def __init__(self, hub: Hub, dialect: Dialect, *, passes_on: bool = False) -> None:
        self.hub = hub
        self.passes_on = passes_on
        """The hub's owner added the lines of Elixir that pass on what a page says of an alert."""
        self.dialect = dialect
        self.items: list[Item] = []
        """What is forced now, the newest first. Two may hold the same of ours: nothing is told apart."""
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self.dialect.notes_pages:
            self._telling = asyncio.create_task(self._note_for_ever(), name="demo telemetry")

    def stop(self) -> None:
        """With the hub: a restart forgets everything that was forced."""
        self.items = []
        for running in (self._timer, self._telling):
            if running is not None:
                running.cancel()
        self._timer = self._telling = None

    # What changes it

    def force(self, data: Any, duration: Any) -> None:
        now = asyncio.get_running_loop().time()
        length = duration if isinstance(duration, int) and duration > 0 else DEFAULT_DURATION
        number = f"{self.hub.show.random_source.getrandbits(64):016x}"
        self.items.insert(0, Item(number, data, length, now, self.hub.show.timestamp()))
        self.changed()

    def remove(self, number: Any) -> None:
        """Take one off by the hub's id. The hub says yes to any."""
        if self._keep(lambda item: item.id != number):
            self.changed()

    def _keep(self, is_kept: Callable[[Item], bool]) -> bool:
        """Take off all others; False when there are none."""
        kept = list(filter(is_kept, self.items))
        found, self.items = len(kept) < len(self.items), kept
        return found

    def changed(self) -> None:
        """Tell everybody, as the hub does at every change of its state."""
        self.hub.show.version += 1
        self._expire_in_time()
        self.hub.send_to_topic("stream:overlays", "stream_state", self.stream_state())
        for channel in self.hub.channels("stream:queue"):
            if self.dialect.queue_crashes and self.items:
                channel.connection.end_channel(channel, "phx_error")
            else:
                channel.push("queue_state", self.queue_state())
        self._note_events()

    def note_event(self) -> None:
        """A viewer did something: the state counts it, and ``new`` tells of that too."""
        self.hub.show.version += 1
        self._note_events()

    def _note_events(self) -> None:
        if not self.dialect.flat_events:
            return
        number = f"{self.hub.show.random_source.getrandbits(96):024x}"
        event = stream_event(self.stream_state(), self.hub.show, number)
        self.hub.send_to_topic("events:all", "stream_event", event)

    def _expire_in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        end = min((item.end for item in self.items), default=None)
        if end is not None:
            self._timer = asyncio.get_running_loop().call_at(end, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if self._keep(lambda item: item.end > now):
            self.changed()
        else:
            self._expire_in_time()

    # What it says

    def stream_state(self) -> dict[str, Any]:
        show = self.hub.show
        items = [item.listed() for item in self.items]
        metadata = {"last_updated": self.hub.show.timestamp(), "state_version": show.version}
        if self.dialect.stack == "alerts":
            base = {"type": "latest_event", "fallback": True, "message": "Content temporarily unavailable"}
            return {
                "alerts": items,
                "base": {**base, "layer": "background"} if show.version else base,
                "current_show": show.current,
                "metadata": metadata,
                "ticker": list(show.ticker),
                "timeline": [],
            }
        return {
            "current_show": show.current,
            "active_content": items[0] if items else None,
            "priority_level": "alert" if items else "ticker",
            self.dialect.stack: items,
            "ticker_rotation": list(show.ticker),
            "metadata": metadata,
        }

    def queue_state(self) -> dict[str, Any]:
        items = self.items
        now = asyncio.get_running_loop().time()
        waited = sum(now - item.added for item in items) / len(items) if items else 0.0
        state: dict[str, Any] = {
            # Pending for ever, whatever is on screen.
            "queue": [
                {**item.listed(), "content_type": FORCED, "position": position, "status": "pending"}
                for position, item in enumerate(items)
            ],
            "is_processing": bool(items),
            "metrics": {
                "active_items": 0,
                "average_wait_time": int(waited * 1000),
                "last_processed": self.hub.show.timestamp(),
                "pending_items": len(items),
                "total_items": len(items),
            },
        }
        if self.dialect.stack != "alerts":
            state["active_content"] = items[0].listed() if items else None
        return state

    def pages(self) -> list[str]:
        """Whoever has joined as a page, a supervisor too, by the name that it gave, or the hub's own."""
        return [
            channel.page
            for channel in self.hub.channels("stream:overlays")
            if isinstance(channel, Overlays) and channel.page is not None
        ]

    def telemetry(self) -> dict[str, Any]:
        """``telemetry_update``: a page that left is absent."""
        pages = self.pages() if self.dialect.notes_pages else []
        now = self.hub.show.timestamp()
        return {**telemetry(self.hub), "overlays": [page_listed(name, True, now) for name in pages]}

    async def _note_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TELEMETRY_INTERVAL)
            self.hub.send_to_topic("dashboard:telemetry", "telemetry_update", self.telemetry())


class Quiet(Enveloped):
    """A channel of the real hub: an unknown event is logged there, and answered by nothing."""

    @property
    def landale(self) -> Landale:
        kept = self.hub.landale
        assert kept is not None
        return kept

    async def join(self, params: Any) -> Any:
        return {}

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "ping":
            return self.pong()
        if event == "remove_queue_item" and self.topic.startswith("stream:"):
            number = payload.get("id") if isinstance(payload, dict) else None
            self.landale.remove(number)
            return self.success({"operation": "item_removed", "id": number})
        return None


class Overlays(Quiet):
    """``stream:overlays``: whoever joins is taken for a page, where the dialect tracks them."""

    page: str | None = None

    async def join(self, params: Any) -> Any:
        if self.landale.dialect.tracks_pages:
            named = params.get("overlay_type") if isinstance(params, dict) else None
            self.page = named if isinstance(named, str) and named else DEFAULT_PAGE
        return await super().join(params)

    async def after_join(self) -> None:
        self.push("stream_state", self.landale.stream_state())

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        fields = payload if isinstance(payload, dict) else {}
        landale = self.landale
        match event:
            case "request_state":
                self.push("stream_state", landale.stream_state())
                return self.success({"operation": "state_requested"})
            case "force_content":
                if not isinstance(fields.get("type"), str):
                    return self.failure("validation_failed", "type is required", field="type")
                landale.force(fields.get("data"), fields.get("duration"))
                # No id: whoever forced it can find it in the next state alone.
                return self.success({"operation": "force_content", "type": fields["type"]})
            case "alert_shown" | "alert_ended" if landale.passes_on:
                await self.broadcast_from(event, payload)
                return Reply()
            case "takeover":
                return await self.take_over(fields)
            case "takeover_clear":
                # Hides the full-screen page of that name, and touches nothing that was forced.
                cleared = {"timestamp": self.hub.show.timestamp()}
                for topic in ("stream:overlays", "stream:queue"):
                    await self.hub.broadcast(topic, "takeover_clear", cleared)
                landale.changed()
                return self.success({"operation": "takeover_clear"})
        return await super().handle_in(event, payload)


class Queue(Quiet):
    """``stream:queue``: the stack, as a queue that never moves."""

    async def after_join(self) -> None:
        self.push("queue_state", self.landale.queue_state())


class Events(Quiet):
    """``events:*``: nothing is pushed after the join."""


class Room(Quiet, Dashboard):
    """``dashboard:*``: how the hub is, as far as the dialect tells."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "get_telemetry" and self.landale.dialect.name == "new":
            self.push("telemetry_update", self.landale.telemetry())
            return None
        return await super().handle_in(event, payload)


TOPICS: tuple[tuple[str, type[Channel]], ...] = (
    ("stream:overlays", Overlays),
    ("stream:queue", Queue),
    ("events:*", Events),
    ("dashboard:*", Room),
)
"""What the real hub serves in other ways than the polite one."""
