"""What judges the time of others must know a delay of our own from one of the machine's."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.pace import Stopwatch

BUSY = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


def test_a_wait_of_our_own_counts_and_the_machines_does_not() -> None:
    watch = Stopwatch()
    time.sleep(0.3)
    assert watch.seconds > 0.25
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(8)]
    try:
        watch, used, begun = Stopwatch(), time.thread_time(), time.monotonic()
        while time.monotonic() < begun + 0.5:
            pass
        # All of it was the processor's time or waiting for one.
        assert watch.seconds < time.thread_time() - used + 0.2
    finally:
        for other in others:
            other.kill()
            other.wait()
