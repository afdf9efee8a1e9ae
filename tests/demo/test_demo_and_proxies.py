"""What the demonstration runs is on this machine: no proxy of the environment's is asked for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tui.channels import Socket
from tui.runtime.demo_host import DemoHost


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "SOCKS_PROXY", "WS_PROXY"])
async def test_the_demos_hubs_are_reached_past_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with DemoHost(staged=False) as host:
        async with AsyncExitStack() as stack, asyncio.timeout(30):
            for connection in host.connections():
                socket = await stack.enter_async_context(Socket(connection.url, connection.options))
                await socket.connect()
