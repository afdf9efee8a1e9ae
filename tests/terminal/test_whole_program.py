"""The whole program as its user has it: in a tmux pane, on a hub that comes and goes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pace import PATIENCE
from tests.terminal.hub_thread import HubThread
from tests.terminal.real_terminal import ROOT
from tests.terminal.test_tmux import Tmux

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def hub() -> Iterator[HubThread]:
    thread = HubThread()
    yield thread
    thread.end()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short: a Unix socket's path has 107 bytes at the most.
    with tempfile.TemporaryDirectory(prefix="os-") as path:
        yield Path(path)


@contextmanager
def pane(folder: Path, command: str) -> Iterator[Tmux]:
    with tempfile.TemporaryDirectory(prefix="tmux-") as place:
        tmux = Tmux(f"{place}/tmux", f"{command} --state {folder}")
        try:
            yield tmux
        finally:
            tmux.run("kill-server")


@contextmanager
def headless(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tui.cli.main", "run", url, "-t", "events:all", "--headless"]
    process = subprocess.Popen([*command, "--state", str(folder)], stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


def test_a_hub_that_is_killed_and_comes_back_is_seen_and_quitting_asks_once(
    hub: HubThread, folder: Path
) -> None:
    with pane(folder, f"-m tui.cli.main run {hub.hub.url} -t events:all -t stream:queue") as tmux:
        tmux.wait_for(lambda screen: "1/1 up" in screen and "2/2" in screen, 15)
        hub.do(hub.hub.stop(graceful=False))
        tmux.wait_for(lambda screen: "0/1 up" in screen and "errored" in screen, 15)
        hub.do(hub.hub.start())
        tmux.wait_for(lambda screen: "1/1 up" in screen and "reconnects 1" in screen, 15)
        tmux.run("send-keys", "q")
        tmux.wait_for(lambda screen: "quit and stop 1 connection?" in screen)
        tmux.run("send-keys", "q")
        tmux.wait_for(lambda screen: "ended 0" in screen)
        wait_until(lambda: not hub.hub.connections, "the connection is closed")


def test_a_face_comes_and_goes_and_the_engine_never_notices(hub: HubThread, folder: Path) -> None:
    with headless(folder, hub.hub.url) as engine:
        wait_until(lambda: hub.hub.joins["events:all"] == 1, "joined")
        with (
            pane(folder, "-m tui.cli.main attach") as first,
            pane(folder, "-m tui.cli.main attach") as second,
        ):
            for face in (first, second):
                face.wait_for(lambda screen: "● Connected" in screen and "1/1 up" in screen, 15)
            first.run("send-keys", "d")
            first.wait_for(lambda screen: "ended 0" in screen)
            second.run("send-keys", "r")
            wait_until(lambda: hub.hub.joins["events:all"] == 2, "reconnected by a key of a face")
            faces = second.run("list-panes", "-F", "#{pane_pid}").split()
            for child in subprocess.run(
                ["pgrep", "-P", faces[0]], capture_output=True, text=True, check=True
            ).stdout.split():
                os.kill(int(child), signal.SIGKILL)
            beats = hub.heartbeats()
            wait_until(lambda: hub.heartbeats() > beats, "heartbeats go on")
            assert engine.poll() is None
            assert hub.hub.joins["events:all"] == 2


def test_a_face_waits_for_its_engine_and_says_so(hub: HubThread, folder: Path) -> None:
    with pane(folder, "-m tui.cli.main attach") as early:
        early.wait_for(lambda screen: "no engine is running in" in screen and "ended 1" in screen)
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(headless(folder, hub.hub.url))
        wait_until(lambda: hub.hub.joins["events:all"] == 1, "the engine is up")
        face = stack.enter_context(pane(folder, "-m tui.cli.main attach"))
        face.wait_for(lambda screen: "● Connected" in screen, 15)
        # One that ends in order may have told before that it disconnects.
        engine.kill()
        engine.wait(10)
        screen = face.wait_for(lambda screen: "waiting for the engine" in screen)
        assert "was Connected" in screen
        with headless(folder, hub.hub.url):
            face.wait_for(lambda screen: screen.startswith(" ● Connected"), 15)
            face.run("send-keys", "q")
            face.wait_for(lambda screen: "ended 0" in screen)


def test_a_face_that_crashes_three_times_leaves_the_connections_alone(hub: HubThread, folder: Path) -> None:
    with pane(folder, f"-m tests.terminal.crashing run {hub.hub.url} -t events:all") as tmux:
        told = tmux.wait_for(lambda screen: "crashed three times" in screen, 30)
        assert "overlay-supervisor attach" in told
        assert "Traceback" not in told
        assert hub.hub.joins["events:all"] == 1
        beats = hub.heartbeats()
        wait_until(lambda: hub.heartbeats() > beats, "heartbeats go on")
        with pane(folder, "-m tui.cli.main attach") as face:
            face.wait_for(lambda screen: "● Connected" in screen, 15)
        tmux.run("send-keys", "C-c")
        tmux.wait_for(lambda screen: "ended 130" in screen)
    log = (folder / "overlay-supervisor.log").read_text()
    assert log.count("staged crash of the face") >= 3
