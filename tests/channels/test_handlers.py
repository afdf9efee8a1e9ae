"""Handlers: their order, their bounds, and that none can harm the connection."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from tests.channels.virtual import World, collect, details, metrics, virtual
from tui.channels import Channel, DecodeError, Message, Socket


async def joined(world: World, **changes: Any) -> tuple[Socket, Channel]:
    socket = world.socket(**changes)
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket)
    await world.settle()
    return socket, channel


def arrive(world: World, event: str, payload: Any) -> None:
    world.server.link.arrive(None, None, "a:1", event, payload)


@virtual
async def test_several_handlers_of_an_event_are_called_in_their_order_and_others_not(world: World) -> None:
    _, channel = await joined(world)
    seen: list[str] = []
    for name in ("one", "two"):
        channel.on("tick", lambda message, name=name: seen.append(name))
    channel.on("tock", lambda message: seen.append("tock"))
    arrive(world, "tick", {})
    assert seen == ["one", "two"]
    assert channel.received == 1


@virtual
async def test_a_plain_handler_is_called_as_the_frame_comes(world: World) -> None:
    _, channel = await joined(world)
    seen = collect(channel, "tick")
    arrive(world, "tick", 1)
    assert seen == [1], "without a turn of the loop"


@virtual
async def test_off_removes_by_event_or_by_handler_and_on_returns_what_removes_one(world: World) -> None:
    _, channel = await joined(world)
    seen: list[str] = []

    def one(message: Message) -> None:
        seen.append("one")

    remove = channel.on("tick", one)
    channel.on("tick", one)
    channel.on("tick", lambda message: seen.append("two"))
    remove()
    remove()
    arrive(world, "tick", {})
    assert seen == ["one", "two"]
    channel.off("tick", one)
    arrive(world, "tick", {})
    assert seen == ["one", "two", "two"]
    channel.off("tick")
    arrive(world, "tick", {})
    assert len(seen) == 3


@virtual
async def test_a_handler_removed_during_a_call_does_not_skip_others(world: World) -> None:
    _, channel = await joined(world)
    seen: list[str] = []

    def once(message: Message) -> None:
        seen.append("once")
        remove()

    remove = channel.on("tick", once)
    channel.on("tick", lambda message: seen.append("always"))
    arrive(world, "tick", {})
    arrive(world, "tick", {})
    assert seen == ["once", "always", "always"]


@virtual
async def test_async_handlers_run_in_order_and_hold_up_only_their_own_channel(world: World) -> None:
    socket, channel = await joined(world)
    other = socket.channel("b:1")
    await other.join()
    quick = collect(other, "tick")
    seen: list[int] = []

    async def slow(message: Message) -> None:
        await asyncio.sleep(1)
        seen.append(message.payload)

    channel.on("tick", slow)
    plain = collect(channel, "tock")
    for number in range(3):
        arrive(world, "tick", number)
        arrive(world, "tock", number)
        world.server.link.arrive(None, None, "b:1", "tick", number)
    assert quick == [0, 1, 2]
    assert plain == [], "the order of a channel is kept"
    await world.pass_time(1.5)
    assert (seen, plain) == ([0], [0])
    await world.pass_time(2)
    assert (seen, plain) == ([0, 1, 2], [0, 1, 2])
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_a_handler_that_never_returns_holds_up_neither_heartbeats_nor_close(world: World) -> None:
    socket, channel = await joined(world, heartbeat_interval=5.0, heartbeat_timeout=3.0)

    async def never(message: Message) -> None:
        await asyncio.get_running_loop().create_future()

    channel.on("tick", never)
    for number in range(10):
        arrive(world, "tick", number)
    await world.pass_time(600)
    assert socket.is_connected
    assert channel.waiting_messages == 9
    assert await channel.push("n", 1) == 1, "replies do not wait behind it"
    await socket.close()
    await world.assert_nothing_left()


class Callable:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, message: Message) -> None:
        await asyncio.sleep(1)
        self.seen.append(message.payload)


@virtual
async def test_objects_and_partials_that_are_async_are_awaited(world: World) -> None:
    _, channel = await joined(world)
    called = Callable()

    async def three(extra: str, message: Message) -> None:
        called.seen.append(extra)

    channel.on("tick", called)
    channel.on("tick", functools.partial(three, "partial"))
    channel.on("tock", lambda message: called(message))
    arrive(world, "tick", 1)
    arrive(world, "tock", 2)
    await world.pass_time(3)
    assert called.seen == [1, "partial", 2]


@virtual
@pytest.mark.parametrize("kind", ["plain", "async", "cancelled", "late"])
async def test_a_handler_that_raises_is_counted_and_stops_nothing(world: World, kind: str) -> None:
    socket, channel = await joined(world)

    def plain(message: Message) -> None:
        raise LookupError

    async def asynchronous(message: Message) -> None:
        raise LookupError

    async def cancelled(message: Message) -> None:
        raise asyncio.CancelledError

    async def late(message: Message) -> None:
        await asyncio.sleep(0.1)
        raise LookupError

    channel.on("tick", {"plain": plain, "async": asynchronous, "cancelled": cancelled, "late": late}[kind])
    seen = collect(channel, "tick")
    for number in range(3):
        arrive(world, "tick", number)
    await world.pass_time(1)
    assert seen == [0, 1, 2]
    assert details(socket).handler_errors == 3
    assert (socket.state, channel.state) == ("connected", "joined")


@virtual
async def test_errors_are_logged_with_topic_and_event_at_most_once_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    _, channel = await joined(world)

    def handler(message: Message) -> None:
        raise LookupError

    channel.on("tick", handler)
    for _ in range(50):
        arrive(world, "tick", {})
    assert [record.getMessage() for record in caplog.records] == [
        "hub.test:4000: a handler of tick on a:1 raised (1 so far)"
    ]
    await world.pass_time(61)
    arrive(world, "tick", {})
    assert len(caplog.records) == 2


@virtual
async def test_the_queue_is_bounded_in_frames_and_drops_the_oldest_and_counts_them(world: World) -> None:
    socket, channel = await joined(world, handler_queue=3)
    seen: list[int] = []

    async def slow(message: Message) -> None:
        await asyncio.sleep(1)
        seen.append(message.payload)

    channel.on("tick", slow)
    arrive(world, "tick", 0)
    await world.settle()
    for number in range(1, 8):
        arrive(world, "tick", number)
    assert (channel.waiting_messages, channel.dropped_messages) == (3, 4)
    assert details(socket).dropped_messages == 4
    await world.pass_time(10)
    assert seen == [0, 5, 6, 7]
    await channel.leave()
    assert details(socket).dropped_messages == 4


@virtual
async def test_the_queue_is_bounded_in_bytes(world: World) -> None:
    _, channel = await joined(world, handler_queue_bytes=1_000)
    seen: list[int] = []

    async def slow(message: Message) -> None:
        await asyncio.sleep(1)
        seen.append(len(message.payload))

    channel.on("tick", slow)
    arrive(world, "tick", "")
    await world.settle()
    for size in (400, 400, 401, 5_000):
        arrive(world, "tick", "x" * size)
    await world.pass_time(10)
    assert seen == [0, 5_000], "the newest stays, however large"
    assert channel.dropped_messages == 3


@virtual
async def test_nothing_is_dropped_for_plain_handlers(world: World) -> None:
    _, channel = await joined(world, handler_queue=1)
    seen = collect(channel, "tick")
    for number in range(10_000):
        arrive(world, "tick", number)
    assert seen == list(range(10_000))
    assert channel.dropped_messages == 0


@virtual
async def test_a_payload_that_does_not_decode_is_counted_when_a_handler_asks(world: World) -> None:
    socket, channel = await joined(world)
    seen = collect(channel, "tick")
    channel.on("tock", lambda message: None)
    for event in (b"tick", b"tock"):
        world.server.link.arrive_raw(b'[null,null,"a:1","' + event + b'",{"a":"\xff"}]', True)
    arrive(world, "tick", 1)
    assert seen == [1]
    assert (details(socket).undecodable, details(socket).handler_errors) == (1, 0)


@virtual
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"nonsense", True),
        (b"[1]", True),
        (b"\xff", True),
        (b"[" * 100_000, True),
        (b"", False),
        (b"\x09", False),
    ],
    ids=["no JSON", "short", "no UTF-8", "deep", "empty", "unknown kind"],
)
async def test_garbage_is_counted_and_skipped(world: World, data: bytes, text: bool) -> None:
    socket, channel = await joined(world)
    seen = collect(channel, "tick")
    for _ in range(3):
        world.server.link.arrive_raw(data, text)
    arrive(world, "tick", 1)
    await world.pass_time(60)
    assert (socket.state, channel.state, seen) == ("connected", "joined", [1])
    assert details(socket).undecodable == 3
    assert len(world.server.links) == 1


@virtual
async def test_a_join_answer_that_does_not_decode_is_a_failed_join_that_is_tried_again(world: World) -> None:
    world.server.unanswered.add("phx_join")
    socket = world.socket(reconnect_jitter=0.0)
    await socket.connect()
    channel = socket.channel("a:1")
    channel.join()
    await world.settle()
    ref = world.server.frames("phx_join")[0].ref
    world.server.link.arrive(ref, ref, "a:1", "phx_reply", {"no": "status"})
    await world.settle()
    assert channel.state == "errored"
    world.server.unanswered.clear()
    await world.pass_time(1.1)
    assert channel.state == "joined"


@virtual
async def test_message_handlers_of_the_socket_see_everything(world: World) -> None:
    socket = world.socket()
    seen: list[str] = []
    remove = socket.on_message(lambda message: seen.append(message.event))
    channel = socket.channel("a:1")
    channel.join()
    await socket.connect()
    await world.settle()
    arrive(world, "tick", {})
    world.server.link.arrive(None, None, "elsewhere", "tock", {})
    assert seen == ["phx_reply", "phx_reply", "tick", "tock"]
    remove()
    arrive(world, "tick", {})
    assert len(seen) == 4
    assert channel.received == 2


@virtual
async def test_the_payload_is_decoded_once_however_many_ask(world: World) -> None:
    _, channel = await joined(world)
    first, second = collect(channel, "tick"), collect(channel, "tick")
    came: list[Message] = []
    channel.on("tick", came.append)
    arrive(world, "tick", {"a": [1]})
    assert first[0] is second[0]
    with pytest.raises(DecodeError):
        came[0].decode(int)
