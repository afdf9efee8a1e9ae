"""``python -m tests.attacks.command N``: the command for incidents, run so often as programs that misbehave,
by a process that keeps a good link meanwhile. Prints the figures and what the calls came to."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import sys
import time
from collections import Counter

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.attacks.program import Figures
from tests.engine.conftest import FAST, connection, eventually, running, state_of
from tests.hostile.beside import hub, peak_of
from tests.hostile.hub import GOOD
from tui.channels.clock import SystemClock
from tui.incidents.hook import MOST_WAITING, IncidentCommand
from tui.incidents.options import IncidentsOptions
from tui.model.incidents import IncidentSnapshot

LIVE = dataclasses.replace(FAST, heartbeat_interval=1.0, heartbeat_timeout=3.0)

_INCIDENT = IncidentSnapshot(
    id="1-1",
    rule="failed",
    subject="stage",
    severity="critical",
    message="gone",
    opened_at=0.0,
    updated_at=0.0,
)

# By the number of its process, so that every run is another kind.
_SCRIPT = """
case $(( $$ % 100 )) in
    0) trap '' TERM; while :; do sleep 1; done;;
    1) sleep 30;;
    [2-9]) yes | head -c 300000;;
    1[0-9]) (sleep 2 &); exit 0;;
    2[0-9]) exit 3;;
    3[0-9]) kill -9 $$;;
    4[0-9]) exec 0<&- 1>&- 2>&-; exit 0;;
    5[0-9]) exit 0;;
    6[0-9]) (trap '' TERM; exec 1>&- 2>&-; sleep 1) & exit 0;;
    *) cat >/dev/null;;
esac
"""


async def attack(url: str, calls: int) -> tuple[Figures, Counter[str]]:
    """Make so many calls beside a link to ``url``."""
    told: Counter[str] = Counter()
    ended = 0
    loop = asyncio.get_running_loop()

    def on_loop(callback: object) -> None:
        loop.call_soon_threadsafe(count, callback)

    def count(callback: object) -> None:
        nonlocal ended
        ended += 1
        assert callable(callback)
        callback()
        told[command.trouble or "ended well"] += 1

    options = IncidentsOptions(
        command=("/bin/sh", "-c", _SCRIPT), command_timeout=0.2, command_per_minute=sys.maxsize
    )
    command = IncidentCommand(options, SystemClock(), lambda text, severity: None, on_loop)
    with running(connection("good", url, "news:1", options=LIVE)) as engine:
        await eventually(lambda: state_of(engine, "good") == "connected", "connected")
        made, deadline = 0, time.monotonic() + 60 + calls
        while ended < calls:
            assert time.monotonic() < deadline, f"{ended} of {calls} calls came to an end"
            while made < calls and made - ended < MOST_WAITING:
                command.run("opened", _INCIDENT)
                made += 1
            await asyncio.sleep(0.01)
        metrics = engine.snapshot().connections[0].metrics
        command.stop()
        assert not command.dropped
    figures = Figures(
        metrics.total_reconnects, metrics.heartbeat_failures, peak_of(psutil.Process(os.getpid())), 0
    )
    return figures, told


def main() -> int:
    """Print what came of it; 1 where that must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.command")
    parser.add_argument("calls", type=int)
    calls = parser.parse_args().calls
    with hub(GOOD) as port:
        figures, told = asyncio.run(attack(f"ws://127.0.0.1:{port}/socket", calls))
    print(f"{figures}; {dict(told.most_common())}")
    print("; ".join(figures.faults) or "held")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
