"""Signals, crashes, stalls and losses on real terminals: what Textual alone does not survive.

Each test holds one of the private parts that ``tui/app/terminal.py`` stands on, and fails when it moves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.terminal.real_terminal import ROOT, RealTerminal

ALTERNATE_SCREEN_LEFT = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"
MOUSE_OFF = b"\x1b[?1000l"
READY = "heartbeat"


def assert_restored(terminal: RealTerminal) -> None:
    """The terminal is as it was: main screen, cursor, no mouse reports, its own modes."""
    terminal.wait_for(lambda: ALTERNATE_SCREEN_LEFT in terminal.output)
    entered = terminal.output.rindex(b"\x1b[?1049h")
    for sequence in (ALTERNATE_SCREEN_LEFT, CURSOR_SHOWN, MOUSE_OFF):
        assert terminal.output.rindex(sequence) > entered
    assert terminal.modes() == terminal.modes_before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it_and_restores_the_terminal(number: signal.Signals, code: int) -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        os.kill(terminal.pid, number)
        assert terminal.exit_code() == code
        assert_restored(terminal)


def test_quitting_restores_the_terminal() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        terminal.type("q")
        terminal.wait_for_output("quit and stop 2 connections?")
        terminal.type("q")
        assert terminal.exit_code() == 0
        assert_restored(terminal)


def test_a_crash_restores_the_terminal_and_is_told() -> None:
    with RealTerminal("crash") as terminal:
        assert terminal.exit_code() == 1
        assert_restored(terminal)
        left = terminal.output.rindex(ALTERNATE_SCREEN_LEFT)
        terminal.wait_for(lambda: b"crashed: staged crash of the face" in terminal.output[left:])
        # A traceback belongs in the log: its local variables may hold what nobody is to read.
        assert b"Traceback" not in terminal.output[left:]


@pytest.mark.parametrize("mode", ["still", "busy"])
def test_a_terminal_that_is_gone_ends_it(mode: str) -> None:
    with RealTerminal(mode) as terminal:
        terminal.wait_for_output(READY)
        terminal.close()
        assert terminal.exit_code(10.0) == 129


def test_a_terminal_that_is_gone_unnoticed_by_signals_ends_it_without_spinning() -> None:
    """As under nohup: the hang-up signal is not delivered, only the descriptor tells."""
    with RealTerminal("still", environment={"IGNORE_HANGUP": "1"}) as terminal:
        terminal.wait_for_output(READY)
        before = sum(terminal.process.cpu_times()[:2])
        # The program's time is charged to its parent when it has ended.
        children_before = sum(psutil.Process().cpu_times()[2:4])
        terminal.close()
        assert terminal.exit_code(10.0) == 129
        spent = sum(psutil.Process().cpu_times()[2:4]) - children_before - before
        # Textual's input thread spins until the watch of once a second has ended the app.
        assert spent < 5


def ticks_of(path: Path) -> list[float]:
    # The last one may be half written.
    return [float(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_a_stalled_terminal_does_not_stop_the_loop(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    with RealTerminal("flood", str(ticks)) as terminal:
        terminal.wait_for_output(READY)
        terminal.pause_reading()
        time.sleep(5.5)
        times = ticks_of(ticks)
        # Held up, it would stand still for all of these 5.5 s.
        assert times[-1] > time.monotonic() - 2
        assert max(after - before for before, after in pairwise(times)) < 2
        # What changed meanwhile was not sent; once the terminal reads again, all is painted anew.
        terminal.resume_reading()
        terminal.wait_for_output("the flood ended")
        terminal.type("qq")
        assert terminal.exit_code() == 0
        assert_restored(terminal)


def test_a_stalled_terminal_does_not_hold_up_the_end() -> None:
    with RealTerminal("flood") as terminal:
        terminal.wait_for_output(READY)
        terminal.pause_reading()
        time.sleep(3.0)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code(10.0) == 143


def test_idle_it_writes_nothing() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        time.sleep(1.0)
        written = len(terminal.output)
        before = sum(terminal.process.cpu_times()[:2])
        time.sleep(3.0)
        assert bytes(terminal.output[written:]) == b""
        assert sum(terminal.process.cpu_times()[:2]) - before < 0.3


def test_suspending_by_signal_does_nothing_and_says_so() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        os.kill(terminal.pid, signal.SIGTSTP)
        terminal.wait_for_output("would stop every connection")
        assert terminal.process.status() != psutil.STATUS_STOPPED
        terminal.type("\x1a")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == 143


def test_a_process_that_was_stopped_and_continued_reads_each_key_once() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        # A second input thread would take every other key.
        threads = terminal.process.num_threads()
        os.kill(terminal.pid, signal.SIGSTOP)
        time.sleep(0.3)
        seen = len(terminal.output)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for(lambda: b"LAST HOUR" in terminal.output[seen:])
        time.sleep(0.3)
        assert terminal.process.num_threads() == threads
        terminal.type("q")
        terminal.wait_for_output("quit and stop 2 connections?")
        terminal.type("q")
        assert terminal.exit_code() == 0


def test_the_title_is_set_once_and_given_back() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        time.sleep(0.6)
        assert terminal.output.count(b"\x1b]2;") == 1
        assert b"\x1b]2;sup 2/2 up\x07" in terminal.output
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.exit_code() == 143
        terminal.wait_for_output("\x1b[23;2t")


def test_without_colour_none_is_sent() -> None:
    with RealTerminal("still", environment={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for_output(READY)
        time.sleep(0.3)
        for colour in (b"38;2", b"48;2", b"38;5", b"48;5", b"[32", b";32m", b";42m"):
            assert colour not in terminal.output


def test_the_terminal_itself_is_asked_for_its_size() -> None:
    with RealTerminal("still", environment={"COLUMNS": "40", "LINES": "10"}) as terminal:
        terminal.wait_for_output("RECONNECTS")


def test_copying_is_one_sequence_to_the_terminal() -> None:
    with RealTerminal("still") as terminal:
        terminal.wait_for_output(READY)
        terminal.type("y")
        terminal.wait_for_output("\x1b]52;c;")
        terminal.wait_for_output("sent to the terminal")


def test_without_a_terminal_it_says_so() -> None:
    code = "import os; from tui.app.tty import problem; print(problem(os.environ))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "standard input and error are no terminal\n"
