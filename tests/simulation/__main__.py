"""Evenings by their seeds; one that fails is shrunk and printed as a command."""

from __future__ import annotations

import argparse
import logging
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
    parser.add_argument("--early", action="store_true", help="begin with the first of them")
    parser.add_argument("--shrink", action="store_true", help="make what fails small")
    parser.add_argument("--finding", default=None, help="the name of what is to be left")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    logging.disable()
    failed = 0
    for seed in range(arguments.seed, arguments.seed + arguments.evenings):
        evening = plan(seed, arguments.hours, arguments.dialect)
        if arguments.only is not None:
            evening = evening.only({int(number) for number in arguments.only.split(",") if number})
        if arguments.early:
            evening = evening.early()
        began = time.process_time()
        told = run(evening, verbose=arguments.verbose)
        took = time.process_time() - began
        print(
            f"seed {seed} {evening.dialect}: {len(evening.acts)} acts, {told.alerts} alerts, "
            f"{told.pushes} pushes, {len(told.findings)} findings, {took:.2f} s, {told.trace[:12]}"
        )
        for finding in told.findings:
            print("   ", finding)
        if told.findings:
            failed += 1
            if arguments.shrink:
                small = shrink(evening, arguments.finding or named(told.findings[0]))
                print(f"    shrunk to {len(small.plan.acts)} acts: {small.words}")
                for act in small.plan.acts.values():
                    print("       ", act)
                print("   ", small.command(arguments.hours))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
