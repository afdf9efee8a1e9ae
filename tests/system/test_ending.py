"""Who is told of an end, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.terminal.real_terminal import ROOT, RealTerminal
from tui.system.ending import End

WAITS = """from tui.system.ending import carry_out
carry_out(lambda end: print('up', flush=True) or int(input() or 0))"""


def waiting(prepare: Callable[[], object] | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS],
        cwd=ROOT,
        preexec_fn=prepare,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_the_first_word_holds_and_everybody_is_told_once() -> None:
    end = End()
    told: list[str] = []

    def fail() -> None:
        told.append("fails")
        raise RuntimeError("its loop is closed")

    with end.telling(lambda: told.append("never")):
        pass
    with end.telling(lambda: told.append("early")), end.telling(fail):
        assert not end.is_asked
        end.ask(143, "ended by SIGTERM")
        end.ask(0, "left")
        assert sorted(told) == ["early", "fails"]
    with end.telling(lambda: told.append("late")):
        assert told[-1] == "late"
    assert (end.status, end.message, len(told)) == (143, "ended by SIGTERM", 3)


def test_a_signal_means_something_else_for_a_while_and_nothing_after_the_end() -> None:
    end = End()
    heard: list[str] = []
    with end.on(signal.SIGHUP, lambda: heard.append("outer")):
        with end.on(signal.SIGHUP, lambda: heard.append("inner")):
            end._take(signal.SIGHUP)
        end._take(signal.SIGHUP)
        assert (heard, end.is_asked) == (["inner", "outer"], False)
        end.ask(0)
        end._take(signal.SIGHUP)
    assert heard == ["inner", "outer"]


@pytest.mark.parametrize(
    "name", ["TERM", "INT", "HUP", "QUIT", "ABRT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "XCPU", "IO"]
)
def test_every_signal_that_ends_a_process_is_noted(name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    with waiting() as process:
        process.send_signal(number)
        assert process.wait(20) == 128 + number


@pytest.mark.parametrize("name", ["QUIT", "USR1", "XCPU"])
def test_no_signal_leaves_a_terminal_as_the_screen_needs_it(name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    with RealTerminal("still") as terminal:
        terminal.wait_for_output("dashboard")
        terminal.process.send_signal(number)
        assert terminal.exit_code(20) == 128 + number
        assert terminal.modes() == terminal.modes_before
        terminal.wait_for_output("\x1b[?1049l")


def test_what_was_started_to_outlive_its_terminal_does() -> None:
    with waiting(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
        process.communicate(b"\n", 20)
        assert process.returncode == 0


@pytest.mark.parametrize("closed", [(1,), (0, 1), (0, 1, 2)])
def test_what_is_printed_goes_into_no_pipe_of_our_own(closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    command = [sys.executable, "-m", "tui", "--version"]
    assert subprocess.run(command, cwd=ROOT, preexec_fn=close, timeout=20, check=False).returncode == 1
