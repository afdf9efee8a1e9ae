"""Channels: joins, leaves, pushes and what survives, under a virtual clock."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import Any

import pytest

from tests.channels.virtual import LATENCY, World, collect, details, virtual
from tui.channels import (
    Channel,
    ChannelClosed,
    NotConnectedError,
    Options,
    Push,
    PushDropped,
    ReplyError,
    ReplyTimeout,
    Socket,
)

SOON = 0.01
STEADY = Options(reconnect_jitter=0.0)


def near(seconds: float) -> Any:
    return pytest.approx(seconds, abs=SOON)


def join_gaps(world: World, topic: str) -> list[float]:
    at = [frame.at for frame in world.server.frames("phx_join", topic)]
    return [later - earlier for earlier, later in itertools.pairwise(at)]


async def joined(world: World, topic: str = "a:1", **changes: Any) -> tuple[Socket, Channel]:
    """A stable connection with one joined channel."""
    socket = world.socket(**{"reconnect_jitter": 0.0, **changes})
    channel = socket.channel(topic)
    channel.join()
    await world.connected(socket, stable=True)
    assert channel.state == "joined"
    return socket, channel


# Joining


@virtual
async def test_a_new_channel_is_closed_and_sends_nothing(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    channel = socket.channel("a:1", {"x": 1})
    assert (channel.state, channel.buffered, channel.joins, channel.can_push) == ("closed", 0, 0, False)
    await world.pass_time(20)
    assert world.server.frames("phx_join") == []
    assert socket.channels == ()


@virtual
async def test_join_sends_its_parameters_once_and_returns_the_response(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    world.server.join_answers["a:1"] = ("ok", {"hello": [1, 2]})
    channel = socket.channel("a:1", {"user": "x"})
    answer = channel.join()
    assert channel.state == "joining"
    assert await answer == {"hello": [1, 2]}
    assert (channel.state, channel.reason, channel.joins) == ("joined", None, 1)
    (frame,) = world.server.frames("phx_join")
    assert frame.payload == {"user": "x"}
    assert frame.ref == frame.join_ref is not None
    await world.pass_time(100)
    assert len(world.server.frames("phx_join")) == 1


@virtual
async def test_a_channel_joins_once(world: World) -> None:
    _, channel = await joined(world)
    with pytest.raises(RuntimeError, match="asked for already"):
        channel.join()


@virtual
async def test_a_channel_made_before_connect_works_after_any_number_of_reconnects(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1", {"x": 1})
    seen = collect(channel, "tick")
    joins = collect(channel, "phx_join")
    channel.join()
    for number in range(5):
        await socket.reconnect()
        await world.settle()
        world.server.broadcast("a:1", "tick", number)
        await world.settle()
    assert seen == [0, 1, 2, 3, 4]
    assert joins == [{}] * 5
    frames = world.server.frames("phx_join")
    assert [frame.payload for frame in frames] == [{"x": 1}] * 5
    assert len({frame.join_ref for frame in frames}) == 5, "a join_ref is never used again"


@virtual
async def test_a_join_waits_for_the_connection_and_then_takes_place(world: World) -> None:
    socket = world.socket()
    answer = socket.channel("a:1").join()
    await world.pass_time(5)
    socket.connect()
    assert await answer == {}


@virtual
async def test_a_join_whose_time_ran_out_before_the_connection_came_takes_place_all_the_same(
    world: World,
) -> None:
    socket = world.socket(join_timeout=4.0)
    channel = socket.channel("a:1")
    answer = channel.join()
    world.server.open_takes = 6.0
    socket.connect()
    with pytest.raises(ReplyTimeout, match="no answer within 4 s, still trying"):
        await answer
    await world.pass_time(3)
    assert channel.state == "joined"


@virtual
async def test_the_timeout_given_to_join_is_its_limit(world: World) -> None:
    world.server.unanswered.add("phx_join")
    socket = world.socket()
    await socket.connect()
    begun = world.now
    with pytest.raises(ReplyTimeout, match="within 2 s"):
        await socket.channel("a:1").join(timeout=2.0)
    assert world.now - begun == near(2)


@virtual
async def test_function_parameters_are_asked_anew_at_each_join(world: World) -> None:
    count = itertools.count(1)

    async def later() -> int:
        await asyncio.sleep(0.1)
        return next(count)

    socket = world.socket()
    socket.channel("a:1", lambda: {"n": next(count)}).join()
    socket.channel("b:1", {"fixed": True, "n": later}).join()
    for _ in range(2):
        await socket.reconnect()
        await world.pass_time(1)
    assert [frame.payload for frame in world.server.frames("phx_join", "a:1")] == [{"n": 1}, {"n": 3}]
    assert [frame.payload for frame in world.server.frames("phx_join", "b:1")] == [
        {"fixed": True, "n": 2},
        {"fixed": True, "n": 4},
    ]


@virtual
async def test_parameters_that_cannot_be_had_are_a_failed_join_that_is_tried_again(world: World) -> None:
    fails = True

    def token() -> str:
        if fails:
            raise RuntimeError("s3cret")
        return "t"

    socket = world.socket(STEADY)
    await socket.connect()
    channel = socket.channel("a:1", {"token": token})
    with pytest.raises(Exception, match="token: its function raised RuntimeError") as raised:
        await channel.join()
    assert "s3cret" not in str(raised.value)
    assert channel.state == "errored"
    assert channel.reason == "join parameters of a:1.token: its function raised RuntimeError"
    fails = False
    await world.pass_time(1.1)
    assert channel.state == "joined"


@virtual
async def test_parameters_whose_function_never_returns_time_out_and_are_asked_again(world: World) -> None:
    asked: list[float] = []

    async def slow_at_first() -> dict[str, int]:
        asked.append(world.now)
        if len(asked) == 1:
            await asyncio.get_running_loop().create_future()
        return {}

    socket = world.socket(STEADY)
    await socket.connect()
    channel = socket.channel("a:1", slow_at_first)
    channel.join()
    await world.pass_time(10.1)
    assert channel.reason == "join parameters of a:1 did not answer for 10 s"
    await world.pass_time(1)
    assert channel.state == "joined"


@virtual
async def test_parameters_asked_for_a_connection_that_is_gone_are_not_awaited_any_more(world: World) -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    socket = world.socket()
    await socket.connect()
    socket.channel("a:1", never).join()
    await world.pass_time(1)
    await socket.disconnect()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
@pytest.mark.parametrize("params", [object(), {"x": "\ud800"}, {(1, 2): 3}], ids=["object", "text", "key"])
async def test_parameters_that_json_cannot_say_fail_their_own_channel_alone(
    world: World, params: Any
) -> None:
    socket = world.socket(STEADY)
    channels = [socket.channel("a:1"), socket.channel("b:1", params), socket.channel("c:1")]
    for channel in channels:
        channel.join()
    await world.connected(socket, stable=True)
    assert [channel.state for channel in channels] == ["joined", "errored", "joined"]
    assert channels[1].reason == "join of b:1: its parameters are nothing that JSON can say"


@virtual
async def test_binary_join_parameters_and_a_binary_response_work(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    world.server.unanswered.add("phx_join")
    channel = socket.channel("a:1", b"\x01\x02")
    answer = channel.join()
    await world.settle()
    (frame,) = world.server.frames("phx_join")
    assert frame.payload == b"\x01\x02"
    ref = str(frame.ref).encode()
    sizes = bytes([1, len(ref), len(ref), 3, 2])
    world.server.link.arrive_raw(sizes + ref + ref + b"a:1" + b"ok" + b"\x09", False)
    assert await answer == b"\x09"
    world.server.unanswered.clear()


# Refused, timed out, crashed


@virtual
async def test_a_refused_join_is_told_and_tried_again_with_its_own_back_off(world: World) -> None:
    """phoenix.js waits 1, 2, 5 and 10 s; here a channel has the connection's delays."""
    world.server.join_answers["a:1"] = ("error", {"reason": "not yet"})
    socket = world.socket(STEADY)
    await world.connected(socket, stable=True)
    other = socket.channel("b:1")
    other.join()
    channel = socket.channel("a:1")
    with pytest.raises(ReplyError, match="not yet") as raised:
        await channel.join()
    assert (raised.value.status, raised.value.response) == ("error", {"reason": "not yet"})
    assert (channel.state, channel.reason) == ("errored", "join refused: not yet")
    await world.pass_time(130)
    assert join_gaps(world, "a:1") == [near(delay) for delay in (1, 2, 4, 8, 16, 32, 60)]
    assert other.state == "joined"
    assert len(world.server.frames("phx_join", "b:1")) == 1
    assert len(world.server.links) == 1
    assert world.server.frames("phx_leave") == [], "there is nothing to leave"
    del world.server.join_answers["a:1"]
    await world.pass_time(60)
    assert channel.state == "joined"


@virtual
async def test_the_delays_of_a_channel_have_jitter_and_stay_within_their_bounds(world: World) -> None:
    world.server.join_answers["a:1"] = ("error", {})
    socket = world.socket()
    twin = world.twin()
    socket.channel("a:1").join()
    await socket.connect()
    await world.pass_time(60)
    expected = [twin.uniform(d / 2, d) for d in (1, 2, 4, 8, 16)]
    assert join_gaps(world, "a:1")[:5] == [near(delay + 2 * LATENCY) for delay in expected]


@virtual
async def test_a_reconnect_joins_at_once_and_the_count_of_a_refused_channel_stays(world: World) -> None:
    world.server.join_answers["a:1"] = ("error", {"reason": "no"})
    socket = world.socket(STEADY)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    await world.until(lambda: len(world.server.frames("phx_join")) == 4)
    await world.settle()
    await socket.reconnect()
    await world.pass_time(0.1)
    assert len(world.server.frames("phx_join")) == 5
    begun = world.now
    await world.until(lambda: len(world.server.frames("phx_join")) == 6)
    assert world.now - begun == pytest.approx(16, abs=0.2), "not 1 s again"


@virtual
async def test_a_join_that_times_out_is_left_and_tried_again_with_a_new_join_ref(world: World) -> None:
    world.server.unanswered.add("phx_join")
    socket = world.socket(reconnect_jitter=0.0, join_timeout=3.0)
    await socket.connect()
    channel = socket.channel("a:1")
    with pytest.raises(ReplyTimeout):
        await channel.join()
    await world.settle()
    assert channel.state == "errored"
    await world.until(lambda: len(world.server.frames("phx_join")) == 3)
    topic_frames = [frame for frame in world.server.sent if frame.topic == "a:1"]
    assert [frame.event for frame in topic_frames] == [
        "phx_join",
        "phx_leave",
        "phx_join",
        "phx_leave",
        "phx_join",
    ]
    refs = [frame.join_ref for frame in topic_frames]
    assert refs[0] == refs[1] != refs[2] == refs[3] != refs[4]
    assert join_gaps(world, "a:1") == [near(3 + 1), near(3 + 2)]
    world.server.unanswered.clear()
    await world.pass_time(8)
    assert channel.state == "joined"


@virtual
async def test_the_late_answer_to_a_join_that_timed_out_says_nothing(world: World) -> None:
    world.server.slow_joins = 4.0
    socket = world.socket(reconnect_jitter=0.0, join_timeout=3.0, reconnect_base_delay=5.0)
    await socket.connect()
    channel = socket.channel("a:1")
    channel.join()
    await world.pass_time(5)
    assert world.server.joined == set(), "joined late, and left at once"
    assert (channel.state, channel.joins) == ("errored", 0)
    world.server.slow_joins = 0.0
    await world.pass_time(4)
    assert (channel.state, channel.joins) == ("joined", 1)
    assert world.server.joined == {"a:1"}


@virtual
async def test_a_socket_that_opens_late_joins_late(world: World) -> None:
    world.server.open_takes = 7.0
    socket = world.socket()
    channel = socket.channel("a:1")
    answer = channel.join()
    socket.connect()
    assert await answer == {}
    assert channel.state == "joined"


@virtual
async def test_a_crash_is_told_and_the_channel_joined_again_with_a_new_join_ref(world: World) -> None:
    _, channel = await joined(world)
    crashes = collect(channel, "phx_error")
    in_flight = channel.push("crash", {})
    with pytest.raises(NotConnectedError, match="crashed"):
        await in_flight
    assert (channel.state, channel.reason) == ("errored", "the channel crashed on the server")
    assert crashes == [{"reason": "channel_crash"}]
    await world.pass_time(1.1)
    assert channel.state == "joined"
    first, second = world.server.frames("phx_join")
    assert first.join_ref != second.join_ref
    assert second.at - first.at > 1
    assert len(world.server.links) == 1, "nothing else is touched"


@virtual
async def test_a_crash_fails_the_pushes_of_its_own_channel_alone(world: World) -> None:
    socket, channel = await joined(world)
    other = socket.channel("b:1")
    await other.join()
    world.server.unanswered.add("slow")
    pushes = [channel.push("slow"), other.push("slow")]
    await world.settle()
    world.server.crash("a:1")
    await world.settle()
    assert [push.done for push in pushes] == [True, False]


@virtual
async def test_a_channel_that_crashes_again_and_again_backs_off(world: World) -> None:
    _, channel = await joined(world)
    channel.on("phx_join", lambda message: world.server.crash("a:1"))
    world.server.crash("a:1")
    await world.pass_time(40)
    assert join_gaps(world, "a:1")[1:] == [near(delay) for delay in (2, 4, 8, 16)]


@virtual
async def test_the_count_starts_anew_only_after_stable_after_joined(world: World) -> None:
    _, channel = await joined(world)
    delays = []
    for held in (4.8, 4.8, 5.3):
        world.server.crash("a:1")
        await world.settle()
        crashed = world.now
        await world.until(lambda: channel.state == "joined")
        delays.append(world.now - crashed)
        await world.pass_time(held)
    world.server.crash("a:1")
    await world.settle()
    crashed = world.now
    await world.until(lambda: channel.state == "joined")
    assert [*delays, world.now - crashed] == [near(delay) for delay in (1, 2, 4, 1)]


@virtual
async def test_a_loss_after_stable_after_joined_starts_the_count_anew_too(world: World) -> None:
    socket, channel = await joined(world)
    for _ in range(3):
        world.server.crash("a:1")
        await world.settle()
        await world.until(lambda: channel.state == "joined")
    await world.pass_time(5.1)
    world.server.join_answers["a:1"] = ("error", {})
    await socket.reconnect()
    await world.settle()
    refused = world.now
    del world.server.join_answers["a:1"]
    await world.until(lambda: channel.state == "joined")
    assert world.now - refused == near(1)


@virtual
async def test_phx_error_while_leaving_or_closed_leads_to_no_rejoin(world: World) -> None:
    _, channel = await joined(world)
    world.server.unanswered.add("phx_leave")
    channel.leave(timeout=1.0)
    world.server.crash("a:1")
    await world.pass_time(30)
    assert channel.state == "closed"
    world.server.link.deliver("9", "9", "a:1", "phx_error", {})
    await world.pass_time(30)
    assert len(world.server.frames("phx_join")) == 1


@virtual
async def test_no_redundant_joins_are_sent_while_a_channel_backs_off(world: World) -> None:
    _, _ = await joined(world, reconnect_base_delay=10.0)
    world.server.crash("a:1")
    await world.settle()
    join_ref = world.server.frames("phx_join")[-1].join_ref
    for _ in range(5):
        world.server.link.deliver(join_ref, join_ref, "a:1", "phx_error", {})
        await world.pass_time(1)
    assert len(world.server.frames("phx_join")) == 1
    await world.pass_time(5.1)
    assert len(world.server.frames("phx_join")) == 2


@virtual
async def test_an_unmatched_topic_on_a_push_leads_to_a_rejoin(world: World) -> None:
    _, channel = await joined(world)
    world.server.forget("a:1")
    pushes = [channel.push("x"), channel.push("y")]
    for push in pushes:
        with pytest.raises(ReplyError, match="unmatched topic"):
            await push
    assert (channel.state, channel.reason) == ("errored", "unmatched topic")
    await world.pass_time(1.1)
    assert channel.state == "joined"
    assert len(world.server.frames("phx_join")) == 2
    assert await channel.push("x", {"n": 1}) == {"n": 1}


@virtual
async def test_an_applications_own_unmatched_topic_is_no_sign(world: World) -> None:
    """Phoenix's own comes with a null join_ref, that of a handler with the channel's."""
    _, channel = await joined(world)
    with pytest.raises(ReplyError):
        await channel.push("refuse", {"reason": "unmatched topic"})
    assert channel.state == "joined"


# Closed by the server, or by another


@virtual
async def test_phx_close_closes_the_channel_for_as_long_as_the_connection_lasts(world: World) -> None:
    socket, channel = await joined(world)
    other = socket.channel("b:1")
    await other.join()
    closes = collect(channel, "phx_close")
    world.server.unanswered.add("slow")
    push = channel.push("slow")
    await world.settle()
    world.server.close_channel("a:1")
    await world.settle()
    assert (channel.state, channel.reason) == ("closed", "closed by the server")
    assert closes == [{}]
    assert socket.channels == (other,)
    with pytest.raises(ChannelClosed):
        await push
    await world.pass_time(100)
    assert world.server.joined == {"b:1"}
    await channel.join()
    assert channel.state == "joined", "it may be asked for again"


@virtual
async def test_a_topic_that_the_server_closed_is_joined_once_more_on_each_new_connection(
    world: World,
) -> None:
    socket, channel = await joined(world)
    heard = collect(channel, "news")
    for number in range(1, 4):
        world.server.close_channel("a:1")
        await world.pass_time(1_000)
        assert channel.state == "closed"
        world.server.drop()
        await world.until(lambda: socket.is_connected)
        await world.settle()
        assert channel.state == "joined"
        assert len(world.server.frames("phx_join")) == 1 + number, "one frame a connection"
        world.server.broadcast("a:1", "news", number)
        await world.settle()
    assert heard == [1, 2, 3]
    assert socket.channels == (channel,)


@virtual
async def test_a_topic_that_the_server_closed_and_that_was_left_is_not_joined_again(world: World) -> None:
    socket, channel = await joined(world)
    world.server.close_channel("a:1")
    await world.settle()
    await channel.leave()
    await socket.reconnect()
    await world.pass_time(100)
    assert (channel.state, channel.reason, world.server.joined) == ("closed", "left", set())


@virtual
async def test_of_two_channels_on_a_topic_the_server_closed_the_later_one_is_joined(world: World) -> None:
    socket, first = await joined(world)
    world.server.close_channel("a:1")
    await world.settle()
    second = socket.channel("a:1")
    await second.join()
    await socket.reconnect()
    await world.pass_time(100)
    assert (first.state, second.state) == ("closed", "joined")
    assert len(world.server.frames("phx_join")) == 3


@virtual
async def test_what_a_channel_dropped_is_counted_once_though_it_is_closed_and_joined_again(
    world: World,
) -> None:
    socket, channel = await joined(world, push_buffer=1)
    world.server.crash("a:1")
    await world.settle()
    pushes = [channel.push("echo") for _ in range(4)]
    assert details(socket).dropped_pushes == 3
    await world.pass_time(2)
    world.server.close_channel("a:1")
    await world.settle()
    assert details(socket).dropped_pushes == 3
    await channel.join()
    assert details(socket).dropped_pushes == 3
    await socket.reconnect()
    await world.settle()
    assert details(socket).dropped_pushes == 3
    assert all(push.done for push in pushes)


@virtual
@pytest.mark.parametrize("version", [1, 2])
async def test_nothing_is_kept_of_joins_and_leaves_that_are_never_answered(
    world: World, version: int
) -> None:
    socket = world.socket(Options.preset("live", protocol_version=version))
    world.server.unanswered |= {"phx_join", "phx_leave"}
    channels = [socket.channel("a:1"), socket.channel("b:1")]
    channels[0].join()
    await world.connected(socket, stable=True)
    await world.pass_time(3_600)
    for _ in range(100):
        channels[1].join()
        channels[1].leave(0.5)
        await world.pass_time(1)
    assert len(world.server.frames("phx_join")) > 300
    assert len(socket.replies.awaited) <= 4
    assert len(socket.replies.holding_up) <= 2


@virtual
@pytest.mark.parametrize("event", ["phx_close", "phx_error"])
@pytest.mark.parametrize("ref", ["old", None], ids=["with a ref", "without a ref"])
async def test_what_is_said_of_an_old_join_ref_does_not_touch_the_new_join(
    world: World, event: str, ref: str | None
) -> None:
    _, channel = await joined(world)
    old = world.server.frames("phx_join")[0].join_ref
    world.server.crash("a:1")
    await world.pass_time(1.1)
    assert channel.state == "joined"
    world.server.link.deliver(old, ref and old, "a:1", event, {})
    await world.pass_time(20)
    assert channel.state == "joined"
    assert len(world.server.frames("phx_join")) == 2


@virtual
async def test_messages_of_an_old_join_are_dropped_and_broadcasts_pass(world: World) -> None:
    socket, channel = await joined(world)
    seen = collect(channel, "tick")
    old = world.server.frames("phx_join")[0].join_ref
    await socket.reconnect()
    await world.settle()
    new = world.server.frames("phx_join")[1].join_ref
    link = world.server.link
    link.deliver(old, None, "a:1", "tick", "old")
    link.deliver(new, None, "a:1", "tick", "new")
    link.deliver(None, None, "a:1", "tick", "broadcast")
    link.deliver(None, None, "b:1", "tick", "another topic")
    await world.settle()
    assert seen == ["new", "broadcast"]


@virtual
async def test_a_replaced_connection_cannot_speak(world: World) -> None:
    socket, channel = await joined(world)
    seen = collect(channel, "tick")
    world.server.close_takes = 1.0
    world.server.links[0].later(0.5, lambda: world.server.links[0].arrive(None, None, "a:1", "tick", 1))
    await socket.reconnect()
    await world.pass_time(2)
    assert seen == []
    assert channel.state == "joined"


@virtual
async def test_another_channel_on_a_topic_replaces_the_first_and_lives(world: World) -> None:
    """The server shuts the old one down by itself, and says so after the new join's reply."""
    socket, first = await joined(world)
    closes = collect(first, "phx_close")
    second = socket.channel("a:1")
    await second.join()
    assert first.state == "closed"
    assert closes == [{"reason": "replaced"}]
    await world.pass_time(20)
    assert second.state == "joined"
    assert socket.channels == (second,)
    assert await second.push("x", {"n": 1}) == {"n": 1}
    seen = collect(second, "tick")
    world.server.broadcast("a:1", "tick", 1)
    await world.settle()
    assert seen == [1]


@virtual
async def test_the_replaced_channel_can_be_left_without_harm(world: World) -> None:
    socket, first = await joined(world)
    second = socket.channel("a:1")
    await second.join()
    await first.leave()
    await world.pass_time(10)
    assert second.state == "joined"
    assert world.server.frames("phx_leave") == []


@virtual
async def test_a_second_answer_to_a_join_says_nothing(world: World) -> None:
    _, channel = await joined(world)
    ref = world.server.frames("phx_join")[0].ref
    refused = {"status": "error", "response": {"reason": "twice"}}
    world.server.link.deliver(ref, ref, "a:1", "phx_reply", refused)
    await world.settle()
    assert (channel.state, channel.joins) == ("joined", 1)


# Leaving


@virtual
async def test_leave_sends_the_join_ref_and_closes_when_answered(world: World) -> None:
    socket, channel = await joined(world)
    other = socket.channel("b:1")
    await other.join()
    closes = collect(channel, "phx_close")
    answer = channel.leave()
    assert channel.state == "leaving"
    await answer
    assert channel.state == "closed"
    assert closes == [{"reason": "left"}]
    (leave,) = world.server.frames("phx_leave")
    assert leave.join_ref == world.server.frames("phx_join", "a:1")[0].join_ref
    assert socket.channels == (other,)
    assert world.server.joined == {"b:1"}
    await socket.reconnect()
    await world.settle()
    assert world.server.joined == {"b:1"}, "left is left"


@virtual
async def test_leave_ends_by_its_timeout_when_the_server_says_nothing(world: World) -> None:
    _, channel = await joined(world)
    world.server.unanswered.add("phx_leave")
    begun = world.now
    await channel.leave(timeout=3.0)
    assert world.now - begun == near(3)
    assert channel.state == "closed"


@virtual
async def test_two_leaves_send_one_and_both_are_answered(world: World) -> None:
    _, channel = await joined(world)
    await asyncio.gather(asyncio.wait_for(channel.leave(), 1), asyncio.wait_for(channel.leave(), 1))
    await channel.leave()
    assert len(world.server.frames("phx_leave")) == 1


@virtual
async def test_leave_without_a_connection_is_done_at_once(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    joining = channel.join()
    await channel.leave()
    assert channel.state == "closed"
    with pytest.raises(ChannelClosed):
        await joining
    await socket.connect()
    await world.pass_time(10)
    assert world.server.frames("phx_join") == []


@virtual
async def test_leave_while_the_join_is_under_way_leaves_that_join(world: World) -> None:
    world.server.slow_joins = 2.0
    socket = world.socket()
    await socket.connect()
    channel = socket.channel("a:1")
    joining = channel.join()
    await world.pass_time(0.5)
    await channel.leave()
    with pytest.raises(ChannelClosed):
        await joining
    assert (channel.state, channel.joins) == ("closed", 0)
    assert world.server.joined == set()


@virtual
async def test_leave_while_a_channel_backs_off_or_asks_for_parameters_sends_nothing(world: World) -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    world.server.join_answers["a:1"] = ("error", {})
    socket = world.socket(STEADY)
    await socket.connect()
    refused, asking = socket.channel("a:1"), socket.channel("b:1", never)
    refused.join()
    asking.join()
    await world.settle()
    await refused.leave()
    await asking.leave()
    await world.pass_time(20)
    assert world.server.frames("phx_leave") == []
    assert len(world.server.frames("phx_join")) == 1
    assert socket.channels == ()


@virtual
async def test_a_connection_lost_while_leaving_has_left(world: World) -> None:
    socket, channel = await joined(world)
    world.server.unanswered.add("phx_leave")
    answer = channel.leave()
    await world.settle()
    world.server.drop()
    await answer
    await world.until(lambda: socket.is_connected)
    await world.settle()
    assert channel.state == "closed"
    assert world.server.joined == set()


@virtual
@pytest.mark.parametrize("answered", [True, False], ids=["leave answered", "leave never answered"])
async def test_leave_and_join_at_once_end_joined(world: World, answered: bool) -> None:
    """Both orders were seen of real servers: the leave's reply first, or its phx_close alone, last."""
    _, channel = await joined(world)
    if not answered:
        world.server.unanswered.add("phx_leave")
    leaving = channel.leave()
    joining = channel.join()
    await leaving
    assert await joining == {}
    await world.pass_time(30)
    assert channel.state == "joined"
    assert world.server.joined == {"a:1"}
    assert await channel.push("x", {"n": 1}) == {"n": 1}


@virtual
async def test_a_leave_reply_that_never_came_does_not_close_the_next_join_when_the_link_goes(
    world: World,
) -> None:
    socket, channel = await joined(world)
    world.server.unanswered.add("phx_leave")
    channel.leave()
    await channel.join()
    world.server.drop()
    await world.settle()
    await world.until(lambda: channel.state == "joined")
    assert socket.channels == (channel,)


# Pushes


@virtual
async def test_a_push_carries_topic_event_payload_ref_and_join_ref(world: World) -> None:
    _, channel = await joined(world)
    assert await channel.push("echo", {"n": 1}) == {"n": 1}
    assert await channel.push("echo") == {}
    one, two = world.server.frames("echo")
    assert (one.topic, one.payload, two.payload) == ("a:1", {"n": 1}, {})
    assert one.join_ref == world.server.frames("phx_join")[0].join_ref
    assert one.ref not in (None, two.ref)


@virtual
async def test_a_status_other_than_ok_is_raised_with_its_response(world: World) -> None:
    _, channel = await joined(world)
    with pytest.raises(ReplyError, match="push of refuse on a:1: error: no") as raised:
        await channel.push("refuse", {"reason": "no"})
    assert (raised.value.status, raised.value.response) == ("error", {"reason": "no"})
    world.server.unanswered.add("x")
    push = channel.push("x")
    await world.settle()
    ref = world.server.frames("x")[0].ref
    world.server.link.deliver(None, ref, "a:1", "phx_reply", {"status": "pending", "response": [1]})
    with pytest.raises(ReplyError) as raised:
        await push
    assert (raised.value.status, raised.value.response) == ("pending", [1])


@virtual
async def test_pushes_before_the_join_are_kept_and_sent_after_it_in_order(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    pushes = [channel.push("n", number) for number in range(5)]
    assert channel.buffered == 5
    socket.connect()
    assert [await push for push in pushes] == [0, 1, 2, 3, 4]
    assert channel.buffered == 0
    assert [frame.payload for frame in world.server.frames("n")] == [0, 1, 2, 3, 4]
    events = [frame.event for frame in world.server.sent if frame.topic == "a:1"]
    assert events[0] == "phx_join"


@virtual
async def test_a_push_never_overtakes_buffered_ones(world: World) -> None:
    _, channel = await joined(world)
    world.server.link.make_writable(False)
    first = channel.push("n", 1)
    assert channel.buffered == 1
    assert not channel.can_push
    second = channel.push("n", 2)
    await world.pass_time(1)
    assert world.server.frames("n") == []
    world.server.link.make_writable(True)
    third = channel.push("n", 3)
    assert [await first, await second, await third] == [1, 2, 3]
    assert [frame.payload for frame in world.server.frames("n")] == [1, 2, 3]


@virtual
async def test_buffered_pushes_of_a_refused_join_are_not_sent(world: World) -> None:
    world.server.join_answers["a:1"] = ("error", {})
    socket = world.socket()
    await socket.connect()
    channel = socket.channel("a:1")
    channel.join()
    push = channel.push("n", 1, timeout=5.0)
    with pytest.raises(ReplyTimeout):
        await push
    assert world.server.frames("n") == []
    assert channel.buffered == 0


@virtual
async def test_the_buffer_is_bounded_and_drops_the_oldest_and_counts_them(world: World) -> None:
    socket = world.socket(push_buffer=3)
    channel = socket.channel("a:1")
    channel.join()
    pushes = [channel.push("n", number) for number in range(5)]
    for dropped in pushes[:2]:
        with pytest.raises(PushDropped):
            await dropped
    assert (channel.buffered, channel.dropped_pushes) == (3, 2)
    assert details(socket).dropped_pushes == 2
    await socket.connect()
    assert [await push for push in pushes[2:]] == [2, 3, 4]
    await channel.leave()
    assert details(socket).dropped_pushes == 2, "counted when the channel is gone too"


@virtual
async def test_a_push_that_timed_out_in_the_buffer_is_never_sent(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    short, long = channel.push("n", "short", timeout=1.0), channel.push("n", "long", timeout=30.0)
    with pytest.raises(ReplyTimeout, match="no answer within 1 s"):
        await short
    socket.connect()
    assert await long == "long"
    assert [frame.payload for frame in world.server.frames("n")] == ["long"]


@virtual
async def test_a_push_whose_time_ran_out_while_the_machine_slept_is_never_sent(world: World) -> None:
    _, channel = await joined(world)
    world.server.stop()
    await world.settle()
    push = channel.push("n", "an hour ago")
    world.sleep_machine(3600)
    world.server.start()
    await world.until(lambda: channel.state == "joined")
    with pytest.raises(ReplyTimeout):
        await push
    assert world.server.frames("n") == []


@virtual
async def test_the_default_and_an_explicit_timeout_of_a_push(world: World) -> None:
    _, channel = await joined(world, push_timeout=4.0)
    world.server.unanswered.add("slow")
    for timeout, expected in ((None, 4.0), (1.5, 1.5)):
        begun = world.now
        with pytest.raises(ReplyTimeout):
            await channel.push("slow", timeout=timeout)
        assert world.now - begun == near(expected)


@virtual
async def test_no_timeout_after_an_answer_and_no_answer_after_a_timeout(world: World) -> None:
    _, channel = await joined(world)
    answered = channel.push("n", 1, timeout=1.0)
    await world.pass_time(5)
    assert await answered == 1
    world.server.unanswered.add("slow")
    late = channel.push("slow", timeout=1.0)
    await world.pass_time(2)
    ref = world.server.frames("slow")[0].ref
    world.server.link.deliver(None, ref, "a:1", "phx_reply", {"status": "ok", "response": {}})
    await world.settle()
    with pytest.raises(ReplyTimeout):
        await late


@virtual
async def test_a_second_answer_to_one_ref_says_nothing(world: World) -> None:
    _, channel = await joined(world)
    push = channel.push("n", 1)
    await world.settle()
    ref = world.server.frames("n")[0].ref
    world.server.link.deliver(None, ref, "a:1", "phx_reply", {"status": "error", "response": 2})
    await world.settle()
    assert await push == 1


@virtual
async def test_push_before_join_and_after_leave_raises(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    with pytest.raises(ChannelClosed, match="join the channel first"):
        channel.push("x")
    await socket.connect()
    await channel.join()
    await channel.leave()
    with pytest.raises(ChannelClosed):
        channel.push("x")


@virtual
async def test_in_flight_pushes_fail_at_once_when_the_connection_goes(world: World) -> None:
    _, channel = await joined(world)
    world.server.unanswered.add("slow")
    push = channel.push("slow")
    await world.settle()
    lost = world.now
    world.server.drop(1006, "connection dropped without a close frame")
    with pytest.raises(NotConnectedError, match="it may or may not have arrived"):
        await push
    assert world.now - lost < 0.001
    await world.until(lambda: channel.state == "joined")
    await world.pass_time(10)
    assert len(world.server.frames("slow")) == 1, "and are not sent again"


@virtual
async def test_a_push_in_the_instant_of_a_loss_is_kept_for_the_next_connection(world: World) -> None:
    _, channel = await joined(world)
    world.server.drop()
    push = channel.push("n", 1)
    assert channel.buffered == 1
    assert await push == 1
    assert len(world.server.links) == 2


@virtual
async def test_buffered_pushes_survive_disconnect_and_their_time_runs(world: World) -> None:
    socket, channel = await joined(world)
    await socket.disconnect()
    short, long = channel.push("n", 1, timeout=2.0), channel.push("n", 2, timeout=20.0)
    await world.pass_time(5)
    await socket.connect()
    assert await long == 2
    with pytest.raises(ReplyTimeout):
        await short


@virtual
async def test_close_ends_whoever_waits_for_a_push_or_a_join(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    joining = channel.join()
    push = channel.push("n", 1, timeout=1_000.0)
    await world.pass_time(1)
    await socket.close()
    for answer in (joining, push):
        with pytest.raises(ChannelClosed):
            await answer
    await world.assert_nothing_left()


@virtual
async def test_leaving_ends_buffered_pushes(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    push = channel.push("n", 1)
    await channel.leave()
    with pytest.raises(ChannelClosed):
        await push


@virtual
async def test_what_cannot_be_said_is_told_at_once_joined_or_not(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    for _ in range(2):
        for payload in (object(), "\ud800", {"f": print}):
            with pytest.raises((TypeError, ValueError)):
                channel.push("x", payload)
        assert channel.buffered == 0
        await world.connected(socket)
        await world.settle()
        assert channel.state == "joined"


@virtual
async def test_a_kept_payload_is_the_one_that_was_given(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    payload = {"n": 1}
    push = channel.push("n", payload)
    payload["n"] = 2
    await socket.connect()
    assert await push == {"n": 1}


@virtual
async def test_binary_pushes_go_out_as_binary_frames_kept_or_not(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()
    kept = channel.push("b", bytearray(b"\x01"))
    await socket.connect()
    await kept
    await channel.push("b", b"\x02")
    assert [frame.payload for frame in world.server.frames("b")] == [b"\x01", b"\x02"]


@virtual
async def test_answered_pushes_leave_nothing_behind(world: World) -> None:
    socket, channel = await joined(world)
    await socket.disconnect()
    kept = [channel.push("n", number) for number in range(10)]
    await socket.connect()
    for push in kept:
        await push
    for number in range(10):
        await channel.push("n", number)
    world.server.unanswered.add("slow")
    for _ in range(3):
        with pytest.raises(ReplyTimeout):
            await channel.push("slow", timeout=0.1)
    del push
    kept.clear()
    gc.collect()
    assert [thing for thing in gc.get_objects() if isinstance(thing, Push)] == []


# Cancellation


@virtual
async def test_a_cancelled_push_that_was_not_sent_is_never_sent(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    channel.join()

    async def push() -> None:
        await channel.push("n", 1)

    task = asyncio.ensure_future(push())
    await world.pass_time(1)
    task.cancel()
    await world.settle()
    assert channel.buffered == 0
    await socket.connect()
    await world.pass_time(1)
    assert world.server.frames("n") == []


@virtual
async def test_a_push_is_taken_back_as_long_as_it_was_not_sent(world: World) -> None:
    _, channel = await joined(world)
    world.server.link.make_writable(False)
    held, other = channel.push("n", 1), channel.push("n", 2)
    assert not held.was_sent
    held.take_back()
    with pytest.raises(ChannelClosed, match="taken back"):
        await held
    world.server.link.make_writable(True)
    sent = channel.push("n", 3)
    assert sent.was_sent
    sent.take_back()
    assert [await other, await sent] == [2, 3]
    assert [frame.payload for frame in world.server.frames("n")] == [2, 3]


@virtual
async def test_a_cancelled_push_that_was_sent_changes_nothing_else(world: World) -> None:
    _, channel = await joined(world)
    world.server.unanswered.add("slow")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await channel.push("slow")
    ref = world.server.frames("slow")[0].ref
    world.server.link.deliver(None, ref, "a:1", "phx_reply", {"status": "ok", "response": {}})
    assert await channel.push("n", 2) == 2


@virtual
async def test_a_cancelled_wait_for_join_or_leave_stops_neither(world: World) -> None:
    world.server.slow_joins = 1.0
    socket = world.socket()
    await socket.connect()
    channel = socket.channel("a:1")

    async def join() -> None:
        await channel.join()

    joining = asyncio.ensure_future(join())
    await world.pass_time(0.5)
    joining.cancel()
    await world.pass_time(1)
    assert channel.state == "joined"

    async def leave() -> None:
        await channel.leave()

    leaving = asyncio.ensure_future(leave())
    await asyncio.sleep(0.0005)
    leaving.cancel()
    await world.pass_time(1)
    assert channel.state == "closed"
    assert world.server.joined == set()


# What the loss of a connection says


@virtual
async def test_a_loss_errors_joining_and_joined_channels_once_and_left_ones_never(world: World) -> None:
    world.server.slow_joins = {"slow:1": 5.0}
    socket, channel = await joined(world)
    slow, left = socket.channel("slow:1"), socket.channel("left:1")
    await left.join()
    await left.leave()
    slow.join()
    told = {name: collect(c, "phx_error") for name, c in (("a", channel), ("slow", slow), ("left", left))}
    await world.pass_time(0.5)
    world.server.drop(1001, "1001 going away")
    world.server.refusal = ConnectionRefusedError()
    await world.pass_time(20)
    reason = {"source": "transport", "reason": "1001 going away"}
    assert told == {"a": [reason], "slow": [reason], "left": []}
    assert (channel.state, channel.reason) == ("errored", "not connected")


@virtual
async def test_disconnect_errors_the_channels_and_connect_joins_them_again(world: World) -> None:
    socket, channel = await joined(world)
    told = collect(channel, "phx_error")
    await socket.disconnect()
    assert told == [{"source": "transport", "reason": "disconnect was asked for"}]
    await world.pass_time(100)
    await socket.connect()
    await world.settle()
    assert channel.state == "joined"


@virtual
async def test_a_handler_may_leave_push_and_subscribe_while_it_is_called(world: World) -> None:
    _, channel = await joined(world)
    seen: list[str] = []

    def on_tick(message: object) -> None:
        seen.append("tick")
        channel.push("n", 1)
        channel.on("late", lambda _: seen.append("late"))
        channel.leave()

    channel.on("tick", on_tick)
    world.server.broadcast("a:1", "tick", {})
    world.server.broadcast("a:1", "late", {})
    await world.pass_time(1)
    assert seen == ["tick", "late"]
    assert channel.state == "closed"


# Version 1


@virtual
async def test_version_one_joins_pushes_hears_and_leaves(world: World) -> None:
    _, channel = await joined(world, protocol_version=1)
    assert world.server.query()["vsn"] == "1.0.0"
    seen = collect(channel, "tick")
    assert await channel.push("n", {"n": 1}) == {"n": 1}
    world.server.broadcast("a:1", "tick", 1)
    await world.settle()
    assert seen == [1]
    await channel.leave()
    assert world.server.joined == set()


@virtual
async def test_version_one_matches_phx_close_and_phx_error_by_their_ref(world: World) -> None:
    _, channel = await joined(world, protocol_version=1)
    old = world.server.frames("phx_join")[0].ref
    world.server.crash("a:1")
    await world.settle()
    assert channel.state == "errored"
    await world.pass_time(1.1)
    assert channel.state == "joined"
    for event in ("phx_error", "phx_close"):
        world.server.link.deliver(None, old, "a:1", event, {})
    await world.pass_time(5)
    assert (channel.state, channel.joins) == ("joined", 2)
    world.server.close_channel("a:1")
    await world.settle()
    assert channel.state == "closed"


@virtual
async def test_version_one_rejoins_after_an_unmatched_topic(world: World) -> None:
    _, channel = await joined(world, protocol_version=1)
    world.server.forget("a:1")
    with pytest.raises(ReplyError):
        await channel.push("x")
    await world.pass_time(1.1)
    assert (channel.state, channel.joins) == ("joined", 2)


@virtual
async def test_version_one_replaces_a_channel_on_the_same_topic(world: World) -> None:
    socket, first = await joined(world, protocol_version=1)
    second = socket.channel("a:1")
    await second.join()
    await world.pass_time(10)
    assert (first.state, second.state) == ("closed", "joined")


@virtual
async def test_version_one_has_no_binary_frames(world: World) -> None:
    socket, channel = await joined(world, protocol_version=1)
    with pytest.raises(ValueError, match="no binary frames"):
        channel.push("x", b"\x01")
    await socket.disconnect()
    with pytest.raises(ValueError, match="no binary frames"):
        channel.push("x", b"\x01")
    assert channel.buffered == 0
