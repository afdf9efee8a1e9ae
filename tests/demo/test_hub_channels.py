"""Channel code of one's own on the hub."""

from __future__ import annotations

import asyncio
import logging

import pytest
from plain_client import eventually

from tui.demo.hub import Channel, Hub, Refuse, Reply, Stop


class Room(Channel):
    async def join(self, params):
        if params.get("no"):
            raise Refuse({"reason": "full"})
        return {"welcome": self.topic}

    async def handle_in(self, event, payload):
        if event == "fail":
            raise ZeroDivisionError
        if event == "bye":
            raise Stop(Reply("ok", "bye"))
        return Reply("ok", {"you said": payload})


async def test_ten_lines(client):
    async with Hub() as hub:
        hub.on("room:*", Room)
        peer = await client(to=hub)
        assert await peer.join("room:1") == {"welcome": "room:1"}
        reply = await peer.ask("1", "2", "room:1", "say", "hi")
        assert reply == ["1", "2", "room:1", "phx_reply", {"response": {"you said": "hi"}, "status": "ok"}]
        assert await hub.broadcast("room:1", "news", {"n": 1}) == 1
        assert await peer.receive() == [None, None, "room:1", "news", {"n": 1}]
        assert hub.push("room:1", "own", b"\x01") == 1
        assert await peer.receive() == b"\x00\x01\x06\x031room:1own\x01"
        assert (hub.joins["room:1"], hub.join_attempts["room:1"]) == (1, 1)


async def test_refused(hub, client):
    hub.on("room:*", Room)
    peer = await client()
    reply = await peer.ask("1", "1", "room:1", "phx_join", {"no": True})
    assert reply[4] == {"response": {"reason": "full"}, "status": "error"}
    assert (hub.joins["room:1"], hub.join_attempts["room:1"]) == (0, 1)


async def test_an_exception_is_a_crash_of_that_channel_alone(hub, client, caplog):
    hub.on("room:*", Room)
    peer = await client()
    await peer.join("room:1")
    await peer.join("room:2", ref="2")
    with caplog.at_level(logging.ERROR):
        reply = await peer.ask("1", "3", "room:1", "fail", {})
    assert reply == ["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}]
    assert "room:1" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert (await peer.ask("2", "4", "room:2", "say", 1))[4]["status"] == "ok"


async def test_stop_with_a_reply(hub, client):
    hub.on("room:*", Room)
    peer = await client()
    await peer.join("room:1")
    assert (await peer.ask("1", "2", "room:1", "bye", {}))[4] == {"response": "bye", "status": "ok"}
    assert await peer.receive() == ["1", "1", "room:1", "phx_close", {}]


async def test_exact_patterns_come_first_then_longer_ones(hub, client):
    def named(name):
        class Named(Channel):
            async def join(self, params):
                return name

        return Named

    for pattern in ("a:*", "a:b:*", "a:b:c", "a:*"):
        hub.on(pattern, named(pattern + " again" if hub.channel_class("a:x") else pattern))
    peer = await client()
    for number, (topic, expected) in enumerate(
        {"a:x": "a:* again", "a:b:x": "a:b:* again", "a:b:c": "a:b:c again"}.items()
    ):
        assert await peer.join(topic, ref=str(number)) == expected


async def test_push_inside_join_crashes_the_join(hub, client, caplog):
    class Eager(Channel):
        async def join(self, params):
            self.push("early", {})

    hub.on("eager:1", Eager)
    peer = await client()
    reply = await peer.ask("1", "1", "eager:1", "phx_join", {})
    assert reply[4] == {"response": {"reason": "join crashed"}, "status": "error"}
    assert "only after the join" in caplog.text


async def test_a_join_ends_with_its_connection(hub, client):
    cancelled = asyncio.Event()

    class Slow(Channel):
        async def join(self, params):
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()

    hub.on("slow:1", Slow)
    peer = await client()
    await peer.send("1", "1", "slow:1", "phx_join", {})
    await eventually(lambda: hub.join_attempts["slow:1"] == 1)
    peer.websocket.transport.abort()
    await asyncio.wait_for(cancelled.wait(), 5)
    await eventually(lambda: not hub.connections)
    assert hub.channels("slow:1") == []


async def test_terminate_is_called_once_however_it_ends(hub, client):
    ended = []

    class Counted(Channel):
        def terminate(self):
            ended.append(self.join_ref)

    hub.on("counted:1", Counted)
    peer = await client()
    await peer.join("counted:1", ref="1")
    await peer.ask("1", "2", "counted:1", "phx_leave", {})
    assert (await peer.receive())[3] == "phx_close"
    await peer.join("counted:1", ref="3")
    hub.faults.crash_channel("counted:*")
    await peer.until("phx_error")
    await peer.join("counted:1", ref="4")
    peer.websocket.transport.abort()
    await eventually(lambda: ended == ["1", "3", "4"])


async def test_binary_broadcast_leaves_version_one_out(hub, client):
    new, old = await client(), await client("vsn=1.0.0")
    await new.join("echo:1")
    await old.websocket.send('{"topic":"echo:1","event":"phx_join","payload":{},"ref":"1"}')
    await old.receive()
    assert await hub.broadcast("echo:1", "raw", b"\x01\x02") == 1
    assert await new.receive() == b"\x02\x06\x03echo:1raw\x01\x02"
    # A binary reply is a crash there.
    await old.websocket.send('{"topic":"echo:1","event":"binary","payload":{},"ref":"2"}')
    assert (await old.receive())["event"] == "phx_error"


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128])
async def test_a_name_that_no_binary_frame_holds(hub, client, name):
    peer = await client()
    await peer.join("echo:1")
    with pytest.raises(ValueError, match="at most 255 bytes"):
        await hub.broadcast("echo:1", name, b"")


async def test_received_frames_are_noted(hub, client):
    peer = await client()
    await peer.join("echo:1", {"a": 1}, ref="9")
    assert hub.received[-1].frame == ("9", "9", "echo:1", "phx_join", {"a": 1})
