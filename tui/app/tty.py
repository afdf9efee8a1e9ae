"""The terminal as it is found, before anything is drawn on it. Imports nothing heavy."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping

HUNG_UP = 128 + signal.SIGHUP
"""The exit status of a program whose terminal went away."""


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
