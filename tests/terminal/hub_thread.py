"""A hub for tests whose own calls block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from tui.demo.hub import Hub


class HubThread:
    """A hub in a thread with a loop of its own, since tmux is asked by blocking calls."""

    def __init__(self) -> None:
        self.hub = Hub()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.do(self.hub.start())

    def do(self, coroutine: Coroutine[Any, Any, object]) -> object:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def heartbeats(self) -> int:
        return sum(1 for received in list(self.hub.received) if received.frame.event == "heartbeat")

    def end(self) -> None:
        self.do(self.hub.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
