"""Ten thousand frames in one burst: nothing is dropped, or what is dropped is bounded and counted."""

from __future__ import annotations

import asyncio

from real import eventually

COUNT = 10_000


async def test_a_plain_handler_drops_nothing_of_a_burst(hub, client):
    one = client(hub.url, "echo:1", "echo:2")
    heard = []
    one.channels[0].on("flood", lambda message: heard.append(message.payload["n"]))
    await one.works(hub)
    before = one.socket.details()
    assert hub.faults.flood("echo:1", COUNT, 200) == COUNT
    await eventually(lambda: len(heard) == COUNT)
    assert heard == list(range(COUNT))
    details = one.socket.details()
    assert (details.dropped_messages, details.undecodable, details.handler_errors) == (0, 0, 0)
    assert details.messages_in - before.messages_in >= COUNT
    assert details.bytes_in - before.bytes_in >= COUNT * 200
    await one.works(hub)
    assert (hub.connects, one.socket.get_health_metrics().heartbeat_failures) == (1, 0)


async def test_a_slow_async_handler_drops_the_oldest_and_every_drop_is_counted(hub, client):
    one = client(hub.url, "echo:1", "echo:2", handler_queue=500, heartbeat_interval=0.1)
    gate = asyncio.Event()
    heard = []
    longest = 0

    async def slow(message):
        nonlocal longest
        await gate.wait()
        longest = max(longest, slow_channel.waiting_messages)
        heard.append(message.payload["n"])

    slow_channel, other = one.channels
    slow_channel.on("flood", slow)
    await one.works(hub)
    hub.faults.flood("echo:1", COUNT, 200)
    # All of it was read, though nobody handles it; another channel and the heartbeats go on.
    await eventually(lambda: slow_channel.received >= COUNT)
    assert await other.push("echo", {"n": 1}) == {"n": 1}
    beat = one.socket.get_health_metrics().last_heartbeat
    await eventually(lambda: one.socket.get_health_metrics().last_heartbeat > beat)
    assert slow_channel.waiting_messages == 500
    gate.set()
    await eventually(lambda: slow_channel.waiting_messages == 0 and heard[-1:] == [COUNT - 1])
    # The newest are kept, in order, beside the first ones that were under way.
    assert heard[-500:] == list(range(COUNT - 500, COUNT))
    assert heard == sorted(heard)
    assert longest <= 500
    assert slow_channel.dropped_messages == COUNT - len(heard) == one.socket.details().dropped_messages
    await one.works(hub)
    assert (hub.connects, one.socket.get_health_metrics().heartbeat_failures) == (1, 0)


async def test_the_handler_queue_is_bounded_in_bytes_too(hub, client):
    one = client(hub.url, "echo:1", handler_queue_bytes=100_000)
    gate = asyncio.Event()
    channel = one.channels[0]
    channel.on("flood", lambda message: gate.wait())
    await one.works(hub)
    hub.faults.flood("echo:1", 1_000, 1_000)
    await eventually(lambda: channel.received >= 1_000)
    assert 80 < channel.waiting_messages < 125
    assert channel.dropped_messages + channel.waiting_messages in (999, 1_000)
    gate.set()
    await eventually(lambda: channel.waiting_messages == 0)
    await one.works(hub)


async def test_drops_of_a_channel_that_was_left_stay_counted(hub, client):
    one = client(hub.url, "echo:1", "echo:2", handler_queue=10)
    gate = asyncio.Event()
    channel = one.channels.pop(0)
    channel.on("flood", lambda message: gate.wait())
    await eventually(lambda: one.all_joined and channel.state == "joined")
    hub.faults.flood("echo:1", 1_000, 200)
    await eventually(lambda: channel.received == 1_000)
    dropped = channel.dropped_messages
    assert dropped >= 989
    await channel.leave()
    assert one.socket.details().dropped_messages == dropped
    gate.set()


async def test_a_burst_of_pushes_is_answered_to_the_last(hub, client):
    one = client(hub.url, "echo:1")
    await one.works(hub)
    pushes = [one.channels[0].push("echo", {"n": number}, timeout=60) for number in range(5_000)]
    assert [response["n"] for response in await asyncio.gather(*pushes)] == list(range(5_000))
    await one.works(hub)
