"""A month in one world, with an evening on each of its days, and one engine that lives through all of them:
``python -m tests.simulation.month --hours 720 --seed S``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import statistics
import sys
import time
import tracemalloc

from tests.simulation import truth
from tests.simulation.evening import Evening, run
from tests.simulation.plan import Plan, plan
from tui.engine import loop
from tui.store.age_limit import DAY

HOURS = 3.0
"""Of each day, in which viewers, a person and faults do what they do in an evening."""
KEPT_DAYS = 4.0
SETTLED = 6
"""Days after which all that is bounded is full."""
MOST_GROWTH = 0.05
OURS = [
    tracemalloc.Filter(True, "*/tui/*"),
    *(tracemalloc.Filter(False, f"*/tui/{others}/*") for others in ("simulation", "demo")),
]


def month(seed: int, hours: float) -> Plan:
    """Evenings of one seed after another, none of which kills the engine."""
    first = plan(seed, HOURS)
    acts = []
    for day in range(max(1, round(hours * 3600 / DAY))):
        for act in plan(1000 * seed + day, HOURS, first.dialect).acts.values():
            if "user_name" in act.how:
                # A viewer comes once.
                act.how["user_name"] += f"{day:03}"
            if act.what not in ("kill", "clock"):
                acts.append(act._replace(at=act.at + day * DAY))
    return first._replace(seconds=hours * 3600, acts=dict(enumerate(acts)), kept_days=KEPT_DAYS)


class Days:
    """Looks at what the engine holds, and what the disk does, once a day."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        """What our own code holds; what all holds where it is not traced."""
        self.unit = "bytes" if tracemalloc.is_tracing() else "blocks"

    async def look_forever(self, evening: Evening) -> None:
        """From an evening's beginning on."""
        while True:
            # At the same time of day, when the evening is long over.
            await asyncio.sleep(DAY)
            self._poll(evening)

    def _poll(self, evening: Evening) -> None:
        world = evening.world
        now = world.clock.time()
        evening.watch.forget(now - DAY / 2)
        gc.collect()
        if tracemalloc.is_tracing():
            traces = tracemalloc.take_snapshot().filter_traces(OURS)
            self.sizes.append(sum(trace.size for trace in traces.traces))
        else:
            self.sizes.append(sys.getallocatedblocks())
        ((rows, oldest),) = world.disk.read("SELECT count(*), min(changed_at) FROM alerts WHERE open = 0")
        assert isinstance(oldest, float)
        days = (now - oldest) / DAY
        if days > KEPT_DAYS + 0.1:
            evening.watch.find(
                "not trimmed", f"an alert of {days:.1f} days ago is kept", f"{len(self.sizes)}"
            )
        day = (evening.loop.now - 1000) / DAY
        words = f"day {day:.0f}: {self.sizes[-1]} {self.unit}, {rows} rows, the oldest of {days:.1f} days"
        print(words, flush=True)

    def growth(self) -> float | None:
        """By how much more it holds on the last days than on the first ones that count; None for too few."""
        settled = self.sizes[SETTLED:]
        if len(settled) < 8:
            return None
        first, last = statistics.median(settled[:4]), statistics.median(settled[-4:])
        return last / first - 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.month", description=__doc__)
    parser.add_argument("--hours", type=float, default=720.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--untraced", action="store_true", help="count blocks of memory, which takes a quarter of the time"
    )
    arguments = parser.parse_args()
    logging.disable()
    # Most of the month nothing happens, and all of it would be publications. What is said may be older so.
    loop.PUBLISH_EVERY, truth.SETTLED = 0.9, 1.3
    if not arguments.untraced:
        tracemalloc.start()
    days = Days()
    told = run(month(arguments.seed, arguments.hours), beside=days.look_forever)
    print(f"{told.alerts} alerts, {told.pushes} pushes, {time.process_time():.0f} s")
    findings = list(told.findings)
    growth = days.growth()
    if growth is not None:
        print(f"grown by {growth:.1%}")
        if growth > MOST_GROWTH:
            findings.append(f"memory is not flat: {days.sizes} {days.unit}")
    for finding in findings:
        print("   ", finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
