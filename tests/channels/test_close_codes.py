"""However a connection ends that we did not end, it is told in words and comes back, channels and all."""

from __future__ import annotations

import asyncio

import pytest
from real import FrameServer, RawServer, eventually, text_frame, until_gone, upgrade

from tests.pace import Stopwatch
from tui.channels import NotConnectedError

TOPICS = ("echo:1", "echo:2")
WORDS = {
    1000: "1000 normal closure",
    1001: "1001 going away",
    1002: "1002 protocol error",
    1007: "1007 invalid data",
    1008: "1008 policy violation",
    1009: "1009 message too big (more than the server takes; max_message_size is for what it sends)",
    1011: "1011 server error",
    1012: "1012 service restart",
    1013: "1013 try again later",
    4000: "4000",
}


@pytest.mark.parametrize("code", WORDS)
async def test_any_close_code_leads_to_a_reconnect(hub, client, code):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    under_way = [channel.push("silent", {}) for channel in one.channels]
    await eventually(lambda: sum(r.frame.event == "silent" for r in hub.received) == 2)
    assert hub.faults.close_all(code) == 1
    for push in under_way:
        with pytest.raises(NotConnectedError, match="may or may not have arrived"):
            await asyncio.wait_for(push, 2)  # far less than the push's own time
    await eventually(lambda: hub.connects == 2)
    await one.works(hub)
    details = one.socket.details()
    assert (details.last_close_code, details.last_close_reason) == (code, WORDS[code])
    assert one.reasons == [WORDS[code]]
    assert one.socket.get_health_metrics().total_reconnects == 1
    assert one.socket.get_health_metrics().heartbeat_failures == 0
    assert [channel.joins for channel in one.channels] == [2, 2]


@pytest.mark.parametrize(
    ("reset", "words"), [(False, "connection dropped"), (True, "connection reset")], ids=["FIN", "RST"]
)
async def test_a_drop_without_a_close_frame_is_1006(hub, client, reset, words):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    hub.faults.drop_all(reset=reset)
    await eventually(lambda: hub.connects == 2)
    await one.works(hub)
    assert one.socket.details().last_close_code == 1006
    assert one.reasons == [f"{words} without a close frame"]


async def test_a_server_that_disconnects_by_id_sees_us_again(hub, client):
    one = client(hub.url, *TOPICS, params={"id": "user:1"})
    await one.works(hub)
    assert hub.disconnect("user:1") == 1
    await eventually(lambda: hub.connects == 2)
    await one.works(hub)
    assert one.reasons == [WORDS[1001]]


@pytest.mark.parametrize("graceful", [True, False], ids=["SIGTERM", "SIGKILL"])
async def test_a_server_that_stops_and_starts_sees_us_again(hub, client, graceful):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    await hub.faults.restart(0.1, graceful=graceful)
    await one.works(hub)
    assert one.reasons[0] == (WORDS[1012] if graceful else "connection dropped without a close frame")


async def test_the_servers_reason_is_told_beside_the_code(client):
    async def close(connection, frame):
        await connection.close(4001, "go \x1b[31maway")
        return True

    async with FrameServer(close) as server:
        one = client(server.url)
        await eventually(lambda: one.reasons)
        assert one.reasons[0] == "4001: go \x1b[31maway"  # whoever shows it makes it harmless


async def test_a_close_frame_without_a_code_is_1005(client):
    async def close(reader, writer):
        await upgrade(reader, writer)
        writer.write(b"\x88\x00")
        await until_gone(reader)

    async with RawServer(close) as server:
        one = client(server.url)
        await eventually(lambda: one.reasons)
        assert one.reasons[0] == "1005 no code given"
        assert one.socket.details().last_close_code == 1005


async def test_a_server_that_says_close_and_never_hangs_up_holds_nothing(client):
    """The next connection is made at once, and the old descriptor goes by our own limit."""

    async def close_and_stay(reader, writer):
        await upgrade(reader, writer)
        writer.write(b"\x88\x02\x03\xe8")
        await until_gone(reader)

    async with RawServer(close_and_stay) as server:
        one = client(server.url, reconnect_base_delay=0.02, reconnect_max_delay=0.02, stable_after=5)
        watch = Stopwatch()
        await eventually(lambda: server.accepted >= 3)
        assert watch.seconds < 0.9  # nobody waited for the closing
        await one.socket.disconnect()
        await eventually(lambda: server.open == 0, 3)


async def test_a_server_that_half_closes_is_gone(hub, client):
    """FIN from the server and nothing else: told as dropped, our side of the descriptor closed."""
    half_closed = 0

    async def half_close(reader, writer):
        nonlocal half_closed
        await upgrade(reader, writer)
        await writer.drain()
        if half_closed == 0:
            half_closed += 1
            writer.write_eof()
        await until_gone(reader)

    async with RawServer(half_close) as server:
        one = client(server.url)
        await eventually(lambda: server.accepted == 2 and one.socket.is_connected)
        assert one.reasons == ["connection dropped without a close frame"]
        await eventually(lambda: server.open == 1)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\x83\x00", "closed by us: 1002 protocol error"),  # a reserved opcode
        (b"\xc1\x01x", "closed by us: 1002 protocol error"),  # a reserved bit
        (b"\x80\x01x", "closed by us: 1002 protocol error"),  # a continuation of nothing
        (b"\x81\x81\x00\x00\x00\x00x", "closed by us: 1002 protocol error"),  # masked by a server
        (b"\x89\x7e\x00\x7e" + b"x" * 126, "closed by us: 1002 protocol error"),  # a ping too long
    ],
    ids=["opcode", "reserved bit", "continuation", "masked", "long ping"],
)
async def test_bytes_that_are_no_websocket_end_the_connection_and_it_comes_back(client, frame, words):
    spoilt = 0

    async def spoil(reader, writer):
        nonlocal spoilt
        await upgrade(reader, writer)
        if spoilt == 0:
            spoilt += 1
            writer.write(frame)
        await until_gone(reader)

    async with RawServer(spoil) as server:
        one = client(server.url)
        await eventually(lambda: server.accepted == 2 and one.socket.is_connected)
        assert one.reasons[0].startswith(words)


async def test_what_a_server_sends_after_its_close_frame_is_void(client):
    async def close_and_talk(reader, writer):
        await upgrade(reader, writer)
        late = text_frame('[null,null,"echo:1","news",{"n":1}]')
        writer.write(b"\x88\x02\x03\xe8" + late)
        await until_gone(reader)

    async with RawServer(close_and_talk) as server:
        one = client(server.url, "echo:1", max_reconnect_attempts=1)
        heard = []
        one.socket.on_message(lambda message: heard.append(message.event))
        await eventually(lambda: one.socket.state == "failed")
        assert set(heard) == {"phx_reply"}
        assert one.news["echo:1"] == []
