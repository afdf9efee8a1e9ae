"""``python -m tests.bench alerts``: the alert queue of the whole program under a flood of viewer events."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil  # type: ignore[import-untyped]  # it has no types

from tests.bench import processes
from tests.bench.alerts_hub import HUB, MARKED, MARKED_VIEWERS
from tests.bench.alerts_program import Report
from tests.bench.face_pair import percentile
from tests.bench.face_terminal import BenchError, Place, Terminal
from tests.bench.figures import Aim, Figure, as_markdown, as_text, sample
from tui.alerts.alert import Alert, decode
from tui.alerts.persistence import AWAY_TYPE, LASTING
from tui.control.client import ControlClient
from tui.control.protocol import SOCKET_NAME
from tui.model.alerts import AlertsSnapshot
from tui.model.snapshot import Snapshot

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

    noted: dict[str, int]
    program: Report
    on_screen: dict[str, float]
    marks: dict[str, float]
    beats: list[list[float]]
    processor: float
    seconds: float
    megabytes: float
    threads: dict[str, float]
    """Processor time of each, by its name."""
    queue: AlertsSnapshot
    """As it stood when all was taken in."""
    stored: list[Alert]
    shown: list[str]
    """The ids that came on the page."""


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
        before, threads = terminal.processor_seconds(), _of_threads(terminal)
        told = await server.ask("act", rate=rate, seconds=seconds)
        used = terminal.processor_seconds() - before
        threads = {id: at - threads.get(id, 0.0) for id, at in _of_threads(terminal).items()}
        # What came last is to be seen too.
        await asyncio.sleep(1.0)
        queue = await asyncio.to_thread(_queue, place.state)
        marks, beats, shown = (
            await server.ask("marks"),
            await server.ask("beats"),
            await server.ask("shown"),
        )
        megabytes = terminal.megabytes()
    program = msgspec.json.decode(file.read_bytes(), type=Report)
    named = {program.threads.get(id, "others"): used for id, used in threads.items()}
    stored = _stored(place.state)
    return _Seen(
        told, program, on_screen, marks, beats, used, seconds, megabytes, named, queue, stored, shown
    )


def _of_threads(terminal: Terminal) -> dict[int, float]:
    """The processor time of each thread by its native id."""
    threads = psutil.Process(terminal.process.pid).threads()
    return {each.id: each.user_time + each.system_time for each in threads}


def _queue(state: Path) -> AlertsSnapshot:
    with ControlClient(state / SOCKET_NAME) as client:
        found = client.value("snapshot", Snapshot).alerts
    if found is None:
        raise BenchError("the program has no alert queue")
    return found


def _note(terminal: Terminal, on_screen: dict[str, float], at: float) -> None:
    """Which of the marked raids are to be read now."""
    screen = terminal.screen
    assert screen is not None
    for row in range(screen.height):
        for name in _MARK.findall(screen.text(row)):
            on_screen.setdefault(name, at)


def _stored(state: Path) -> list[Alert]:
    with contextlib.closing(sqlite3.connect(state / "alerts.sqlite")) as file:
        rows = file.execute("SELECT data FROM alerts WHERE type NOT IN (?, ?)", (AWAY_TYPE, LASTING))
        return [decode(data) for (data,) in rows]


def _unaccounted(seen: _Seen) -> dict[str, int]:
    """By how much each of the sums is wrong that must come out."""
    told, queue, stored = Counter(seen.noted), seen.queue, seen.stored
    ended = Counter({name: sum(of.values()) for name, of in queue.counts.items()})
    outcomes = Counter(outcome for of in queue.counts.values() for outcome in Counter(of).elements())
    open_ones = len(queue.waiting) + len(queue.beside) + (queue.playing is not None)
    accepted = told["accepted"] + told["rejected"]
    events = [alert.count for alert in stored if alert.outcome != "collapsed"]
    claimed = {alert.id for alert in stored if alert.outcome == "shown"}
    return {
        "unheard": told["unheard"],
        "sent": told["sent"] - queue.accepted - queue.ignored - queue.duplicates,
        "accepted": accepted - queue.accepted,
        "ignored": told["ignored"] - queue.ignored,
        "duplicates": told["duplicates"] - queue.duplicates,
        "rejected": told["rejected"] - outcomes["rejected"],
        "in the snapshot": queue.accepted - open_ones - ended.total(),
        "in the store": queue.accepted - len(stored),
        "events of the stored": accepted - sum(events),
        "twice in the store": len(stored) - len({alert.source_id or alert.id for alert in stored}),
        "called shown, and not on the page": len(claimed - set(seen.shown)),
    }


def _figures(seen: _Seen, rate: float) -> list[Figure]:
    alerts = seen.program.alerts
    arrivals = [(each.admitted_at - each.sent_at) * 1000 for each in alerts]
    from_desk = [(each.admitted_at - each.arrived_at) * 1000 for each in alerts]
    late = sum(not each.committed for each in alerts)
    screen = [
        (seen.on_screen[name] - sent) * 1000 for name, sent in seen.marks.items() if name in seen.on_screen
    ]
    gaps = [later - before for times in seen.beats for before, later in itertools.pairwise(times)]
    wrong = {what: abs(number) for what, number in _unaccounted(seen).items() if number}
    outcomes = Counter(alert.outcome or "open" for alert in seen.stored)
    what = f"{rate:g} events a second for {seen.seconds:g} s"
    committed = _percentile(
        "alerts committed", "From the hub to committed and in the queue", arrivals, 50.0, late
    )
    committed.more["from the desk, p95"] = percentile(from_desk or [0.0], 0.95)
    return [
        Figure(
            name="alerts accounted for",
            what=f"Events missing or too many in the snapshot, the store or on the page, {what}",
            value=float(sum(wrong.values())),
            value_unit="events",
            aim=Aim(limit=0.0),
            unit="events",
            ours=sample([float(sum(wrong.values()))]),
            note=", ".join(f"{what}: {number}" for what, number in wrong.items()),
            more={
                **_numbers(seen.noted),
                **{f"stored {name}": number for name, number in _numbers(outcomes).items()},
            },
        ),
        committed,
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
            more={f"{name} %": 100 * used / seen.seconds for name, used in _most_used(seen.threads)},
        ),
        Figure(
            name="alerts memory",
            what=f"Resident memory of the whole program after {what}",
            value=seen.megabytes,
            value_unit="MB",
            aim=None,
            unit="MB",
            ours=sample([seen.megabytes]),
        ),
    ]


def _most_used(threads: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(threads.items(), key=lambda each: -each[1])[:4]


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
