"""A loop of ours that is late: how much, and that no server is blamed for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from tests.channels.virtual import LATENCY, World, details, virtual
from tui.channels import Options, Socket
from tui.channels.loop_delay import KEPT, LEAST, LoopDelay


@pytest.mark.parametrize("held", [0.04, 0.15, 0.3, 40.0])
@virtual
async def test_the_longest_delay_of_a_time_is_known(world: World, held: float) -> None:
    delay = world.loop.delay
    assert delay.within(KEPT) == 0.0
    await world.pass_time(1.0)
    assert delay.within(KEPT) == 0.0
    world.stop_process(held)
    lasts = delay.within(0.0)
    await world.pass_time(0.1)
    ended = delay.within(1.0)
    expected = pytest.approx(held, abs=1e-4) if held >= LEAST else 0.0
    assert (lasts, ended) == (expected, expected)
    await world.pass_time(10.0)
    assert delay.within(5.0) == 0.0
    assert delay.within(KEPT) == expected
    await world.pass_time(KEPT)
    assert delay.within(KEPT) == 0.0


def test_a_loop_that_does_something_else_is_late() -> None:
    delay = LoopDelay()

    async def main() -> None:
        time.sleep(0.3)  # noqa: ASYNC251 (the fault itself)
        assert delay.within(1.0) >= 0.3
        await asyncio.sleep(0)
        assert delay.within(1.0) >= 0.3

    with asyncio.Runner(loop_factory=delay.new_loop) as runner:
        runner.run(main())


def test_a_loop_that_is_woken_too_late_is_late() -> None:
    """A process that was stopped, or that the system did not come to."""
    code = """if True:
        import asyncio, os, signal, subprocess
        from tui.channels.loop_delay import LoopDelay
        delay = LoopDelay()
        async def main():
            goes_on = f"sleep 0.3; kill -STOP {os.getpid()}; sleep 1; kill -CONT {os.getpid()}"
            subprocess.Popen(["sh", "-c", goes_on])
            await asyncio.sleep(0.6)
            print(delay.within(5))
        with asyncio.Runner(loop_factory=delay.new_loop) as runner:
            runner.run(main())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert float(done.stdout) > 0.5, done.stderr


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("beside", [True, False])
@virtual
async def test_a_round_trip_in_which_our_loop_was_late_is_marked_and_not_judged(
    world: World, ours: bool, beside: bool
) -> None:
    socket = Socket(
        "ws://hub.test:4000/socket",
        Options(heartbeat_interval=5),
        loop_delay=world.loop.delay,
        clock=world.clock,
        opener=world.server.open,
    )
    world.sockets.append(socket)
    await world.connected(socket)
    await world.pass_time(21)
    calm = details(socket)
    assert (len(socket.round_trips), calm.round_trips_unjudged) == (5, 0)
    if beside:
        assert socket.ping()
    else:
        sent = calm.heartbeats_sent
        await world.until(lambda: details(socket).heartbeats_sent > sent)
    if ours:
        world.stop_process(0.4)
    else:
        world.server.frozen = True
        await world.pass_time(0.4)
        world.server.frozen = False
        socket.ping()
    await world.pass_time(1.0)
    late = details(socket)
    if ours:
        assert late.round_trips_unjudged == 1
        assert len(socket.round_trips) == 5
        assert late.round_trip_p95 == calm.round_trip_p95 == pytest.approx(2 * LATENCY, abs=1e-4)
    else:
        assert late.round_trips_unjudged == 0
        assert len(socket.round_trips) == 6
    await world.pass_time(10)
    assert details(socket).round_trips_unjudged == late.round_trips_unjudged
    assert len(socket.round_trips) > 6
