"""The nine metrics and what stands beside them, exact after every story."""

from __future__ import annotations

import pytest

from tests.channels.virtual import World, check_counters, collect, details, metrics, virtual
from tui.channels import HealthMetrics, Options
from tui.channels.health import RoundTrips
from tui.simulation.loop import EPOCH


@virtual
async def test_the_nine_before_anything_happened(world: World) -> None:
    assert metrics(world.socket()) == HealthMetrics()


@virtual
async def test_the_nine_after_a_day_of_trouble(world: World) -> None:
    socket = world.socket(
        circuit_breaker_threshold=3,
        circuit_breaker_timeout=60.0,
        max_reconnect_attempts=6,
        reconnect_jitter=0.0,
    )
    await world.connected(socket, stable=True)
    assert metrics(socket).successful_connects == 1
    # Frozen: one heartbeat failure, back at once.
    world.server.frozen = True
    await world.until(lambda: socket.state == "reconnecting")
    world.server.frozen = False
    await world.until(lambda: details(socket).stable)
    health = metrics(socket)
    assert (health.heartbeat_failures, health.total_reconnects, health.failed_reconnects) == (1, 1, 0)
    assert health.reconnect_attempts == 0
    # Away: three failures and a trip, and a probe, which is none.
    world.server.stop()
    await world.settle()
    await world.until(lambda: details(socket).circuit_breaker_probes == 1 and socket.state == "failed")
    health = metrics(socket)
    assert (health.reconnect_attempts, health.failed_reconnects) == (4, 4)
    assert health.is_circuit_open
    # Back: the probe becomes stable.
    world.server.start()
    await world.until(lambda: details(socket).stable)
    assert metrics(socket) == HealthMetrics(
        connection_state="connected",
        reconnect_attempts=0,
        total_reconnects=2,
        failed_reconnects=4,
        successful_connects=3,
        heartbeat_failures=1,
        circuit_breaker_trips=1,
        last_heartbeat=metrics(socket).last_heartbeat,
        is_circuit_open=False,
    )
    # An attempt aborted, one that failed before its heartbeat was answered, one by hand.
    world.server.hangs = True
    socket.reconnect()
    await world.pass_time(1)
    await socket.disconnect()
    known = details(socket)
    assert (known.attempts_begun, known.failed_attempts, known.attempts_aborted) == (8, 4, 1)
    assert metrics(socket).connection_state == "disconnected"
    assert metrics(socket).circuit_breaker_trips == 1


@virtual
async def test_a_first_attempt_that_fails_is_no_failed_reconnect(world: World) -> None:
    world.server.refusal = ConnectionRefusedError()
    socket = world.socket()
    socket.connect()
    await world.settle()
    assert (metrics(socket).failed_reconnects, details(socket).failed_attempts) == (0, 1)
    assert metrics(socket).reconnect_attempts == 0
    await world.pass_time(1.1)
    assert (metrics(socket).failed_reconnects, metrics(socket).reconnect_attempts) == (1, 1)


@virtual
async def test_a_connection_that_did_not_become_stable_was_a_success_of_its_attempt(world: World) -> None:
    world.server.closes_after = 1.0
    socket = world.socket(circuit_breaker_threshold=2)
    socket.connect()
    await world.until(lambda: socket.state == "failed")
    health = metrics(socket)
    assert (health.successful_connects, health.failed_reconnects) == (2, 0)
    assert health.circuit_breaker_trips == 1, "and a failure all the same"


@virtual
async def test_every_attempt_is_counted_in_exactly_one_place_at_every_moment(world: World) -> None:
    socket = world.socket(Options.preset("live"))
    socket.on_message(lambda message: check_counters(socket))
    for fault in ("refusal", "hangs", "frozen", "none", "frozen", "none"):
        world.server.refusal = ConnectionResetError() if fault == "refusal" else None
        world.server.hangs = fault == "hangs"
        world.server.frozen = fault == "frozen"
        socket.reconnect()
        for _ in range(50):
            await world.pass_time(0.37)
    world.server.frozen = False
    await world.until(lambda: socket.is_connected)
    check_counters(socket)


@virtual
async def test_the_same_under_the_camel_case_names_of_the_reports(world: World) -> None:
    socket = world.socket()
    assert metrics(socket).to_camel()["lastHeartbeat"] is None
    await socket.connect()
    assert metrics(socket).to_camel() == {
        "connectionState": "connected",
        "reconnectAttempts": 0,
        "totalReconnects": 0,
        "failedReconnects": 0,
        "successfulConnects": 1,
        "heartbeatFailures": 0,
        "circuitBreakerTrips": 0,
        "lastHeartbeat": round((EPOCH + 1_000.002) * 1_000),
        "isCircuitOpen": False,
    }


@virtual
async def test_messages_and_bytes_are_counted_both_ways(world: World) -> None:
    socket = world.socket()
    channel = socket.channel("a:1")
    collect(channel, "tick")
    channel.join()
    await socket.connect()
    await world.settle()
    assert (details(socket).messages_out, details(socket).messages_in) == (2, 2)
    before = details(socket).bytes_in
    world.server.link.arrive_raw(b'[null,null,"a:1","tick",{}]', True)
    assert details(socket).bytes_in == before + 27
    sent = details(socket).bytes_out
    channel.push("x", {})
    assert details(socket).bytes_out == sent + len('["2","3","a:1","x",{}]')


@virtual
async def test_the_time_in_a_state_counts_sleep_and_the_last_close_is_told_in_words(world: World) -> None:
    socket = world.socket()
    await socket.connect()
    await world.pass_time(10)
    assert details(socket).time_in_state == pytest.approx(10, abs=0.01)
    world.sleep_machine(3600)
    assert details(socket).time_in_state == pytest.approx(3610, abs=0.01)
    world.server.drop(1012, "1012 service restart")
    await world.settle()
    known = details(socket)
    assert (known.last_close_code, known.last_close_reason) == (1012, "1012 service restart")
    assert known.reason == "1012 service restart"
    assert known.last_close_at == pytest.approx(world.clock.time(), abs=0.1)
    socket.clock_was_set(3600.0)
    assert details(socket).last_close_at == pytest.approx(world.clock.time() + 3600, abs=0.1)


@virtual
async def test_a_connection_that_we_drop_for_its_silence_is_the_last_close(world: World) -> None:
    socket = world.socket(heartbeat_interval=5.0, heartbeat_timeout=3.0)
    await world.connected(socket)
    assert details(socket).last_close_at is None
    world.server.frozen = True
    await world.until(lambda: socket.state == "reconnecting")
    known = details(socket)
    assert (known.last_close_code, known.last_close_at) == (1006, known.since)
    assert known.last_close_reason == "dropped by us: nothing came within 3 s of a heartbeat"
    # What a person asks for, and an attempt that comes to nothing, close nothing.
    world.server.frozen = False
    await world.until(lambda: socket.is_connected)
    await socket.disconnect()
    assert details(socket).last_close_at == known.last_close_at


def test_percentiles_are_by_nearest_rank_over_the_last_hundred() -> None:
    times = RoundTrips()
    assert (times.last, times.percentile(0.5)) == (None, None)
    for number in range(1, 151):
        times.add(float(number))
    assert times.last == 150
    assert times.percentile(0.5) == 100
    assert times.percentile(0.95) == 145
    single = RoundTrips()
    single.add(3.0)
    assert (single.percentile(0.5), single.percentile(0.95)) == (3, 3)
