"""Endpoints that answer as no health endpoint should; the program asks them of its own accord."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.services.test_services_http import Server

WAYS = (
    *("redirect", "hangs", "trickles", "resets", "ends", "garbage", "huge", "crumbs", "headers"),
    *("continues", "short", "endless", "slow", "odd", "half", "bomb"),
)


class Asked:
    """The server, in a thread of its own."""

    def __init__(self) -> None:
        self.server = Server()

    @property
    def requests(self) -> int:
        """How often it was asked."""
        return len(self.server.began)

    def urls(self, count: int) -> list[str]:
        """So many endpoints, in turn one of each kind."""
        port = self.server.port
        return [f"http://127.0.0.1:{port}/{WAYS[n % len(WAYS)]}" for n in range(count)]


@contextlib.contextmanager
def serving() -> Iterator[Asked]:
    """From when it listens."""
    asked, loop = Asked(), asyncio.new_event_loop()
    # Handlers are cancelled by the abort of their transports; what they say of it then is their own affair.
    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(asked.server.start(), loop).result(10)
    try:
        yield asked
    finally:
        loop.call_soon_threadsafe(asked.server.stop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
