"""The whole program on a terminal of its own, with one link to a good hub and one to a hostile one."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.hostile.hub import ESCAPES, GOOD
from tests.terminal.real_terminal import ROOT, RealTerminal
from tui.control.client import ControlClient
from tui.control.protocol import SOCKET_NAME, ControlError
from tui.model.snapshot import ConnectionSnapshot, Snapshot

MOST_MEMORY = 150.0
"""MB that the program may take, whatever a hub sends."""

ALIVE = "● good"
"""Of the good link's row on the screen."""

SETTINGS = """\
[connections.good]
url = "ws://127.0.0.1:{good}/socket"
topics = ["news:1", "stream:overlays"]
preset = "live"
heartbeat_interval = 1
heartbeat_timeout = 3

[connections.hostile]
url = "ws://127.0.0.1:{hostile}/socket"
topics = ["events:all", "stream:overlays", "stream:queue", "dashboard:telemetry", "health:services"]
preset = "live"
heartbeat_interval = 1

[alerts]
[[alerts.sources]]
connection = "hostile"
topic = "events:all"

[alerts.delivery]
connection = "hostile"

[[services.reports]]
connection = "hostile"
topic = "health:services"

[[services.reports]]
connection = "hostile"
topic = "dashboard:telemetry"
kind = "hub"
"""


@dataclass
class Finding:
    """What became of the program beside one hostile hub."""

    name: str
    reconnects: int
    heartbeat_failures: int
    state: str
    """Of the good link, at the end."""
    peak: float
    """MB."""
    processor: float
    """Share of a core."""
    slowest: float
    """Seconds of the good link's slowest round trip that was judged."""
    delay: float
    """Seconds by which the engine's own loop was late at the most."""
    hostile: str
    """What was said of the hostile link at the end."""
    end: float
    """Seconds from SIGTERM to the end."""
    faults: list[str] = field(default_factory=list)
    """What must not be, in words."""


def beside(name: str, seconds: float, end_limit: float = 10.0) -> Finding:
    """Run the program for ``seconds`` beside the hostile hub ``name`` and judge what became of it."""
    with (
        tempfile.TemporaryDirectory(prefix="os-") as folder,
        hub(GOOD) as good,
        hub(name) as hostile,
    ):
        state = Path(folder, "s")
        settings = Path(folder, "config.toml")
        settings.write_text(SETTINGS.format(good=good, hostile=hostile))
        arguments = ("run", "--config", str(settings), "--state", str(state))
        with RealTerminal(*arguments, module="tui.cli.main", environment={"LC_ALL": "C.UTF-8"}) as terminal:
            terminal.wait_for(lambda: snapshot_of(state) is not None, 30)
            begun, spent = time.monotonic(), sum(terminal.process.cpu_times()[:2])
            slowest, delay, last = 0.0, 0.0, None
            while time.monotonic() - begun < seconds:
                time.sleep(0.5)
                snapshot = snapshot_of(state)
                if snapshot is not None:
                    last = snapshot
                    delay = max(delay, snapshot.loop_delay_seconds)
                    slowest = max(slowest, link_of(snapshot, "good").details.round_trip_last or 0.0)
            processor = (sum(terminal.process.cpu_times()[:2]) - spent) / (time.monotonic() - begun)
            # Of a client that cannot get through, the last thing known is what counts.
            last = snapshot_of(state) or last
            peak = peak_of(terminal.process)
            asked = time.monotonic()
            terminal.process.send_signal(signal.SIGTERM)
            status = terminal.exit_code(60)
            end = time.monotonic() - asked
            output = bytes(terminal.output)
    assert last is not None
    one, other = link_of(last, "good"), link_of(last, "hostile")
    finding = Finding(
        name=name,
        reconnects=one.metrics.total_reconnects,
        heartbeat_failures=one.metrics.heartbeat_failures,
        state=one.metrics.connection_state,
        peak=peak,
        processor=processor,
        slowest=slowest,
        delay=delay,
        hostile=f"{other.metrics.connection_state}: {other.details.reason or '-'}"[:60],
        end=end,
    )
    faults = finding.faults
    if (
        one.metrics.total_reconnects
        or one.metrics.heartbeat_failures
        or one.metrics.connection_state != "connected"
    ):
        faults.append("the good link suffered")
    if peak > MOST_MEMORY:
        faults.append(f"over {MOST_MEMORY:g} MB")
    faults += [f"{escape!r} reached the terminal" for escape in ESCAPES if escape in output]
    if status != 128 + signal.SIGTERM:
        faults.append(f"ended with status {status}")
    if end > end_limit:
        faults.append(f"took {end:.1f} s to end")
    return finding


def link_of(snapshot: Snapshot, name: str) -> ConnectionSnapshot:
    return next(each for each in snapshot.connections if each.name == name)


def snapshot_of(state: Path) -> Snapshot | None:
    with contextlib.suppress(ControlError), ControlClient(state / SOCKET_NAME, timeout=5.0) as client:
        snapshot = client.value("snapshot", Snapshot)
        # The first one is published before there is any connection.
        return snapshot if snapshot.connections else None
    return None


def peak_of(process: psutil.Process) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


@contextlib.contextmanager
def hub(name: str) -> Iterator[int]:
    """The hub of that name in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.hub", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
