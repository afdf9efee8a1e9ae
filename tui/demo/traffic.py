"""Traffic on the domain's topics: what a stream sends on an ordinary evening, at a chosen rate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .show import Happening
from .topics import telemetry

if TYPE_CHECKING:
    from .hub import Hub

DEFAULT_RATE = 5.0
"""Events a second."""

ALERTS = ("follower", "subscription", "gift_subscription", "cheer", "raid", "redemption")


class Traffic:
    """One task that lets the show go on. What happens follows from the hub's seed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._send = hub.send_to_topic
        self.rate = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.stop()
        if self.rate > 0:
            self._task = asyncio.create_task(self._run(self.rate), name="demo traffic")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, rate: float) -> None:
        random_source = self._hub.show.random_source
        while True:
            await asyncio.sleep(random_source.uniform(0.5, 1.5) / rate)
            self.step()

    def step(self) -> None:
        show = self._hub.show
        (kind,) = show.random_source.choices(
            ("viewer", "speech", "content", "telemetry", "service", "show"), weights=(60, 15, 10, 9, 5, 1)
        )
        match kind:
            case "viewer":
                self.note(show.next_happening())
            case "speech":
                self._send("transcription:live", "new_transcription", show.transcription())
            case "content":
                show.advance()
                self._state()
            case "telemetry":
                memory = round(show.random_source.uniform(160, 210), 1)
                if self._hub.landale is None:
                    self._send_to_all("dashboard:", "telemetry_update", telemetry(self._hub))
                performance = {"memory_mb": memory, "timestamp": show.timestamp()}
                self._send_to_all("dashboard:", "performance_update", performance)
            case "service":
                self._service()
            case "show":
                self._send("stream:overlays", "show_changed", show.change_show())
                self._state()

    def note(self, happening: Happening) -> None:
        show, landale = self._hub.show, self._hub.landale
        group = "events:chat" if happening.type == "chat_message" else "events:twitch"
        noted = [happening] if landale is None else landale.dialect.events(happening)
        for topic in ("events:all", group):
            for event, payload in noted:
                self._send(topic, event, payload)
        if landale is not None:
            landale.note_event()
        elif self._hub.shows_alerts and happening.type in ALERTS:
            show.queue_content(happening.type, happening.payload, duration=5_000)
            update = {"type": happening.type, "data": happening.payload, "timestamp": show.timestamp()}
            self._send("stream:overlays", "content_update", update)
            self._state()
        batch = {"events": [happening.payload], "count": 1, "timestamp": show.timestamp()}
        self._send_to_all("dashboard:", "event_batch", batch)

    def _service(self) -> None:
        show = self._hub.show
        now, scene = show.timestamp(), show.random_source.choice(("Main", "Starting Soon", "Be Right Back"))
        event = {"type": "scene_changed", "data": {"scene": scene}, "timestamp": now}
        self._send("overlay:obs", "obs_event", event)
        self._send("overlay:system", "system_event", {"type": "tick", "data": {}, "timestamp": now})
        self._send_to_all("dashboard:", "health_update", {"status": "healthy", "timestamp": now})
        self._send_to_all("health:", "health_report", show.health_report())

    def _state(self) -> None:
        show, landale = self._hub.show, self._hub.landale
        if landale is not None:
            landale.changed()
            return
        self._send("stream:overlays", "stream_state", show.stream_state())
        self._send("stream:queue", "queue_state", show.queue_state())

    def _send_to_all(self, prefix: str, event: str, payload: Any) -> None:
        for topic in self._hub.topics():
            if topic.startswith(prefix):
                self._send(topic, event, payload)
