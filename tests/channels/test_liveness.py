"""What proves a link alive, how long a silence may last, and what is said of heartbeats without an answer."""

from __future__ import annotations

import pytest

from tests.channels.virtual import World, details, metrics, virtual
from tui.channels import Options
from tui.channels.heartbeat import Heartbeat

LIVE = Options.preset("live", reconnect_jitter=0.0)


def beats(world: World) -> list[float]:
    return [frame.at for frame in world.server.frames("heartbeat")]


# Heartbeats without an answer


def beaten(*sent_at: float) -> Heartbeat:
    """With an interval of 5 s and a timeout of 3 s; the first was answered."""
    heartbeat = Heartbeat(5, 3)
    for number, at in enumerate(sent_at):
        heartbeat.sent(str(number), at)
        heartbeat.reply("0", at)
    return heartbeat


def test_two_in_a_row_are_told_once_the_second_is_overdue_since_the_first_was_sent() -> None:
    heartbeat = beaten(0.0, 5.0, 10.0)
    assert heartbeat.two_unanswered_since(12.9) is None
    assert heartbeat.two_unanswered_since(13.0) == 5.0
    assert heartbeat.two_unanswered_since(19.9, allowance=10.0) is None
    assert heartbeat.two_unanswered_since(20.0, allowance=10.0) == 5.0


def test_one_alone_is_never_told() -> None:
    assert beaten(0.0, 5.0).two_unanswered_since(1e9) is None


def test_the_time_since_is_that_of_the_first_however_many_follow() -> None:
    heartbeat = beaten(*(5.0 * number for number in range(100)))
    assert heartbeat.two_unanswered_since(1e9) == heartbeat.unanswered_since == 5.0


def test_an_answer_ends_it_for_all_that_were_sent_before() -> None:
    heartbeat = beaten(0.0, 5.0, 10.0, 15.0, 20.0)
    heartbeat.reply("2", 21.0)
    assert heartbeat.unanswered_since == 15.0
    assert heartbeat.two_unanswered_since(23.0) == 15.0
    heartbeat.reply("4", 23.5)
    assert heartbeat.unanswered_since is None


def test_after_a_time_in_which_nobody_looked_it_begins_anew() -> None:
    heartbeat = beaten(0.0, 5.0, 10.0)
    heartbeat.start_anew()
    heartbeat.sent("9", 1_000.0)
    assert heartbeat.two_unanswered_since(1_004.0) is None
    assert heartbeat.unanswered_since == 1_000.0


@virtual
async def test_data_without_answers_keeps_the_link_and_is_told_with_no_round_trip(world: World) -> None:
    socket = world.socket(LIVE)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    assert details(socket).round_trip_p50 is not None
    await world.until(lambda: len(beats(world)) == 2)
    await world.settle()
    world.server.unanswered.add("heartbeat")
    silent_from = world.clock.time()
    for _ in range(100):
        world.server.broadcast("a:1", "tick", {})
        await world.pass_time(1)
    known = details(socket)
    assert socket.is_connected
    assert metrics(socket).heartbeat_failures == 0
    assert known.heartbeats_unanswered_since == pytest.approx(silent_from + 5, abs=1)
    assert known.heartbeat_unanswered_since == known.heartbeats_unanswered_since
    assert (known.round_trip_last, known.round_trip_p50, known.round_trip_p95) == (None, None, None)
    world.server.unanswered.clear()
    await world.pass_time(5.1)
    known = details(socket)
    assert (known.heartbeats_unanswered_since, known.heartbeat_unanswered_since) == (None, None)
    assert known.round_trip_p50 is not None


@virtual
async def test_data_without_an_answer_to_the_first_is_no_connection_and_not_called_nothing(
    world: World,
) -> None:
    world.server.unanswered.add("heartbeat")
    socket = world.socket(LIVE)
    socket.channel("a:1").join()
    socket.connect()
    await world.until(lambda: socket.state == "reconnecting")
    words = "the first heartbeat was not answered within 3 s, though other data came"
    assert details(socket).reason == words
    assert metrics(socket).successful_connects == 0


@virtual
@pytest.mark.parametrize("ref", ["9999", "1 ", "", 1, 1.0, True, None])
async def test_an_answer_to_what_was_never_sent_is_no_answer(world: World, ref: object) -> None:
    socket = world.socket(LIVE)
    await world.connected(socket, stable=True)
    before = details(socket)
    for _ in range(100):
        world.server.link.arrive(None, ref, "phoenix", "phx_reply", {"status": "ok", "response": {}})
    await world.settle()
    after = details(socket)
    assert after.messages_in == before.messages_in + 100
    assert after.heartbeats_answered == before.heartbeats_answered


@virtual
async def test_one_answer_that_is_missing_is_not_told(world: World) -> None:
    socket = world.socket(LIVE)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    world.server.unanswered.add("heartbeat")
    await world.until(lambda: len(beats(world)) == 3)
    world.server.broadcast("a:1", "tick", {})
    world.server.unanswered.clear()
    for _ in range(200):
        await world.pass_time(0.1)
        assert details(socket).heartbeats_unanswered_since is None


@virtual
async def test_an_answer_to_a_ping_of_ones_own_is_an_answer(world: World) -> None:
    socket = world.socket(LIVE)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    world.server.unanswered.add("heartbeat")
    for _ in range(20):
        world.server.broadcast("a:1", "tick", {})
        await world.pass_time(1)
    assert details(socket).heartbeats_unanswered_since is not None
    world.server.unanswered.clear()
    socket.ping()
    await world.settle()
    assert details(socket).heartbeats_unanswered_since is None


@virtual
async def test_nothing_is_told_of_the_heartbeats_of_a_connection_that_is_gone(world: World) -> None:
    socket = world.socket(LIVE)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    world.server.unanswered.add("heartbeat")
    for _ in range(20):
        world.server.broadcast("a:1", "tick", {})
        await world.pass_time(1)
    world.server.stop()
    await world.settle()
    assert details(socket).heartbeats_unanswered_since is None


# While joins are not answered


@virtual
async def test_a_join_that_is_never_answered_holds_up_no_heartbeat_once_a_later_one_was_answered(
    world: World,
) -> None:
    world.server.unanswered.add("phx_join")
    socket = world.socket(LIVE)
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    await world.pass_time(3_600)
    await world.until(lambda: channel.state == "joining" and world.now - beats(world)[-1] < 0.1)
    await world.settle()
    assert channel.state == "joining"
    world.server.frozen = True
    await world.until(lambda: socket.state == "reconnecting")
    assert details(socket).reason == "nothing came within 3 s of a heartbeat"


@virtual
async def test_a_join_holds_up_heartbeats_for_no_more_than_twice_its_time(world: World) -> None:
    options = Options(
        heartbeat_interval=5.0,
        heartbeat_timeout=3.0,
        join_timeout=8.0,
        reconnect_base_delay=500.0,
        reconnect_max_delay=500.0,
    )
    socket = world.socket(options)
    socket.channel("b:1").join()
    await world.connected(socket, stable=True)
    world.server.unanswered |= {"phx_join", "heartbeat"}
    socket.channel("a:1").join()
    asked = world.now
    # Other data keeps the link meanwhile.
    while world.now < asked + 15.5:
        world.server.broadcast("b:1", "tick", {})
        await world.pass_time(0.5)
    await world.until(lambda: socket.state == "reconnecting")
    assert details(socket).reason == "nothing came within 3 s of a heartbeat"
    assert world.now < asked + 16 + options.heartbeat_interval + 3.1


@virtual
async def test_each_answer_to_a_join_starts_the_time_of_the_others_anew_whatever_is_answered_between(
    world: World,
) -> None:
    """A server that runs its joins beside everything else, one after another."""
    world.server.unanswered.add("phx_join")
    socket = world.socket(LIVE)
    channels = [socket.channel(f"room:{number}") for number in range(5)]
    for channel in channels:
        channel.join()
    await world.connected(socket)
    for channel in channels:
        await world.pass_time(8)
        (frame,) = world.server.frames("phx_join", channel.topic)
        payload = {"status": "ok", "response": {}}
        world.server.link.deliver(frame.join_ref, frame.ref, frame.topic, "phx_reply", payload)
        await world.settle()
        assert channel.state == "joined"
    assert len(world.server.frames("phx_join")) == 5


# What leaves while something waits to


@virtual
@pytest.mark.parametrize("preset", ["live", "service"])
@pytest.mark.parametrize(("size", "rate"), [(700_000, 40_000), (300_000, 5_000), (16_000_000, 200_000)])
async def test_a_push_that_takes_long_to_leave_does_not_cut_the_link(
    world: World, preset: str, size: int, rate: float
) -> None:
    socket = world.socket(Options.preset(preset, push_timeout=1_000.0))
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    world.server.line_rate = rate
    push = channel.push("echo", "x" * size)
    took = await world.until(lambda: push.done, within=900)
    assert took == pytest.approx(size / rate, rel=0.1)
    assert len(await push) == size
    await world.pass_time(100)
    assert (len(world.server.links), metrics(socket).heartbeat_failures) == (1, 0)


@virtual
async def test_a_line_on_which_nothing_leaves_any_more_is_dropped_in_time(world: World) -> None:
    socket = world.socket(LIVE)
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    world.server.link.stop_line()
    channel.push("echo", "x" * 700_000)
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now == pytest.approx(beats(world)[-1] + 3, abs=0.01)
    assert metrics(socket).heartbeat_failures == 1


@virtual
async def test_a_line_that_stops_in_the_middle_of_a_push_is_dropped_by_join_timeout(world: World) -> None:
    socket = world.socket(LIVE)
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    world.server.line_rate = 40_000
    channel.push("echo", "x" * 700_000)
    await world.pass_time(8)
    world.server.link.stop_line()
    stopped = world.now
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now - stopped <= LIVE.heartbeat_interval + LIVE.join_timeout


@virtual
async def test_bytes_that_leave_at_once_prove_no_more_than_that_the_next_hop_runs(world: World) -> None:
    """A server that stands still: its system acknowledges whatever it has room for."""
    socket = world.socket(LIVE)
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    world.server.line_rate = 1e9
    world.server.frozen = True
    frozen = world.now
    while socket.is_connected:
        channel.push("echo", "x" * 1_000)
        await world.pass_time(0.2)
    assert world.now - frozen < LIVE.heartbeat_interval + LIVE.heartbeat_timeout + 0.3
