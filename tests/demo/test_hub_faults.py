"""Each fault, seen by a client."""

from __future__ import annotations

import asyncio
import email.utils

import pytest
from plain_client import eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tui.demo.faults import FAULTS, GARBAGE


async def refused_with(client, **options):
    with pytest.raises(InvalidStatus) as caught:
        await client(**options)
    return caught.value.response


async def test_refuse_keeps_old_connections_and_the_port(hub, client):
    peer = await client()
    hub.faults.refuse()
    assert not hub.listening
    with pytest.raises(ConnectionRefusedError):
        await client()
    await peer.beat()
    await hub.faults.accept()
    await (await client()).beat()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 599])
async def test_status(hub, client, status):
    date = email.utils.formatdate(1_800_000_000, usegmt=True)
    for retry_after in (2, date):
        hub.faults.http_status(status, retry_after=retry_after, times=1)
        response = await refused_with(client)
        assert (response.status_code, response.headers["retry-after"]) == (status, str(retry_after))
    await client()
    assert hub.connects == 3


async def test_redirect(hub, client):
    hub.faults.redirect("http://127.0.0.1:1/elsewhere")
    reader, writer = await asyncio.open_connection(hub.host, hub.port)
    writer.write(b"GET /socket/websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\n")
    answer = (await asyncio.wait_for(reader.read(), 5)).decode()
    assert answer.startswith("HTTP/1.1 302 Found\r\n")
    assert "location: http://127.0.0.1:1/elsewhere\r\n" in answer
    writer.close()
    await hub.faults.clear()
    await client()


async def test_reset_while_opening(hub, client):
    hub.faults.reset_opening(times=2)
    for _ in range(2):
        reader, writer = await asyncio.open_connection(hub.host, hub.port)
        writer.write(b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: h\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
    await client()


async def test_accept_and_be_silent(hub, client):
    hub.faults.accept_silent(times=1)
    silent = await client()
    await silent.send(None, "1", "phoenix", "heartbeat", {})
    pong = await silent.websocket.ping()
    await (await client()).beat()
    assert not pong.done()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(silent.websocket.recv(), 0.1)
    assert len(hub.connections) == 1


async def test_accept_and_close(hub, client):
    for code in (1000, 1011, 4999):
        hub.faults.accept_and_close(code, times=1)
        assert await (await client()).closed() == code


async def test_freeze_and_thaw(hub, client):
    old = await client()
    await old.join("echo:1")
    hub.faults.freeze()
    await old.send(None, "1", "phoenix", "heartbeat", {})
    await hub.broadcast("echo:1", "held", {})
    pong = await old.websocket.ping()
    with pytest.raises(TimeoutError):
        await client(open_timeout=0.1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(old.websocket.recv(), 0.05)
    assert not pong.done()
    hub.faults.thaw()
    assert (await old.receive())[3] == "held"
    assert (await old.receive())[1] == "1"
    await asyncio.wait_for(pong, 5)
    await (await client()).beat()


async def test_a_client_that_left_a_frozen_hub(hub, client, caplog):
    peers = [await client() for _ in range(3)]
    for peer in peers:
        await peer.join("echo:1")
    hub.faults.freeze()
    for number in range(20):
        await hub.broadcast("echo:1", "held", {"n": number})
    for peer in peers:
        peer.websocket.transport.abort()
    hub.faults.thaw()
    for number in range(20):
        await hub.broadcast("echo:1", "later", {"n": number})
    await eventually(lambda: not hub.connections)
    assert caplog.text == ""


async def test_drop_all(hub, client):
    peer = await client()
    assert hub.faults.drop_all() == 1
    assert await peer.closed() == 1006
    peer = await client()
    hub.faults.drop_all(reset=True)
    with pytest.raises(ConnectionClosed) as caught:
        await peer.receive()
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_close_all(hub, client):
    peers = [await client() for _ in range(3)]
    assert hub.faults.close_all(4001) == 3
    assert [await peer.closed() for peer in peers] == [4001] * 3


async def test_slow_joins(hub, client):
    hub.faults.slow_join(0.1)
    peer = await client()
    began = asyncio.get_running_loop().time()
    await peer.join("echo:1")
    await peer.join("echo:2", ref="2")
    assert asyncio.get_running_loop().time() - began >= 0.19


async def test_refused_joins(hub, client):
    hub.faults.refuse_join("echo:*", response={"reason": "later"}, times=2)
    peer = await client()
    for ref in "12":
        reply = await peer.ask(ref, ref, "echo:1", "phx_join", {})
        assert reply == [
            ref,
            ref,
            "echo:1",
            "phx_reply",
            {"response": {"reason": "later"}, "status": "error"},
        ]
    await peer.join("echo:1", ref="3")
    hub.faults.refuse_join("echo:2")
    assert (await peer.ask("4", "4", "echo:2", "phx_join", {}))[4]["status"] == "error"
    hub.faults.allow_join("echo:2")
    await peer.join("echo:2", ref="5")


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage(hub, client, kind):
    """It arrives as it was meant: the connection lives on, unless the client minds (invalid UTF-8)."""
    peer = await client()
    assert hub.faults.garbage(kind) == 1
    data, text = GARBAGE[kind]
    received = await asyncio.wait_for(peer.websocket.recv(decode=False), 5)
    assert received == data
    assert text == (kind not in ("binary", "kind"))
    await peer.beat()


async def test_flood(hub, client):
    peer = await client()
    await peer.join("echo:1")
    assert hub.faults.flood("echo:*", 10_000, 200) == 10_000
    for number in range(10_000):
        raw = await asyncio.wait_for(peer.websocket.recv(), 5)
        assert len(raw) == 200
        if number % 1000 == 0:
            assert f'"n":{number},' in raw
    await peer.beat()


async def test_oversized(hub, client):
    peer = await client()
    await peer.join("echo:1")
    assert hub.faults.oversized(20_000_000) == 1
    assert len((await peer.receive())[4]["pad"]) == 20_000_000


async def test_fragmented(hub, client):
    peer = await client()
    await peer.join("echo:1")
    hub.faults.fragmented("echo:1", "parts", {"text": "é" * 10}, fragments=7)
    assert await peer.receive() == [None, None, "echo:1", "parts", {"text": "é" * 10}]


async def test_restart(hub, client):
    peer = await client()
    await peer.join("echo:1")
    restarting = asyncio.create_task(hub.faults.restart(0.1))
    assert await peer.closed() == 1012
    await restarting
    await (await client()).beat()


async def test_a_hub_stopped_during_its_restart_stays_down(hub):
    restarting = asyncio.create_task(hub.faults.restart(0.1))
    await eventually(lambda: hub.stops == 1 and not hub.running)
    await hub.stop()
    await restarting
    assert not hub.running


async def test_a_hub_stopped_while_it_stops_for_its_restart_stays_down(hub, client):
    peer = await client()
    peer.websocket.transport.pause_reading()  # it is waited for
    restarting = asyncio.create_task(hub.faults.restart(0.0))
    await eventually(lambda: hub.stops == 1)
    await hub.stop()
    await restarting
    assert not hub.running


async def test_clear_ends_them_all(hub, client):
    faults = hub.faults
    faults.refuse()
    faults.freeze()
    faults.http_status(503)
    faults.slow_join(9)
    faults.refuse_join("*")
    await faults.clear()
    async with asyncio.timeout(8):
        await (await client()).join("echo:1")


async def test_every_fault_of_the_palette_works_and_can_be_ended(hub, client):
    for fault in FAULTS.values():
        assert fault.label
        assert fault.help
        peer = await client()
        await peer.join("stream:queue")
        if fault.id in ("restart", "kill", "follows"):
            continue  # tested elsewhere; they take seconds
        result = fault.apply(hub.faults)
        if asyncio.iscoroutine(result):
            await result
        await hub.faults.clear()
        await (await client()).join("stream:queue")
