"""Run commands, each in a process of its own, before every kind of output, and say what came.

A process that forks, so that Python starts once. Its environment is the locale that is tried. Reads
``[[kind, command, arguments], ...]`` as JSON on standard input and prints ``[[status, out, err], ...]``,
bytes as Latin-1, into the file that is named.
"""

from __future__ import annotations

import gc
import json
import os
import pty
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress

from tui.cli import check
from tui.cli import journal as journal_view
from tui.cli import main as cli
from tui.cli.ctl import main as ctl
from tui.config import load as config
from tui.control import remote
from tui.metrics import exposition as openmetrics
from tui.runtime import session
from tui.system.ending import open_what_is_closed
from tui.text import alert_export

# Each import here is one that no process has to make for itself.
IMPORTED = (alert_export, check, config, journal_view, openmetrics, remote, session)
COMMANDS = {"overlay-supervisor": cli.main, "overlayctl": ctl.main}


def one(kind: str, command: str, arguments: list[str]) -> list[object]:
    """Run one command; its status, its output and its errors."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        reader = writer = -1
        if kind in ("pipe", "gone"):
            reader, writer = os.pipe()
        elif kind == "terminal":
            reader, writer = pty.openpty()
        elif kind == "full":
            writer = os.open("/dev/full", os.O_WRONLY)
        if kind == "gone":
            os.close(reader)
        process = os.fork()
        if process == 0:
            os.dup2(err.fileno(), 2)
            if kind == "closed":
                # As Python finds it when it is started so.
                os.close(1)
                open_what_is_closed()
                sys.stdout = sys.__stdout__ = None  # type: ignore[assignment, misc]  # as a closed stream leaves it
            else:
                os.dup2(out.fileno() if writer < 0 else writer, 1)
            for each in (reader, writer):
                with suppress(OSError):
                    os.close(each)
            os._exit(_status(COMMANDS[command], arguments))
        if writer >= 0:
            os.close(writer)
        content = b""
        if kind in ("pipe", "terminal"):
            # A terminal whose last writer has gone fails instead of ending.
            with suppress(OSError):
                while data := os.read(reader, 65536):
                    content += data
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if kind in ("pipe", "terminal"):
            os.close(reader)
        if kind == "file":
            content = (out.seek(0) and b"") or out.read()
        err.seek(0)
        return [status, content.decode("latin-1"), err.read().decode("latin-1")]


def _status(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run one to its end, as the interpreter does, without its half second of tidying up."""
    try:
        status = command(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # noqa: BLE001  # as the interpreter prints it
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            os.write(2, f"Exception ignored: {error}\n".encode())
            status = 120
    return status


def main() -> None:
    """Run all of them."""
    gc.freeze()
    asked = json.load(sys.stdin.buffer)
    with open(sys.argv[1], "w") as answers:
        json.dump([one(*each) for each in asked], answers)


if __name__ == "__main__":
    main()
