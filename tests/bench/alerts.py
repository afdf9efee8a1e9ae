"""``python -m tests.bench alerts``: the alert queue of the whole program under a flood of viewer events."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.bench import processes
from tests.bench.alerts_hub import HUB, MARKED, MARKED_VIEWERS
from tests.bench.alerts_program import Told
from tests.bench.face_pair import percentile
from tests.bench.face_terminal import BenchError, Place, Terminal
from tests.bench.figures import Aim, Figure, as_markdown, as_text, sample
from tui.alerts.alert import decode
from tui.engine.alert_summaries import AWAY_TYPE

SIZE = (80, 24)
HEARTBEAT = 5.0
"""Seconds between two heartbeats of the ``live`` preset."""

_SETTINGS = (
    "[alerts]",
    'rules = "rules.toml"',
    # Nothing is to be trimmed before it is counted.
    "kept_count = 1000000",
    "[[alerts.sources]]",
    'connection = "link_000"',
    'topic = "events:all"',
    "[alerts.delivery]",
    'connection = "link_001"',
)
_RULES = f"""\
[[rule]]
type = "raid"
when = "viewers = {MARKED_VIEWERS}"
priority = 10
duration = 0.5
"""
"""What is looked for on the screen goes before all else, so that it stands in the first rows at once."""
_MARK = re.compile(rf"{MARKED}\d{{4}}")


class _Seen(NamedTuple):
    """What the program did while the viewers did theirs."""

    told: dict[str, int]
    program: Told
    on_screen: dict[str, float]
    marks: dict[str, float]
    beats: list[list[float]]
    processor: float
    seconds: float
    megabytes: float
    outcomes: Counter[str]


def main(argv: list[str]) -> int:
    """Measure and print; 1 when it could not be measured, else 0: a figure that falls short is no error."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench alerts", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second (200)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for so long (60)")
    parser.add_argument("--quick", action="store_true", help="three seconds: to see that it runs")
    parser.add_argument("--markdown", action="store_true", help="a table for a document")
    arguments = parser.parse_args(argv)
    seconds = 3.0 if arguments.quick else arguments.seconds
    try:
        figures = asyncio.run(_measure(arguments.rate, seconds))
    except BenchError as error:
        print(error)
        return 1
    print(as_markdown(figures) if arguments.markdown else "\n".join(map(as_text, figures)))
    return 0


async def _measure(rate: float, seconds: float) -> list[Figure]:
    topics = (("events:all",), ("stream:overlays",))
    async with processes.Server(HUB) as server:
        with Place(server.url, topics, more=_SETTINGS) as place:
            (place.folder / "rules.toml").write_text(_RULES)
            seen = await _watch(server, place, rate, seconds)
    return _figures(seen, rate)


async def _watch(server: processes.Server, place: Place, rate: float, seconds: float) -> _Seen:
    file = place.folder / "told.json"
    on_screen: dict[str, float] = {}
    async with place.measured("tests.bench.alerts_program", file, SIZE) as terminal:
        await terminal.until(lambda screen: "2/2 up" in screen.text(0), "both links up")
        while not await server.ask("listening"):
            await asyncio.sleep(0.05)
        terminal.type("a")
        await terminal.until(lambda screen: "AT " in screen.text(3) + screen.text(5), "the alerts' screen")
        terminal.watch = lambda at: _note(terminal, on_screen, at)
        before = terminal.processor_seconds()
        told = await server.ask("act", rate=rate, seconds=seconds)
        used = terminal.processor_seconds() - before
        # What came last is to be seen too.
        await asyncio.sleep(1.0)
        marks, beats = await server.ask("marks"), await server.ask("beats")
        megabytes = terminal.megabytes()
    program = msgspec.json.decode(file.read_bytes(), type=Told)
    outcomes = _stored(place.state)
    return _Seen(told, program, on_screen, marks, beats, used, seconds, megabytes, outcomes)


def _note(terminal: Terminal, on_screen: dict[str, float], at: float) -> None:
    """Which of the marked raids are to be read now."""
    screen = terminal.screen
    assert screen is not None
    for row in range(screen.height):
        for name in _MARK.findall(screen.text(row)):
            on_screen.setdefault(name, at)


def _stored(state: Path) -> Counter[str]:
    """How many alerts the store holds, by what became of them; ``open`` for those that wait or play."""
    with sqlite3.connect(state / "alerts.sqlite") as connection:
        rows = connection.execute("SELECT data FROM alerts WHERE type != ?", (AWAY_TYPE,)).fetchall()
    connection.close()
    return Counter(decode(data).outcome or "open" for (data,) in rows)


def _figures(seen: _Seen, rate: float) -> list[Figure]:
    arrivals = [(each.admitted_at - each.arrived_at) * 1000 for each in seen.program.alerts]
    late = sum(not each.committed for each in seen.program.alerts)
    screen = [
        (seen.on_screen[name] - sent) * 1000 for name, sent in seen.marks.items() if name in seen.on_screen
    ]
    gaps = [later - before for times in seen.beats for before, later in itertools.pairwise(times)]
    accepted = seen.told.get("accepted", 0) + seen.told.get("rejected", 0)
    unaccounted = abs(accepted - sum(seen.outcomes.values()))
    what = f"{rate:g} events a second for {seen.seconds:g} s"
    return [
        Figure(
            name="alerts accounted for",
            what=f"Accepted and rejected events that are not in the store, {what}",
            value=float(unaccounted),
            value_unit="events",
            aim=Aim(limit=0.0),
            unit="events",
            ours=sample([float(unaccounted)]),
            more={
                **_numbers(seen.told),
                **{f"stored {name}": number for name, number in _numbers(seen.outcomes).items()},
            },
        ),
        _percentile("alerts committed", "From the desk to committed and in the queue", arrivals, 50.0, late),
        _percentile(
            "alerts on screen", "From the hub to the screen", screen, 400.0, len(seen.marks) - len(screen)
        ),
        Figure(
            name="alerts heartbeats",
            what=f"The longest time between two heartbeats of a link, interval {HEARTBEAT:g} s",
            value=max(gaps, default=0.0),
            value_unit="s",
            aim=Aim(limit=1.2 * HEARTBEAT),
            unit="s",
            ours=sample(gaps or [0.0]),
            void=None if gaps else "no two heartbeats came in that time",
        ),
        Figure(
            name="alerts cpu",
            what=f"Processor time of the whole program, {what}",
            value=100 * seen.processor / seen.seconds,
            value_unit="% of a core",
            aim=None,
            unit="%",
            ours=sample([100 * seen.processor / seen.seconds]),
            more={"megabytes at the end": seen.megabytes},
        ),
    ]


def _percentile(name: str, what: str, values: list[float], limit: float, missing: int) -> Figure:
    found = values or [0.0]
    return Figure(
        name=name,
        what=f"{what}, p95",
        value=percentile(found, 0.95),
        value_unit="ms",
        aim=Aim(limit=limit),
        unit="ms",
        ours=sample(found),
        void=None if values else "nothing was measured",
        more={"measured": len(values), "missing or late": missing, "p50": percentile(found, 0.5)},
    )


def _numbers(counts: Any) -> dict[str, float]:
    return {str(name): float(number) for name, number in sorted(counts.items())}
