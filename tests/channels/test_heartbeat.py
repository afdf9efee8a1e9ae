"""Heartbeats: when one is sent, what proves life, and what a slow join may hold up."""

from __future__ import annotations

import pytest

from tests.channels.virtual import LATENCY, World, details, metrics, virtual
from tui.channels import Options
from tui.channels.heartbeat import Heartbeat

PRESETS = ["service", "overlay", "live"]
every_preset = pytest.mark.parametrize("preset", PRESETS)

FAST = Options(heartbeat_interval=10.0, heartbeat_timeout=3.0, join_timeout=8.0, reconnect_jitter=0.0)


def beats(world: World) -> list[float]:
    return [frame.at for frame in world.server.frames("heartbeat")]


# By itself


def test_one_is_sent_at_once() -> None:
    heartbeat = Heartbeat(30, 10)
    assert heartbeat.judge(0.0, False) == "send"
    assert heartbeat.deadline() == 0


def test_the_next_one_is_due_an_interval_after_the_last() -> None:
    heartbeat = Heartbeat(30, 10)
    heartbeat.sent("1", 100.0)
    assert heartbeat.reply("1", 100.5) == 0.5
    assert heartbeat.deadline() == 130
    assert heartbeat.judge(129.9, False) == "wait"
    assert heartbeat.judge(130.0, False) == "send"


def test_nothing_at_all_within_the_timeout_is_death() -> None:
    heartbeat = Heartbeat(30, 10)
    heartbeat.sent("1", 100.0)
    heartbeat.reply("1", 100.5)
    heartbeat.sent("2", 130.0)
    assert heartbeat.judge(139.9, False) == "wait"
    assert heartbeat.judge(140.0, False) == "dead"


def test_bytes_prove_life_only_after_the_first_answer() -> None:
    heartbeat = Heartbeat(30, 10)
    heartbeat.sent("1", 0.0)
    assert heartbeat.judge(10.0, heard=True) == "dead"
    heartbeat = Heartbeat(30, 10)
    heartbeat.sent("1", 0.0)
    heartbeat.reply("1", 1.0)
    heartbeat.sent("2", 30.0)
    assert heartbeat.judge(40.0, heard=True) == "wait"


def test_an_allowance_is_none_for_the_first_and_never_shortens() -> None:
    heartbeat = Heartbeat(30, 10)
    heartbeat.sent("1", 0.0)
    assert heartbeat.judge(10.0, False, allowance=60.0) == "dead"
    heartbeat.reply("1", 1.0)
    heartbeat.sent("2", 30.0)
    assert heartbeat.judge(80.0, False, allowance=60.0) == "wait"
    assert heartbeat.judge(90.0, False, allowance=60.0) == "dead"
    assert heartbeat.judge(39.0, False, allowance=2.0) == "wait"


def test_replies_are_known_by_ref_once_and_late_ones_still_give_a_round_trip() -> None:
    heartbeat = Heartbeat(5, 3)
    heartbeat.sent("1", 0.0)
    heartbeat.sent("2", 5.0)
    assert heartbeat.reply("1", 7.0) == 7.0
    assert heartbeat.reply("1", 8.0) is None
    assert heartbeat.reply("9", 8.0) is None
    assert heartbeat.reply(2, 8.0) is None
    assert heartbeat.reply(None, 8.0) is None
    assert heartbeat.reply("2", 8.0) == 3.0


# On a connection


@virtual
async def test_a_heartbeat_is_the_frame_that_phoenix_knows(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    frame = world.server.sent[0]
    assert (frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload) == (
        None,
        "1",
        "phoenix",
        "heartbeat",
        {},
    )


@virtual
@every_preset
async def test_they_go_out_every_interval_on_every_preset(world: World, preset: str) -> None:
    options = Options.preset(preset)
    socket = world.socket(options)
    await socket.connect()
    await world.pass_time(10 * options.heartbeat_interval + 1)
    expected = [number * options.heartbeat_interval for number in range(11)]
    assert [at - beats(world)[0] for at in beats(world)] == pytest.approx(expected, abs=0.01)
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_last_heartbeat_is_the_last_answered_one(world: World) -> None:
    socket = world.socket(FAST)
    assert metrics(socket).last_heartbeat is None
    await world.connected(socket)
    first = metrics(socket).last_heartbeat
    assert first == pytest.approx(world.clock.time(), abs=0.01)
    world.server.frozen = True
    await world.pass_time(11)
    assert len(beats(world)) == 2, "another was sent"
    assert metrics(socket).last_heartbeat == first, "and not answered"


@virtual
@every_preset
async def test_a_frozen_server_is_dropped_heartbeat_timeout_after_a_heartbeat(
    world: World, preset: str
) -> None:
    options = Options.preset(preset)
    socket = world.socket(options)
    await world.connected(socket, stable=True)
    world.server.frozen = True
    frozen = world.now
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now == pytest.approx(beats(world)[-1] + options.heartbeat_timeout, abs=0.01)
    assert world.now - frozen <= options.heartbeat_interval + options.heartbeat_timeout
    assert metrics(socket).heartbeat_failures == 1
    assert world.server.links[0].closed, "dropped at once, without a handshake that nobody answers"


@virtual
async def test_any_frame_proves_life_once_a_heartbeat_was_answered(world: World) -> None:
    socket = world.socket(FAST)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    world.server.unanswered.add("heartbeat")
    for _ in range(60):
        world.server.broadcast("a:1", "tick", {})
        await world.pass_time(2)
    assert socket.is_connected
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_frames_do_not_prove_life_before_the_first_answer(world: World) -> None:
    world.server.unanswered.add("heartbeat")
    socket = world.socket(FAST)
    socket.channel("a:1").join()
    socket.connect()
    for _ in range(31):
        await world.pass_time(0.1)
        world.server.broadcast("a:1", "tick", {})
    assert socket.state == "reconnecting"
    assert metrics(socket).successful_connects == 0


@virtual
async def test_only_what_comes_after_the_heartbeat_speaks_for_the_link(world: World) -> None:
    socket = world.socket(FAST)
    socket.channel("a:1").join()
    await world.connected(socket, stable=True)
    await world.until(lambda: len(beats(world)) == 2)
    await world.settle()
    await world.pass_time(9.9)
    world.server.broadcast("a:1", "tick", {})
    await world.pass_time(0.05)
    world.server.frozen = True
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now == pytest.approx(beats(world)[2] + 3, abs=0.01)


@virtual
async def test_no_heartbeat_is_sent_and_none_times_out_after_disconnect(world: World) -> None:
    socket = world.socket(FAST)
    await socket.connect()
    world.server.frozen = True
    await world.until(lambda: len(beats(world)) == 2)
    await socket.disconnect()
    await world.pass_time(1_000)
    assert len(beats(world)) == 2
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_a_heartbeat_failure_errors_the_channels_after_the_connection_is_gone(world: World) -> None:
    """phoenix.js says ``heartbeat_timeout``; here the reason is in words, as for every loss."""
    socket = world.socket(FAST)
    channel = socket.channel("a:1")
    told: list[object] = []
    channel.on("phx_error", lambda message: told.append((message.payload, world.server.live_links)))
    channel.join()
    await world.connected(socket, stable=True)
    world.server.frozen = True
    await world.until(lambda: socket.state == "reconnecting")
    reason = "nothing came within 3 s of a heartbeat"
    assert told == [({"source": "transport", "reason": reason}, [])]


@virtual
async def test_ping_sends_one_beside_the_regular_ones_and_reports_its_round_trip(world: World) -> None:
    socket = world.socket(FAST)
    assert not socket.ping()
    await socket.connect()
    await world.pass_time(4)
    regular = metrics(socket).last_heartbeat
    assert socket.ping()
    await world.settle()
    assert details(socket).round_trip_last == pytest.approx(2 * LATENCY, abs=1e-4)
    last = metrics(socket).last_heartbeat
    assert last is not None
    assert regular is not None
    assert last > regular + 3.9
    await world.pass_time(6.1)
    assert [at - beats(world)[0] for at in beats(world)] == pytest.approx([0, 4, 10], abs=0.02)
    await socket.disconnect()
    assert not socket.ping()


@virtual
async def test_round_trip_times_are_those_of_the_network(world: World) -> None:
    socket = world.socket(Options.preset("live"))
    await socket.connect()
    await world.pass_time(100)
    known = details(socket)
    for value in (known.round_trip_last, known.round_trip_p50, known.round_trip_p95):
        assert value == pytest.approx(2 * LATENCY, abs=1e-4)


# While joins run


@virtual
@pytest.mark.parametrize("takes", [0.1, 0.8], ids=["100 ms", "800 ms"])
@every_preset
async def test_fifty_slow_joins_one_after_another_all_join_and_the_link_is_not_cut(
    world: World, preset: str, takes: float
) -> None:
    world.server.slow_joins = takes
    socket = world.socket(Options.preset(preset))
    channels = [socket.channel(f"room:{number}") for number in range(50)]
    for channel in channels:
        channel.join()
    socket.connect()
    took = await world.until(lambda: all(channel.state == "joined" for channel in channels))
    assert took == pytest.approx(50 * takes, abs=0.1)
    assert len(world.server.links) == 1
    assert len(world.server.frames("phx_join")) == 50, "no join timed out and was tried again"
    assert metrics(socket).heartbeat_failures == 0
    # And again after a loss.
    world.server.drop()
    await world.settle()
    await world.until(lambda: all(channel.state == "joined" for channel in channels))
    assert len(world.server.links) == 2
    assert len(world.server.frames("phx_join")) == 100


@virtual
async def test_all_joins_are_sent_at_once_and_none_waits_for_another(world: World) -> None:
    socket = world.socket()
    channels = [socket.channel(f"room:{number}") for number in range(50)]
    for channel in channels:
        channel.join()
    await socket.connect()
    await world.settle()
    sent = [frame.at for frame in world.server.frames("phx_join")]
    assert max(sent) - min(sent) < 0.001
    assert all(channel.state == "joined" for channel in channels)


@virtual
async def test_one_join_may_hold_up_every_answer_for_join_timeout(world: World) -> None:
    world.server.slow_joins = {"slow:1": 7.0}
    socket = world.socket(FAST)
    await world.connected(socket, stable=True)
    await world.pass_time(beats(world)[-1] + 9.9 - world.now)
    channel = socket.channel("slow:1")
    channel.join()
    await world.pass_time(7)
    assert len(beats(world)) == 2, "one was sent into the join and waits there longer than its timeout"
    assert socket.is_connected
    await world.pass_time(1)
    assert channel.state == "joined"
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_the_first_heartbeat_has_its_timeout_alone(world: World) -> None:
    world.server.frozen = True
    socket = world.socket(FAST)
    socket.channel("a:1").join()
    socket.connect()
    await world.pass_time(3.1)
    assert socket.state == "reconnecting"


@virtual
async def test_a_join_that_timed_out_here_still_counts_as_unanswered(world: World) -> None:
    options = Options(
        heartbeat_interval=5.0,
        heartbeat_timeout=3.0,
        join_timeout=8.0,
        reconnect_jitter=0.0,
        reconnect_base_delay=60.0,
    )
    socket = world.socket(options)
    await world.connected(socket, stable=True)
    world.server.slow_joins = {"slow:1": 12.0}
    channel = socket.channel("slow:1")
    channel.join()
    asked = world.now
    await world.pass_time(8.1)
    assert channel.state == "errored", "timed out"
    # The heartbeat that was sent into the running join would be dead by its timeout alone.
    unanswered = [at for at in beats(world) if at > asked]
    assert unanswered
    await world.pass_time(unanswered[0] + 3.1 - world.now if unanswered[0] + 3.1 > world.now else 0)
    assert socket.is_connected
    await world.pass_time(asked + 13 - world.now)
    assert socket.is_connected
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_a_link_that_died_during_a_join_is_dropped_by_join_timeout_at_the_latest(world: World) -> None:
    socket = world.socket(FAST)
    await world.connected(socket, stable=True)
    world.server.frozen = True
    socket.channel("a:1").join()
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now == pytest.approx(beats(world)[1] + 8, abs=0.01)


@virtual
async def test_the_time_of_a_join_starts_anew_whenever_another_is_answered(world: World) -> None:
    world.server.slow_joins = 5.0
    socket = world.socket(join_timeout=6.0)
    channels = [socket.channel(f"room:{number}") for number in range(4)]
    for channel in channels:
        channel.join(timeout=None)
    socket.connect()
    await world.pass_time(20.1)
    assert [channel.state for channel in channels] == ["joined"] * 4
    assert len(world.server.frames("phx_join")) == 4
