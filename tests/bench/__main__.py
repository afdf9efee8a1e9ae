"""``python -m tests.bench [NAME ...] [--json | --markdown] [--repeats N]``.

``python -m tests.bench face`` measures the whole program with its screen, ``python -m tests.bench alerts``
its alert queue, ``python -m tests.bench demo`` whether its memory grows; their ``--help`` says more.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from tests.bench import crowd, processes, recovery, throughput
from tests.bench.figures import Figure, as_markdown, as_text

BENCHMARKS: dict[str, Callable[..., Awaitable[list[Figure]]]] = {
    each.__name__: each
    for each in (
        throughput.throughput200,
        throughput.throughput2k,
        throughput.roundtrip,
        crowd.memory,
        crowd.connect1000,
        crowd.restart_spread,
        recovery.rejoin,
        recovery.joins50,
        recovery.half_open,
    )
}


def main() -> int:
    """Run, print; 2 for a mistake in the command, else 0: a figure that falls short is no error."""
    if sys.argv[1:2] == ["face"]:
        # Only here: it needs psutil, which the others do without.
        from tests.bench import face

        return face.main(sys.argv[2:])
    if sys.argv[1:2] == ["alerts"]:
        from tests.bench import alerts

        return alerts.main(sys.argv[2:])
    if sys.argv[1:2] == ["demo"]:
        from tests.bench import demo

        return demo.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}; all unless given"
    )
    parser.add_argument("--repeats", type=int, help="of those that repeat")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every value, for machines")
    form.add_argument("--markdown", action="store_true", help="a table for a document")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {' '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    pinned = processes.choose_cores()
    machine = {
        "python": platform.python_version(),
        "websockets": version("websockets"),
        "msgspec": version("msgspec"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "pinned": pinned,
    }
    words = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "pinned")
    if not arguments.json:
        print(f"{words}\n{pinned}\n", flush=True)
    figures: list[Figure] = []
    for name in arguments.names or BENCHMARKS:
        found = asyncio.run(_run(name, arguments.repeats))
        figures += found
        if arguments.json or arguments.markdown:
            print(f"{name} done", file=sys.stderr)
        else:
            print("\n".join(map(as_text, found)), flush=True)
    if arguments.json:
        print(json.dumps({"machine": machine, "figures": [figure.to_json() for figure in figures]}, indent=1))
    elif arguments.markdown:
        print(as_markdown(figures))
    return 0


async def _run(name: str, repeats: int | None) -> list[Figure]:
    benchmark = BENCHMARKS[name]
    settings: dict[str, Any] = {}
    if repeats is not None and "repeats" in inspect.signature(benchmark).parameters:
        settings["repeats"] = repeats
    return await benchmark(**settings)


if __name__ == "__main__":
    sys.exit(main())
