"""``python -m tests.bench demo``: the demonstration on a terminal, and whether its memory grows.

Its staged faults cost it a link every second, so that an hour of it is weeks of an ordinary program. Exit
status: 0 when the slope of its memory over the last half is within the aim, 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.face_terminal import BenchError, Terminal

MOST_SLOPE = 0.2
"""MB in ten minutes, over the last half of the time."""

_TEN_MINUTES = 600.0
_SHOWN = 13

Curve = list[tuple[float, float]]
"""Seconds since the first frame, and MB."""


def main(arguments: Sequence[str]) -> int:
    """Run, print the curve as it comes, then the slope and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="(60)")
    given = parser.parse_args(arguments)
    try:
        curve = asyncio.run(watch(given.minutes * 60))
    except BenchError as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    slope = slope_of(curve)
    holds = slope <= MOST_SLOPE
    print(
        f"{slope:+.3f} MB in ten minutes over the last half, at most {MOST_SLOPE:g} wanted: "
        f"{'holds' if holds else 'GROWS'}"
    )
    return 0 if holds else 1


async def watch(seconds: float) -> Curve:
    """The memory of a demonstration on 80x24, once a second.

    Raises:
        BenchError: it did not begin, or did not last.
    """
    curve: Curve = []
    with tempfile.TemporaryDirectory(prefix="os-bench-") as folder:
        command = (sys.executable, "-m", "tui.cli.main", "demo")
        async with Terminal(command, Path(folder), (80, 24)) as terminal:
            await terminal.until(lambda screen: screen.text(0).strip() != "", "a first frame")
            began = time.monotonic()
            told = 0.0
            while (passed := time.monotonic() - began) < seconds:
                terminal.paints.clear()
                if terminal.process.poll() is not None:
                    raise BenchError(f"it ended after {passed:.0f} s with {terminal.process.returncode}")
                curve.append((passed, terminal.megabytes()))
                if passed >= told:
                    print(f"{passed:6.0f} s {curve[-1][1]:7.2f} MB", flush=True)
                    told += seconds / (_SHOWN - 1)
                await asyncio.sleep(min(1.0, seconds / 20))
    return curve


def slope_of(curve: Curve) -> float:
    """MB in ten minutes, over the last half."""
    half = curve[len(curve) // 2 :]
    slope, _ = statistics.linear_regression([at for at, _ in half], [megabytes for _, megabytes in half])
    return slope * _TEN_MINUTES
