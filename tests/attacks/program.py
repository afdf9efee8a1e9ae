"""The program without a face, with a good link that nothing done to it may touch."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.hostile.beside import MOST_MEMORY, hub, link_of, peak_of, snapshot_of
from tests.hostile.hub import GOOD
from tui.store.log_file import FILE_NAME

_SETTINGS = """\
[connections.good]
url = "ws://127.0.0.1:{good}/socket"
topics = ["news:1"]
preset = "live"
heartbeat_interval = 1
heartbeat_timeout = 3

[metrics]
port = {metrics}
"""

_ENDPOINT = """
[services.endpoints.service-{number}]
url = "{url}"
interval = 1
timeout = 2
"""


class Target(NamedTuple):
    """The program under attack."""

    process: subprocess.Popen[bytes]
    state: Path
    metrics: int
    """The port of its metrics."""


class Figures(NamedTuple):
    """What became of it."""

    reconnects: int
    heartbeat_failures: int
    peak: float
    """MB."""
    log_lines: int

    def __str__(self) -> str:
        return (
            f"{self.reconnects} reconnects, {self.heartbeat_failures} failed heartbeats, "
            f"{self.peak:.1f} MB, {self.log_lines} log lines"
        )

    @property
    def faults(self) -> list[str]:
        """What must not be, in words."""
        found = []
        if self.reconnects or self.heartbeat_failures:
            found.append("the good link suffered")
        if self.peak > MOST_MEMORY:
            found.append(f"over {MOST_MEMORY:g} MB")
        if self.log_lines > 2_000:
            found.append("the log was flooded")
        return found


@contextlib.contextmanager
def under_attack(endpoints: Sequence[str] = ()) -> Iterator[Target]:
    """The program with such endpoints to ask, from when its good link is connected."""
    with tempfile.TemporaryDirectory(prefix="os-") as folder, hub(GOOD) as good:
        state, settings = Path(folder, "s"), Path(folder, "config.toml")
        with socket.create_server(("127.0.0.1", 0)) as free:
            metrics = free.getsockname()[1]
        text = _SETTINGS.format(good=good, metrics=metrics)
        text += "".join(_ENDPOINT.format(number=n, url=url) for n, url in enumerate(endpoints))
        settings.write_text(text)
        with Path(folder, "said").open("wb") as said:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tui.cli.main", "run", "--headless"),
                    *("--config", str(settings), "--state", str(state)),
                ],
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, "OVERLAY_SUPERVISOR_SOCKET": ""},
            )
        try:
            deadline = time.monotonic() + 30
            while (found := snapshot_of(state)) is None or link_of(
                found, "good"
            ).metrics.connection_state != "connected":
                told = Path(folder, "said").read_text()
                assert process.poll() is None, told
                assert time.monotonic() < deadline, f"the good link is not connected: {told}"
                time.sleep(0.05)
            yield Target(process, state, metrics)
        finally:
            process.kill()
            process.wait(10)


def figures(target: Target) -> Figures:
    """How it stands now; its control socket must answer.

    Raises:
        AssertionError: it does not, or it has ended.
    """
    assert target.process.poll() is None, "the program has ended"
    snapshot = snapshot_of(target.state)
    assert snapshot is not None, "the control socket does not answer"
    metrics = link_of(snapshot, "good").metrics
    assert metrics.connection_state == "connected"
    with (target.state / FILE_NAME).open("rb") as log:
        # What services turn into is news each time.
        lines = sum(b'"logger": "tui.engine"' not in line for line in log)
    return Figures(
        metrics.total_reconnects,
        metrics.heartbeat_failures,
        peak_of(psutil.Process(target.process.pid)),
        lines,
    )
