"""What every shell command does alike: whom it asks, how it answers, and with which exit status."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.control.client import ControlClient, RefusedError
from tui.control.protocol import COMMAND_SECONDS, Result, socket_path
from tui.model.known import not_present
from tui.model.snapshot import Snapshot
from tui.system.output import FAILED, complain, is_terminal, put, put_json, say
from tui.system.paths import state_folder
from tui.text.json_text import in_ascii
from tui.text.printable import columns, padded, printable

OK = 0
NO_ENGINE = 3

COLUMNS = 110
"""The most that a line of a table takes."""

MOST_NOTED = 1000
"""Characters of a line that says what came of a command."""


def folder(args: argparse.Namespace) -> Path:
    """The state folder that was meant."""
    return state_folder(args.state, os.environ)


def client(args: argparse.Namespace, timeout: float = 5.0) -> ControlClient:
    """A connection to the engine that was meant.

    Raises:
        NoEngineError: none answers.
    """
    path = socket_path(args.socket, folder(args), os.environ)
    return ControlClient(path, timeout)


def require_present(snapshot: Snapshot) -> Snapshot:
    """The snapshot itself.

    Raises:
        RefusedError: nobody observes any more what it tells; that must not be taken for the present.
    """
    if (stale := not_present(snapshot, time.time())) is not None:
        raise RefusedError(stale.message)
    return snapshot


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of printable cells under each other, each as wide as the widest of its column."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(padded, row, widths)) for row in rows]


def fail(status: int, words: str) -> int:
    """Say on standard error why nothing was done, and return ``status``."""
    complain("overlayctl", *(printable(line, MOST_NOTED) for line in words.splitlines() or [""]))
    return status


def give(
    args: argparse.Namespace, method: str, timeout: float = COMMAND_SECONDS, /, **parameters: Any
) -> int:
    """Give a command, say what came of it, and return the exit status."""
    with client(args) as asked:
        return note(args, asked.command(method, timeout, **parameters))


def note_reply(args: argparse.Namespace, result: Result) -> int:
    """Say what a push was answered: whole to a pipe or a file, its beginning to a terminal."""
    if args.json:
        # Laid out and not read: every number stays as it came.
        reply = result.reply and msgspec.Raw(msgspec.json.format(result.reply.encode(), indent=-1))
        return note(args, result, reply=reply)
    if not result.ok or result.reply is None:
        # Of a reply that is too long the message says so, and gives its beginning, which is no JSON.
        return fail(FAILED, result.message)
    if not is_terminal():
        put(in_ascii(result.reply))
        return OK
    put(printable(result.reply, MOST_NOTED))
    if len(result.reply) > MOST_NOTED:
        say(f"(the first {MOST_NOTED} of {len(result.reply)} characters; all of them to a pipe or a file)")
    return OK


def note(args: argparse.Namespace, result: Result, **more: object) -> int:
    """Say what came of a command, in JSON with ``more``, and return the exit status."""
    if args.json:
        put_json({"ok": result.ok, "message": result.message, **more})
        return OK if result.ok else FAILED
    if not result.ok:
        return fail(FAILED, result.message)
    for line in result.message.splitlines():
        put(printable(line, MOST_NOTED))
    return OK
