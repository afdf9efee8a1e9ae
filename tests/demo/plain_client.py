"""A plain WebSocket client that speaks frames, and a wait with a limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.pace import PATIENCE

LIMIT = PATIENCE
"""Seconds that any single wait may take."""


class Client:
    """A client that adds nothing: it sends what it is told and returns what comes."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def send(self, *frame: Any) -> None:
        await self.websocket.send(json.dumps(list(frame)))

    async def receive(self) -> Any:
        message = await asyncio.wait_for(self.websocket.recv(), LIMIT)
        return message if isinstance(message, bytes) else json.loads(message)

    async def ask(self, *frame: Any) -> Any:
        await self.send(*frame)
        return await self.receive()

    async def join(self, topic: str, params: Any = None, *, ref: str = "1") -> Any:
        """Joins and returns the reply's response; the reply must be the next frame."""
        reply = await self.ask(ref, ref, topic, "phx_join", {} if params is None else params)
        assert reply[:4] == [ref, ref, topic, "phx_reply"], reply
        assert reply[4]["status"] == "ok", reply
        return reply[4]["response"]

    async def until(self, event: str) -> Any:
        """The next frame with this event; others are passed over."""
        while True:
            frame = await self.receive()
            if frame[3] == event:
                return frame

    async def beat(self, ref: str = "hb") -> None:
        """A heartbeat whose reply must be the very next frame: nothing else was on its way."""
        assert await self.ask(None, ref, "phoenix", "heartbeat", {}) == [
            None, ref, "phoenix", "phx_reply", {"response": {}, "status": "ok"},
        ]  # fmt: skip

    async def closed(self) -> int:
        """Waits for the end of the connection; the close code that came, 1006 for none."""
        try:
            async with asyncio.timeout(LIMIT):
                while True:
                    await self.websocket.recv()
        except ConnectionClosed as error:
            return 1006 if error.rcvd is None else int(error.rcvd.code)


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until ``condition`` holds. Raises: TimeoutError."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.005)
