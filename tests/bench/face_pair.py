"""The program with its face and the engine alone, watched in the same seconds."""

from __future__ import annotations

import asyncio
import contextlib
import math
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from tests.bench import processes
from tests.bench.face_terminal import BenchError, Paint, Place, Program, Size, Terminal
from tests.bench.figures import Aim, Figure, Sample, sample

_UP_LIMIT = 30.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How long and how often."""

    seconds: float = 30.0
    """Of measuring, in each case."""
    windows: int = 5
    """The parts of these seconds; a median is of so many."""
    settle: float = 8.0
    """Seconds between the last link's coming up and the measuring: what happens at the start is over."""
    presses: int = 120
    gap: tuple[float, float] = (0.1, 0.3)
    """Seconds from a repaint to the next press, at random between these."""
    starts: int = 7
    minutes: float = 3.0
    repeats: int = 3
    sizes: tuple[Size, ...] = ((80, 24), (200, 50))
    presets: tuple[str, ...] = ("service", "live")
    many: int = 200


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass
class Window:
    """What was used in a few seconds, beside each other."""

    seconds: float
    with_face: float
    """Per cent of a core."""
    alone: float
    """Per cent of a core."""
    written: float
    """Bytes a second."""

    @property
    def face(self) -> float:
        """Per cent of a core that the face takes."""
        return self.with_face - self.alone


@dataclass
class Compared:
    """The windows of one case, and what was painted in them."""

    windows: list[Window]
    paints: list[Paint]

    @property
    def seconds(self) -> float:
        """Of all windows."""
        return sum(window.seconds for window in self.windows)

    def cost(self, name: str, what: str, limit: float, note: str, void: str | None = None) -> Figure:
        """The figure of the processor time that the face takes."""
        costs = sample([window.face for window in self.windows])
        return Figure(
            name=name,
            what=what,
            value=costs.median,
            value_unit="% of a core above the engine's",
            aim=Aim(limit=limit),
            unit="%",
            ours=costs,
            note=note,
            void=void,
            more={
                "with the face %": statistics.median(window.with_face for window in self.windows),
                "engine alone %": statistics.median(window.alone for window in self.windows),
            },
        )

    @property
    def written(self) -> Sample:
        """Bytes a second, window by window."""
        return sample([window.written for window in self.windows])

    @property
    def written_mean(self) -> float:
        """Bytes a second over all windows: what comes in bursts has no telling median."""
        return sum(window.written * window.seconds for window in self.windows) / self.seconds


@dataclass
class Pair:
    """A face with its engine, and the same engine alone."""

    face: Terminal
    alone: Program

    async def compare(self, scale: Scale) -> Compared:
        """Watch both for so many windows."""
        windows = []
        self.face.paints.clear()
        for _ in range(scale.windows):
            at, before, received = time.perf_counter(), self._used(), self.face.received
            await asyncio.sleep(scale.seconds / scale.windows)
            passed, after = time.perf_counter() - at, self._used()
            windows.append(
                Window(
                    seconds=passed,
                    with_face=(after[0] - before[0]) / passed * 100,
                    alone=(after[1] - before[1]) / passed * 100,
                    written=(self.face.received - received) / passed,
                )
            )
        return Compared(windows, list(self.face.paints))

    def _used(self) -> tuple[float, float]:
        return self.face.processor_seconds(), self.alone.processor_seconds()


async def joined(server: processes.Server, channels: int) -> None:
    """Wait until so many channels are joined to the hub."""
    try:
        async with asyncio.timeout(_UP_LIMIT):
            while await server.ask("joined") != channels:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BenchError(f"{channels} channels joined: not within {_UP_LIMIT:g} s") from None


async def shown_up(face: Terminal, links: int) -> None:
    """Wait until the screen says that so many links are up."""
    await face.until(lambda screen: f"{links}/{links} up" in screen.text(0), f"{links} links up", _UP_LIMIT)


@contextlib.asynccontextmanager
async def side_by_side(
    server: processes.Server, place: Place, size: Size, settle: float
) -> AsyncIterator[Pair]:
    """A face and an engine alone, all of whose channels have been joined for ``settle`` seconds."""
    async with place.engine() as alone, place.face(size) as face:
        await shown_up(face, place.links)
        await joined(server, 2 * place.channels)
        await asyncio.sleep(settle)
        yield Pair(face, alone)
