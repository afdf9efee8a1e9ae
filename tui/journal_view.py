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
_NAMES_TOLD = 20
_MARKS = {"info": " ", "warning": "!", "error": "✗"}


def main(folder: Path, *, since: str | None, connection: str | None, as_json: bool) -> int:
    """Print the journal in ``folder``.

    Returns:
        The exit status: 0; 1 for a journal that cannot be read or knows nothing of ``connection``;
        2 for a time that is none.

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
        found = connection is None
        for each in read(folder, since=begin, connection=connection, now=time.time()):
            print(_json(each) if as_json else _words(each))
            found = found or (isinstance(each, Entry) and each.connection == connection)
        sys.stdout.flush()
        if connection is not None and not found:
            return _say_nothing_of(connection, folder)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"overlay-supervisor: the journal cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _say_nothing_of(connection: str, folder: Path) -> int:
    """Say whether there was nothing in the time, or never anything at all."""
    known = {each.connection for each in read(folder) if isinstance(each, Entry) and each.connection}
    if connection in known:
        print(f"overlay-supervisor: nothing of {_plain(connection)} in that time", file=sys.stderr)
        return 0
    names = sorted(_plain(name) for name in known)
    more = ", ..." if len(names) > _NAMES_TOLD else ""
    others = f"; of these there is: {', '.join(names[:_NAMES_TOLD])}{more}" if names else ""
    print(f"overlay-supervisor: nothing is kept of {_plain(connection)}{others}", file=sys.stderr)
    return 1


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
