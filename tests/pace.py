"""Time as a test may judge it: without what others on the machine took away."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 40.0
"""Seconds that a wait for what must come may take on a busy machine; a test that passes waits far less."""


class Stopwatch:
    """Seconds since it was made in which this process was not kept waiting for a processor."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._waited = _waited()

    @property
    def seconds(self) -> float:
        """Of all threads' waiting as much is left out as there was."""
        passed = time.monotonic() - self._begun
        waited = sum(nanoseconds - self._waited.get(thread, 0) for thread, nanoseconds in _waited().items())
        return max(0.0, passed - waited / 1e9)


def _waited() -> dict[str, int]:
    """Nanoseconds that each thread waited for a processor while it could have run; nothing but on Linux."""
    found = {}
    for task in Path("/proc/self/task").glob("*"):
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[1])
        except OSError:
            continue  # it has ended
    return found


def processor_seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Of a command that succeeds, what it prints thrown away: others can delay it, and not use it up."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime
