"""The program among the jobs of a real shell: in the background, stopped, and in front again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.terminal.hub_thread import HubThread
from tests.terminal.test_tmux import Tmux
from tests.terminal.test_whole_program import folder, hub, wait_until

__all__ = ["folder", "hub"]

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Shell(Tmux):
    """An interactive bash in a pane."""

    def type(self, line: str) -> None:
        """Type a line and enter."""
        self.run("send-keys", "-l", line)
        self.run("send-keys", "Enter")

    def modes(self) -> list[str]:
        """Whether the other screen is shown, and whether the mouse is reported."""
        return self.run("display-message", "-p", "#{alternate_on} #{mouse_any_flag}").split()

    def say(self, word: str) -> None:
        """Have the shell say something, which it can only do while it is in front."""
        self.type(f"echo said $(({word})) words")
        self.wait_for(lambda screen: f"said {word} words" in screen)


@pytest.fixture
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="tmux-") as place:
        shell = Shell(f"{place}/s", line="bash --noprofile --norc -i")
        try:
            yield shell
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # it went with its last session
                shell.run("kill-server")


def start(shell: Shell, hub: HubThread, folder: Path) -> psutil.Process:
    """``run`` as a job in the background, once it is up."""
    shell.type(f"{sys.executable} -m tui.cli.main run {hub.hub.url} -t events:all --state {folder} &")
    wait_until(lambda: hub.hub.joins["events:all"] == 1, "connected without a screen")
    (process,) = [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(each.info["cmdline"] or [])
    ]
    return process


def quit_from(shell: Shell) -> None:
    shell.run("send-keys", "q")
    shell.wait_for(lambda screen: "quit and stop 1 connection?" in screen)
    shell.run("send-keys", "q")
    shell.wait_for(lambda screen: screen.rstrip()[-1:] in ("#", "$"))
    shell.type("echo ended $?")
    shell.wait_for(lambda screen: "ended 0" in screen)
    shell.say("2")


def test_started_in_the_background_it_keeps_the_connections_and_shows_itself_in_front(
    hub: HubThread, folder: Path, shell: Shell
) -> None:
    process = start(shell, hub, folder)
    shell.say("1")
    assert process.status() != psutil.STATUS_STOPPED
    assert "1/1 up" not in shell.screen()
    shell.type("fg")
    shell.wait_for(lambda screen: "1/1 up" in screen)
    shell.run("send-keys", "?")
    shell.wait_for(lambda screen: "what can be done" in screen)
    shell.run("send-keys", "Escape")
    shell.wait_for(lambda screen: "heartbeat" in screen)
    shell.run("send-keys", "C-z")
    shell.wait_for(lambda screen: "would stop every connection" in screen)
    assert hub.hub.joins["events:all"] == 1
    quit_from(shell)


def test_put_in_the_background_while_it_is_shown_it_leaves_the_terminal_to_the_shell(
    hub: HubThread, folder: Path, shell: Shell
) -> None:
    process = start(shell, hub, folder)
    shell.type("fg")
    shell.wait_for(lambda screen: "1/1 up" in screen)
    for times in range(2):
        process.send_signal(signal.SIGSTOP)
        shell.wait_for(lambda screen: "Stopped" in screen)
        shell.type("bg")
        wait_until(lambda: process.status() != psutil.STATUS_STOPPED, "it goes on")
        # What the shell says before this goes with the other screen.
        wait_until(lambda: shell.modes() == ["0", "0"], "main screen, no mouse reports")
        # What is typed now is the shell's, the mouse's reports are nobody's, and nothing is painted over it.
        shell.say(f"{times + 1}")
        assert process.status() != psutil.STATUS_STOPPED
        shell.type("fg")
        shell.wait_for(lambda screen: "1/1 up" in screen)
    process.send_signal(signal.SIGSTOP)
    shell.wait_for(lambda screen: "Stopped" in screen)
    shell.type("fg")
    shell.wait_for(lambda screen: "1/1 up" in screen and "Stopped" not in screen)
    quit_from(shell)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_the_background_too(
    hub: HubThread, folder: Path, shell: Shell, number: signal.Signals
) -> None:
    process = start(shell, hub, folder)
    os.kill(process.pid, number)
    shell.type("wait %1; echo ended $?")
    shell.wait_for(lambda screen: f"ended {128 + number}" in screen)
    wait_until(lambda: not hub.hub.connections, "the connection is closed")
    shell.say("3")


def test_a_shell_that_goes_takes_its_job_in_the_background_along(
    hub: HubThread, folder: Path, shell: Shell
) -> None:
    process = start(shell, hub, folder)
    shell.run("kill-session")
    with contextlib.suppress(psutil.NoSuchProcess):
        process.wait(10)
    wait_until(lambda: not hub.hub.connections, "the connection is closed")
