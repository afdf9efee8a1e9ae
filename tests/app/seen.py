"""The app on a scripted engine, as its tests look at it: what is on its screen, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot

from tests.pace import PATIENCE
from tui.app.app import OverlaySupervisorApp

SIZE = (80, 24)


def screen_lines(app: OverlaySupervisorApp) -> list[str]:
    """What is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def screen_text(app: OverlaySupervisorApp) -> str:
    return "\n".join(screen_lines(app))


async def until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition, with a limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within the limit; the screen:\n" + screen_text(app_of(pilot)))
        await pilot.pause(0.02)


async def until_seen(pilot: Pilot[int], text: str) -> None:
    await until(pilot, lambda: text in screen_text(app_of(pilot)))


def app_of(pilot: Pilot[int]) -> OverlaySupervisorApp:
    assert isinstance(pilot.app, OverlaySupervisorApp)
    return pilot.app


def row_of(app: OverlaySupervisorApp, start: str) -> str:
    return next(line for line in screen_lines(app) if line.strip(" ▸─").startswith(start))
