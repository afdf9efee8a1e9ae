"""The face where it lives: in a tmux pane."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.pace import PATIENCE
from tests.terminal.real_terminal import ROOT

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A tmux server of its own with the face in its one pane."""

    def __init__(
        self, socket: str, command: str = "-m tests.terminal.program still", line: str | None = None
    ) -> None:
        """Run ``line``, or a command of Python that tells its status."""
        self._socket = socket
        self.run(
            *("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c", str(ROOT)),
            line or f"{sys.executable} {command}; echo ended $?; sleep 60",
        )

    def run(self, *arguments: str) -> str:
        """Run a command of tmux."""
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
        )
        return done.stdout

    def screen(self) -> str:
        """What the pane shows."""
        return self.run("capture-pane", "-p")

    def wait_for(self, condition: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """Wait for the screen to be as wanted, with a limit."""
        deadline = time.monotonic() + seconds
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    server = Tmux(str(tmp_path_factory.mktemp("tmux") / "s"))
    yield server
    server.run("kill-server")


def test_it_is_seen_driven_resized_and_left(tmux: Tmux) -> None:
    screen = tmux.wait_for(lambda text: "heartbeat" in text)
    assert screen.splitlines()[0].startswith(" ● Connected  all 2 connections")
    assert "▸● dashboard" in screen
    tmux.run("send-keys", "j")
    tmux.wait_for(lambda text: "▸● stage" in text)
    tmux.run("send-keys", "?")
    tmux.wait_for(lambda text: "keys ─ what can be done" in text)
    tmux.run("send-keys", "Escape")
    tmux.wait_for(lambda text: "heartbeat" in text)
    tmux.run("resize-window", "-x", "40", "-y", "10")
    tmux.wait_for(lambda text: len(text.splitlines()[0]) <= 40 and "2/2 up" in text.splitlines()[0])
    tmux.run("resize-window", "-x", "160", "-y", "40")
    tmux.wait_for(lambda text: "WHY" in text)
    assert tmux.run("display-message", "-p", "#{pane_title}").strip() == "sup 2/2 up"
    tmux.run("send-keys", "q", "q")
    tmux.wait_for(lambda text: "ended 0" in text)


def test_keys_that_come_together_stay_together_and_control_q_ends_nothing(tmux: Tmux) -> None:
    tmux.wait_for(lambda text: "heartbeat" in text)
    tmux.run("send-keys", "-l", "/stageqq")
    tmux.wait_for(lambda text: "only 'stageqq': 0 of 2" in text)
    tmux.run("send-keys", "C-c")
    tmux.wait_for(lambda text: "only 'stageqq'" not in text)
    tmux.run("send-keys", "C-q")
    tmux.run("send-keys", "j")
    tmux.wait_for(lambda text: "▸● stage" in text)
