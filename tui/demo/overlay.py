"""A simulated overlay page: the plain client that a browser source is, to whom alerts are shown."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

logger = logging.getLogger(__name__)

TOPIC = "stream:overlays"
RETRY = 0.3
"""Seconds between two attempts to connect."""
HEARTBEAT = 5.0
"""Seconds between two heartbeats; one that is not answered by the next ends the connection."""
OPEN_LIMIT = 5.0


@dataclass(slots=True)
class Shown:
    """One alert as it stood on the page. Times by the event loop's clock."""

    id: str | None
    data: Any
    at: float
    until: float | None = None
    """When it went; None while it stands."""


class Listed(NamedTuple):
    """An item of a hub's ``stream_state``."""

    number: Any
    """The hub's own id: what is pushed once more is another item."""
    data: Any
    end: float
    """When its time is over, as the page counts it: from the moment at which it was first listed."""


class Screen:
    """Chooses what a page shows of what its hub lists: the first of the highest priority, the newest first,
    each for its own time, however long the hub lists it. Pure state: no timer, no socket.
    """

    def __init__(self) -> None:
        self._known: dict[str, Listed] = {}

    def on(self, state: dict[str, Any], now: float) -> list[Listed]:
        """What has its time now, what is to be shown first. What is not of an item's shape is passed over."""
        listed = state.get("alerts", state.get("interrupt_stack"))
        items = [item for item in listed if _is_item(item)] if isinstance(listed, list) else []
        known, self._known = self._known, {}
        for item in items:
            number, data = item["id"], item.get("data")
            before = known.get(number)
            # A hub that was started anew may give its ids once more.
            if before is None or before.data != data:
                before = Listed(number, data, now + item["duration"] / 1000)
            self._known[number] = before
        items.sort(key=lambda item: -item["priority"])
        return [found for item in items if (found := self._known[item["id"]]).end > now]

    def first(self, state: dict[str, Any], now: float) -> Listed | None:
        return next(iter(self.on(state, now)), None)


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("id"), str)
        and all(isinstance(item.get(key), int | float) for key in ("priority", "duration"))
    )


class OverlayPage:
    """Joins ``stream:overlays`` as a page, shows each alert and says so; comes back when the hub does.

    Args:
        url: the socket's URL as phoenix.js is given it; asked at each attempt.
        name: what the page is called in the hub's reports; None joins as the real pages do, with nothing.
        shows_alerts: False for a page of another kind: it is there, but shows none and says nothing.
        kept: how much of what was shown is remembered.
    """

    def __init__(
        self,
        url: Callable[[], str],
        name: str | None = "takeover",
        *,
        shows_alerts: bool = True,
        kept: int = 1000,
    ) -> None:
        self.name = name
        self.joined = False
        self.showing: Shown | None = None
        """What is on the page now; None when nothing is, or when it is closed."""
        self.shown: deque[Shown] = deque(maxlen=kept)
        """Everything that was, the last ``kept``; a growing alert once for each time that it came."""
        self.clears: deque[float] = deque(maxlen=kept)
        """When pages were told to take everything off. What they show follows from the next state alone."""
        self._url = url
        self._shows_alerts = shows_alerts
        self._screen = Screen()
        self._state: dict[str, Any] = {}
        self._on: Listed | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refs = itertools.count(1)
        self._beat: str | None = None
        self._outbox: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Somebody has it open, whether or not the hub answers."""
        return self._task is not None

    def open(self) -> None:
        if self._task is None:
            self._screen, self._state = Screen(), {}
            self._task = asyncio.create_task(self._run(), name=f"demo page {self.name}")

    async def close(self) -> None:
        """Closes the page, as OBS does with a source that is hidden. Does nothing when it is closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._put_on(None)

    async def _run(self) -> None:
        while True:
            try:
                # Nothing of the library's own: a browser sends no pings, and reads no proxy's variable.
                async with connect(
                    f"{self._url()}/websocket?vsn=2.0.0",
                    compression=None,
                    ping_interval=None,
                    open_timeout=OPEN_LIMIT,
                    close_timeout=0.2,
                    max_size=None,
                    proxy=None,
                ) as websocket:
                    await self._serve(websocket)
            except (OSError, WebSocketException, TimeoutError) as error:
                logger.debug("page %s: %s", self.name, error)
            finally:
                # What stands goes on to stand, for its time: a browser takes nothing off by itself.
                self.joined = False
            await asyncio.sleep(RETRY)

    async def _serve(self, websocket: ClientConnection) -> None:
        join_ref = str(next(self._refs))
        self._beat = None
        self._outbox = asyncio.Queue()
        params = {} if self.name is None else {"overlay_type": self.name}
        await self._send(websocket, join_ref, join_ref, TOPIC, "phx_join", params)
        writing = asyncio.create_task(self._write(websocket, join_ref), name=f"demo page {self.name} writes")
        try:
            while True:
                try:
                    frame = json.loads(await websocket.recv())
                    sent_by, ref, topic, event, payload = frame
                except (TypeError, ValueError, RecursionError) as error:
                    # A staged fault sends such frames; a browser's page logs them and goes on.
                    logger.debug("page %s: a frame does not decode: %s", self.name, error)
                    continue
                if event == "phx_reply" and ref == self._beat:
                    self._beat = None
                elif topic == TOPIC and sent_by in (None, join_ref):
                    if event == "phx_reply" and ref == join_ref:
                        self.joined = payload["status"] == "ok"
                        if not self.joined:
                            return
                        if self.showing is not None:
                            # Whoever listens now may not have heard it.
                            self._say("alert_shown", self.showing.id)
                    elif event in ("phx_error", "phx_close"):
                        return
                    else:
                        self._take(event, payload)
        except ConnectionClosed as error:
            logger.debug("page %s: %s", self.name, error)
        finally:
            writing.cancel()

    def _take(self, event: Any, payload: Any) -> None:
        if not self._shows_alerts or not isinstance(payload, dict):
            return
        if event == "takeover_clear":
            self.clears.append(asyncio.get_running_loop().time())
        elif event == "stream_state":
            self._state = payload
            self._poll()

    def _poll(self) -> None:
        self._put_on(self._screen.first(self._state, asyncio.get_running_loop().time()))

    def _put_on(self, listed: Listed | None) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if listed is not None:
            self._timer = loop.call_at(listed.end, self._poll)
        if (listed and listed.number) == (self._on and self._on.number):
            return
        self._on = listed
        before, now = self.showing, loop.time()
        self.showing = None if listed is None else Shown(_id_of(listed.data), listed.data, now)
        if before is not None:
            before.until = now
            if self.showing is None or self.showing.id != before.id:
                self._say("alert_ended", before.id)
        if self.showing is not None:
            self.shown.append(self.showing)
            self._say("alert_shown", self.showing.id)

    def _say(self, event: str, number: str | None) -> None:
        if number is not None and self.joined:
            self._outbox.put_nowait((event, {"id": number}))

    async def _write(self, websocket: ClientConnection, join_ref: str) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + HEARTBEAT
        try:
            while True:
                try:
                    async with asyncio.timeout_at(beat_at):
                        said = await self._outbox.get()
                except TimeoutError:
                    if self._beat is not None:
                        websocket.transport.abort()
                        return
                    beat_at += HEARTBEAT
                    self._beat = str(next(self._refs))
                    await self._send(websocket, None, self._beat, "phoenix", "heartbeat", {})
                else:
                    await self._send(websocket, join_ref, str(next(self._refs)), TOPIC, *said)
        except ConnectionClosed:
            return  # the reader is told of it too

    async def _send(self, websocket: ClientConnection, *frame: Any) -> None:
        await websocket.send(json.dumps(frame))


def _id_of(data: Any) -> str | None:
    number = data.get("id") if isinstance(data, dict) else None
    return number if isinstance(number, str) else None
