"""How connections end: close codes, the idle time-out, stop and restart."""

from __future__ import annotations

import asyncio

import pytest
from plain_client import eventually
from websockets.exceptions import ConnectionClosed

from tests.pace import Stopwatch
from tui.demo.channel import Channel
from tui.demo.hub import Hub


@pytest.mark.parametrize("sent", [1000, 1001, 4000])
async def test_any_close_is_answered_with_1000(client, sent):
    peer = await client()
    await peer.websocket.close(sent)
    assert peer.websocket.close_code == 1000


async def test_invalid_utf8_closes_with_1007(client):
    peer = await client()
    await peer.websocket.send(b'["1","1","echo:\xff","phx_join",{}]', text=True)
    assert await peer.closed() == 1007
    assert peer.websocket.close_reason == ""


async def test_a_frame_that_is_too_large_closes_with_1009(client):
    peer = await client()
    await peer.join("echo:1")
    for size in (1_000_000, 7_900_000):
        reply = await peer.ask("1", "2", "echo:1", "echo", "x" * size)
        assert len(reply[4]["response"]) == size
    with pytest.raises(ConnectionClosed):  # noqa: PT012 - it may come at either line
        await peer.send("1", "2", "echo:1", "echo", "x" * 8_100_000)
        await peer.receive()
    assert await peer.closed() == 1009
    assert peer.websocket.close_reason == ""


async def test_nesting_that_is_too_deep_closes_with_1011(client):
    peer = await client()
    await peer.websocket.send("[" * 100_000 + "]" * 100_000)
    assert await peer.closed() == 1011


async def test_silence_closes_with_1002(client):
    """What the server sends does not count, a WebSocket ping does."""
    async with Hub(idle_timeout=0.4) as hub:
        silent, pinging, beating = [await client(to=hub) for _ in range(3)]
        await silent.join("echo:1")
        loop = asyncio.get_running_loop()
        began, watch = loop.time(), Stopwatch()
        closed = asyncio.create_task(silent.closed())
        while not closed.done():
            await hub.broadcast("echo:1", "news", {})
            await asyncio.wait_for(await pinging.websocket.ping(), 1)
            await beating.beat()
            await asyncio.wait([closed], timeout=0.05)
        assert closed.result() == 1002
        assert loop.time() - began > 0.3
        assert watch.seconds < 1.0
        await pinging.beat()


async def test_silence_before_the_upgrade_ends_too():
    async with Hub(idle_timeout=0.2) as hub:
        reader, writer = await asyncio.open_connection(hub.host, hub.port)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_disconnect_by_id(hub, client):
    first, second, other = [await client(f"vsn=2.0.0&id={name}") for name in ("dup", "dup", "other")]
    assert hub.disconnect("dup") == 2
    assert [await first.closed(), await second.closed()] == [1001, 1001]
    await other.beat()


async def test_graceful_stop(hub, client):
    joined, idle = await client(), await client()
    await joined.join("echo:1")
    stopping = asyncio.create_task(hub.stop())
    assert [await joined.closed(), await idle.closed()] == [1012, 1000]
    await stopping
    with pytest.raises(ConnectionRefusedError):
        await client()


async def test_stop_by_force(hub, client):
    peer = await client()
    await peer.join("echo:1")
    await hub.stop(graceful=False)
    assert await peer.closed() == 1006


async def test_stop_ends_in_time_whatever_clients_and_channels_do(client):
    class Stubborn(Channel):
        async def join(self, params):
            await asyncio.sleep(60)

    hub = Hub()
    hub.on("stubborn:1", Stubborn)
    await hub.start()
    joining = await client(to=hub)
    await joining.send("1", "1", "stubborn:1", "phx_join", {})
    unread = await client(to=hub)
    unread.websocket.transport.pause_reading()
    _, opening = await asyncio.open_connection(hub.host, hub.port)
    await eventually(lambda: len(hub.transports) == 3)
    watch = Stopwatch()
    await hub.stop()
    assert watch.seconds < 1.0
    assert not hub.transports
    opening.close()


async def test_a_restart_keeps_the_port(hub, client):
    port, url = hub.port, hub.url
    for graceful in (True, False):
        peer = await client()
        await hub.stop(graceful=graceful)
        await peer.closed()
        await hub.start()
        assert (hub.port, hub.url) == (port, url)
    await (await client()).beat()


async def test_a_port_that_is_taken(hub):
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {hub.port}"):
        await Hub(port=hub.port).start()


async def test_a_thousand_connect_at_once(hub):
    """The listening socket's backlog holds them all: no connection is refused or waits for a retransmit."""
    pairs = await asyncio.wait_for(
        asyncio.gather(*(asyncio.open_connection(hub.host, hub.port) for _ in range(1000))), 5
    )
    await eventually(lambda: len(hub.transports) == 1000)
    for _, writer in pairs:
        writer.transport.abort()
    await eventually(lambda: not hub.transports)


async def test_a_client_that_does_not_read_is_dropped_at_32_mib(hub, client):
    peer = await client()
    await peer.join("echo:1")
    peer.websocket.transport.pause_reading()
    for _ in range(60):
        await hub.broadcast("echo:1", "big", "x" * 1_000_000)
    await eventually(lambda: not hub.connections)
    peer.websocket.transport.resume_reading()
