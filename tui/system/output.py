"""What a command prints: to a terminal, a pipe, a file or a full disk, in every locale.

Standard output and standard error are written here and nowhere else. Text is made harmless, JSON is ASCII,
and an output that cannot be written ends a command with a line and a status instead of a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from tui.text.printable import SIGNS, obeyed_by_none, printable

PROGRAM = "overlay-supervisor"

FAILED = 1
USAGE = 2
"""A mistake on the command line or in the settings."""


class UnwrittenError(Exception):
    """Standard output took no more; ``reason`` is the system's. Raised by all that puts or flushes."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason.strerror or type(reason).__name__)
        self.reason = reason


class Parser(argparse.ArgumentParser):
    """A parser of command lines whose mistakes a terminal does not obey, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message, 2000))


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(error) from None


def _harmless(text: str) -> str:
    return "\n".join(map(obeyed_by_none, text.split("\n")))


def put(*lines: str) -> None:
    """Print each text, which may be of several lines, on standard output."""
    with _writing():
        for line in lines:
            print(_harmless(line))


def put_json(value: object) -> None:
    # --help imports this module, and no more than it needs.
    from tui.text.json_text import json_text

    put(json_text(value))


def is_terminal() -> bool:
    """Whether a person reads standard output as it comes."""
    return sys.stdout.isatty()


def put_content(content: bytes) -> None:
    """Print lines whose format says that they are UTF-8: exactly, unless a terminal reads them."""
    if is_terminal():
        put(content.decode().removesuffix("\n"))
        return
    flush()
    with _writing():
        sys.stdout.buffer.write(content)


def flush() -> None:
    with _writing():
        sys.stdout.flush()


def complain(program: str, *lines: str) -> None:
    """Say what is wrong on standard error, each line under the program's name. Never fails."""
    say(*(f"{program}: {line}" for text in lines for line in text.splitlines() or [""]))


def say(*lines: str) -> None:
    """Print lines on standard error. Never fails: there is no other place to tell it."""
    # Without a standard error, Python would print on standard output.
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            for line in lines:
                print(_harmless(line), file=sys.stderr)


def write_all(program: str, command: Callable[[], int]) -> int:
    """Run a command and write all of its output; the exit status.

    That is the command's own; :data:`FAILED` where its output could not be written, which is told unless
    whoever read it has simply gone.
    """
    _prepare()
    try:
        try:
            return command()
        finally:
            # Also at a SystemExit: after what --help and --version print.
            flush()
    except UnwrittenError as error:
        give_up(program, error)
        return FAILED


def settled(program: str, status: int, *lines: str) -> int:
    """Print lines for a status that stands whatever becomes of them, and return it."""
    try:
        put(*lines)
        flush()
    except UnwrittenError as error:
        give_up(program, error)
    return status


def give_up(program: str, error: UnwrittenError) -> None:
    """Say that standard output cannot be written; what waits for it is thrown away."""
    # What is buffered would be tried once more at the interpreter's end.
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    if not isinstance(error.reason, BrokenPipeError):
        words = "it is closed" if error.reason.errno == errno.EBADF else str(error)
        complain(program, f"standard output: {words}")


class Descriptor(io.FileIO):
    """Waits where another program that shares the descriptor has made it non-blocking."""

    def write(self, data: object) -> int:
        while (written := super().write(data)) is None:  # type: ignore[arg-type]  # any buffer
            select.select([], [self], [])
        return written


def _prepare() -> None:
    if (found := sys.stdout) is sys.__stdout__:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(Descriptor(1, "w", closefd=False)),
            encoding=found.encoding if found else "utf-8",
            line_buffering=os.isatty(1),
            write_through=found.write_through if isinstance(found, io.TextIOWrapper) else False,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SIGNS)
