"""Handlers that raise, that never return, and that come and go, on real sockets."""

from __future__ import annotations

import asyncio
import logging

import pytest
from real import eventually

TOPICS = ("echo:1", "echo:2")


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, RecursionError, asyncio.CancelledError, TimeoutError]
)
@pytest.mark.parametrize("kind", ["plain", "async", "awaitable"])
async def test_a_handler_that_raises_is_logged_and_counted_and_the_others_go_on(
    hub, client, caplog, error, kind
):
    one = client(hub.url, *TOPICS)
    heard = []

    def plain(message):
        raise error("of the handler")

    async def later(message):
        await asyncio.sleep(0)
        raise error("of the handler")

    channel = one.channels[0]
    channel.on("bang", {"plain": plain, "async": later, "awaitable": lambda message: later(message)}[kind])
    channel.on("bang", lambda message: heard.append(message.payload))
    await one.works(hub)
    for number in range(3):
        hub.send_to_topic("echo:1", "bang", {"n": number})
    await eventually(lambda: len(heard) == 3)
    await eventually(lambda: one.socket.details().handler_errors == 3)
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 1  # at most one a minute
    assert "bang" in lines[0].getMessage()
    assert "echo:1" in lines[0].getMessage()
    assert lines[0].exc_info[0] is error
    await one.works(hub)
    assert (hub.connects, one.reasons) == (1, [])


async def test_a_handler_that_never_returns_delays_its_own_channel_alone(hub, client):
    one = client(hub.url, *TOPICS, heartbeat_interval=0.1)
    await one.works(hub)
    held, free = one.channels
    entered = []

    async def never(message):
        entered.append(message.payload)
        await asyncio.Event().wait()

    held.on("hold", never)
    hub.send_to_topic("echo:1", "hold", {"n": 1})
    await eventually(lambda: entered == [{"n": 1}])
    before = len(one.news["echo:1"])
    hub.send_to_topic("echo:1", "news", {"n": -1})
    hub.send_to_topic("echo:2", "news", {"n": -2})
    await eventually(lambda: -2 in one.news_async["echo:2"])
    await eventually(lambda: held.waiting_messages == 1)
    assert len(one.news["echo:1"]) == before
    # Its replies, its own crash and the heartbeats are not held up.
    assert await held.push("echo", {"n": 3}) == {"n": 3}
    beats = one.socket.get_health_metrics().last_heartbeat
    await eventually(lambda: one.socket.get_health_metrics().last_heartbeat > beats)
    hub.faults.crash_channel("echo:1")
    await eventually(lambda: held.joins == 2)
    hub.faults.drop_all()
    await eventually(lambda: held.joins == 3 and free.joins == 2)
    assert await held.push("echo", {"n": 4}) == {"n": 4}
    # The end of the socket is not held up either: the fixture closes it and finds no task left.


async def test_a_handler_that_calls_back_into_the_client_is_served(hub, client):
    """Push, leave, join and disconnect from within handlers, plain and async."""
    one = client(hub.url, *TOPICS)
    first, second = one.channels
    answers = []

    async def ask(message):
        answers.append(await first.push("echo", {"asked": message.payload["n"]}))

    first.on("ask", ask)
    second.on("leave", lambda message: second.leave())
    await one.works(hub)
    hub.send_to_topic("echo:1", "ask", {"n": 1})
    await eventually(lambda: answers == [{"asked": 1}])
    hub.send_to_topic("echo:2", "leave", {})
    await eventually(lambda: second.state == "closed")

    async def stop(message):
        await one.socket.close()
        answers.append("closed")

    first.on("stop", stop)
    hub.send_to_topic("echo:1", "stop", {})
    await eventually(lambda: answers[-1] == "closed")
    assert one.socket.state == "disconnected"


async def test_a_reply_awaited_in_a_handler_of_the_join_comes(hub, client):
    one = client(hub.url)
    channel = one.socket.channel("echo:1")
    states = []

    async def joined(message):
        states.append(await channel.push("echo", {"after": "join"}))

    channel.on("phx_join", joined)
    await channel.join()
    await eventually(lambda: states == [{"after": "join"}])
    hub.faults.drop_all()
    await eventually(lambda: len(states) == 2)


async def test_off_and_unsubscribe_stop_what_they_name_and_nothing_else(hub, client):
    one = client(hub.url, "echo:1")
    channel = one.channels[0]
    heard = []
    first = channel.on("tick", lambda message: heard.append("first"))

    def second(message):
        heard.append("second")
        first()  # removed during dispatch: the third is not skipped

    channel.on("tick", second)
    channel.on("tick", lambda message: heard.append("third"))
    await one.works(hub)
    hub.send_to_topic("echo:1", "tick", {})
    await eventually(lambda: len(heard) == 3)
    hub.send_to_topic("echo:1", "tick", {})
    await eventually(lambda: len(heard) == 5)
    channel.off("tick", second)
    hub.send_to_topic("echo:1", "tick", {})
    await eventually(lambda: len(heard) == 6)
    channel.off("tick")
    hub.send_to_topic("echo:1", "tick", {})
    await one.works(hub)
    assert heard == ["first", "second", "third", "second", "third", "third"]


async def test_messages_reach_their_own_topic_and_on_message_sees_all(hub, client):
    one = client(hub.url, *TOPICS)
    seen = []
    stop = one.socket.on_message(lambda message: seen.append((message.topic, message.event)))
    await one.works(hub)
    topics = {topic for topic, event in seen if event == "news"}
    assert topics == set(TOPICS)
    assert ("phoenix", "phx_reply") in seen
    assert len(set(one.news["echo:1"]) & set(one.news["echo:2"])) == 1  # works() sends one number to both
    stop()
    count = len(seen)
    await one.works(hub)
    assert len(seen) == count


async def test_a_state_handler_that_raises_stops_nothing(hub, client):
    one = client(hub.url, *TOPICS)

    def bang(change):
        raise RuntimeError("of the handler")

    one.socket.on_state_change(bang)
    one.socket.on_stable(lambda: 1 / 0)
    one.socket.on_message(bang)
    await one.works(hub)
    await eventually(lambda: one.socket.details().stable)
    hub.faults.drop_all()
    await eventually(lambda: one.channels[0].joins == 2)
    await one.works(hub)
    assert one.socket.details().handler_errors > 3
