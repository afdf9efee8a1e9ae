"""``python -m tests.hostile [NAME ...] [--seconds 10]``: every hostile hub, one after another.

Exit status: 0 when beside each of them the good link had 0 reconnects and 0 failed heartbeats, memory
stayed under its bound, and nothing that a terminal obeys came through; else 1.
"""

from __future__ import annotations

import argparse
import sys

from tests.hostile.beside import Finding, beside
from tests.hostile.hub import GOOD, NAMES


def _line(one: Finding) -> str:
    return (
        f"{one.name:<22} {one.reconnects:>3} {one.heartbeat_failures:>3} {one.slowest * 1000:>7.0f} ms"
        f" {one.delay * 1000:>5.0f} ms {one.peak:>6.1f} MB {one.processor:>5.0%} {one.end:>5.2f} s"
        f"  {one.hostile:<40}"
        f" {'; '.join(one.faults) or 'ok'}"
    )


def main() -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*NAMES, GOOD, []], help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=10.0, help="beside each (10)")
    options = parser.parse_args()
    print(
        "the good link's reconnects, failed heartbeats, slowest round trip; the delay of our loop; "
        "the program's memory, processor, end; what was said of the hostile link"
    )
    failed = 0
    for name in options.names or NAMES:
        finding = beside(name, options.seconds)
        failed += bool(finding.faults)
        print(_line(finding), flush=True)
    print(f"{len(options.names or NAMES) - failed} held, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
