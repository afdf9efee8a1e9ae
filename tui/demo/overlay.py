"""A simulated overlay page: the plain client that a browser source is, to whom alerts are shown."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable
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


class Shown(NamedTuple):
    """One alert as it came on the page."""

    id: str | None
    data: Any
    at: float
    """By the event loop's clock."""


class OverlayPage:
    """Joins ``stream:overlays`` as a page, shows each alert and says so; comes back when the hub does.

    Args:
        url: the socket's URL as phoenix.js is given it; asked at each attempt.
        name: what the page is called in the hub's reports.
        shows_alerts: False for a page of another kind: it is there, but shows none and says nothing.
        kept: how much of what was shown is remembered.
    """

    def __init__(
        self,
        url: Callable[[], str],
        name: str = "takeover",
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
        """When the page was told to take everything off."""
        self._url = url
        self._shows_alerts = shows_alerts
        self._refs = itertools.count(1)
        self._beat: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Somebody has it open, whether or not the hub answers."""
        return self._task is not None

    def open(self) -> None:
        """Opens the page; does nothing when it is open."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"demo page {self.name}")

    async def close(self) -> None:
        """Closes the page, as OBS does with a source that is hidden. Does nothing when it is closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

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
                self.joined, self.showing = False, None
            await asyncio.sleep(RETRY)

    async def _serve(self, websocket: ClientConnection) -> None:
        join_ref = str(next(self._refs))
        self._beat = None
        await self._send(websocket, join_ref, join_ref, TOPIC, "phx_join", {"overlay": self.name})
        beating = asyncio.create_task(self._beat_forever(websocket), name=f"demo page {self.name} heart")
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
                    elif event in ("phx_error", "phx_close"):
                        return
                    else:
                        await self._take(websocket, join_ref, event, payload)
        except ConnectionClosed as error:
            logger.debug("page %s: %s", self.name, error)
        finally:
            beating.cancel()

    async def _take(self, websocket: ClientConnection, join_ref: str, event: Any, payload: Any) -> None:
        if not self._shows_alerts or not isinstance(payload, dict):
            return
        if event == "takeover_clear":
            self.showing = None
            self.clears.append(asyncio.get_running_loop().time())
        elif event == "content_update" and payload.get("type") == "alert":
            await self._show(websocket, join_ref, payload.get("data"))
        elif event == "stream_state":
            # What is on screen may have ended, or have come while the page was away.
            active = payload.get("active_content")
            content = active if isinstance(active, dict) and active.get("type") == "alert" else {}
            data = content.get("data")
            if not content:
                self.showing = None
            elif self.showing is None or self.showing.id != _id_of(data):
                await self._show(websocket, join_ref, data)

    async def _show(self, websocket: ClientConnection, join_ref: str, data: Any) -> None:
        known = _id_of(data)
        self.showing = Shown(known, data, asyncio.get_running_loop().time())
        self.shown.append(self.showing)
        if known is not None:
            ref = str(next(self._refs))
            await self._send(websocket, join_ref, ref, TOPIC, "alert_shown", {"id": known})

    async def _beat_forever(self, websocket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            if self._beat is not None:
                websocket.transport.abort()
                return
            self._beat = str(next(self._refs))
            try:
                await self._send(websocket, None, self._beat, "phoenix", "heartbeat", {})
            except ConnectionClosed:
                return  # the reader is told of it too

    async def _send(self, websocket: ClientConnection, *frame: Any) -> None:
        await websocket.send(json.dumps(frame))


def _id_of(data: Any) -> str | None:
    number = data.get("id") if isinstance(data, dict) else None
    return number if isinstance(number, str) else None
