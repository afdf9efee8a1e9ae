"""The topics of a small streaming set-up, and ``echo:*`` for whoever only wants an answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .channel import Channel, Crash, Reply, Stop
from .show import SERVER_VERSION

if TYPE_CHECKING:
    from .hub import Hub


MAX_PAGE_NAME = 40


class Echo(Channel):
    """Answers what it is sent: the event says how."""

    async def join(self, params: Any) -> Any:
        return {"params": params, "topic": self.topic}

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        match event:
            case "echo":
                return Reply("ok", payload)
            case "error":
                return Reply("error", {"reason": "nope"})
            case "silent":
                return None
            case "push":
                self.push("pushed", payload)
                return None
            case "shout":
                await self.broadcast("shout", payload)
                return None
            case "shout_from":
                await self.broadcast_from("shout", payload)
                return Reply()
            case "crash":
                raise Crash("asked to")
            case "stop":
                return Stop()
        return await super().handle_in(event, payload)


class Enveloped(Channel):
    """Replies in the envelope of ``stream:*``, ``dashboard:*`` and ``events:*``."""

    def success(self, data: Any) -> Reply:
        meta = {"timestamp": self.hub.show.timestamp(), "server_version": SERVER_VERSION}
        return Reply("ok", {"success": True, "data": data, "meta": meta})

    def failure(self, code: str, message: str, **details: Any) -> Reply:
        error: dict[str, Any] = {"code": code, "message": message, "timestamp": self.hub.show.timestamp()}
        if details:
            error["details"] = details
        return Reply("error", {"success": False, "error": error})

    def pong(self) -> Reply:
        return self.success({"pong": True, "timestamp": self.hub.show.timestamp()})

    async def take_over(self, fields: dict[str, Any]) -> Reply:
        taken = {
            "type": fields.get("type", "screen-cover"),
            "message": fields.get("message", ""),
            "duration": fields.get("duration"),
            "timestamp": self.hub.show.timestamp(),
        }
        await self.broadcast("takeover", taken)
        return self.success({"operation": "takeover"})

    async def join(self, params: Any) -> Any:
        return self.success({"topic": self.topic}).response

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "ping":
            return self.pong()
        return self.failure("unknown_event", f"{self.topic} does not know this event", event=event)


class Overlays(Enveloped):
    """``stream:overlays``: what viewers see. Whoever joins with ``overlay_type`` is a page of that name."""

    page: str | None = None
    """The name that it gave, a supervisor too; None for whoever gave none."""

    async def join(self, params: Any) -> Any:
        name = params.get("overlay_type") if isinstance(params, dict) else None
        if isinstance(name, str) and 0 < len(name) <= MAX_PAGE_NAME:
            self.page = name
        return await super().join(params)

    async def after_join(self) -> None:
        self._seen()
        self.push("stream_state", self.hub.show.stream_state())

    def terminate(self) -> None:
        self._seen()

    def _seen(self) -> None:
        if self.page is not None:
            self.hub.show.page_seen(self.page)

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        fields = payload if isinstance(payload, dict) else {}
        match event:
            case "request_state":
                state = self.hub.show.stream_state()
                self.push("stream_state", state)
                return self.success(state)
            case "force_content":
                if not isinstance(fields.get("type"), str):
                    return self.failure("validation_failed", "type is required", field="type")
                # The hub says yes whether or not an overlay page is open.
                return await self._force(fields["type"], fields.get("data"), fields.get("duration"))
            case "takeover":
                return await self.take_over(fields)
            case "takeover_clear":
                await self.broadcast("takeover_clear", {"timestamp": self.hub.show.timestamp()})
                if self.hub.show.clear_forced():
                    await self._note_state()
                return self.success({"operation": "takeover_clear"})
            case "alert_shown" | "alert_ended":
                return await self._pass_on(event, fields.get("id"))
        return await super().handle_in(event, payload)

    async def _pass_on(self, event: str, number: Any) -> Reply:
        if self.page is None:
            return self.failure("not_an_overlay", 'join with {"overlay_type": NAME} to say what is shown')
        if not isinstance(number, str):
            return self.failure("validation_failed", "id is required", field="id")
        noted = {"id": number, "overlay": self.page, "timestamp": self.hub.show.timestamp()}
        await self.broadcast_from(event, noted)
        return self.success({"operation": event})

    async def _force(self, kind: str, data: Any, duration: Any) -> Reply:
        show = self.hub.show
        item = show.force_content(kind, data, duration if isinstance(duration, int) else 5_000)
        await self.broadcast("content_update", {"type": kind, "data": data, "timestamp": show.timestamp()})
        await self._note_state()
        return self.success({"operation": "content_forced", "id": item["id"], "type": kind})

    async def _note_state(self) -> None:
        show = self.hub.show
        await self.broadcast("stream_state", show.stream_state())
        await self.hub.broadcast("stream:queue", "queue_state", show.queue_state())


class Queue(Enveloped):
    """``stream:queue``: what viewers will see."""

    async def after_join(self) -> None:
        self.push("queue_state", self.hub.show.queue_state())

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        show = self.hub.show
        if event == "request_queue_state":
            state = show.queue_state()
            self.push("queue_state", state)
            return self.success(state)
        if event == "remove_queue_item":
            number = payload.get("id") if isinstance(payload, dict) else None
            if not isinstance(number, str) or not show.remove(number):
                return self.failure("not_found", "no such queue item", id=number)
            await self.broadcast("queue_state", show.queue_state())
            await self.hub.broadcast("stream:overlays", "stream_state", show.stream_state())
            return self.success({"operation": "item_removed", "id": number})
        return await super().handle_in(event, payload)


class Events(Enveloped):
    """``events:all``, ``events:chat``, ...: what viewers do; nothing is pushed after the join."""


class Health(Channel):
    """``health:*``: what services say of themselves, passed on to everybody else on the topic."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "health_report":
            await self.broadcast_from("health_report", payload)
            return Reply("ok", {})
        return await super().handle_in(event, payload)


class Dashboard(Enveloped):
    """``dashboard:<room>``: how the hub is."""

    async def after_join(self) -> None:
        self.push("initial_state", {"connected": True, "timestamp": self.hub.show.timestamp()})

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "get_telemetry":
            return self.success(telemetry(self.hub))
        return await super().handle_in(event, payload)


class Bare(Channel):
    """Replies without the envelope."""

    async def join(self, params: Any) -> Any:
        return {"topic": self.topic}

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "ping":
            return Reply("ok", {"pong": True, "timestamp": self.hub.show.timestamp()})
        return Reply("error", {"message": f"Unknown command: {event}"})


class Overlay(Bare):
    """``overlay:obs``, ``overlay:twitch``, ...: how a service is."""

    async def after_join(self) -> None:
        status = self._status()
        self.push("initial_state", {"type": status["service"], "data": status})

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if isinstance(event, str) and event.endswith(":status"):
            return Reply("ok", self._status())
        return await super().handle_in(event, payload)

    def _status(self) -> dict[str, Any]:
        service = self.topic.partition(":")[2]
        timestamp = self.hub.show.timestamp()
        return {"service": service, "connected": True, "status": "healthy", "timestamp": timestamp}


class Transcription(Bare):
    """``transcription:live``: what was said."""

    async def after_join(self) -> None:
        self.push("connection_established", {"connected": True, "timestamp": self.hub.show.timestamp()})

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "get_recent":
            return Reply("ok", {"transcriptions": list(self.hub.show.transcripts)})
        return await super().handle_in(event, payload)


def telemetry(hub: Hub) -> dict[str, Any]:
    """``telemetry_update`` from what the hub counts."""
    by_topic = {topic: len(hub.channels(topic)) for topic in hub.topics()}
    live = len(hub.connections)
    totals = Counter(connects=hub.connects, disconnects=hub.connects - live)
    totals["joins"] = sum(hub.joins.values())
    totals["leaves"] = totals["joins"] - sum(by_topic.values())
    pages = {
        channel.page
        for channel in hub.channels("stream:overlays")
        if isinstance(channel, Overlays) and channel.page is not None
    }
    return hub.show.telemetry(live, by_topic, dict(totals), pages)


TOPICS: tuple[tuple[str, type[Channel]], ...] = (
    ("stream:overlays", Overlays),
    ("stream:queue", Queue),
    ("events:*", Events),
    ("dashboard:*", Dashboard),
    ("health:*", Health),
    ("overlay:*", Overlay),
    ("transcription:live", Transcription),
    ("echo:*", Echo),
)
