"""The hub's listening socket, when the system has no file to spare."""

from __future__ import annotations

import asyncio
import os
import resource
import socket

import pytest

from tests.engine.conftest import eventually
from tui.demo.hub import Hub


async def test_without_a_file_to_spare_it_tries_once_a_second_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with Hub() as hub:
        clients = [socket.socket() for _ in range(40)]
        lowest = os.dup(0)
        os.close(lowest)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", hub.port))
            await eventually(lambda: "out of system resource" in caplog.text, "told")
            await asyncio.sleep(1.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        tries = sum("out of system resource" in record.message for record in caplog.records)
        assert tries <= 4
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 ")
        writer.close()
        for client in clients:
            client.close()
