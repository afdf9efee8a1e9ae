"""Slow, hung and replaced connections on real sockets: what is held, what is closed, and how fast."""

from __future__ import annotations

import asyncio

import pytest
from real import Client, FrameServer, eventually, running, tasks_of

from tests.pace import Stopwatch
from tui.channels import PushDropped, ReplyTimeout
from tui.demo.hub import Hub

TALKING = ("echo:1", "echo:2")


async def test_a_server_that_stops_reading_has_pushes_held_bounded_and_sent_in_order(nothing_left):
    """Above the write limit pushes wait in their channel; when the server reads again they go, in order."""
    reading = asyncio.Event()
    reading.set()

    async def answer(connection, frame):
        if frame[3] == "stop reading":
            connection.transport.pause_reading()
            reading.clear()
        return frame[3] == "fill"

    async with FrameServer(answer, max_size=None, max_queue=None) as server:
        one = Client(server.url, heartbeat_timeout=60, push_buffer=5, push_timeout=60)
        channel = one.socket.channel("echo:1")
        channel.join()
        async with running(one):
            await eventually(lambda: channel.can_push)
            channel.push("stop reading")
            await eventually(lambda: not reading.is_set())
            fill = "x" * 200_000
            filled = 0
            while channel.can_push:
                channel.push("fill", {"n": filled, "x": fill})
                filled += 1
                await asyncio.sleep(0)
                assert filled < 1000
            sent = one.socket.details().messages_out
            held = [channel.push("held", {"n": number}) for number in range(8)]
            assert channel.buffered == 5
            assert channel.dropped_pushes == one.socket.details().dropped_pushes == 3
            for push in held[:3]:
                with pytest.raises(PushDropped):
                    await push
            assert one.socket.details().messages_out == sent
            server.live[0].transport.resume_reading()
            assert [await push for push in held[3:]] == [{}] * 5
            assert [frame[4]["n"] for frame in server.of("held")] == [3, 4, 5, 6, 7]
            assert [frame[4]["n"] for frame in server.of("fill")] == list(range(filled))
            assert channel.buffered == 0
            assert server.connects == 1


async def test_a_held_push_that_timed_out_is_never_sent(nothing_left):
    async def answer(connection, frame):
        if frame[3] == "stop reading":
            connection.transport.pause_reading()
        return frame[3] == "fill"

    async with FrameServer(answer, max_size=None, max_queue=None) as server:
        one = Client(server.url, heartbeat_timeout=60)
        channel = one.socket.channel("echo:1")
        channel.join()
        async with running(one):
            await eventually(lambda: channel.can_push)
            await channel.push("stop reading")
            while channel.can_push:
                channel.push("fill", {"x": "x" * 200_000})
                await asyncio.sleep(0)
            with pytest.raises(ReplyTimeout):
                await channel.push("late", timeout=0.1)
            server.live[0].transport.resume_reading()
            await channel.push("next")
            assert server.of("late") == []


async def test_disconnect_from_a_server_that_hangs_takes_less_than_two_seconds(hub, client):
    one = client(hub.url, *TALKING)
    await one.works(hub)
    hub.faults.freeze()
    watch = Stopwatch()
    await one.socket.disconnect()
    assert watch.seconds < 2
    assert one.socket.state == "disconnected"
    assert tasks_of(one.socket) == set()
    hub.faults.thaw()


async def test_disconnect_from_a_server_that_does_not_read_takes_less_than_two_seconds(nothing_left):
    """A full write buffer cannot hold up the close either."""

    async def answer(connection, frame):
        if frame[3] == "stop reading":
            connection.transport.pause_reading()
        return frame[3] == "fill"

    async with FrameServer(answer, max_size=None, max_queue=None) as server:
        one = Client(server.url)
        channel = one.socket.channel("echo:1")
        channel.join()
        async with running(one):
            await eventually(lambda: channel.can_push)
            await channel.push("stop reading")
            while channel.can_push:
                channel.push("fill", {"x": "x" * 200_000})
                await asyncio.sleep(0)
            watch = Stopwatch()
            await one.socket.disconnect()
            assert watch.seconds < 2
            assert tasks_of(one.socket) == set()


async def test_disconnect_closes_with_a_handshake_on_the_wire(nothing_left):
    async with FrameServer() as server:
        one = Client(server.url, "echo:1")
        one.socket.connect()
        await eventually(lambda: one.all_joined)
        watch = Stopwatch()
        await one.socket.disconnect()
        assert watch.seconds < 0.9  # the server answered: nobody waited for a limit
        await eventually(lambda: server.close_codes == [1000])
        assert tasks_of(one.socket) == set()
        await one.socket.close()


async def test_after_disconnect_nothing_is_sent_or_planned_until_asked(hub, client):
    one = client(hub.url, *TALKING, heartbeat_interval=0.02)
    await one.works(hub)
    await one.socket.disconnect()
    out = one.socket.details().messages_out
    assert one.socket.details().next_try is None
    assert tasks_of(one.socket) == set()  # who could send anything now?
    buffered = [channel.push("echo", {"kept": True}) for channel in one.channels]
    assert one.socket.details().messages_out == out
    await one.socket.connect()
    assert await asyncio.gather(*buffered) == [{"kept": True}] * 2
    await one.works(hub)
    assert one.changes[-3].error is None  # our own disconnect is no error


async def test_a_replaced_connection_cannot_speak(nothing_left):
    """What the old connection still brings after reconnect() reaches no handler and no counter."""
    talk_on = []

    async def answer(connection, frame):
        if frame[3] == "phx_join" and not talk_on:

            async def talk():
                number = 0
                while True:
                    number -= 1
                    await connection.send(f'[null,null,"echo:1","news",{{"n":{number}}}]')
                    await asyncio.sleep(0)

            talk_on.append(asyncio.create_task(talk()))
        return False

    async with FrameServer(answer) as server:
        one = Client(server.url, "echo:1")
        async with running(one):
            await eventually(lambda: len(one.news["echo:1"]) > 10)
            messages = []
            one.socket.on_state_change(lambda _: messages.append(one.socket.details().messages_in))
            await one.socket.reconnect()
            await eventually(lambda: server.connects == 2 and one.all_joined and talk_on[0].done())
            assert talk_on[0].exception() is not None  # it talked until its connection was gone
            assert one.states[-2:] == ["connecting", "connected"]
            # Since the change to "connecting": the heartbeat's answer and the join's, nothing else.
            assert one.socket.details().messages_in == messages[-2] + 2
            assert one.socket.details().failed_attempts == 0  # replacing a healthy connection is no failure
            assert one.socket.get_health_metrics().reconnect_attempts == 0


async def test_commands_in_any_order_leave_exactly_one_connection(hub, client):
    one = client(hub.url, *TALKING)
    for _ in range(5):
        one.socket.disconnect()
        one.socket.connect()
        one.socket.reconnect()
        await asyncio.sleep(0)
        one.socket.connect()
        one.socket.disconnect()
        one.socket.disconnect()
        one.socket.connect()
        await asyncio.sleep(0.003)
    await eventually(lambda: one.all_joined and len(hub.connections) == 1)
    await one.works(hub)
    await asyncio.gather(one.socket.disconnect(), one.socket.disconnect())
    await eventually(lambda: hub.connections == [])
    assert tasks_of(one.socket) == set()


async def test_connect_while_the_old_connection_closes_keeps_the_new_one(hub, client):
    """A frozen server lets the closing take its full time; the late end of it clears nothing."""
    one = client(hub.url, *TALKING)
    await one.works(hub)
    hub.faults.freeze()
    gone = one.socket.disconnect()
    again = one.socket.connect()
    hub.faults.thaw()
    await again
    await gone
    await one.works(hub)
    await eventually(lambda: "closing" not in {task.get_name() for task in asyncio.all_tasks()})
    await one.works(hub)


async def test_the_idle_timeout_of_a_server_is_never_reached(client, nothing_left):
    async with Hub(idle_timeout=0.6) as hub:
        one = client(hub.url, *TALKING, heartbeat_interval=0.1)
        await one.works(hub)
        beats = sum(received.frame.event == "heartbeat" for received in hub.received)
        await eventually(lambda: sum(r.frame.event == "heartbeat" for r in hub.received) >= beats + 10)
        assert hub.connects == 1
        await one.socket.close()
