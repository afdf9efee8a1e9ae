"""When a socket connects, waits, probes, gives up and stops: every rule, under a virtual clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.channels.virtual import LATENCY, World, details, metrics, virtual
from tui.channels import Channel, NotConnectedError, Options, Socket
from tui.channels.errors import OpenError

SOON = 0.01  # the way there and back, and what the loop needs


def near(seconds: float) -> Any:
    return pytest.approx(seconds, abs=SOON)


def gaps(world: World) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(world.server.attempts)]


def refuse(world: World) -> None:
    world.server.refusal = ConnectionRefusedError()


# Being connected


@virtual
async def test_connecting_lasts_until_the_first_heartbeat_is_answered(world: World) -> None:
    socket = world.socket()
    assert socket.state == "disconnected"
    world.server.frozen = True
    socket.connect()
    await world.pass_time(5)
    assert socket.state == "connecting"
    assert len(world.server.live_links) == 1
    assert metrics(socket).successful_connects == 0
    world.server.frozen = False
    world.server.link.arrive(None, world.server.sent[0].ref, "phoenix", "phx_reply", {"status": "ok"})
    assert socket.state == "connected"
    assert world.states == ["connecting", "connected"]


@virtual
async def test_a_server_that_accepts_and_is_silent_was_never_connected(world: World) -> None:
    world.server.frozen = True
    socket = world.socket(heartbeat_timeout=3.0)
    socket.connect()
    await world.pass_time(2.99)
    assert socket.state == "connecting"
    await world.pass_time(0.02)
    assert socket.state == "reconnecting"
    assert "nothing came within 3 s of a heartbeat" in str(details(socket).reason)
    health = metrics(socket)
    assert (health.heartbeat_failures, health.successful_connects) == (1, 0)
    assert details(socket).failed_attempts == 1
    assert health.last_heartbeat is None


@virtual
async def test_an_upgrade_that_is_never_answered_ends_after_open_timeout(world: World) -> None:
    world.server.hangs = True
    socket = world.socket(open_timeout=4.0)
    socket.connect()
    await world.pass_time(3.9)
    assert socket.state == "connecting"
    await world.pass_time(0.2)
    assert socket.state == "reconnecting"
    assert details(socket).reason == "no answer to the upgrade within 4 s"


@virtual
async def test_a_connection_is_stable_once_it_was_connected_for_stable_after(world: World) -> None:
    stable: list[float] = []
    socket = world.socket(stable_after=7.0)
    socket.on_stable(lambda: stable.append(world.now))
    await socket.connect()
    begun = world.now
    await world.pass_time(6.9)
    assert not details(socket).stable
    await world.pass_time(0.2)
    assert details(socket).stable
    assert stable == [near(begun + 7)]


@virtual
async def test_the_first_heartbeat_goes_out_at_once_and_before_the_joins(world: World) -> None:
    socket = world.socket()
    socket.channel("a:1").join()
    world.server.open_takes = 2.0
    socket.connect()
    await world.pass_time(1.9)
    assert world.server.sent == [], "nothing is sent while connecting"
    await world.pass_time(0.2)
    assert [frame.event for frame in world.server.sent] == ["heartbeat", "phx_join"]


@virtual
async def test_state_changes_tell_old_state_new_state_reason_and_time(world: World) -> None:
    socket = world.socket()
    await world.connected(socket, stable=True)
    world.server.drop(1011, "1011 server error")
    await world.settle()
    change = world.changes[-1]
    assert (change.old_state, change.new_state, change.error) == (
        "connected",
        "reconnecting",
        "1011 server error",
    )
    assert change.timestamp == pytest.approx(world.clock.time(), abs=SOON)


# Delays


@virtual
async def test_delays_double_are_jittered_and_are_the_ones_that_chance_gives(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=99, max_reconnect_attempts=9)
    twin = world.twin()
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    expected = [twin.uniform(d / 2, d) for d in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert gaps(world) == [near(delay) for delay in expected]


@virtual
async def test_without_jitter_the_delays_are_exact_and_the_cap_is_a_cap(world: World) -> None:
    refuse(world)
    socket = world.socket(
        reconnect_jitter=0.0,
        reconnect_base_delay=3.0,
        reconnect_max_delay=10.0,
        circuit_breaker_threshold=99,
        max_reconnect_attempts=6,
    )
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    assert gaps(world) == [near(delay) for delay in (3, 6, 10, 10, 10, 10)]


@virtual
async def test_the_first_retry_after_a_stable_connection_comes_from_the_whole_delay(world: World) -> None:
    socket = world.socket(reconnect_base_delay=4.0, circuit_breaker_threshold=99)
    twin = world.twin()
    await world.connected(socket, stable=True)
    refuse(world)
    lost = world.now
    world.server.drop()
    await world.pass_time(20)
    first, second = twin.uniform(0, 4), twin.uniform(4, 8)
    assert world.server.attempts[1:3] == [near(lost + first), near(lost + first + second)]


@virtual
async def test_the_first_retry_after_an_unstable_connection_is_no_sooner_than_any(world: World) -> None:
    socket = world.socket(reconnect_base_delay=4.0)
    twin = world.twin()
    await world.connected(socket)
    lost = world.now
    world.server.drop()
    await world.pass_time(5)
    assert world.server.attempts[1] == near(lost + twin.uniform(2, 4))


@virtual
async def test_a_server_that_accepts_and_closes_is_not_stormed(world: World) -> None:
    world.server.closes_at_once = 1011
    socket = world.socket(Options.preset("live"))
    socket.connect()
    await world.pass_time(10)
    assert 4 <= len(world.server.attempts) <= 8
    assert metrics(socket).successful_connects == 0


@virtual
async def test_connections_that_end_before_they_are_stable_do_not_reset_the_back_off(world: World) -> None:
    world.server.closes_after = 1.0
    socket = world.socket(reconnect_jitter=0.0, circuit_breaker_threshold=99)
    socket.connect()
    await world.pass_time(30)
    assert gaps(world) == [near(1 + delay) for delay in (1, 2, 4, 8)]
    assert metrics(socket).successful_connects == 5


@virtual
@pytest.mark.parametrize(
    ("asked", "expected"), [(20.0, 20.0), (0.5, 1.0), (1_000.0, 60.0)], ids=["longer", "shorter", "capped"]
)
async def test_retry_after_counts_if_it_is_longer_up_to_the_cap(
    world: World, asked: float, expected: float
) -> None:
    world.server.refusal = OpenError("503", retry_after=asked)
    socket = world.socket(reconnect_jitter=0.0)
    socket.connect()
    await world.pass_time(SOON)
    assert details(socket).next_try == near(world.clock.time() - SOON + expected)
    await world.pass_time(expected)
    assert gaps(world) == [near(expected)]


@virtual
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1006, 1008, 1011, 1012, 1013, 4000])
async def test_any_close_that_was_not_ours_reconnects_whatever_its_code(world: World, code: int) -> None:
    """phoenix.js up to 1.8.15 stopped at 1000; servers and proxies close with it too."""
    socket = world.socket()
    await world.connected(socket, stable=True)
    world.server.drop(code, str(code))
    await world.settle()
    await world.until(lambda: socket.state == "connected", within=2)
    assert details(socket).last_close_code == code
    assert metrics(socket).total_reconnects == 1


@virtual
async def test_a_refusal_stays_visible_until_the_next_success(world: World) -> None:
    world.server.refusal = OpenError("hub.test:4000 answered 403 Forbidden", refusal=True)
    socket = world.socket()
    socket.connect()
    await world.pass_time(0.1)
    refuse(world)
    await world.pass_time(3)
    assert details(socket).refusal == "hub.test:4000 answered 403 Forbidden"
    assert details(socket).reason == "refused by hub.test:4000"
    world.server.start()
    await world.until(lambda: socket.is_connected)
    assert details(socket).refusal is None
    assert details(socket).reason is None


# The breaker


@virtual
async def test_the_breaker_opens_after_consecutive_failures_and_nothing_is_tried_while_it_is(
    world: World,
) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=3, circuit_breaker_timeout=100.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    assert len(world.server.attempts) == 3
    opened = world.now
    assert metrics(socket).is_circuit_open
    assert metrics(socket).circuit_breaker_trips == 1
    assert details(socket).reason == "circuit breaker open after 3 failures: refused by hub.test:4000"
    await world.pass_time(99.9)
    assert len(world.server.attempts) == 3
    await world.pass_time(0.2)
    assert world.server.attempts[3:] == [near(opened + 100)]


@virtual
async def test_exactly_one_probe_at_a_time_and_its_failure_is_no_trip(world: World) -> None:
    refuse(world)
    socket = world.socket(
        circuit_breaker_threshold=2, circuit_breaker_timeout=50.0, max_reconnect_attempts="unlimited"
    )
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    await world.pass_time(175)
    assert len(world.server.attempts) == 2 + 3
    assert gaps(world)[1:] == [near(50)] * 3
    assert metrics(socket).circuit_breaker_trips == 1
    assert details(socket).circuit_breaker_probes == 3


@virtual
async def test_the_circuit_is_not_open_while_the_probe_runs(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=1, circuit_breaker_timeout=50.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.hangs = True
    await world.pass_time(51)
    assert socket.state == "connecting"
    assert not metrics(socket).is_circuit_open


@virtual
async def test_a_probe_succeeds_only_when_it_is_stable(world: World) -> None:
    refuse(world)
    socket = world.socket(
        circuit_breaker_threshold=1, circuit_breaker_timeout=50.0, max_reconnect_attempts="unlimited"
    )
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    await world.until(lambda: socket.is_connected)
    await world.pass_time(4.5)
    world.server.drop()
    await world.settle()
    assert socket.state == "failed"
    assert metrics(socket).is_circuit_open
    assert metrics(socket).circuit_breaker_trips == 1
    await world.until(lambda: socket.is_connected)
    await world.pass_time(5.5)
    world.server.drop()
    await world.settle()
    assert socket.state == "reconnecting", "the probe was stable: the breaker is closed"
    assert (metrics(socket).circuit_breaker_trips, details(socket).circuit_breaker_probes) == (1, 2)


@virtual
async def test_failures_count_afresh_after_a_stable_connection(world: World) -> None:
    socket = world.socket(circuit_breaker_threshold=3)
    refuse(world)
    socket.connect()
    await world.until(lambda: len(world.server.attempts) == 2)
    world.server.start()
    await world.until(lambda: details(socket).stable)
    assert metrics(socket).reconnect_attempts == 0
    world.server.stop()
    await world.until(lambda: socket.state == "failed")
    assert len(world.server.attempts) == 3 + 3


@virtual
async def test_losing_a_stable_connection_is_no_failure(world: World) -> None:
    socket = world.socket(circuit_breaker_threshold=1)
    await world.connected(socket, stable=True)
    world.server.drop()
    await world.settle()
    assert socket.state == "reconnecting"
    assert metrics(socket).circuit_breaker_trips == 0
    await world.until(lambda: socket.is_connected)
    await world.settle()
    world.server.drop()
    await world.settle()
    assert socket.state == "failed", "this one was not stable"


# Attempts used up


@virtual
async def test_used_up_attempts_give_up_and_the_last_failure_is_no_trip(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=3, circuit_breaker_threshold=4)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    assert details(socket).reason == "gave up after 3 attempts: refused by hub.test:4000"
    assert details(socket).next_try is None
    health = metrics(socket)
    assert (health.circuit_breaker_trips, health.is_circuit_open) == (0, False)
    assert (health.reconnect_attempts, health.failed_reconnects) == (3, 3)
    await world.pass_time(100_000)
    assert len(world.server.attempts) == 4


@virtual
async def test_probes_count_as_attempts(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=4, circuit_breaker_threshold=3)
    socket.connect()
    await world.until(lambda: "gave up" in str(details(socket).reason))
    # One attempt, two retries, open; a probe, open again; a probe that is the last.
    assert len(world.server.attempts) == 5
    assert (metrics(socket).circuit_breaker_trips, details(socket).circuit_breaker_probes) == (1, 2)


@virtual
async def test_no_attempts_allowed_gives_up_at_once_even_after_a_stable_connection(world: World) -> None:
    socket = world.socket(max_reconnect_attempts=0)
    await world.connected(socket, stable=True)
    world.server.drop()
    await world.settle()
    assert socket.state == "failed"
    assert "gave up: " in str(details(socket).reason)


@virtual
async def test_unlimited_attempts_never_give_up(world: World) -> None:
    refuse(world)
    socket = world.socket(Options.preset("live"))
    socket.connect()
    await world.pass_time(3600)
    assert "gave up" not in str(details(socket).reason)
    world.server.start()
    assert await world.until(lambda: socket.is_connected) <= 3.1


# Revival


@virtual
async def test_a_revival_is_one_attempt_every_so_often_without_series_or_trip(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=2, revive_after=40.0, circuit_breaker_threshold=3)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    await world.pass_time(170)
    assert gaps(world)[2:] == [near(40)] * 4
    assert metrics(socket).circuit_breaker_trips == 0
    assert details(socket).reason == "gave up after 2 attempts: refused by hub.test:4000"


@virtual
async def test_a_revival_that_does_not_become_stable_starts_no_series(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=1, revive_after=40.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    await world.until(lambda: socket.is_connected)
    refuse(world)
    lost = world.now
    world.server.drop()
    await world.settle()
    assert socket.state == "failed"
    await world.pass_time(41)
    assert world.server.attempts[3:] == [near(lost + 40)]


@virtual
async def test_a_revival_that_becomes_stable_ends_the_trouble(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=1, revive_after=40.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    await world.until(lambda: details(socket).stable)
    assert metrics(socket).reconnect_attempts == 0
    world.server.drop()
    await world.settle()
    assert socket.state == "reconnecting", "a new series"


# Another connection to the same host became stable


@virtual
async def test_hastened_a_back_off_ends_within_one_base_delay(world: World) -> None:
    refuse(world)
    socket = world.socket(reconnect_base_delay=2.0, reconnect_max_delay=60.0, circuit_breaker_threshold=99)
    socket.connect()
    await world.until(lambda: len(world.server.attempts) == 5)
    await world.settle()
    hastened = world.now
    socket.wake_early()
    await world.pass_time(2.01)
    assert len(world.server.attempts) == 6
    assert hastened <= world.server.attempts[5] <= hastened + 2


@virtual
async def test_hastened_twice_only_the_first_counts_until_the_longest_delay_has_passed(world: World) -> None:
    refuse(world)
    socket = world.socket(
        reconnect_jitter=0.0, circuit_breaker_threshold=99, max_reconnect_attempts="unlimited"
    )
    socket.connect()
    await world.until(lambda: len(world.server.attempts) == 8)
    await world.settle()
    first = world.now
    socket.wake_early()
    await world.pass_time(1.1)
    assert len(world.server.attempts) == 9
    for _ in range(50):
        socket.wake_early()
        await world.pass_time(1)
    assert len(world.server.attempts) == 9, "once in reconnect_max_delay"
    await world.until(lambda: world.now > first + 60.1)
    count = len(world.server.attempts)
    socket.wake_early()
    await world.pass_time(1.1)
    assert len(world.server.attempts) == count + 1


@virtual
async def test_hastened_an_open_breaker_lets_its_one_probe_go(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=2, circuit_breaker_timeout=300.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    socket.wake_early()
    await world.pass_time(1.1)
    assert len(world.server.attempts) == 3
    assert (metrics(socket).is_circuit_open, details(socket).circuit_breaker_probes) == (True, 1)
    await world.pass_time(290)
    assert len(world.server.attempts) == 3, "and the breaker is open for its whole time"


@virtual
async def test_hastened_a_socket_that_gave_up_has_its_revival(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=1, revive_after=300.0)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    socket.wake_early()
    await world.pass_time(1.1)
    assert socket.is_connected


@virtual
async def test_hastened_a_socket_that_gave_up_for_good_does_not_try(world: World) -> None:
    refuse(world)
    socket = world.socket(max_reconnect_attempts=1, revive_after="never")
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    socket.wake_early()
    await world.pass_time(1_000)
    assert (socket.state, len(world.server.attempts)) == ("failed", 2)


@virtual
async def test_hastened_a_disconnected_socket_stays_disconnected(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    await socket.disconnect()
    socket.wake_early()
    await world.pass_time(100)
    assert len(world.server.attempts) == 1


@virtual
async def test_hastening_never_makes_a_wait_longer(world: World) -> None:
    refuse(world)
    socket = world.socket(reconnect_base_delay=50.0, reconnect_max_delay=50.0, reconnect_jitter=0.0)
    socket.connect()
    await world.pass_time(49.9)
    socket.wake_early()
    await world.pass_time(0.2)
    assert len(world.server.attempts) == 2


@virtual
async def test_many_hastened_sockets_do_not_all_come_at_once(world: World) -> None:
    refuse(world)
    times: list[float] = []
    for seed in range(40):
        world.seed = seed
        socket = world.socket(circuit_breaker_threshold=1)
        world.server.attempts.clear()
        socket.connect()
        await world.settle()
        asked = world.now
        socket.wake_early()
        await world.pass_time(1.1)
        times.append(world.server.attempts[1] - asked)
        await socket.disconnect()
    assert min(times) < 0.15
    assert max(times) > 0.85


# Commands in every phase

Bring = Callable[[World, Socket], Awaitable[None]]

MATRIX = Options(
    circuit_breaker_threshold=2,
    circuit_breaker_timeout=100.0,
    max_reconnect_attempts=3,
    revive_after=500.0,
    reconnect_jitter=0.0,
)


async def _disconnected(world: World, socket: Socket) -> None:
    pass


async def _opening(world: World, socket: Socket) -> None:
    world.server.hangs = True
    socket.connect()
    await world.pass_time(1)
    assert socket.state == "connecting"
    assert world.server.links == []


async def _greeting(world: World, socket: Socket) -> None:
    world.server.frozen = True
    socket.connect()
    await world.pass_time(1)
    assert socket.state == "connecting"
    assert world.server.live_links


async def _up_unstable(world: World, socket: Socket) -> None:
    await socket.connect()
    await world.pass_time(1)
    assert not details(socket).stable


async def _up_stable(world: World, socket: Socket) -> None:
    await world.connected(socket, stable=True)


async def _waiting(world: World, socket: Socket) -> None:
    refuse(world)
    socket.connect()
    await world.settle()
    assert socket.state == "reconnecting"


async def _broken(world: World, socket: Socket) -> None:
    await _waiting(world, socket)
    await world.until(lambda: socket.state == "failed")
    assert metrics(socket).is_circuit_open


async def _probing(world: World, socket: Socket) -> None:
    await _broken(world, socket)
    world.server.hangs = True
    await world.until(lambda: socket.state == "connecting")


async def _gave_up(world: World, socket: Socket) -> None:
    await _broken(world, socket)
    await world.until(lambda: "gave up" in str(details(socket).reason))


async def _reviving(world: World, socket: Socket) -> None:
    await _gave_up(world, socket)
    world.server.hangs = True
    await world.until(lambda: socket.state == "connecting")


PHASES = [
    _disconnected,
    _opening,
    _greeting,
    _up_unstable,
    _up_stable,
    _waiting,
    _broken,
    _probing,
    _gave_up,
    _reviving,
]
every_phase = pytest.mark.parametrize("bring", PHASES, ids=lambda bring: bring.__name__.strip("_"))
UNDER_WAY = (_opening, _greeting, _probing, _reviving)
UP = (_up_unstable, _up_stable)


def heal(world: World) -> None:
    world.server.refusal = None
    world.server.hangs = world.server.frozen = False


@virtual
@every_phase
async def test_connect_in_every_phase(world: World, bring: Bring) -> None:
    socket = world.socket(MATRIX)
    await bring(world, socket)
    before, known = metrics(socket), details(socket)
    attempts = len(world.server.attempts)
    if bring in UNDER_WAY or bring in UP:
        socket.connect()
        await world.settle()
        assert len(world.server.attempts) == attempts, "connecting or connected: nothing to do"
        assert details(socket).attempts_aborted == known.attempts_aborted
        assert metrics(socket).reconnect_attempts == before.reconnect_attempts
        return
    heal(world)
    await socket.connect()
    assert len(world.server.attempts) == attempts + 1
    assert world.server.attempts[-1] == near(world.now)
    after = metrics(socket)
    assert (after.reconnect_attempts, after.is_circuit_open) == (0, False)
    assert after.circuit_breaker_trips == before.circuit_breaker_trips, "trips stay counted"
    assert after.failed_reconnects == before.failed_reconnects


@virtual
@every_phase
async def test_reconnect_in_every_phase(world: World, bring: Bring) -> None:
    socket = world.socket(MATRIX)
    await bring(world, socket)
    before, known = metrics(socket), details(socket)
    attempts = len(world.server.attempts)
    heal(world)
    await socket.reconnect()
    assert len(world.server.attempts) == attempts + 1
    after = metrics(socket)
    assert after.successful_connects == before.successful_connects + 1
    assert (after.reconnect_attempts, after.is_circuit_open) == (0, False)
    assert after.circuit_breaker_trips == before.circuit_breaker_trips
    assert details(socket).attempts_aborted == known.attempts_aborted + (bring in UNDER_WAY)
    assert details(socket).failed_attempts == known.failed_attempts, "replacing is no failure"
    assert world.server.links[:-1] == [link for link in world.server.links if link.closed or link.closing]


@virtual
@every_phase
async def test_disconnect_in_every_phase(world: World, bring: Bring) -> None:
    socket = world.socket(MATRIX)
    await bring(world, socket)
    before, known = metrics(socket), details(socket)
    attempts = len(world.server.attempts)
    await socket.disconnect()
    assert socket.state == "disconnected"
    await world.assert_nothing_left()
    after = metrics(socket)
    assert details(socket).attempts_aborted == known.attempts_aborted + (bring in UNDER_WAY)
    assert details(socket).failed_attempts == known.failed_attempts
    assert after.failed_reconnects == before.failed_reconnects
    assert after.circuit_breaker_trips == before.circuit_breaker_trips
    assert not after.is_circuit_open
    assert details(socket).next_try is None
    heal(world)
    await world.pass_time(10_000)
    assert len(world.server.attempts) == attempts


@virtual
@every_phase
async def test_normal_back_off_follows_a_manual_attempt_that_fails(world: World, bring: Bring) -> None:
    socket = world.socket(MATRIX)
    await bring(world, socket)
    heal(world)
    refuse(world)
    attempts = len(world.server.attempts)
    trips = metrics(socket).circuit_breaker_trips
    socket.reconnect()
    await world.settle()
    await world.until(lambda: socket.state == "failed")
    assert len(world.server.attempts) == attempts + 2, "the breaker counts from 0: two failures"
    assert gaps(world)[-1] == near(1)
    assert metrics(socket).circuit_breaker_trips == trips + 1


@virtual
@every_phase
async def test_disconnect_and_connect_at_once_end_in_exactly_one_connection(
    world: World, bring: Bring
) -> None:
    socket = world.socket(MATRIX)
    await bring(world, socket)
    heal(world)
    world.server.close_takes = 1.0
    gone = asyncio.ensure_future(socket.disconnect())
    await asyncio.sleep(0)
    connected = socket.connect()
    async with asyncio.timeout(0.1):
        await connected
    assert len(world.server.live_links) == 1
    async with asyncio.timeout(1):
        await gone
    await world.pass_time(10)
    assert len(world.server.live_links) == 1, "the late end of the old one does not touch the new one"
    assert socket.state == "connected"


@virtual
async def test_disconnect_twice_during_teardown_ends_both_waits(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    world.server.close_takes = 0.5
    first, second = asyncio.ensure_future(socket.disconnect()), asyncio.ensure_future(socket.disconnect())
    async with asyncio.timeout(1):
        await asyncio.gather(first, second)
    assert world.server.live_links == []


@virtual
async def test_connect_directly_after_disconnect_waits_for_the_new_connection(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    socket.disconnect()
    await socket.connect()
    assert len(world.server.links) == 2
    assert socket.is_connected
    assert world.server.link is world.server.links[1]


@virtual
async def test_reconnect_waits_for_the_new_connection_even_if_the_old_one_answers_first(
    world: World,
) -> None:
    world.server.frozen = True
    socket = world.socket()
    socket.connect()
    await world.pass_time(1)
    world.server.frozen = False
    again = socket.reconnect()
    world.server.link.arrive(None, world.server.sent[0].ref, "phoenix", "phx_reply", {"status": "ok"})
    await again
    assert len(world.server.links) == 2
    assert world.server.link.number == 1


@virtual
async def test_disconnect_fails_whoever_waits_for_the_connection(world: World) -> None:
    world.server.hangs = True
    socket = world.socket()
    waiting = socket.connect()
    await world.pass_time(1)
    socket.disconnect()
    with pytest.raises(NotConnectedError, match="disconnected"):
        await waiting


@virtual
async def test_connect_says_why_when_the_breaker_opens_or_attempts_are_used_up(world: World) -> None:
    refuse(world)
    with pytest.raises(NotConnectedError, match="circuit breaker open after 2 failures: refused by"):
        await world.socket(circuit_breaker_threshold=2).connect()
    with pytest.raises(NotConnectedError, match="gave up after 1 attempt: refused by"):
        await world.socket(max_reconnect_attempts=1).connect()


@virtual
async def test_a_command_from_a_state_handler_is_obeyed(world: World) -> None:
    socket = world.socket()
    socket.on_state_change(lambda change: change.new_state == "reconnecting" and socket.disconnect())
    await world.connected(socket, stable=True)
    world.server.drop()
    await world.pass_time(100)
    assert socket.state == "disconnected"
    assert len(world.server.attempts) == 1


@virtual
async def test_a_state_handler_that_raises_stops_nothing(world: World) -> None:
    socket = world.socket()

    def handler(change: object) -> None:
        raise LookupError

    socket.on_state_change(handler)
    await world.connected(socket, stable=True)
    world.server.drop()
    await world.settle()
    await world.until(lambda: socket.is_connected)
    assert details(socket).handler_errors == len(world.changes)


@virtual
async def test_cancelled_waits_stop_nothing_else(world: World) -> None:
    socket = world.socket()
    world.server.open_takes = 1.0
    waiting = asyncio.ensure_future(socket.connect())
    await world.pass_time(0.5)
    waiting.cancel()
    await world.pass_time(1)
    assert socket.is_connected
    world.server.close_takes = 0.5
    ending = asyncio.ensure_future(socket.disconnect())
    await world.pass_time(0.1)
    ending.cancel()
    await world.pass_time(1)
    assert socket.state == "disconnected"
    await world.assert_nothing_left()


@virtual
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.001, 1.002, 1.5])
async def test_close_at_any_moment_of_connecting_leaves_nothing(world: World, at: float) -> None:
    socket = world.socket()
    socket.channel("a:1").join()
    world.server.open_takes = 1.0
    socket.connect()
    await asyncio.sleep(at)
    await socket.close()
    await world.assert_nothing_left()


@virtual
async def test_close_ends_within_two_seconds_when_the_server_hangs(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    world.server.frozen = True
    world.server.close_takes = 3600.0
    begun = world.now
    await socket.close()
    assert world.now - begun <= 2


# Tokens and parameters


@virtual
async def test_functions_for_token_and_parameters_are_asked_anew_at_each_attempt(world: World) -> None:
    tokens = iter(["one", "two", "three"])

    async def later() -> str:
        await asyncio.sleep(0.2)
        return f"n{len(world.server.attempts)}"

    socket = world.socket(auth_token=lambda: next(tokens), params={"n": later, "fixed": "x"})
    await world.connected(socket, stable=True)
    for _ in range(2):
        await socket.reconnect()
    assert [world.server.token(number) for number in range(3)] == ["one", "two", "three"]
    assert [world.server.query(number)["n"] for number in range(3)] == ["n0", "n1", "n2"]
    assert world.server.query(2) == {"n": "n2", "fixed": "x", "vsn": "2.0.0"}


@virtual
async def test_one_function_may_give_all_parameters(world: World) -> None:
    async def everything() -> dict[str, str]:
        return {"a": "1"}

    await world.socket(params=everything, headers=everything).connect()
    assert world.server.query() == {"a": "1", "vsn": "2.0.0"}
    assert dict(world.server.requests[0].headers) == {"a": "1"}


@virtual
@pytest.mark.parametrize("token", ["1234", "~~~", "a>b>c>", "Bj\u00f6rk"])
async def test_a_token_is_sent_in_the_base64_that_phoenix_reads(world: World, token: str) -> None:
    """Standard base64 without padding, in spite of the subprotocol's name."""
    await world.socket(auth_token=token).connect()
    assert world.server.token() == token


@virtual
async def test_a_token_that_no_subprotocol_can_carry_is_told_in_words(world: World) -> None:
    socket = world.socket(auth_token="s3cret??????")
    socket.connect()
    await world.settle()
    reason = str(details(socket).reason)
    assert reason == "auth_token has characters that no subprotocol can carry: use params"


@virtual
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("place", ["auth_token", "params", "headers", "proxy"])
async def test_a_function_that_raises_is_a_failure_that_names_the_place_alone(
    world: World, place: str, kind: str
) -> None:
    def plain() -> str:
        raise RuntimeError("s3cret")

    async def asynchronous() -> str:
        raise RuntimeError("s3cret")

    socket = world.socket(**{place: plain if kind == "plain" else asynchronous})
    socket.connect()
    await world.settle()
    assert socket.state == "reconnecting"
    assert details(socket).reason == f"{place}: its function raised RuntimeError"


@virtual
async def test_a_token_function_that_never_returns_ends_with_open_timeout(world: World) -> None:
    async def never() -> str:
        await asyncio.get_running_loop().create_future()
        return ""

    socket = world.socket(auth_token=never, open_timeout=3.0)
    socket.connect()
    await world.pass_time(3.1)
    assert socket.state == "reconnecting"


# Clocks


@virtual
async def test_a_process_that_was_stopped_asks_with_a_heartbeat_and_keeps_a_link_that_answers(
    world: World,
) -> None:
    socket = world.socket(Options.preset("live"))
    channel = socket.channel("a:1")
    channel.join()
    await world.connected(socket, stable=True)
    await world.pass_time(0.5)
    sent = len(world.server.frames("heartbeat"))
    world.stop_process(60)
    await world.settle()
    assert len(world.server.frames("heartbeat")) == sent + 1, "now, not at its time"
    await world.pass_time(30)
    assert (socket.state, channel.state) == ("connected", "joined")
    assert metrics(socket).heartbeat_failures == 0
    assert len(world.server.links) == 1


@virtual
async def test_a_heartbeat_outstanding_when_the_process_was_stopped_is_not_judged(world: World) -> None:
    socket = world.socket(Options.preset("live"))
    await world.connected(socket, stable=True)
    world.server.frozen = True
    sent = len(world.server.frames("heartbeat"))
    await world.until(lambda: len(world.server.frames("heartbeat")) > sent)
    await world.pass_time(1)
    world.stop_process(60)
    world.server.frozen = False
    await world.pass_time(5)
    assert socket.is_connected
    assert metrics(socket).heartbeat_failures == 0


@virtual
async def test_a_link_that_died_while_the_process_was_stopped_is_dropped_by_the_one_heartbeat(
    world: World,
) -> None:
    socket = world.socket(Options.preset("live"))
    await world.connected(socket, stable=True)
    world.server.frozen = True
    world.stop_process(60)
    woke = world.now
    await world.until(lambda: socket.state == "reconnecting", within=5)
    assert world.now - woke == pytest.approx(3, abs=0.05)
    assert metrics(socket).heartbeat_failures == 1


@virtual
@pytest.mark.parametrize("preset", ["service", "overlay", "live"])
async def test_a_machine_that_slept_for_an_hour_finds_the_dead_link_within_seconds(
    world: World, preset: str
) -> None:
    options = Options.preset(preset)
    socket = world.socket(options)
    await world.connected(socket, stable=True)
    world.server.frozen = True
    world.sleep_machine(3600)
    woke = world.now
    await world.until(lambda: socket.state == "reconnecting")
    assert world.now - woke <= 5 + options.heartbeat_timeout + 0.1


@virtual
async def test_a_machine_that_slept_while_a_breaker_was_open_probes_within_seconds(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=1)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.sleep_machine(3600)
    await world.pass_time(5.1)
    assert len(world.server.attempts) == 2


@virtual
async def test_a_process_that_was_stopped_while_it_waited_tries_at_once(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=1)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    world.server.start()
    world.stop_process(301)
    await world.settle()
    assert socket.is_connected


@virtual
async def test_an_attempt_under_way_when_the_process_was_stopped_is_not_judged(world: World) -> None:
    world.server.open_takes = 8.0
    socket = world.socket(open_timeout=10.0)
    socket.connect()
    await world.pass_time(1)
    world.sleep_machine(3600)
    await world.pass_time(7.1)
    assert socket.is_connected
    assert len(world.server.attempts) == 1


@virtual
async def test_a_connection_does_not_become_stable_by_sleeping(world: World) -> None:
    stable: list[float] = []
    socket = world.socket(reconnect_jitter=0.0)
    socket.on_stable(lambda: stable.append(world.now))
    await socket.connect()
    await world.pass_time(1)
    world.server.frozen = True
    world.sleep_machine(3600)
    await world.until(lambda: socket.state == "reconnecting")
    assert stable == [], "nobody saw it live for so long"


@virtual
@pytest.mark.parametrize("jump", [-100_000.0, 100_000.0])
async def test_a_jump_of_the_wall_clock_changes_no_decision(world: World, jump: float) -> None:
    async def run(jumps: bool) -> list[float]:
        begun = world.now
        world.server.attempts.clear()
        socket = world.socket(circuit_breaker_timeout=50.0)
        await world.connected(socket, stable=True)
        if jumps:
            world.jump_wall_clock(jump)
        world.server.stop()
        await world.pass_time(10)
        if jumps:
            world.jump_wall_clock(jump)
        await world.pass_time(100)
        world.server.start()
        await world.pass_time(100)
        assert socket.is_connected
        if jumps:
            world.jump_wall_clock(jump)
        await world.pass_time(100)
        assert metrics(socket).heartbeat_failures == 0
        assert details(socket).time_in_state >= 100
        await socket.close()
        return [when - begun for when in world.server.attempts]

    assert await run(jumps=True) == [near(when) for when in await run(jumps=False)]


@virtual
async def test_the_next_try_is_told_by_the_wall_clock_as_it_stands(world: World) -> None:
    refuse(world)
    socket = world.socket(circuit_breaker_threshold=1, circuit_breaker_timeout=100.0)
    socket.connect()
    await world.settle()
    told = details(socket).next_try or 0.0
    assert told == near(world.clock.time() + 100)
    world.jump_wall_clock(5_000)
    assert details(socket).next_try == near(told + 5_000)


# A restart of the server, on every preset


def longest_wait(options: Options, outage: float) -> float:
    """The longest wait that can be in force when an outage that began on a stable link ends."""
    shortest_sum, longest, failures = 0.0, 0.0, 0
    while shortest_sum <= outage and failures < 1_000:
        if (failures and failures % options.circuit_breaker_threshold == 0) or (
            failures > options.circuit_breaker_threshold
        ):
            least = most = options.circuit_breaker_timeout
        else:
            most = min(options.reconnect_base_delay * 2**failures, options.reconnect_max_delay)
            least = 0.0 if failures == 0 else most * (1 - options.reconnect_jitter)
        longest = max(longest, most)
        shortest_sum += least
        failures += 1
    return longest


async def all_joined(world: World, channels: list[Channel]) -> float:
    return await world.until(lambda: all(channel.state == "joined" for channel in channels))


@virtual
@pytest.mark.parametrize("outage", [0.1, 2.0, 20.0, 90.0])
@pytest.mark.parametrize("preset", ["service", "overlay", "live"])
async def test_after_a_restart_every_channel_is_joined_as_soon_as_the_rules_allow(
    world: World, preset: str, outage: float, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options.preset(preset)
    times = []
    for seed in range(10):
        world.seed = seed
        socket = world.socket(options)
        channels = [socket.channel(f"room:{number}") for number in range(4)]
        for channel in channels:
            channel.join()
        await world.connected(socket, stable=True)
        world.server.stop()
        await world.pass_time(outage)
        world.server.start()
        times.append(await all_joined(world, channels))
        assert world.server.joined == {channel.topic for channel in channels}
        await socket.close()
    bound = longest_wait(options, outage) + 4 * LATENCY + SOON
    with capsys.disabled():
        print(
            f"\n  {preset:8} restart of {outage:4g} s: joined again after {sorted(times)[5]:6.2f} s "
            f"(median of 10), at most {max(times):6.2f} s; allowed {bound:6.2f} s",
            end="",
        )
    assert max(times) <= bound
