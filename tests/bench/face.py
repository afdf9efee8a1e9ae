"""``python -m tests.bench face``: what the whole program costs and how soon it answers, beside its aims."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

from tests.bench.face_cases import CASES
from tests.bench.face_pair import Scale
from tests.bench.face_terminal import BenchError
from tests.bench.figures import Figure, as_text

_QUICK = Scale(seconds=8.0, windows=4, settle=6.0, presses=100, gap=(0.03, 0.1), starts=3, minutes=0.5)
_MOST_SECONDS = 600.0
_MOST_MINUTES = 600.0


def main(arguments: Sequence[str]) -> int:
    """Run, print; 1 when a case could not be measured; a figure that falls short is no error."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench face", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", choices=list(CASES), help=f"of: {', '.join(CASES)}"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, for a first look")
    parser.add_argument("--seconds", type=_up_to(_MOST_SECONDS), help="of measuring in each case (30)")
    parser.add_argument("--minutes", type=_up_to(_MOST_MINUTES), help="of the case memory (3)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every value, for machines")
    form.add_argument("--markdown", action="store_true", help="a table for a document")
    given = parser.parse_args(arguments)
    scale = _QUICK if given.quick else Scale()
    if given.seconds is not None:
        scale = replace(scale, seconds=given.seconds)
    if given.minutes is not None:
        scale = replace(scale, minutes=given.minutes)
    # All that was started is ended on the way out, as at ^C, which a shell's background jobs ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        return _run(given.only or list(CASES), scale, given)
    except KeyboardInterrupt:
        return 130


def _run(names: Sequence[str], scale: Scale, given: argparse.Namespace) -> int:
    machine = {
        "python": platform.python_version(),
        "textual": version("textual"),
        "websockets": version("websockets"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, none of them pinned",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    if not given.json:
        print(", ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    figures: list[Figure] = []
    failed = 0
    for name in names:
        try:
            found = asyncio.run(CASES[name](scale))
        except BenchError as error:
            print(f"{name}: not measured: {error}", file=sys.stderr, flush=True)
            failed = 1
            continue
        figures += found
        if given.json or given.markdown:
            print(f"{name} done", file=sys.stderr)
        else:
            print("\n".join(map(as_text, found)), flush=True)
    if given.json:
        print(json.dumps({"machine": machine, "figures": [figure.to_json() for figure in figures]}, indent=1))
    elif given.markdown:
        print(as_markdown(figures))
    return failed


def as_markdown(figures: Sequence[Figure]) -> str:
    """A table for a document; what a figure is made of stands beside it."""
    rows = ["| What | Measured | Aim | | Beside it |", "| --- | ---: | ---: | --- | --- |"]
    for figure in figures:
        aim = "" if figure.aim is None else str(figure.aim)
        beside = "; ".join(f"{what} {value:,.3g}" for what, value in figure.more.items())
        measured = f"{figure.value:,.3g} {figure.value_unit}"
        rows.append(f"| {figure.what} | {measured} | {aim} | {figure.verdict} | {beside} |")
    return "\n".join(rows)


def _up_to(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"expected a number above 0, at most {most:g}")
        return value

    return number
