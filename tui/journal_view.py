"""The ``journal`` command: what happened, and when the program was not there to see it."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec

from tui.store.journal import FOLDER_NAME, Entry, Gap, parse_since, read

_WHY = {
    "stopped": "it had been stopped",
    "killed": "it was killed, or the machine went",
    "stood still": "it stood still: asleep, held, or its disk did not answer",
}
_MARKS = {"info": " ", "warning": "!", "error": "✗"}


def main(folder: Path, *, since: str | None, connection: str | None, as_json: bool) -> int:
    """Print the journal in ``folder``; the exit status: 0, or 2 for a time that is none.

    Raises:
        BrokenPipeError: whoever read the output has enough.
    """
    try:
        begin = 0.0 if since is None else parse_since(since, time.time())
    except ValueError:
        print(
            f"overlay-supervisor: --since {since!r}: expected 90s, 30m, 2h, 3d, 21:14, 2026-11-22 "
            "or 2026-11-22T21:14",
            file=sys.stderr,
        )
        return 2
    try:
        if not (folder / FOLDER_NAME).is_dir():
            print(f"overlay-supervisor: no journal in {folder}", file=sys.stderr)
            return 1
        for each in read(folder, since=begin, connection=connection, now=time.time()):
            print(_json(each) if as_json else _words(each))
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"overlay-supervisor: the journal cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    sys.stdout.flush()
    return 0


def _json(each: Entry | Gap) -> str:
    if isinstance(each, Gap):
        return msgspec.json.encode({"kind": "gap", **msgspec.structs.asdict(each)}).decode()
    return msgspec.json.encode(each).decode()


def _words(each: Entry | Gap) -> str:
    if isinstance(each, Gap):
        minutes, seconds = divmod(round(each.until - each.since), 60)
        length = f"{minutes} min {seconds} s"
        if each.lasts:
            return f"{_moment(each.since)}   not running since, for {length} now"
        until = f"until {_moment(each.until)}: {_WHY[each.because]}"
        return f"{_moment(each.since)}   not running for {length}, {until}"
    who = f"{each.connection} " if each.connection else ""
    return f"{_moment(each.timestamp)} {_MARKS[each.severity]} {who}{_plain(each.text)}"


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S")


def _plain(text: str) -> str:
    """Text from outside for a terminal: what is not printable becomes its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
