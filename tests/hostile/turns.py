"""``python -m tests.hostile.turns [NAME ...]``: the most processor time that one turn of the engine took
beside each hostile hub, whatever else the machine does meanwhile.

Exit status: 0 when none took more than the bound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.beside import SETTINGS, hub
from tests.hostile.hub import DEEDS, GOOD
from tui.channels import loop_delay
from tui.channels.loop_delay import LoopDelay, WatchedSelector
from tui.config.load import load_settings
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import ConnectionSnapshot

MOST_TURN = 0.05
"""Seconds of processor time."""


class Turns(WatchedSelector):
    """Notes the processor time from one look at the network to the next."""

    def __init__(self, delay: LoopDelay) -> None:
        super().__init__(delay)
        self.times: list[float] = []
        self._began_at: float | None = None

    def select(self, timeout: float | None = None) -> Any:
        now = time.thread_time()
        if self._began_at is not None:
            self.times.append(now - self._began_at)
        found = super().select(timeout)
        self._began_at = time.thread_time()
        return found


@contextmanager
def observed() -> Iterator[list[Turns]]:
    """Engines' loops that are made while this lasts, each with its turns."""
    made: list[Turns] = []

    def make(delay: LoopDelay) -> Turns:
        made.append(Turns(delay))
        return made[-1]

    before = loop_delay.WatchedSelector
    loop_delay.WatchedSelector = make  # type: ignore[assignment, misc]  # in place of the real one
    try:
        yield made
    finally:
        loop_delay.WatchedSelector = before  # type: ignore[misc]  # the real one again


@dataclass
class Finding:
    """What became of the engine beside one hostile hub."""

    longest: float
    """Seconds of processor time."""
    turns: int
    good: ConnectionSnapshot = field(repr=False)
    hostile: ConnectionSnapshot = field(repr=False)


def beside(name: str, seconds: float, folder: Path) -> Finding:
    """Run an engine in a thread of this process beside the hostile hub ``name``."""
    with hub(GOOD) as good, hub(name) as hostile, observed() as made:
        file = folder / f"{name}.toml"
        file.write_text(SETTINGS.format(good=good, hostile=hostile))
        settings = load_settings(config=str(file), environ={})
        desks = ComponentOptions(alerts=settings.alerts, services=settings.services)
        engine = Supervisor(tuple(settings.connections.values()), components=desks)
        thread = threading.Thread(target=engine.run, name="engine", daemon=True)
        thread.start()
        engine.started.wait(30)
        time.sleep(seconds)
        turns = list(made[0].times)
        links = {each.name: each for each in engine.snapshot().connections}
        engine.stop()
        thread.join(10)
    # The first ones open the connections, and import what that takes.
    return Finding(max(turns[20:], default=0.0), len(turns), links["good"], links["hostile"])


def main() -> int:
    """Run those named, or all that say something after the upgrade."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.turns")
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*DEEDS, []], help=", ".join(DEEDS))
    parser.add_argument("--seconds", type=float, default=5.0, help="beside each (5)")
    options = parser.parse_args()
    longest = 0.0
    with tempfile.TemporaryDirectory(prefix="os-") as folder:
        for name in options.names or DEEDS:
            found = beside(name, options.seconds, Path(folder))
            longest = max(longest, found.longest)
            print(
                f"{name:<24} {found.longest * 1000:>6.1f} ms, the longest of {found.turns:,} turns",
                flush=True,
            )
    return 1 if longest > MOST_TURN else 0


if __name__ == "__main__":
    sys.exit(main())
