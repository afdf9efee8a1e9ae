"""Cancelled at every await: whatever waits can be stopped at any point, and nothing is left or broken."""

from __future__ import annotations

import asyncio

import pytest
from real import Client, FrameServer, RawServer, eventually, options, running, tasks_of, until_gone

from tui.channels import ChannelClosed, NotConnectedError, Socket

TURNS = (*range(60), *(64 * 2**n for n in range(12)))
"""After how many turns of the loop to cancel: each of the first ones, then far beyond any end."""


async def cancelled_after(turns, waiting):
    """Await ``waiting`` in a task that is cancelled after so many turns of the loop; whether it had ended."""

    async def wait():
        return await waiting

    task = asyncio.create_task(wait())
    for _ in range(turns):
        await asyncio.sleep(0)
    over = task.done()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or over
    return over


async def test_waiting_for_connect_stops_nothing_else(hub, client):
    one = client(hub.url, "echo:1")
    for turns in TURNS:
        await one.socket.disconnect()
        over = await cancelled_after(turns, one.socket.connect())
        await one.socket.connect()  # who waits after a cancelled one is told all the same
        assert one.socket.is_connected
        if over:
            break
    assert over
    assert turns > 3
    await one.works(hub)


async def test_disconnect_at_every_turn_of_connecting_leaves_nothing(hub, nothing_left):
    one = Client(hub.url, "echo:1")
    for turns in TURNS:
        waiting = one.socket.connect()
        for _ in range(turns):
            await asyncio.sleep(0)
        over = one.socket.is_connected
        await one.socket.disconnect()
        assert tasks_of(one.socket) == set()
        assert one.socket.state == "disconnected"
        if not over and one.states[-2:] != ["connected", "disconnected"]:
            with pytest.raises(NotConnectedError):
                await waiting
        one.counts_add_up()
        if over:
            break
    assert over
    assert turns > 10
    await eventually(lambda: hub.connections == [])
    await one.socket.connect()
    await one.works(hub)
    assert one.socket.get_health_metrics().failed_reconnects == 0
    await one.socket.close()


async def test_disconnect_at_every_turn_of_reconnecting_leaves_nothing(hub, nothing_left):
    one = Client(hub.url, "echo:1", reconnect_base_delay=0.001, reconnect_max_delay=0.001)
    for turns in TURNS:
        await one.socket.connect()
        hub.faults.drop_all()
        for _ in range(turns * 2):
            await asyncio.sleep(0)
        over = one.states[-1] == "connected" and len(one.states) > 4 and one.states[-3] == "reconnecting"
        await one.socket.disconnect()
        assert tasks_of(one.socket) == set()
        one.counts_add_up()
        if over:
            break
        one.changes.clear()
    await eventually(lambda: hub.connections == [])
    await one.socket.connect()
    await one.works(hub)
    await one.socket.close()


async def test_waiting_for_disconnect_may_stop_and_it_goes_on(hub, client):
    one = client(hub.url, "echo:1")
    for turns in TURNS:
        await one.works(hub)
        over = await cancelled_after(turns, one.socket.disconnect())
        await one.socket.disconnect()
        assert tasks_of(one.socket) == set()
        await one.socket.connect()
        if over:
            break
    assert over


async def test_close_may_be_cancelled_at_any_turn_and_closed_again(hub, nothing_left):
    for turns in TURNS:
        one = Client(hub.url, "echo:1")

        async def never(message):
            await asyncio.Event().wait()

        one.channels[0].on("hold", never)
        async with running(one):
            await one.works(hub)
            hub.send_to_topic("echo:1", "hold", {})
            over = await cancelled_after(turns + 1, one.socket.close())
        assert tasks_of(one.socket) == set()
        if over:
            break
    assert over
    await eventually(lambda: hub.connections == [])


async def test_waiting_for_a_join_stops_nothing_else(hub, client):
    one = client(hub.url)
    await one.socket.connect()
    for turns in TURNS:
        channel = one.socket.channel(f"echo:{turns}")
        over = await cancelled_after(turns, channel.join())
        await eventually(lambda: channel.state == "joined")  # noqa: B023 (awaited at once)
        assert await channel.push("echo", {"n": turns}) == {"n": turns}
        await channel.leave()
        if over:
            break
    assert over
    assert turns > 1
    await eventually(lambda: hub.topics() == [])


async def test_a_join_with_an_async_parameter_may_be_left_at_any_turn(hub, client):
    async def slowly():
        for _ in range(5):
            await asyncio.sleep(0)
        return "given"

    one = client(hub.url)
    await one.socket.connect()
    for turns in TURNS:
        channel = one.socket.channel("echo:1", {"secret": slowly})
        answer = channel.join()
        for _ in range(turns):
            await asyncio.sleep(0)
        over = channel.state == "joined"
        await channel.leave()
        assert channel.state == "closed"
        if not over:
            with pytest.raises(ChannelClosed):
                await answer
        await eventually(lambda: hub.channels("echo:1") == [])
        if over:
            break
    assert over
    assert one.socket.channels == ()
    assert hub.connects == 1


async def test_a_cancelled_push_leaves_nothing_and_a_late_reply_finds_nobody(hub, client):
    one = client(hub.url, "echo:1")
    await one.works(hub)
    for turns in TURNS:
        over = await cancelled_after(turns, one.channels[0].push("echo", {"n": turns}))
        if over:
            break
    assert over
    assert turns > 1
    await one.works(hub)
    assert one.socket.replies.awaited == {}  # nothing kept for pushes that nobody awaits


async def test_a_push_cancelled_in_the_buffer_is_never_sent(hub, client):
    hub.faults.refuse_join("echo:1")
    one = client(hub.url, "echo:1")
    channel = one.channels[0]
    await eventually(lambda: channel.state == "errored")
    push = channel.push("echo", {"sent": "never"})
    assert await cancelled_after(3, push) is False
    assert channel.buffered == 0
    hub.faults.allow_join("echo:1")
    await one.works(hub)
    assert "never" not in str([r.frame.payload for r in hub.received])


async def test_waiting_for_a_leave_may_stop_and_it_is_left(hub, client):
    one = client(hub.url)
    await one.socket.connect()
    for turns in TURNS:
        channel = one.socket.channel("echo:1")
        await channel.join()
        over = await cancelled_after(turns, channel.leave())
        await eventually(lambda: channel.state == "closed")  # noqa: B023 (awaited at once)
        await eventually(lambda: hub.channels("echo:1") == [])
        if over:
            break
    assert over
    assert one.socket.channels == ()


async def test_a_time_limit_around_any_wait_works(nothing_left):
    """asyncio.timeout around join, push and leave of a server that answers only heartbeats."""

    async def answer(connection, frame):
        return frame[2] != "phoenix" and (frame[3] != "phx_join" or frame[2] == "echo:deaf")

    async with FrameServer(answer) as server:
        one = Client(server.url)
        async with running(one):
            channel, deaf = one.socket.channel("echo:1"), one.socket.channel("echo:deaf")
            await channel.join()
            for waiting in (deaf.join(), channel.push("silent"), channel.leave()):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await waiting
            assert (channel.state, deaf.state) == ("leaving", "joining")
        assert one.socket.state == "disconnected"


@pytest.mark.parametrize("stage", ["tcp", "parameter"])
async def test_a_task_group_that_fails_takes_the_socket_with_it(nothing_left, stage):
    """``async with Socket`` inside what is cancelled ends with nothing left, whatever it was at."""

    async def silence(reader, writer):
        await until_gone(reader)

    async def never():
        await asyncio.Event().wait()

    async with RawServer(silence) as server:
        params = {"token": never} if stage == "parameter" else {}

        async def use():
            async with Socket(server.url, options(params=params)) as socket:
                await socket.channel("echo:1").join(timeout=60)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await use()
        assert server.accepted == (0 if stage == "parameter" else 1)
        await eventually(lambda: server.open == 0)


async def test_the_end_of_the_event_loop_ends_the_socket(hub, nothing_left):
    """A runner cancelled from outside, as asyncio.run does at its end, leaves no descriptor."""
    one = Client(hub.url, "echo:1")
    one.socket.connect()
    await one.works(hub)
    for task in tasks_of(one.socket):
        task.cancel()
    await eventually(lambda: tasks_of(one.socket) == set())
    await one.socket.close()
    await eventually(lambda: hub.connections == [])
