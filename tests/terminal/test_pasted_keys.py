"""Ten kilobytes of keys from a terminal that marks no paste: they cost little, and do nothing."""

from __future__ import annotations

import signal
import time

import pytest

from tests.terminal.real_terminal import RealTerminal
from tui.app.typed import UNENDED

MUCH = 10_000
TEXTS = {
    "unbound letters": "z" * MUCH,
    "a key that moves": "j" * MUCH,
    "prose": "The quick brown fox jumps over a lazy dog. DISCONNECT all, X!\r\n" * 160,
    "quit keys": "q" * MUCH,
    "answers": "qy" * (MUCH // 2),
    "control characters": "".join(map(chr, range(1, 27))) * (MUCH // 26),
    "escape sequences": "\x1b[A\x1b[B\x1bOP\x1b[1;5C\x1b[5~" * (MUCH // 19),
    "begun and never ended": "\x1b[" * (MUCH // 2),
    "other scripts": "äöü日本語😀" * (MUCH // 19),
    "focus coming and going": "\x1b[I\x1b[O" * (MUCH // 6),
    "keys that are none": "\x1b[99999999999u" * (MUCH // 14),
    "sizes that no terminal has": "\x1b[48;9000;9000;1;1t\x1b[48;0;0;0;0t\x1b[<35;1;1M" * (MUCH // 40),
    "the mouse": "".join(f"\x1b[<35;{at % 80 + 1};{at % 24 + 1}M" for at in range(MUCH // 12)),
}
SOON = 30.0
"""Seconds, for a machine that has much else to do; one is enough where it has not."""


def opened(mode: str = "still") -> RealTerminal:
    terminal = RealTerminal(mode)
    terminal.wait_for_output("dashboard")
    return terminal


@pytest.mark.parametrize("text", ["unbound letters", "prose", "escape sequences"])
def test_a_signal_overtakes_them(text: str) -> None:
    with opened() as terminal:
        terminal.type(TEXTS[text])
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.exit_code(SOON) == 128 + signal.SIGTERM


def test_they_are_dealt_with_soon_and_what_follows_is_a_key_again() -> None:
    with opened() as terminal:
        for name, text in TEXTS.items():
            terminal.type(text)
            terminal.wait_for_quiet()
            # Where a quit key was the last of them it asks; this is no answer but no.
            terminal.type("n")
            terminal.wait_for_quiet()
            terminal.output.clear()
            terminal.type("q")
            terminal.wait_for_output("quit and stop 2 connections", SOON)
            terminal.type("n")
            terminal.wait_for_quiet()
            assert terminal.process.is_running(), name
        terminal.type("q")
        terminal.wait_for_output("quit and stop 2 connections", SOON)
        terminal.type("y")
        assert terminal.exit_code(SOON) == 0


def test_a_quit_key_at_their_end_asks_and_none_of_them_answers() -> None:
    with opened() as terminal:
        terminal.type("z" * MUCH + "q")
        terminal.wait_for_output("quit and stop 2 connections", SOON)
        terminal.type("q" * MUCH)
        terminal.wait_for_quiet()
        terminal.type("n")
        terminal.wait_for_output("were taken for a text", SOON)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.exit_code(SOON) == 128 + signal.SIGTERM


def test_they_are_told_and_painted_once() -> None:
    with opened() as terminal:
        terminal.wait_for_quiet()
        terminal.output.clear()
        terminal.type("j" * MUCH)
        terminal.wait_for_output(f"{MUCH:,} keys at once were taken for a text", SOON)
        terminal.wait_for_quiet()
        assert len(terminal.output) < 2_000


@pytest.mark.parametrize("opens", ["/", "p", ":"])
def test_in_a_line_they_are_text_as_far_as_it_goes(opens: str) -> None:
    with opened() as terminal:
        terminal.wait_for_quiet()
        terminal.output.clear()
        terminal.type(opens)
        terminal.wait_for(lambda: bool(terminal.output))
        terminal.wait_for_quiet()
        terminal.type("q\ry" * (MUCH // 3))
        terminal.wait_for_quiet()
        terminal.type("\x1b")
        terminal.wait_for_quiet()
        terminal.type("\x1b")
        terminal.wait_for_quiet()
        terminal.type("q")
        terminal.wait_for_output("quit and stop 2 connections", SOON)


def test_a_terminal_that_goes_overtakes_them() -> None:
    with opened() as terminal:
        terminal.type("z" * MUCH)
        terminal.close()
        assert terminal.exit_code(SOON) == 128 + signal.SIGHUP


def test_a_marked_text_that_never_ends_makes_no_screen_deaf() -> None:
    with opened() as terminal:
        terminal.type("\x1b[200~" + "q" * MUCH)
        time.sleep(2 * UNENDED)
        terminal.type("q")
        terminal.wait_for_output("quit and stop 2 connections", SOON)
