"""What every shell command does alike: whom it asks, how it answers, and with which exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tui.control.client import ControlClient
from tui.control.protocol import Request, Result, socket_path
from tui.control.text import printable
from tui.places import state_folder

OK = 0
FAILED = 1
NO_ENGINE = 3

COLUMNS = 110
"""The most that a line of a table takes."""

COMMAND_SECONDS = 20.0
"""How long a command may take; the engine itself gives a push 10 s."""


def folder(args: argparse.Namespace) -> Path:
    """The state folder that was meant."""
    return state_folder(getattr(args, "state", None), os.environ)


def client(args: argparse.Namespace, timeout: float = 5.0) -> ControlClient:
    """A connection to the engine that was meant.

    Raises:
        NoEngineError: none answers.
    """
    path = socket_path(getattr(args, "socket", None), folder(args), os.environ)
    return ControlClient(path, timeout)


def wants_json(args: argparse.Namespace) -> bool:
    """``--json`` was given."""
    return bool(getattr(args, "json", False))


def print_json(value: object) -> None:
    """One line, in ASCII: nothing that came over a network can be obeyed by a terminal."""
    print(json.dumps(value, ensure_ascii=True))


def fail(status: int, words: str) -> int:
    """Say on standard error why nothing was done, and return ``status``."""
    for line in words.splitlines() or [""]:
        print(f"overlayctl: {printable(line, 1000)}", file=sys.stderr)
    return status


def give(args: argparse.Namespace, request: Request, timeout: float = COMMAND_SECONDS) -> int:
    """Give a command, say what came of it, and return the exit status."""
    with client(args) as asked:
        return tell(args, asked.command(request, timeout))


def tell(args: argparse.Namespace, result: Result, **more: object) -> int:
    """Say what came of a command, in JSON with ``more``, and return the exit status."""
    if wants_json(args):
        print_json({"ok": result.ok, "message": result.message, **more})
        return OK if result.ok else FAILED
    if not result.ok:
        return fail(FAILED, result.message)
    for line in result.message.splitlines():
        print(printable(line, 1000))
    return OK
