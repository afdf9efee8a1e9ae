"""Draw the dashboard as SVG: ``python -m tests.picture [demo|evening] FILE.svg [WIDTH HEIGHT] [KEYS...]``.

``demo`` is the real program on its staged hubs, drawn while a breaker is open (the README's picture);
``evening`` is a scripted engine with all that can be wrong at once.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from pathlib import Path

from tests.scripted_engine import evening
from tui.app import FaceOptions, OverlaySupervisorApp
from tui.demo_host import DemoHost
from tui.engine.api import Engine
from tui.engine.supervisor import Supervisor


async def draw(
    engine: Engine, size: tuple[int, int] = (80, 24), keys: tuple[str, ...] = (), theme: str = "dark"
) -> str:
    """Return, as SVG, what ``engine`` shows after ``keys`` were pressed."""
    app = OverlaySupervisorApp(engine, options=FaceOptions(theme=theme))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.6)
        picture = app.export_screenshot(title="overlay-supervisor")
        # A picture must not fetch fonts from somewhere when it is looked at.
        return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def draw_demo(size: tuple[int, int], keys: tuple[str, ...], theme: str, limit: float = 30.0) -> str:
    """Return, as SVG, the real demo at the moment when a breaker is open; ``limit`` in seconds."""
    with DemoHost() as host:
        engine = Supervisor(host.connections(), extras=host)
        host.supervise(engine)
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        try:
            end = time.monotonic() + limit
            while not any(each.metrics.is_circuit_open for each in engine.snapshot().connections):
                if time.monotonic() > end:
                    raise RuntimeError(f"no breaker opened within {limit:g} s")
                time.sleep(0.05)
            return asyncio.run(draw(engine, size, keys, theme))
        finally:
            engine.stop()
            thread.join(5)


def main() -> None:
    """Draw what the command line asks for."""
    what, path, *rest = sys.argv[1:]
    size = (int(rest[0]), int(rest[1])) if len(rest) > 1 else (80, 24)
    keys = rest[2:]
    theme = keys.pop(0).removeprefix("theme=") if keys and keys[0].startswith("theme=") else "dark"
    if what == "demo":
        picture = draw_demo(size, tuple(keys), theme)
    else:
        picture = asyncio.run(draw(evening(), size, tuple(keys), theme))
    Path(path).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
