"""``python -m tests.bench.face_program FILE ARGUMENTS...``: the program, and how late its engine's loop is.

The arguments are those of ``overlay-supervisor``. A task on the engine's loop asks to be woken a hundred
times a second; when it was woken, by :func:`time.perf_counter`, and how many seconds too late stand in
FILE at the end, a line for each time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui.cli import main as cli
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import CommandResult, ExtraCommand
from tui.runtime import session
from tui.system.ending import End, carry_out

EVERY = 0.01
_MOST = 1_000_000


class Lateness:
    """Stands beside the engine as its extras do, since those are called on its loop at each snapshot."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ticker: asyncio.Task[None] | None = None
        self._late: list[tuple[float, float]] = []

    def notice(self) -> str | None:
        """Begin at the first snapshot; never anything to show."""
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="lateness")
        return None

    async def _tick(self) -> None:
        try:
            while len(self._late) < _MOST:
                due = time.perf_counter() + EVERY
                await asyncio.sleep(EVERY)
                now = time.perf_counter()
                self._late.append((now, max(0.0, now - due)))
        finally:
            # At the latest when the end of the loop cancels it.
            self._file.write_text("".join(f"{at:.6f} {late:.6f}\n" for at, late in self._late))

    def commands(self) -> Sequence[ExtraCommand]:
        """None."""
        return ()

    async def run(self, command: str) -> CommandResult:
        """None is there."""
        return CommandResult(ok=False, message=command)


def run_with(lateness: Lateness, end: End) -> int:
    """Run the program, with the arguments after the first, on an engine whose lateness is kept."""

    class MeasuredSupervisor(Supervisor):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, plugin_commands=lateness, **settings)

    # Where the program looks it up.
    vars(session)["Supervisor"] = MeasuredSupervisor
    return cli.main(sys.argv[2:], end)


def main(end: End) -> int:
    """Run the program with an engine whose lateness is kept in the file of the first argument."""
    return run_with(Lateness(Path(sys.argv[1])), end)


if __name__ == "__main__":
    carry_out(main)
