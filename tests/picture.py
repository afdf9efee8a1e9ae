"""Draw the dashboard as SVG: ``python -m tests.picture FILE.svg [WIDTH HEIGHT] [KEYS...]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.scripted_engine import evening
from tui.app import OverlaySupervisorApp
from tui.engine.api import Engine


async def draw(
    engine: Engine, size: tuple[int, int] = (80, 24), keys: tuple[str, ...] = (), theme: str = "dark"
) -> str:
    """Return, as SVG, what ``engine`` shows after ``keys`` were pressed."""
    app = OverlaySupervisorApp(engine, theme=theme)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.6)
        return app.export_screenshot(title="overlay-supervisor")


def main() -> None:
    """Draw an evening with all that can be wrong at once."""
    path, *rest = sys.argv[1:]
    size = (int(rest[0]), int(rest[1])) if len(rest) > 1 else (80, 24)
    theme = "dark"
    keys = rest[2:]
    if keys and keys[0].startswith("theme="):
        theme = keys.pop(0).removeprefix("theme=")
    picture = asyncio.run(draw(evening(), size, tuple(keys), theme))
    Path(path).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
