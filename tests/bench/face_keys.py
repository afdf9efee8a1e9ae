"""Keys that are pressed, and how soon the screen shows it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from tests.bench.face_pair import Scale, percentile
from tests.bench.face_terminal import Terminal, link_name
from tests.bench.figures import Aim, Figure, sample

_KEY_LIMIT = 5.0
_HELD = 1 / 30
"""Seconds between two repeats of a key that is held down."""
_REPAINT = Aim(limit=60.0)


@dataclass
class Pressed:
    """Milliseconds from presses to the paints that show them."""

    times: list[float]
    unanswered: int
    bench_late: list[float]
    """Milliseconds that this process was woken too late meanwhile: the machine's part in it."""

    def figure(self, name: str, what: str, void: str | None = None) -> Figure:
        """The figure of their 95th percentile."""
        if self.unanswered:
            void = f"{self.unanswered} presses were never shown"
        times = sample(self.times or [_KEY_LIMIT * 1000])
        return Figure(
            name=name,
            what=what,
            value=percentile(times.values, 0.95),
            value_unit="ms",
            aim=_REPAINT,
            unit="ms",
            ours=times,
            note=f"{len(self.times)} presses",
            void=void,
            more={"this bench's own lateness, p95 ms": percentile(self.bench_late or [0.0], 0.95)},
        )


@contextlib.asynccontextmanager
async def _lateness() -> AsyncIterator[list[float]]:
    late: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + 0.01
            await asyncio.sleep(0.01)
            late.append(max(0.0, time.perf_counter() - due) * 1000)

    ticker = asyncio.create_task(tick())
    try:
        yield late
    finally:
        ticker.cancel()


class _Awaited:
    """Presses in their order, each until the cursor is where it moved it."""

    def __init__(self, face: Terminal) -> None:
        self._face = face
        self._waiting: deque[tuple[float, Callable[[str], bool]]] = deque()
        self._nothing_waits = asyncio.Event()
        self.times: list[float] = []
        face.watch = self._poll

    def press(self, key: str, shown: Callable[[str], bool]) -> None:
        """Press ``key``; ``shown`` says of the selected name whether it shows that."""
        self._nothing_waits.clear()
        self._waiting.append((self._face.type(key), shown))

    def _poll(self, at: float) -> None:
        assert self._face.screen is not None
        selected = self._face.screen.selected
        while selected is not None and self._waiting and self._waiting[0][1](selected):
            self.times.append((at - self._waiting.popleft()[0]) * 1000)
        if not self._waiting:
            self._nothing_waits.set()

    async def answers(self) -> int:
        """Wait until all is shown; returns how many never were."""
        try:
            async with asyncio.timeout(_KEY_LIMIT):
                await self._nothing_waits.wait()
        except TimeoutError:
            pass  # what still waits is told
        unanswered = len(self._waiting)
        self._waiting.clear()
        return unanswered

    def end(self) -> None:
        """Look no longer."""
        self._face.watch = None


async def to_the_top(face: Terminal) -> None:
    """Order by name, so that no state moves a row under the cursor, and go to the first."""
    face.type("o")
    await asyncio.sleep(0.3)
    face.type("g")
    await face.until(lambda screen: screen.selected == link_name(0), "the cursor on the first link", 10)


async def press_in_turn(face: Terminal, links: int, scale: Scale) -> Pressed:
    """Press j down to the last link and k up again, each when the last press was shown."""
    random_source = random.Random(1)
    place, step, unanswered = 0, 1, 0
    await to_the_top(face)
    awaited = _Awaited(face)
    async with _lateness() as late:
        for _ in range(scale.presses):
            await asyncio.sleep(random_source.uniform(*scale.gap))
            if not 0 <= place + step < links:
                step = -step
            place += step
            awaited.press("j" if step > 0 else "k", link_name(place).__eq__)
            unanswered += await awaited.answers()
    awaited.end()
    return Pressed(awaited.times, unanswered, late)


async def hold(face: Terminal, links: int, scale: Scale) -> Pressed:
    """Hold j down, from the first link on."""
    awaited = _Awaited(face)
    async with _lateness() as late:
        for place in range(1, min(scale.presses, links - 1) + 1):
            # A later press may have been shown by the same paint.
            awaited.press("j", link_name(place).__le__)
            await asyncio.sleep(_HELD)
        unanswered = await awaited.answers()
    awaited.end()
    return Pressed(awaited.times, unanswered, late)


async def from_end_to_end(face: Terminal, links: int, scale: Scale) -> Pressed:
    """Press G and g in turn, each when the last press was shown."""
    random_source = random.Random(1)
    awaited, unanswered = _Awaited(face), 0
    async with _lateness() as late:
        for number in range(scale.presses // 2):
            await asyncio.sleep(random_source.uniform(*scale.gap))
            key, place = ("g", 0) if number % 2 else ("G", links - 1)
            awaited.press(key, link_name(place).__eq__)
            unanswered += await awaited.answers()
    awaited.end()
    return Pressed(awaited.times, unanswered, late)
