"""The hub under the face's benchmarks, in a process of its own."""

from __future__ import annotations

import asyncio
import time

from tests.bench.processes import obey, say
from tests.bench.servers import payload
from tui.demo.hub import Hub

HUB = "tests.bench.face_hub:hub"

_ROUND = 0.02
_BEHIND = 0.25
"""Seconds of messages that are made up for after this process stood still; the rest are never sent."""
_BYTES = 200


def topic(number: int) -> str:
    """What link ``number`` joins to be flooded."""
    return f"echo:{number}"


class _Flood:
    """Broadcasts at a steady rate, to each topic in turn."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def start(self, rate: float, topics: int) -> None:
        self.stop()
        if rate > 0:
            self._task = asyncio.create_task(self._run(rate, topics), name="flood")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, rate: float, topics: int) -> None:
        due, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(_ROUND)
            now = time.monotonic()
            due = min(due + (now - last) * rate, _BEHIND * rate)
            last = now
            while due >= 1:
                number = self.sent
                self._hub.send_to_topic(topic(number % topics), "news", payload(number, _BYTES))
                self.sent += 1
                due -= 1


async def hub() -> None:
    """One hub that is quiet until told otherwise.

    ``traffic`` and ``flood`` set their rates, ``sent`` answers how many messages the flood has broadcast,
    ``joined`` how many channels are joined.
    """
    async with Hub(seed=1) as running:
        flooding = _Flood(running)

        async def traffic(rate: float) -> None:
            running.traffic = rate

        async def flood(rate: float, topics: int) -> None:
            flooding.start(rate, topics)

        async def sent() -> int:
            return flooding.sent

        async def joined() -> int:
            return sum(len(running.channels(name)) for name in running.topics())

        say([running.url])
        try:
            await obey({"traffic": traffic, "flood": flood, "sent": sent, "joined": joined})
        finally:
            flooding.stop()
