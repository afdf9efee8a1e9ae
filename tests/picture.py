"""Draw screens as SVG.

``python -m tests.picture`` draws the README's pictures anew: the real program on the demonstration's own
hubs, in about ten seconds, while a fault is staged.

``python -m tests.picture FILE.svg [WIDTH HEIGHT] [theme=NAME] [KEYS...]`` draws, for looking at it, a
scripted evening with all that can be wrong at once, after ``KEYS`` were pressed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tests.scripted_engine import evening
from tui.alerts.store import FILE_NAME, AlertStore
from tui.app.app import AppOptions, OverlaySupervisorApp, picture_of
from tui.app.screens.inspector import InspectorScreen
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor
from tui.model.engine import Engine
from tui.model.snapshot import ConnectionSnapshot
from tui.runtime.demo_host import DemoHost
from widgets.frame_list import FrameList

FOLDER = Path(__file__).parent
SIZE = (100, 30)
LIMIT = 90.0
"""Seconds to wait for a moment worth a picture; a round of the demonstration takes about 40."""
FRAMES = 24


def draw_readme() -> None:
    """Draw the README's pictures into :data:`FOLDER`."""
    with DemoHost() as host, tempfile.TemporaryDirectory() as folder:
        desks = ComponentOptions(alerts=host.alerts(Path(folder)), services=host.services())
        store = AlertStore(Path(folder) / FILE_NAME)
        store.start()
        engine = Supervisor(host.connections(), plugin_commands=host, components=desks, alert_store=store)
        host.supervise(engine)
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        try:
            asyncio.run(_draw_demo(engine))
        finally:
            engine.stop()
            thread.join(5)
            store.close(1.0)


async def _draw_demo(engine: Engine) -> None:
    app = OverlaySupervisorApp(engine, options=AppOptions(theme="dark"))
    async with app.run_test(size=SIZE) as pilot:

        def some_broken(at_least: int) -> bool:
            connections = engine.snapshot().connections
            broken = [each for each in connections if each.metrics.is_circuit_open]
            return len(broken) >= at_least and all(_well(each) for each in connections if each not in broken)

        await _until(pilot, lambda: some_broken(0), "no moment without trouble")
        app.open_screen(InspectorScreen("stage"))
        await _until(pilot, lambda: _frames(app) >= FRAMES // 2, "no frames")
        await engine.push("stage", "stream:overlays", "ping", {})
        await _until(pilot, lambda: _frames(app) >= FRAMES, "too few frames")
        # Once more read, so that the list has come to its end.
        await pilot.pause(0.4)
        _keep(app, "inspector")
        await pilot.press("escape")
        await _until(pilot, lambda: some_broken(1), "no breaker opened")
        # By then the past of the broken one has been read.
        await pilot.pause(0.5)
        _keep(app, "dashboard")
        await pilot.press("enter")
        await pilot.pause(0.5)
        _keep(app, "details")
        await pilot.press("escape")
        await _until(pilot, lambda: _plays(engine), "no alert on air")
        await pilot.press("a")
        await pilot.pause(0.8)
        _keep(app, "alerts")


def _well(connection: ConnectionSnapshot) -> bool:
    joined = all(channel.state == "joined" for channel in connection.channels)
    return connection.metrics.connection_state == "connected" and joined


def _plays(engine: Engine) -> bool:
    alerts = engine.snapshot().alerts
    playing = None if alerts is None else alerts.playing
    return alerts is not None and playing is not None and playing.confirmed and len(alerts.recent) > 4


def _frames(app: OverlaySupervisorApp) -> int:
    lists = app.screen.query(FrameList)
    return len(lists.first().lines) if lists else 0


async def _until(pilot: Pilot[int], condition: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{otherwise} within {LIMIT:g} s")
        await pilot.pause(0.05)


def _keep(app: OverlaySupervisorApp, name: str) -> None:
    path = FOLDER / f"{name}.svg"
    path.write_text(picture_of(app), encoding="utf-8")
    print(path)


async def draw(engine: Engine, size: tuple[int, int], keys: list[str], theme: str) -> str:
    """Return, as SVG, what ``engine`` shows after ``keys`` were pressed."""
    app = OverlaySupervisorApp(engine, options=AppOptions(theme=theme))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        await pilot.press(*keys)
        await pilot.pause(0.6)
        return picture_of(app)


def main() -> None:
    """Draw what the command line asks for."""
    if len(sys.argv) == 1:
        # The faults are staged: they belong into the pictures alone.
        logging.disable(logging.ERROR)
        draw_readme()
        return
    path, *rest = sys.argv[1:]
    size = (80, 24)
    if len(rest) > 1 and rest[0].isdigit():
        size, rest = (int(rest[0]), int(rest[1])), rest[2:]
    theme = rest.pop(0).removeprefix("theme=") if rest and rest[0].startswith("theme=") else "dark"
    Path(path).write_text(asyncio.run(draw(evening(), size, rest, theme)), encoding="utf-8")


if __name__ == "__main__":
    main()
