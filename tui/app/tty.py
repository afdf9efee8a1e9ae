"""The terminal as it is found, written to, let go of and restored. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Mapping
from typing import Any

log = logging.getLogger("tui.app.terminal")

HUNG_UP = 128 + signal.SIGHUP
"""The exit status of a program whose terminal went away."""

_LOOK = 100
"""Milliseconds between two looks at whether a terminal that does not read is still waited for."""
_PAUSE = 0.02

_LOST = select.POLLHUP | select.POLLERR | select.POLLNVAL
_RESTORE = (
    "\x18"  # ends a sequence that broke off
    "\x1b[<u"  # keyboard protocol
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?2048l"  # paste, focus, resize reports
    "\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"  # colours, line wrap, main screen, cursor
)


def is_there() -> bool:
    """Whether there is a terminal to be driven by: keys come from stdin, the screen goes to stderr."""
    return all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__))


def is_in_front() -> bool:
    """Whether we may read from the terminal and set its modes, which a job in the background may not."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True  # nobody's jobs are controlled from there


def ignore_job_control() -> None:
    """Go on in the background: neither stop at a read from the terminal nor at a change of its modes.

    Then a read fails, and a change must be left out: see :func:`is_in_front`. In the main thread only.
    """
    for number in (signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)


def problem(environ: Mapping[str, str]) -> str | None:
    """Why no screen can be shown here; None when one can."""
    if not is_there():
        return "standard input and error are no terminal"
    if environ.get("TERM", "") in ("", "dumb"):
        return "the terminal cannot place its cursor (TERM is dumb or not set)"
    return None


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale writes UTF-8: LC_ALL, else LC_CTYPE, else LANG, as POSIX has it.

    Without any of them, as in a container, it is taken for granted: a terminal that does not know it
    has become rare.
    """
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), None)
    if locale is None:
        return True
    encoding = locale.partition(".")[2].partition("@")[0]
    return encoding.casefold().replace("-", "") == "utf8"


def is_lost(descriptor: int) -> bool:
    """Whether nobody will ever type here again: hung up, failed, or closed."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(events & _LOST for _, events in poll.poll(0))


class TerminalOutput:
    """Standard error as a file for the thread that draws: it waits for the terminal, until it is let go of.

    A thread that waits within the system could not be told to stop, and would keep everybody else from
    writing to the terminal.
    """

    def __init__(self) -> None:
        self._descriptor = _opened_anew()
        self._is_let_go = False

    def write(self, text: str) -> None:
        """Write all of ``text``; drop it once the terminal is let go of, or gone."""
        rest = memoryview(text.encode("utf-8", "replace"))
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while rest and not self._is_let_go:
            if not poll.poll(_LOOK):
                continue
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(_PAUSE)
            except OSError as error:
                log.info("the terminal cannot be written to any more: %s", error)
                self._is_let_go = True

    def flush(self) -> None:
        """Nothing: all is written."""

    def let_go(self) -> None:
        """Write no more. From any thread."""
        self._is_let_go = True


class SavedTerminal:
    """The terminal's modes as they were, for an end that Textual does not see."""

    def __init__(self) -> None:
        """Keep the modes of stdin, if it is a terminal."""
        self._descriptor = 0
        self._modes: list[Any] | None = None
        if is_there():
            self._modes = termios.tcgetattr(self._descriptor)

    def restore(self) -> None:
        """Leave the main screen, a cursor and the modes behind. Harmless when all is well already.

        Never waits. What a stalled terminal has not taken is thrown away, so that it finds this when it
        reads again.
        """
        if self._modes is None or is_lost(self._descriptor) or not is_in_front():
            return
        # Without flushing: waiting for output to drain would wait for a stalled terminal.
        termios.tcsetattr(self._descriptor, termios.TCSANOW, self._modes)
        output = _opened_anew()
        with contextlib.suppress(OSError, termios.error):
            if not select.select([], [output], [], 0)[1]:
                termios.tcflush(output, termios.TCOFLUSH)
            if select.select([], [output], [], 0)[1]:
                os.write(output, _RESTORE.encode())


def _opened_anew() -> int:
    """A descriptor of the terminal that never blocks: those who share standard error must not find it so."""
    try:
        return os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # Another user's terminal, say. Then it is as patient as the terminal.
        return os.dup(2)
