"""The program as a process: headless runs, their output, their end; the demo."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import eventually
from tui.demo.hub import Hub
from tui.runtime.resources import state_lock

COMMAND = [sys.executable, "-m", "tui.cli.main"]


class Running:
    """A process of the program and the JSON lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.read = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def states(self) -> list[tuple[str, str]]:
        return [(line["oldState"], line["newState"]) for line in list(self.lines) if line["type"] == "state"]

    def metrics(self) -> dict[str, Any]:
        reports = [line["metrics"] for line in list(self.lines) if line["type"] == "metrics"]
        return reports[-1] if reports else {}


@contextmanager
def program(state: Path, *arguments: str, read: bool = True) -> Iterator[Running]:
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": str(state),
        "XDG_STATE_HOME": str(state / "state"),
        # The folders of a test may be deeper than a Unix socket's path may be long.
        "OVERLAY_SUPERVISOR_SOCKET": f"/tmp/overlay-supervisor-test-{os.getpid()}.sock",
    }
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    running = Running(process)
    if read:
        running.read.start()
    try:
        yield running
    finally:
        process.kill()
        process.wait(10)
        if read:
            running.read.join(10)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()


def run(url: str, *more: str) -> list[str]:
    return ["run", url, "-t", "stream:overlays", "--headless", "--report-interval", "0.2", *more]


async def ends(running: Running, limit: float = 10.0) -> int:
    await eventually(lambda: running.process.poll() is not None, "the process ended", limit)
    return running.process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_headless_run_with_status_0_and_a_clean_close(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with Hub() as hub:
        with program(tmp_path, *run(hub.url)) as running:
            await eventually(lambda: running.metrics().get("connectionState") == "connected", "connected")
            running.process.send_signal(number)
            assert await ends(running) == 0
            running.read.join(5)
            assert running.states() == [
                ("disconnected", "connecting"),
                ("connecting", "connected"),
                ("connected", "disconnected"),
            ]
        log = tmp_path / "state" / "overlay-supervisor" / "overlay-supervisor.log"
        assert any(
            json.loads(line)["message"].startswith("ended by") for line in log.read_text().splitlines()
        )


async def test_a_hub_that_dies_and_comes_back_is_told_line_by_line(tmp_path: Path) -> None:
    async with Hub() as hub:
        with program(tmp_path, *run(hub.url)) as running:
            await eventually(lambda: running.metrics().get("connectionState") == "connected", "connected")
            await hub.stop(graceful=False)
            await eventually(lambda: running.metrics().get("reconnectAttempts", 0) >= 2, "retries")
            await hub.start()
            await eventually(lambda: running.metrics().get("successfulConnects") == 2, "back")
            assert ("connected", "reconnecting") in running.states()
            errors = [line["error"] for line in running.lines if line.get("newState") == "reconnecting"]
            assert "connection dropped without a close frame" in errors
            assert any(error.startswith("refused by 127.0.0.1:") for error in errors)


async def test_an_unread_pipe_holds_up_no_heartbeat(tmp_path: Path) -> None:
    async with Hub() as hub:
        # 1,000 reports a second fill the pipe at once; nobody reads it.
        arguments = ["run", hub.url, "-t", "events:all", "--headless", "--report-interval", "0.001"]
        with program(tmp_path, *arguments, read=False) as running:
            await eventually(lambda: hub.joins["events:all"] == 1, "joined")
            beats = _heartbeats(hub)
            await eventually(lambda: _heartbeats(hub) >= beats + 2, "heartbeats go on", limit=20)
            running.process.send_signal(signal.SIGTERM)
            assert await ends(running, limit=5) == 0


def _heartbeats(hub: Hub) -> int:
    return sum(1 for received in hub.received if received.frame.event == "heartbeat")


async def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    async with Hub() as hub:
        with program(tmp_path, *run(hub.url), read=False) as running:
            await eventually(lambda: hub.joins["stream:overlays"] == 1, "joined")
            assert running.process.stdout is not None
            running.process.stdout.close()
            beats = _heartbeats(hub)
            await eventually(lambda: _heartbeats(hub) >= beats + 1, "heartbeats go on", limit=20)
            assert running.process.poll() is None
            running.process.send_signal(signal.SIGTERM)
            assert await ends(running) == 0
            log = (tmp_path / "state" / "overlay-supervisor" / "overlay-supervisor.log").read_text()
            assert "nobody reads standard output any more" in log


async def test_a_hung_hub_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with Hub() as hub:
        with program(tmp_path, *run(hub.url)) as running:
            await eventually(lambda: running.metrics().get("connectionState") == "connected", "connected")
            hub.faults.freeze()
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert await ends(running) == 0
            assert time.monotonic() - began < 4
        hub.faults.thaw()


async def test_the_demo_shows_all_five_states_and_a_recovery_within_30_seconds(tmp_path: Path) -> None:
    with program(tmp_path, "demo", "--headless", "--duration", "29", "--report-interval", "1") as running:
        wanted: Callable[[], bool] = lambda: _saw_everything(running)  # noqa: E731 (named for the message)
        await eventually(wanted, "five states, an open breaker and a recovery", limit=30)
        running.process.send_signal(signal.SIGTERM)
        assert await ends(running) == 0
    assert not (tmp_path / "state").exists(), "the demo touched the user's state folder"


def _saw_everything(running: Running) -> bool:
    states = running.states()
    seen = {new for _, new in states}
    tripped = any(
        line["metrics"]["circuitBreakerTrips"] for line in running.lines if line["type"] == "metrics"
    )
    back = any(line["metrics"]["totalReconnects"] for line in running.lines if line["type"] == "metrics")
    return tripped and back and seen == {"disconnected", "connecting", "connected", "reconnecting", "failed"}


async def test_a_demo_of_a_given_length_ends_by_itself_with_status_0(tmp_path: Path) -> None:
    with program(tmp_path, "demo", "--headless", "--duration", "1", "--dialect", "new") as running:
        assert await ends(running, limit=15) == 0


@pytest.mark.parametrize("is_named", [False, True])
def test_a_demo_runs_where_a_path_is_too_long_for_a_socket(tmp_path: Path, is_named: bool) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    done = subprocess.run(
        [*COMMAND, "demo", "--headless", "--duration", "0.5", *(["--state", str(deep)] if is_named else [])],
        env=os.environ | {"TMPDIR": str(deep)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert '"newState":"connecting"' in done.stdout
    # A folder of its own is made elsewhere, one that was named is used without a socket.
    assert ("going on without" in done.stderr) is is_named
    assert "--socket" not in done.stderr
    assert any(deep.iterdir()) is is_named


def ctl(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(state / "state"),
        "OVERLAY_SUPERVISOR_SOCKET": f"/tmp/overlay-supervisor-test-{os.getpid()}.sock",
    }
    return subprocess.run(
        [*COMMAND, *arguments], env=environ_of(environment), capture_output=True, text=True, timeout=30
    )


def environ_of(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONPATH": str(Path(__file__).parents[2])}


async def test_settings_are_read_anew_at_a_hang_up_or_by_command(tmp_path: Path) -> None:
    async with Hub() as hub:
        config = tmp_path / "config.toml"
        text = f'[connections.stage]\nurl = "{hub.url}"\ntopics = ["stream:overlays"]\n'
        config.write_text(text)
        with program(tmp_path, "run", "--headless", "--config", str(config)) as running:
            await eventually(lambda: hub.joins["stream:overlays"] == 1, "joined")

            config.write_text(text + f'[connections.chat]\nurl = "{hub.url}"\ntopics = ["events:chat"]\n')
            running.process.send_signal(signal.SIGHUP)
            await eventually(lambda: hub.joins["events:chat"] == 1, "the new connection joined")

            config.write_text(text + "[connections.chat]\nurll = 1\n")
            refused = await asyncio.to_thread(ctl, tmp_path, "ctl", "reload")
            assert refused.returncode == 1
            assert "nothing was changed" in refused.stderr + refused.stdout
            assert "urll" in refused.stderr + refused.stdout

            config.write_text(text + "[keys]\n'alerts.mute' = 'q'\n")
            refused = await asyncio.to_thread(ctl, tmp_path, "ctl", "reload")
            assert refused.returncode == 1, "the next start would not take them"
            assert "keys.alerts.mute" in refused.stderr + refused.stdout

            config.write_text("debug = true\n" + text)
            done = await asyncio.to_thread(ctl, tmp_path, "ctl", "reload")
            assert done.returncode == 0, done.stderr
            assert "removed chat; debug false -> true; the indicator is always shown" in done.stdout
            status = await asyncio.to_thread(ctl, tmp_path, "ctl", "status")
            assert "stage" in status.stdout
            assert "chat" not in status.stdout
            assert hub.joins["stream:overlays"] == 1, "the other connection was touched"

            second = await asyncio.to_thread(ctl, tmp_path, "run", hub.url, "--headless")
            assert second.returncode == 1
            assert f"process {running.process.pid}" in second.stderr
            assert "attach" in second.stderr

            checked = await asyncio.to_thread(ctl, tmp_path, "check", "--running", "--config", str(config))
            assert (checked.returncode, checked.stdout) == (0, "OK stage: connected, 1/1 topics joined\n")

            running.process.send_signal(signal.SIGTERM)
            assert await ends(running) == 0
        journal = await asyncio.to_thread(ctl, tmp_path, "journal", "--since", "1h")
        assert "settings reloaded: added chat" in journal.stdout
        *_, stopped, since_then = journal.stdout.splitlines()
        assert stopped.endswith("stopped")
        assert "not running since" in since_then
        gone = await asyncio.to_thread(ctl, tmp_path, "ctl", "status")
        assert gone.returncode == 3


def test_an_unusable_state_folder_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = ctl(tmp_path, "run", "ws://127.0.0.1:9/socket", "--headless", "--state", str(file / "below"))
    assert done.returncode == 1
    assert done.stderr.startswith("overlay-supervisor: state folder ")
    assert done.stderr.count("\n") == 1


def test_a_disk_that_is_broken_keeps_no_connection_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as broken:
        broken.setattr("tui.control.lock.os.open", refused)
        with state_lock(tmp_path):
            broken.undo()
            (tmp_path / "went on").touch()
    assert (tmp_path / "went on").exists()
    words = f"overlay-supervisor: state folder {tmp_path}: Read-only file system; going on, "
    assert capsys.readouterr().err.startswith(words)


async def test_without_a_standard_output_it_runs_all_the_same(tmp_path: Path) -> None:
    async with Hub() as hub:
        command = f"exec {sys.executable} -m tui.cli.main run {hub.url} -t events:all --headless"
        command += f" --state {tmp_path} >&-"
        environment = {
            **os.environ,
            "OVERLAY_SUPERVISOR_SOCKET": f"/tmp/overlay-supervisor-none-{os.getpid()}",
        }
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", command, env=environment)
        try:
            await eventually(lambda: hub.joins["events:all"] == 1, "joined")
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
