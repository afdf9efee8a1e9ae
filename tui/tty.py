"""The terminal as it is found, before anything is drawn on it. Imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def is_there() -> bool:
    """Whether there is a terminal to be driven by: keys come from stdin, the screen goes to stderr."""
    return all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__))


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
