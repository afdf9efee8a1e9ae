"""Joins, leaves, crashes and the ends of channels, on real sockets."""

from __future__ import annotations

import asyncio
import time

import pytest
from real import Client, FrameServer, eventually, running

from tui.channels import ChannelClosed, NotConnectedError, ReplyError, ReplyTimeout

TOPICS = ("echo:1", "echo:2")


async def test_fifty_slow_joins_one_after_another_do_not_cut_the_link(hub, client):
    """Each takes 100 ms and holds up every heartbeat; the whole takes ten times the heartbeat's limit."""
    hub.faults.slow_join(0.1)
    began = time.monotonic()
    one = client(
        hub.url,
        *(f"echo:{number}" for number in range(50)),
        heartbeat_interval=0.3,
        heartbeat_timeout=0.5,
        join_timeout=4,
    )
    await eventually(lambda: one.all_joined, 30)
    assert time.monotonic() - began >= 4.5
    assert hub.connects == 1
    assert one.reasons == []
    assert {channel.joins for channel in one.channels} == {1}
    assert one.socket.get_health_metrics().heartbeat_failures == 0
    hub.faults.slow_join(0)
    await one.works(hub)


async def test_a_join_that_hangs_lets_a_frozen_server_be_seen_all_the_same(hub, client):
    hub.faults.slow_join(3600)
    one = client(hub.url, "echo:1", heartbeat_interval=0.1, heartbeat_timeout=0.2, join_timeout=0.8)
    await eventually(lambda: one.socket.get_health_metrics().heartbeat_failures == 1)
    assert one.reasons[0] == "nothing came within 0.8 s of a heartbeat"
    await hub.faults.clear()
    await one.works(hub)


async def test_all_channels_rejoin_in_parallel(nothing_left):
    """The server answers no join before it has seen all fifty."""
    waiting = []

    async def answer(connection, frame):
        if frame[3] != "phx_join":
            return False
        waiting.append(frame)
        if len(waiting) % 50 == 0:
            for one in waiting[-50:]:
                reply = f'["{one[0]}","{one[1]}","{one[2]}","phx_reply",{{"response":{{}},"status":"ok"}}]'
                await connection.send(reply)
        return True

    async with FrameServer(answer) as server:
        one = Client(server.url, *(f"echo:{number}" for number in range(50)))
        async with running(one):
            await eventually(lambda: one.all_joined)
            server.live[0].transport.abort()
            await eventually(lambda: {channel.joins for channel in one.channels} == {2})
            refs = [frame[0] for frame in waiting]
            assert len(set(refs)) == 100  # a new join_ref every time


async def test_a_channel_refused_for_a_while_gets_in_and_the_others_work_meanwhile(hub, client):
    hub.faults.refuse_join("echo:2", response={"reason": "not yet"})
    one = client(hub.url, *TOPICS)
    first, second = one.channels
    errors = []
    second.on("phx_error", lambda message: errors.append(message.payload))
    await eventually(lambda: len(errors) >= 3)
    assert (first.state, first.joins) == ("joined", 1)
    assert await first.push("echo", {"n": 1}) == {"n": 1}
    assert second.reason in ("join refused: not yet", "joining")
    assert errors[0] == {"reason": "not yet"}
    hub.faults.allow_join("echo:2")
    await one.works(hub)
    assert (first.joins, second.joins) == (1, 1)
    assert hub.connects == 1
    assert one.reasons == []


async def test_joins_refused_for_a_while_are_no_storm(hub, client):
    hub.faults.refuse_join("echo:1")
    one = client(hub.url, "echo:1", reconnect_base_delay=0.1, reconnect_max_delay=0.4)
    began = time.monotonic()
    await eventually(lambda: hub.join_attempts["echo:1"] >= 5)
    assert time.monotonic() - began >= 0.05 + 0.1 + 0.2 + 0.2
    hub.faults.allow_join("echo:1")
    await one.works(hub)


async def test_the_first_join_tells_of_the_refusal_and_goes_on(hub, client):
    hub.faults.refuse_join("echo:9", response={"reason": "no"}, times=1)
    one = client(hub.url)
    channel = one.socket.channel("echo:9")
    with pytest.raises(ReplyError) as refused:
        await channel.join()
    assert (refused.value.status, refused.value.response) == ("error", {"reason": "no"})
    await eventually(lambda: channel.state == "joined")
    with pytest.raises(RuntimeError):
        channel.join()  # a channel joins once


@pytest.mark.parametrize("topic", ["nosuch:1", "phoenix"])
async def test_a_topic_that_the_server_does_not_have_is_tried_again_and_hurts_nobody(hub, client, topic):
    one = client(hub.url, "echo:1")
    lost = one.socket.channel(topic)
    with pytest.raises(ReplyError, match="unmatched topic"):
        await lost.join()
    await one.works(hub)
    assert hub.connects == 1
    await lost.leave()


async def test_a_crashed_channel_rejoins_and_its_pushes_end(hub, client):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    first, second = one.channels
    errors = []
    first.on("phx_error", lambda message: errors.append(message.payload))
    under_way = first.push("silent")
    elsewhere = second.push("silent")
    await eventually(lambda: sum(r.frame.event == "silent" for r in hub.received) == 2)
    assert hub.faults.crash_channel("echo:1") == 1
    with pytest.raises(NotConnectedError, match="crashed"):
        await asyncio.wait_for(under_way, 2)
    await eventually(lambda: first.joins == 2)
    await one.works(hub)
    assert errors == [{"reason": "channel_crash"}]
    assert (second.joins, hub.connects, one.reasons) == (1, 1, [])
    assert not elsewhere.done
    elsewhere.end(ChannelClosed("enough"))


async def test_a_push_that_crashes_its_channel_leaves_it_joined_again(hub, client):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    for number in range(2, 5):
        with pytest.raises(NotConnectedError):
            await one.channels[0].push("crash")
        await eventually(lambda: one.channels[0].joins == number)  # noqa: B023 (awaited at once)
    await one.works(hub)
    assert one.channels[1].joins == 1


async def test_a_channel_that_the_server_closes_stays_closed_until_the_next_connection(hub, client):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    first, second = one.channels
    closed = []
    first.on("phx_close", lambda message: closed.append(message.payload))
    assert hub.faults.stop_channel("echo:1") == 1
    await eventually(lambda: closed == [{}])
    assert (first.state, first.reason) == ("closed", "closed by the server")
    assert one.socket.channels == (second,)
    with pytest.raises(ChannelClosed):
        first.push("echo")
    await second.push("echo")
    assert (hub.joins["echo:1"], first.state) == (1, "closed")
    hub.faults.drop_all()
    await eventually(lambda: one.all_joined and second.joins == 2)
    assert hub.joins["echo:1"] == 2
    assert hub.faults.stop_channel("echo:1") == 1
    await eventually(lambda: first.state == "closed")
    await first.join()  # or until somebody asks
    await eventually(lambda: one.all_joined)
    await one.works(hub)


async def test_leave_is_answered_and_stays_left(hub, client):
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    first, second = one.channels
    join_ref = next(r.frame.join_ref for r in hub.received if r.frame.event == "phx_join")
    await first.leave()
    leave = next(r.frame for r in hub.received if r.frame.event == "phx_leave")
    assert (leave.join_ref, leave.topic) == (join_ref, "echo:1")
    assert one.socket.channels == (second,)
    await eventually(lambda: hub.channels("echo:1") == [])
    hub.faults.drop_all()
    await eventually(lambda: second.joins == 2)
    assert hub.joins["echo:1"] == 1


async def test_leave_and_join_sent_at_once_end_joined(hub, client):
    """The old channel's late phx_close is of another join_ref and closes nothing."""
    one = client(hub.url, "echo:1")
    await one.works(hub)
    channel = one.channels[0]
    for number in range(2, 12):
        channel.leave()
        assert await channel.join() == {"params": {}, "topic": "echo:1"}
        assert channel.joins == number
    await one.works(hub)
    assert hub.joins["echo:1"] == 11
    assert len(hub.channels("echo:1")) == 1


async def test_another_channel_on_the_same_topic_takes_its_place(hub, client):
    one = client(hub.url, "echo:1")
    await one.works(hub)
    old = one.channels.pop()
    new = one.join("echo:1")
    await eventually(lambda: new.state == "joined")
    assert (old.state, old.reason) == ("closed", "replaced by another channel on the same topic")
    assert one.socket.channels == (new,)
    one.news["echo:1"].clear()
    old.off("news")
    await one.works(hub)
    hub.faults.drop_all()
    await eventually(lambda: new.joins == 2)
    await one.works(hub)
    assert old.joins == 1


async def test_a_join_that_timed_out_is_left_before_it_is_tried_again(nothing_left):
    joins = []

    async def answer(connection, frame):
        if frame[3] == "phx_join":
            joins.append(frame[0])
            return len(joins) == 1  # the first one is never answered
        return False

    async with FrameServer(answer) as server:
        one = Client(server.url)
        channel = one.socket.channel("echo:1")
        async with running(one):
            with pytest.raises(ReplyTimeout):
                await channel.join(timeout=0.2)
            await eventually(lambda: channel.state == "joined")
            events = [(frame[0], frame[3]) for _, frame in server.frames if frame[2] == "echo:1"]
            assert events == [(joins[0], "phx_join"), (joins[0], "phx_leave"), (joins[1], "phx_join")]
            assert joins[0] != joins[1]
            assert server.connects == 1


async def test_a_channel_that_the_server_lost_is_joined_again(hub, client):
    """The server knows nothing of the topic any more and says so to a push."""
    one = client(hub.url, "echo:1")
    await one.works(hub)
    channel = hub.channels("echo:1")[0]
    channel.connection.end_channel(channel, None)  # without a word
    with pytest.raises(ReplyError, match="unmatched topic"):
        await one.channels[0].push("echo")
    await eventually(lambda: one.channels[0].joins == 2)
    await one.works(hub)
    assert hub.connects == 1


async def test_join_parameters_from_a_function_are_asked_at_each_join(hub, client):
    count = iter(range(1, 10))

    async def asked():
        await asyncio.sleep(0)
        return next(count)

    one = client(hub.url)
    channel = one.join("echo:1", {"n": asked, "fixed": True})
    responses = []
    channel.on("phx_join", lambda message: responses.append(message.payload["params"]))
    await one.works(hub)
    hub.faults.drop_all()
    await eventually(lambda: channel.joins == 2)
    hub.faults.crash_channel("echo:1")
    await eventually(lambda: channel.joins == 3)
    await one.works(hub)
    assert responses == [{"n": number, "fixed": True} for number in (1, 2, 3)]


async def test_the_hundred_and_first_channel_is_told_why(hub, client):
    one = client(hub.url, *(f"echo:{number}" for number in range(100)))
    await eventually(lambda: one.all_joined)
    extra = one.socket.channel("echo:100")
    with pytest.raises(ReplyError, match="too many channels joined"):
        await extra.join()
    await one.channels[0].leave()
    await eventually(lambda: extra.state == "joined")


async def test_pushes_before_the_join_wait_and_go_in_order(hub, client):
    one = client(hub.url)
    hub.faults.freeze()
    channel = one.join("echo:1")
    early = [channel.push("echo", {"n": number}) for number in range(5)]
    assert channel.buffered == 5
    hub.faults.thaw()
    assert [response["n"] for response in await asyncio.gather(*early)] == [0, 1, 2, 3, 4]
    sent = [r.frame.payload["n"] for r in hub.received if r.frame.event == "echo"]
    assert sent == [0, 1, 2, 3, 4]
    await one.works(hub)
