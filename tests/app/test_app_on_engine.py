"""The face on a real engine and a real hub: what the screen says while the hub goes and comes back."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.engine.conftest import FAST, connection, eventually, running, state_of
from tests.pace import PATIENCE
from tui.app.app import OverlaySupervisorApp
from tui.demo.hub import Hub


def screen(pilot: Pilot[int]) -> str:
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def shows(pilot: Pilot[int], *words: str, limit: float = PATIENCE) -> str:
    """The screen, once it says all of these; a failure shows what it said instead."""
    try:
        await eventually(
            lambda: all(word in screen(pilot) for word in words), f"the screen says {words}", limit
        )
    except AssertionError as error:
        pytest.fail(f"{error}\n{screen(pilot)}")
    return screen(pilot)


async def test_a_hub_that_goes_and_comes_back_is_seen_line_by_line() -> None:
    async with Hub() as hub:
        stage = connection("stage", hub.url, "stream:overlays", "stream:queue", options=FAST)
        with running(stage) as engine:
            app = OverlaySupervisorApp(engine)
            async with app.run_test(size=(80, 24)) as pilot:
                up = await shows(pilot, "Connected", "1/1 up", "2/2", "● stream:overlays")
                assert "Circuit" not in up

                hub.faults.refuse()
                hub.faults.drop_all()
                # Between these two it is reconnecting, for less time than a busy machine may take to look.
                await shows(pilot, "0/1 up", "0/2", "errored")
                # The last values stay, with their age.
                await shows(pilot, "Circuit Breaker Open", "errored", " s ago")
                assert "refused by" in screen(pilot)

                # Commands say that there is nobody to take them.
                assert (await engine.push("stage", "stream:overlays", "ping", {})).message.startswith(
                    "not connected: stage"
                )

                # A probe under way is part of the same trouble: row 1 keeps its words.
                tries = engine.snapshot().connections[0].trouble
                assert tries is not None
                await eventually(
                    lambda: (
                        (now := engine.snapshot().connections[0].trouble) is not None
                        and now.tries > tries.tries
                    ),
                    "another probe failed",
                )
                assert screen(pilot).splitlines()[0].startswith(" ✗ Circuit Breaker Open")

                await hub.faults.accept()
                await shows(pilot, "Connected", "1/1 up", "2/2", "closed, 1 trip")

                await pilot.press("D")
                await pilot.press("y")
                await eventually(lambda: state_of(engine, "stage") == "disconnected", "disconnected by key")
                await shows(pilot, "○", "Disconnected", "0/1 up")
                await pilot.press("c")
                await shows(pilot, "● Connected", "1/1 up")


async def test_an_engine_that_ends_is_told_unmistakably() -> None:
    async with Hub() as hub:
        with running(connection("stage", hub.url)) as engine:
            app = OverlaySupervisorApp(engine)
            async with app.run_test(size=(80, 24)) as pilot:
                await shows(pilot, "Connected")
                engine.stop()
                await shows(pilot, "engine stopped: it was asked to stop", "was")
                assert "● Connected" not in screen(pilot)
