"""Evenings by their seeds; one that fails is shrunk and printed as a command."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import multiprocessing
import sys
import time

from tests.simulation.evening import run
from tests.simulation.plan import plan
from tests.simulation.shrink import named, shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--evenings", type=int, default=1)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dialect", default=None)
    parser.add_argument("--only", default=None, help="numbers of the acts that happen")
    parser.add_argument("--jobs", type=int, default=1, help="evenings at a time")
    parser.add_argument("--early", action="store_true", help="begin with the first of them")
    parser.add_argument("--shrink", action="store_true", help="make what fails small")
    parser.add_argument("--finding", default=None, help="the name of what is to be left")
    parser.add_argument("--until", default=None, metavar="NAME", help="end with a finding of that name")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.evenings)
    work = functools.partial(_live, arguments)
    failed = 0
    with multiprocessing.Pool(arguments.jobs) if arguments.jobs > 1 else contextlib.nullcontext() as pool:
        for fails, words in map(work, seeds) if pool is None else pool.imap(work, seeds):
            print(words, flush=True)
            failed += fails
            if arguments.until is not None and f" {arguments.until}: " in words:
                break
    print(f"{len(seeds)} evenings, {failed} with findings")
    return 1 if failed else 0


def _live(arguments: argparse.Namespace, seed: int) -> tuple[bool, str]:
    """Whether an evening failed, and what is told of it."""
    logging.disable()
    evening = plan(seed, arguments.hours, arguments.dialect)
    if arguments.only is not None:
        evening = evening.only({int(number) for number in arguments.only.split(",") if number})
    if arguments.early:
        evening = evening.early()
    began = time.process_time()
    told = run(evening, verbose=arguments.verbose)
    took = time.process_time() - began
    lines = [
        f"seed {seed} {evening.dialect}: {len(evening.acts)} acts, {told.alerts} alerts, "
        f"{told.pushes} pushes, {len(told.findings)} findings, {took:.2f} s, {told.trace[:12]}"
    ]
    lines += [f"    {finding}" for finding in told.findings]
    if told.findings and arguments.shrink:
        small = shrink(evening, arguments.finding or named(told.findings[0]))
        lines.append(f"    shrunk to {len(small.plan.acts)} acts: {small.message}")
        lines += [f"        {act}" for act in small.plan.acts.values()]
        lines.append(f"    {small.command(arguments.hours)}")
    return bool(told.findings), "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
