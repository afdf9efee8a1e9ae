"""A hub, clients for it, and a check that nothing is left running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psutil
import pytest
import recorded_topics
from plain_client import LIMIT, Client
from websockets.asyncio.client import ClientConnection, connect

from tui.demo.hub import Hub

Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub(seed=7) as running:
        recorded_topics.register(running)
        yield running


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[Connect]:
    """A function that connects: ``await client(query="vsn=2.0.0", to=hub, **options)``."""
    opened: list[ClientConnection] = []

    async def open_one(query: str = "vsn=2.0.0", *, to: Hub | None = None, **options: Any) -> Client:
        address = f"{(to or hub).url}/websocket?{query}"
        settings = {"compression": None, "ping_interval": None, "close_timeout": 0.5, "max_size": None}
        websocket = await asyncio.wait_for(connect(address, **{**settings, **options}), LIMIT)
        opened.append(websocket)
        return Client(websocket)

    yield open_one
    for websocket in opened:
        if not websocket.connection_lost_waiter.done():  # asyncio minds an abort after the end
            websocket.transport.abort()


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """After each test: no task and no descriptor more than before."""
    process = psutil.Process()
    descriptors = process.num_fds()
    yield
    async with asyncio.timeout(LIMIT):
        while len(asyncio.all_tasks()) > 1 or process.num_fds() > descriptors:
            await asyncio.sleep(0.01)
