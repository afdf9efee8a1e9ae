"""The page that the guide prints, on the official JavaScript client under Node."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import guide
from tests.engine.conftest import eventually
from tui.demo.hub import Hub

HERE = Path(__file__).parent
NODE = shutil.which("node")
needs_the_client = pytest.mark.skipif(
    NODE is None or not (HERE / "node_modules" / "phoenix").is_dir(),
    reason="node or the JavaScript client is not installed: npm ci --prefix tests/conformance",
)

AROUND = """\
// What a browser has, and what the guide leaves to its reader.
import WebSocket from "ws"
globalThis.WebSocket = WebSocket
const say = (what, { id = null, who = null } = {}) =>
  process.stdout.write(JSON.stringify({ what, id, who, at: performance.now() / 1000 }) + "\\n")
const show = data => say("shown", data)
const hide = () => say("hidden")
process.stdin.resume()
process.stdin.on("end", () => process.exit(0))
"""


class Page:
    """The page, and what it told: ``what`` ("shown" or "hidden"), ``id``, ``who``, and ``at`` in seconds of
    its own clock."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.noted: list[dict[str, Any]] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.noted.append(json.loads(line))

    def all(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.noted if each["what"] == what]

    @property
    def has_on(self) -> str | None:
        """The id of the alert that stands on it."""
        return self.noted[-1]["id"] if self.noted else None

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def page(hub: Hub, folder: Path) -> AsyncIterator[Page]:
    """Opened, and joined."""
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(HERE / "node_modules")
    script = folder / "page.mjs"
    script.write_text(AROUND + guide.block("js", "stream_state").replace(guide.HUB_URL, hub.url))
    before = hub.joins["stream:overlays"]
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    found = Page(process)
    listening = asyncio.create_task(found.listen())
    try:
        await eventually(lambda: hub.joins["stream:overlays"] > before, "the page is there")
        yield found
    finally:
        await found.close()
        await listening
