"""What a socket does when nothing is wrong, seen on the wire."""

from __future__ import annotations

import asyncio

import pytest
from real import Client, FrameServer, eventually, running

from tui.channels import NotConnectedError, ReplyError, ReplyTimeout


async def test_the_first_frame_is_a_heartbeat_and_the_joins_follow_at_once(nothing_left):
    go_on = asyncio.Event()

    async def answer(connection, frame):
        if frame[3] == "heartbeat":
            await go_on.wait()
        return False

    async with FrameServer(answer) as server:
        one = Client(server.url)
        channel = one.socket.channel("echo:1", {"a": 1})
        channel.join()
        async with running(one):
            await eventually(lambda: server.frames)
            assert one.socket.state == "connecting"  # open is not connected
            go_on.set()
            await eventually(lambda: channel.state == "joined")
            refs = [frame[1] for _, frame in server.frames]
            assert server.frames[0] == (1, [None, refs[0], "phoenix", "heartbeat", {}])
            assert server.frames[1] == (1, [refs[1], refs[1], "echo:1", "phx_join", {"a": 1}])
            assert len(set(refs)) == len(refs)
            assert all(isinstance(ref, str) for ref in refs)


async def test_pushes_and_leaves_carry_the_join_ref(nothing_left):
    async with FrameServer() as server:
        one = Client(server.url)
        channel = one.socket.channel("echo:1")
        async with running(one):
            for _ in range(2):
                await channel.join()
                await channel.push("say", {"x": 1})
                await channel.leave()
            frames = [frame for _, frame in server.frames if frame[2] == "echo:1"]
            events = [frame[3] for frame in frames]
            assert events == ["phx_join", "say", "phx_leave"] * 2
            assert len({frame[0] for frame in frames[:3]}) == 1
            assert len({frame[0] for frame in frames[3:]}) == 1
            assert frames[0][0] != frames[3][0]


async def test_connect_twice_makes_one_connection_and_both_are_told(hub, client):
    one = client(hub.url, "echo:1")
    await asyncio.gather(one.socket.connect(), one.socket.connect(), one.socket.connect())
    await one.socket.connect()
    await one.works(hub)
    assert hub.connects == 1
    assert one.states == ["connecting", "connected"]


async def test_reconnect_replaces_a_healthy_connection_and_joins_again(hub, client):
    one = client(hub.url, "echo:1", "echo:2")
    await one.works(hub)
    await one.socket.reconnect()
    await eventually(lambda: [channel.joins for channel in one.channels] == [2, 2])
    await eventually(lambda: len(hub.connections) == 1)
    await one.works(hub)
    assert one.states == ["connecting", "connected"] * 2
    assert one.reasons == []
    assert one.socket.get_health_metrics().total_reconnects == 1


async def test_ping_measures_the_round_trip_and_says_no_without_a_connection(hub, client):
    one = client(hub.url, heartbeat_interval=3600)
    assert one.socket.ping() is False
    await one.socket.connect()
    first = one.socket.get_health_metrics().last_heartbeat
    out = one.socket.details().messages_out
    assert one.socket.ping() is True
    await eventually(lambda: one.socket.details().messages_in == 2)
    assert one.socket.details().messages_out == out + 1
    details = one.socket.details()
    assert 0 < details.round_trip_last < 5
    assert details.round_trip_p50 <= details.round_trip_p95
    assert first is not None
    await one.socket.disconnect()
    assert one.socket.ping() is False


async def test_binary_goes_there_and_back(hub, client):
    one = client(hub.url, "echo:1")
    heard = []
    one.channels[0].on("blob", lambda message: heard.append(message.payload))
    await one.works(hub)
    blob = bytes(range(256)) * 300
    assert await one.channels[0].push("echo", blob) == blob
    await hub.broadcast("echo:1", "blob", blob)
    hub.push("echo:1", "blob", b"")
    await eventually(lambda: heard == [blob, b""])
    with pytest.raises(ValueError, match="event is longer than the 255 bytes"):
        one.channels[0].push("e" * 256, blob)
    await one.works(hub)


async def test_an_error_and_a_silence_are_told_apart(hub, client):
    one = client(hub.url, "echo:1")
    await one.works(hub)
    with pytest.raises(ReplyError) as refused:
        await one.channels[0].push("error")
    assert (refused.value.status, refused.value.response) == ("error", {"reason": "nope"})
    with pytest.raises(ReplyTimeout):
        await one.channels[0].push("silent", timeout=0.05)
    await one.works(hub)
    assert one.socket.replies.awaited == {}


async def test_connect_awaited_is_told_when_disconnect_comes_first(hub, client):
    hub.faults.freeze()
    one = client(hub.url)
    waiting = one.socket.connect()
    one.socket.disconnect()
    with pytest.raises(NotConnectedError):
        await waiting
    hub.faults.thaw()
    again = one.socket.connect()
    await again
    await one.works(hub)


async def test_state_that_a_join_brings_comes_anew_with_each_rejoin(hub, client):
    one, two = client(hub.url, "stream:overlays"), client(hub.url, "stream:overlays")
    states = [[], []]
    for number, each in enumerate((one, two)):
        each.channels[0].on("stream_state", lambda message, n=number: states[n].append(message.payload))
    await eventually(lambda: one.all_joined and two.all_joined)
    await eventually(lambda: states[0] and states[1])
    hub.faults.drop_all()
    await eventually(lambda: one.channels[0].joins == two.channels[0].joins == 2)
    await eventually(lambda: len(states[0]) > 1 and len(states[1]) > 1)  # asked for anew by the join


async def test_a_hundred_sockets_in_one_loop_come_and_go(hub, client):
    many = [client(hub.url, f"echo:{number}") for number in range(100)]
    await eventually(lambda: all(one.all_joined for one in many), 30)
    assert len(hub.connections) == 100
    hub.faults.drop_all()
    await eventually(lambda: all(one.channels[0].joins == 2 for one in many), 30)
    await asyncio.gather(*(one.socket.close() for one in many))
    await eventually(lambda: hub.connections == [])
