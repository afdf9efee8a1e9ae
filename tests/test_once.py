"""Commands that do one thing and end, in time though what they wait for never answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pace import PATIENCE
from tests.terminal.hub_thread import HubThread
from tests.terminal.real_terminal import ROOT
from tests.terminal.test_whole_program import hub

__all__ = ["hub"]

COMMAND = [sys.executable, "-m", "tui.cli.main"]
LIMIT = 10.0
"""Seconds, on a busy machine; alone it takes none that is worth naming."""


@contextmanager
def unread(state: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command whose output goes into a pipe that is full, and nobody reads it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--state", str(state)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while "pipe_write" not in Path(f"/proc/{process.pid}/wchan").read_text():
            assert time.monotonic() < deadline, "the pipe did not fill"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not os.access("/proc/self/wchan", os.R_OK), reason="nobody says what a process waits for")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("arguments", [["journal"], ["ctl", "logs", "-n", "5000"]])
def test_a_pipe_that_nobody_reads_holds_up_no_signal(
    tmp_path: Path, number: signal.Signals, arguments: list[str]
) -> None:
    line = {"time": "", "timestamp": 1.0, "level": "info", "logger": "x", "message": "said " * 20}
    (tmp_path / "overlay-supervisor.log").write_text(f"{json.dumps(line)}\n" * 5000)
    entry = {
        "format": 2,
        "timestamp": time.time(),
        "kind": "engine",
        "text": "said " * 20,
        "severity": "info",
    }
    (tmp_path / "journal").mkdir()
    day = time.strftime("%Y-%m-%d", time.gmtime())
    (tmp_path / "journal" / f"{day}.jsonl").write_text(f"{json.dumps(entry)}\n" * 5000)
    with unread(tmp_path, *arguments) as process:
        process.send_signal(number)
        assert process.wait(LIMIT) == 128 + number


def test_a_check_tells_of_a_token_that_never_comes_and_ends(tmp_path: Path, hub: HubThread) -> None:
    (tmp_path / "far.hung").touch()
    stuck = {"PYTHONPATH": f"{ROOT / 'tests' / 'stuck'}:{ROOT}", "STUCK_DISK": str(tmp_path / "far")}
    config = tmp_path / "config.toml"
    config.write_text(f'[connections.hub]\nurl = "{hub.hub.url}"\nauth_token = {{ file = "far/token" }}\n')
    done = subprocess.run(
        [*COMMAND, "check", "--timeout", "1", "--config", str(config)],
        env=os.environ | stuck,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("CRITICAL hub: ")
