"""What is measured of the whole program: on a terminal that is read, on a hub in a process of its own.

What the face costs is what the program with it uses above the engine alone, which runs beside it on the
same hub, in the same seconds and with the same settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from tests.bench import processes
from tests.bench.face_hub import HUB, topic
from tests.bench.face_keys import from_end_to_end, hold, press_in_turn, to_the_top
from tests.bench.face_pair import Compared, Scale, joined, percentile, shown_up, side_by_side
from tests.bench.face_terminal import BenchError, Place, Program, Size, Terminal
from tests.bench.figures import Aim, Figure, sample

FLOOD = 1_000.0
"""Messages a second, over all links."""
FLOODED_LINKS = 20
EVENING = 5.0
"""Events a second of the demo hub's traffic."""
_EVENING_TOPICS = (
    ("events:all", "events:chat"),
    ("stream:overlays", "stream:queue"),
    ("dashboard:main",),
    ("overlay:obs", "overlay:system"),
    ("transcription:live", "events:twitch"),
)
P = TypeVar("P", bound=Program)


def _words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


# Idle, and an evening


async def idle(scale: Scale) -> list[Figure]:
    """Five healthy links on which nothing but heartbeats comes."""
    figures = []
    topics = [(topic(number),) for number in range(5)]
    for preset in scale.presets:
        for size in scale.sizes:
            async with processes.Server(HUB) as server:
                with Place(server.url, topics, preset) as place:
                    async with side_by_side(server, place, size, scale.settle) as pair:
                        found = await pair.compare(scale)
            name, where = f"idle {preset} {_words(size)}", f"5 idle links, preset {preset}, {_words(size)}"
            note = f"{scale.windows} windows of {scale.seconds / scale.windows:g} s, side by side"
            figures.append(found.cost(f"{name} cpu", f"Processor time, {where}", 0.3, note))
            figures.append(_idle_bytes(f"{name} bytes", where, found))
    return figures


def _idle_bytes(name: str, where: str, found: Compared) -> Figure:
    wasted = [paint for paint in found.paints if not paint.rows]
    rows = Counter(row + 1 for paint in found.paints for row in paint.rows)
    changed = ", ".join(f"{row} ({count})" for row, count in sorted(rows.items()))
    return Figure(
        name=name,
        what=f"Bytes that changed nothing on the screen, {where}",
        value=sum(paint.size for paint in wasted) / found.seconds,
        value_unit="bytes a second",
        aim=Aim(limit=0.0),
        unit="bytes a second, all of them",
        ours=found.written,
        note=f"rows that changed, and how often: {changed or 'none'}",
        more={
            "bytes a second in all": found.written_mean,
            "paints": len(found.paints),
            "of them without a change": len(wasted),
        },
    )


async def traffic(scale: Scale) -> list[Figure]:
    """Five links with what the demo's hub sends on an ordinary evening."""
    figures = []
    for size in scale.sizes:
        async with processes.Server(HUB) as server:
            with Place(server.url, _EVENING_TOPICS) as place:
                await server.ask("traffic", rate=EVENING)
                async with side_by_side(server, place, size, scale.settle) as pair:
                    found = await pair.compare(scale)
        where = f"5 links with {EVENING:g} events a second, {_words(size)}"
        note = f"{scale.windows} windows of {scale.seconds / scale.windows:g} s, side by side"
        figures.append(found.cost(f"traffic {_words(size)} cpu", f"Processor time, {where}", 2.0, note))
        figures.append(
            Figure(
                name=f"traffic {_words(size)} bytes",
                what=f"Bytes written, {where}",
                value=found.written_mean / 1000,
                value_unit="kB/s",
                aim=Aim(limit=8.0) if size == (80, 24) else None,
                unit="bytes a second",
                ours=found.written,
                more=_paints(found),
            )
        )
    return figures


def _paints(found: Compared) -> dict[str, float]:
    sizes = [paint.size for paint in found.paints]
    return {
        "paints a second": len(sizes) / found.seconds,
        "bytes a paint, median": statistics.median(sizes) if sizes else 0.0,
    }


# A flood, and keys in it


async def flood(scale: Scale) -> list[Figure]:
    """Twenty links with a thousand messages a second in all."""
    figures = []
    topics = [(topic(number),) for number in range(FLOODED_LINKS)]
    for size in scale.sizes:
        async with processes.Server(HUB) as server:
            with Place(server.url, topics) as place:
                async with side_by_side(server, place, size, 0.0) as pair:
                    await server.ask("flood", rate=FLOOD, topics=len(topics))
                    await asyncio.sleep(scale.settle)
                    began, before = time.perf_counter(), await server.ask("sent")
                    found = await pair.compare(scale)
                    rate = (await server.ask("sent") - before) / (time.perf_counter() - began)
                    void = None if rate > 0.9 * FLOOD else f"only {rate:,.0f} messages a second were sent"
                    # Keys are one user's: with the second engine gone the machine has only him to serve.
                    await pair.alone.end()
                    pressed = await press_in_turn(pair.face, len(topics), scale)
        where = f"{len(topics)} links, {FLOOD:,.0f} messages a second in all, {_words(size)}"
        note = f"{scale.windows} windows of {scale.seconds / scale.windows:g} s, side by side"
        cost = found.cost(f"flood {_words(size)} cpu", f"Processor time, {where}", 3.0, note, void)
        cost.more.update({"messages a second": rate, "kB/s": found.written_mean / 1000} | _paints(found))
        figures.append(cost)
        figures.append(pressed.figure(f"flood {_words(size)} keys", f"j or k to repaint, p95, {where}", void))
    return figures


# The engine behind a face that does its worst


async def engine_delay(scale: Scale) -> list[Figure]:
    """How late the engine's loop is while the face is flooded, resized and typed at."""
    topics = [(topic(number),) for number in range(FLOODED_LINKS)]
    found: dict[str, list[float]] = {"face": [], "alone": []}
    worst: list[float] = []
    async with processes.Server(HUB) as server:
        with Place(server.url, topics) as place:
            await server.ask("flood", rate=FLOOD, topics=len(topics))
            for repeat in range(scale.repeats):
                for kind, values in found.items():
                    file = place.folder / f"late_{kind}_{repeat}"
                    if kind == "face":
                        face = place.face((80, 24), look=False, lateness=file)
                        began, ended = await _measured(server, place, face, scale, _stir)
                    else:
                        alone = place.engine(lateness=file)
                        began, ended = await _measured(server, place, alone, scale, _leave_alone)
                    late = _read_lateness(file, began, ended)
                    values.append(percentile(late, 0.99))
                    if kind == "face":
                        worst.append(max(late))
    delays = sample(found["face"])
    return [
        Figure(
            name="engine_delay",
            what="Delay of the engine's loop, p99, while the face is flooded, resized and typed at",
            value=delays.median,
            value_unit="ms",
            aim=Aim(limit=10.0),
            unit="ms",
            ours=delays,
            note=f"{scale.repeats} interleaved repeats of {scale.seconds / scale.repeats:g} s",
            more={"engine alone, p99": sample(found["alone"]).median, "longest with the face": max(worst)},
        )
    ]


async def _measured(
    server: processes.Server,
    place: Place,
    program: P,
    scale: Scale,
    meanwhile: Callable[[P, float], Awaitable[None]],
) -> tuple[float, float]:
    async with program:
        await joined(server, place.channels)
        await asyncio.sleep(scale.settle / 2)
        began = time.perf_counter()
        await meanwhile(program, scale.seconds / scale.repeats)
        program.processor_seconds()  # which fails if it has ended
        return began, time.perf_counter()


async def _leave_alone(program: Program, seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _stir(face: Terminal, seconds: float) -> None:
    """Resize ten times a second and type twenty keys a second, none of which stops anything."""
    random_source = random.Random(1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        face.resize((random_source.randint(60, 220), random_source.randint(15, 60)))
        for _ in range(2):
            face.type(
                random_source.choice(("j", "k", "j", "k", "G", "g", "\t", "?", "\r", "i", "\x1b", "\x1b"))
            )
            await asyncio.sleep(0.05)


def _read_lateness(file: Path, began: float, ended: float) -> list[float]:
    if not file.exists():
        raise BenchError("the engine ended without saying how late it was")
    lines = (line.split() for line in file.read_text().splitlines())
    found = [float(late) * 1000 for at, late in lines if began <= float(at) <= ended]
    if not found:
        raise BenchError("the engine's loop was never woken")
    return found


# The start, the memory


async def start(scale: Scale) -> list[Figure]:
    """From starting the program to the first frame."""
    figures = []
    topics = [(topic(number),) for number in range(5)]
    for size in scale.sizes:
        first, up = [], []
        async with processes.Server(HUB) as server:
            with Place(server.url, topics) as place:
                for _ in range(scale.starts):
                    async with place.face(size) as face:
                        at = await face.until(lambda screen: screen.text(0).strip() != "", "a first frame")
                        first.append(at - face.began)
                        at = await face.until(lambda screen: "5/5 up" in screen.text(0), "5 links up")
                        up.append(at - face.began)
        times = sample(first)
        figures.append(
            Figure(
                name=f"start {_words(size)}",
                what=f"From exec to the first frame with row 1, {_words(size)}",
                value=times.median,
                value_unit="s",
                aim=Aim(limit=1.0),
                unit="s",
                ours=times,
                note=f"{scale.starts} starts",
                more={"until all 5 links are shown to be up": sample(up).median},
            )
        )
    return figures


async def memory(scale: Scale) -> list[Figure]:
    """Resident memory over minutes of the flood."""
    topics = [(topic(number),) for number in range(FLOODED_LINKS)]
    size = scale.sizes[0]
    curve: list[tuple[float, float]] = []
    async with processes.Server(HUB) as server:
        with Place(server.url, topics) as place:
            async with side_by_side(server, place, size, 0.0) as pair:
                await server.ask("flood", rate=FLOOD, topics=len(topics))
                began = time.perf_counter()
                length = scale.minutes * 60
                while (passed := time.perf_counter() - began) < length:
                    curve.append((passed, pair.face.megabytes()))
                    await asyncio.sleep(min(1.0, length / 20))
                curve.append((passed, pair.face.megabytes()))
                alone = pair.alone.megabytes()
    shown = [curve[round(part * (len(curve) - 1) / 9)] for part in range(10)]
    values = sample([megabytes for _, megabytes in curve])
    return [
        Figure(
            name="memory",
            what=f"Resident memory after {scale.minutes:g} minutes, {FLOODED_LINKS} links, {FLOOD:,.0f} "
            f"messages a second in all, {_words(size)}",
            value=values.values[-1],
            value_unit="MB",
            aim=Aim(limit=90.0),
            unit="MB",
            ours=values,
            note="curve: " + ", ".join(f"{at:.0f} s {megabytes:.1f}" for at, megabytes in shown),
            more={"engine alone at the end": alone},
        )
    ]


# Many links


async def many(scale: Scale) -> list[Figure]:
    """Scrolling in a list of two hundred links: j held down, then the last and the first in turn."""
    figures = []
    links = scale.many
    topics = [(topic(number),) for number in range(links)]
    for size in scale.sizes:
        async with processes.Server(HUB) as server:
            with Place(server.url, topics) as place:
                async with place.face(size) as face:
                    await shown_up(face, links)
                    await asyncio.sleep(scale.settle)
                    await to_the_top(face)
                    held = await hold(face, links, scale)
                    ends = await from_end_to_end(face, links, scale)
        where = f"{links} links, {_words(size)}"
        figures.append(held.figure(f"many {_words(size)} held", f"j held down to repaint, p95, {where}"))
        figures.append(ends.figure(f"many {_words(size)} ends", f"G or g to repaint, p95, {where}"))
    return figures


# Beside others


async def others(scale: Scale) -> list[Figure]:
    """The whole program with an evening's traffic, and htop and btop where they are installed."""
    figures = []
    there = {"htop": ("htop",), "btop": ("btop", "--utf-force")}
    for size in scale.sizes:
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(processes.Server(HUB))
            await server.ask("traffic", rate=EVENING)
            place = stack.enter_context(Place(server.url, _EVENING_TOPICS))
            face = await stack.enter_async_context(place.face(size))
            await shown_up(face, place.links)
            programs = {"overlay-supervisor": face}
            for name, command in there.items():
                if shutil.which(name):
                    program = Terminal(command, place.folder, size, look=False)
                    programs[name] = await stack.enter_async_context(program)
            await asyncio.sleep(scale.settle)
            found = await _watch(programs, scale)
            memories = {name: program.megabytes() for name, program in programs.items()}
        for name, (costs, written) in found.items():
            figures.append(
                Figure(
                    name=f"others {name} {_words(size)}",
                    what=f"{name}, whole, {_words(size)}",
                    value=statistics.median(costs),
                    value_unit="% of a core",
                    aim=None,
                    unit="%",
                    ours=sample(costs),
                    more={"bytes a second": written, "MB": memories[name]},
                )
            )
    return figures


async def _watch(programs: dict[str, Terminal], scale: Scale) -> dict[str, tuple[list[float], float]]:
    costs: dict[str, list[float]] = {name: [] for name in programs}
    began = time.perf_counter()
    received = {name: program.received for name, program in programs.items()}
    for _ in range(scale.windows):
        at = time.perf_counter()
        before = {name: program.processor_seconds() for name, program in programs.items()}
        await asyncio.sleep(scale.seconds / scale.windows)
        for name, program in programs.items():
            used = program.processor_seconds() - before[name]
            costs[name].append(used / (time.perf_counter() - at) * 100)
    passed = time.perf_counter() - began
    return {
        name: (costs[name], (program.received - received[name]) / passed)
        for name, program in programs.items()
    }


CASES: dict[str, Callable[[Scale], Coroutine[Any, Any, list[Figure]]]] = {
    each.__name__: each for each in (idle, traffic, flood, engine_delay, start, memory, many, others)
}
