"""What a machine's sleep does to its clocks, and to what waits by them."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from tui.simulation.loop import PROCESS, VirtualClock, VirtualLoop


@pytest.mark.parametrize("counted", [True, False], ids=["counted by the loop", "not counted by the loop"])
def test_a_machine_that_sleeps_finds_every_clock_where_its_system_would_have_it(counted: bool) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    context = contextvars.copy_context()
    context.run(PROCESS.set, "laptop")
    # Of the loop's own clock, the one that counts sleep, and the wall clock.
    seen: list[tuple[float, float, float]] = []
    done: list[tuple[str, float]] = []

    def see() -> None:
        seen.append((loop.time(), clock.monotonic(), clock.time()))

    async def work() -> None:
        see()
        asyncio.get_running_loop().call_later(30.0, done.append, ("timer", 30.0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20.0):
                await asyncio.sleep(40.0)
        see()
        await asyncio.sleep(20.0)

    async def evening() -> None:
        task = loop.create_task(work(), context=context)
        await asyncio.sleep(10.0)
        loop.suspend("laptop")
        await asyncio.sleep(3600.0)
        assert len(seen) == 1
        assert loop.now == pytest.approx(4610.0, abs=0.01)
        loop.resume("laptop", 0.0 if counted else 3600.0)
        await task

    loop.run_until_complete(evening())
    loop.close()
    own, monotonic, wall = (later - earlier for earlier, later in zip(*seen, strict=True))
    assert own == pytest.approx(3610.0 if counted else 20.0, abs=0.01)
    # Ten seconds of its time were left, unless the loop's clock had gone on.
    assert (monotonic, wall) == (pytest.approx(own if counted else 3620.0, abs=0.01),) * 2
    assert done == [("timer", 30.0)]
