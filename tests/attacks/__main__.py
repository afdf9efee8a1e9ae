"""``python -m tests.attacks [NAME ...] [--requests 10000] [--seed N]``: each attack beside a good link.

Exit status: 0 when the good link had 0 reconnects and 0 failed heartbeats, memory stayed under its bound, the
log was not flooded and the program answered at the end; else 1.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.attacks import control, endpoints, metrics
from tests.attacks.program import figures, under_attack
from tests.terminal.real_terminal import ROOT


class Finding(NamedTuple):
    message: str
    faults: list[str]


def on_control(requests: int, seed: int) -> Finding:
    """The control socket."""
    with under_attack() as target:
        done = control.attack(target.state, requests, seed)
        found = figures(target)
    return Finding(f"{found}; {dict(done)}", found.faults)


def on_metrics(requests: int, seed: int) -> Finding:
    """The metrics' port."""
    with under_attack() as target:
        done = metrics.attack(target.metrics, requests, seed)
        found = figures(target)
    faults = found.faults
    if not done["answered"] and done["good"] > 100:
        faults.append("no good request was answered")
    return Finding(f"{found}; {dict(done)}", faults)


def on_endpoints(requests: int, seed: int) -> Finding:
    """The endpoints that the program asks."""
    with endpoints.serving() as asked, under_attack(asked.urls(min(requests, 64))) as target:
        deadline = time.monotonic() + 60 + requests / 10
        while asked.requests < requests:
            assert time.monotonic() < deadline, f"asked {asked.requests} times"
            time.sleep(0.1)
        found = figures(target)
    return Finding(f"{found}; asked {asked.requests} times", found.faults)


def on_command(requests: int, seed: int) -> Finding:
    """The command for incidents."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.command", str(requests)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    words, _, end = done.stdout.strip().rpartition("\n")
    return Finding(words, [] if done.returncode == 0 else [end or done.stderr[-300:]])


ATTACKS: dict[str, Callable[[int, int], Finding]] = {
    "control": on_control,
    "metrics": on_metrics,
    "endpoints": on_endpoints,
    "command": on_command,
}


def attacked(name: str, requests: int, seed: int) -> Finding:
    """What became of the program under one attack."""
    try:
        return ATTACKS[name](requests, seed)
    except (AssertionError, OSError) as error:
        return Finding("", [f"{type(error).__name__}: {error}"])


def main() -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks")
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*ATTACKS, []], help=", ".join(ATTACKS))
    parser.add_argument("--requests", type=int, default=10_000, help="in each (10000)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    failed = 0
    for name in options.names or ATTACKS:
        begun = time.monotonic()
        words, faults = attacked(name, options.requests, options.seed)
        failed += bool(faults)
        took = time.monotonic() - begun
        print(f"{name:<10} {took:6.1f} s  {'; '.join(faults) or 'held'}: {words}", flush=True)
    print(f"seed {options.seed}: {len(options.names or ATTACKS) - failed} held, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
