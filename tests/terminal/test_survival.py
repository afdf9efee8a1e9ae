"""What the whole program survives on a real pseudo-terminal, with a real hub at its other end."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.hub_thread import HubThread
from tests.terminal.real_terminal import ROOT, RealTerminal
from tests.terminal.test_whole_program import folder, hub, wait_until

__all__ = ["folder", "hub"]

UNREAD_SECONDS = float(os.environ.get("UNREAD_SECONDS", "5"))
BEAT = 0.5


@contextmanager
def program(hub: HubThread, folder: Path, **environment: str) -> Iterator[RealTerminal]:
    """``overlay-supervisor run`` on the hub, with a heartbeat twice a second."""
    connection = "OVERLAY_SUPERVISOR_CONNECTIONS__STAGE__"
    values = {
        f"{connection}URL": hub.hub.url,
        f"{connection}TOPICS": '["events:all"]',
        f"{connection}PRESET": "live",
        f"{connection}HEARTBEAT_INTERVAL": str(BEAT),
        "XDG_CONFIG_HOME": str(folder),
    }
    with RealTerminal(
        "run", "--state", str(folder), environment=values | environment, module="tui.cli.main"
    ) as terminal:
        terminal.wait_for_output("1/1 up", 15)
        yield terminal


def journal_of(folder: Path) -> list[str]:
    return [
        json.loads(line)["text"]
        for path in sorted((folder / "journal").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_a_terminal_that_nobody_reads_holds_up_no_heartbeat(hub: HubThread, folder: Path) -> None:
    with program(hub, folder) as terminal:
        terminal.pause_reading()
        for number in range(2000):
            # Something to paint all the while, so that the terminal fills.
            hub.do(hub.hub.broadcast("events:all", "said", {"number": number}))
            if number % 100 == 0:
                terminal.resize(80 + number % 7, 24)
        beats, began = hub.heartbeats(), time.monotonic()
        while time.monotonic() < began + UNREAD_SECONDS:
            hub.do(hub.hub.broadcast("events:all", "said", {"at": time.monotonic()}))
            terminal.resize(80 + int(time.monotonic() * 10) % 7, 24)
            time.sleep(0.05)
        expected = (time.monotonic() - began) / BEAT
        assert hub.heartbeats() - beats >= 0.7 * expected
        assert hub.hub.joins["events:all"] == 1
        terminal.resume_reading()
        terminal.resize(80, 24)
        terminal.wait_for(lambda: terminal.output.endswith(b"") and b"1/1 up" in terminal.output[-20_000:])
        seen = len(terminal.output)
        terminal.type("?")
        terminal.wait_for(lambda: b"what can be done" in terminal.output[seen:])


def test_a_terminal_that_goes_ends_it_within_two_seconds_and_leaves(hub: HubThread, folder: Path) -> None:
    with program(hub, folder) as terminal:
        terminal.type("o")
        terminal.wait_for_output("ordered by name")
        terminal.close()
        began = time.monotonic()
        assert terminal.exit_code() == 129
        assert time.monotonic() - began < 2.5
        wait_until(lambda: not hub.hub.connections, "the connection is closed")
        assert journal_of(folder)[-1] == "stopped"
        assert json.loads((folder / "face.json").read_text())["order"] == "name"


def test_a_terminal_that_goes_leaves_the_connections_when_they_are_to_be_kept(
    hub: HubThread, folder: Path
) -> None:
    with program(hub, folder, OVERLAY_SUPERVISOR_APP__ON_HANGUP="keep") as terminal:
        terminal.close()
        wait_until(lambda: any("without a screen" in text for text in journal_of(folder)), "told")
        beats, spent = hub.heartbeats(), sum(terminal.process.cpu_times()[:2])
        wait_until(lambda: hub.heartbeats() >= beats + 4, "heartbeats go on")
        assert sum(terminal.process.cpu_times()[:2]) - spent < 0.5, "it spins"
        assert hub.hub.joins["events:all"] == 1
        asked = [sys.executable, "-m", "tui.cli.main", "ctl", "status", "--state", str(folder)]
        status = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "connected" in status
        os.kill(terminal.pid, signal.SIGHUP)
        wait_until(
            lambda: any("settings reloaded" in text for text in journal_of(folder)), "SIGHUP reads settings"
        )
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_its_status_and_the_screen_restored(
    hub: HubThread, folder: Path, number: signal.Signals, code: int
) -> None:
    with program(hub, folder) as terminal:
        os.kill(terminal.pid, number)
        assert terminal.exit_code() == code
        assert terminal.modes() == terminal.modes_before
        terminal.wait_for(lambda: b"\x1b[?1049l" in terminal.output and b"\x1b[?25h" in terminal.output)


def test_resizing_without_end_changes_nothing(hub: HubThread, folder: Path) -> None:
    random_source = random.Random(7)
    with program(hub, folder) as terminal:
        for _ in range(300):
            terminal.resize(random_source.randint(1, 220), random_source.randint(1, 60))
            time.sleep(0.005)
        terminal.resize(1, 1)
        time.sleep(0.2)
        seen = len(terminal.output)
        terminal.resize(80, 24)
        terminal.wait_for(lambda: b"RECONNECTS" in terminal.output[seen:])
        assert hub.hub.joins["events:all"] == 1


# Terminals that can do less


def test_a_terminal_that_knows_no_utf8_is_sent_none() -> None:
    with RealTerminal("still", environment={"LC_ALL": "C"}) as terminal:
        terminal.wait_for_output("* Connected")
        terminal.wait_for_output("###############")
        terminal.type("?")
        terminal.wait_for_output("what can be done")
        terminal.type("q")
        terminal.type("i")
        terminal.wait_for_output("recorded while you look")
        assert bytes(terminal.output).isascii()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_place_its_cursor_is_told_so(term: str) -> None:
    with RealTerminal("demo", environment={"TERM": term}, module="tui.cli.main") as terminal:
        assert terminal.exit_code() == 2
        terminal.wait_for_output("cannot place its cursor")
        assert b"--headless" in terminal.output
        assert b"\x1b" not in terminal.output


@pytest.mark.parametrize("term", ["linux", "xterm"])
def test_sixteen_colours_are_enough(term: str) -> None:
    with RealTerminal("still", environment={"TERM": term, "COLORTERM": ""}) as terminal:
        terminal.wait_for_output("● Connected")
        assert b"38;2;" not in terminal.output
        assert b"38;5;" not in terminal.output


# Text from the network


_OWN = re.compile(
    rb"\x1b\[[0-9;]*[HmJK]|\x1b\[[?>=<][0-9;:]*[hlu$pcq]+|\x1b\[\d*;?\d*t"
    rb"|\x1b\]2;[ -~]*\x07|\x1b\]22;default\x07|\x1b\[\?2026\$p|\x1b\[c"
)


def test_nothing_that_a_network_says_reaches_the_terminal_raw() -> None:
    with RealTerminal("hostile") as terminal:
        terminal.wait_for_output("LAST HOUR")
        for keys in ("\r", "G", "g", "\x1b", "\t\t\t", "g", "G", "/bad\x1b", ":"):
            terminal.type(keys)
            time.sleep(0.3)
        # Without the last sequence, of which the end may be under way.
        left = _OWN.sub(b"", bytes(terminal.output[: terminal.output.rindex(b"\x1b")]))
        assert b"\x1b" not in left, left[left.index(b"\x1b") - 20 :][:60]
        assert not set(left) & (set(range(0x20)) - set(b"\r\n")) - {0x1B}
        text = left.decode()
        assert not re.search(
            "[\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]", text
        )
        assert "ZXZpbA" in text, "what was said is shown, harmlessly"
        assert len(left) < 400_000
