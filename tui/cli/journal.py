"""The ``journal`` command: what happened, and when the program was not there to see it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import msgspec

from tui.store.journal import FOLDER_NAME, WHY, Entry, Gap, parse_since, read
from tui.system.output import PROGRAM, complain, flush, put
from tui.text.json_text import json_text
from tui.text.printable import printable

_MOST_TEXT = 20_000
_NAMES_NOTED = 20
_MARKS = {"info": " ", "warning": "!", "error": "✗"}


def main(folder: Path, *, since: str | None, connection: str | None, as_json: bool) -> int:
    """Print the journal in ``folder``.

    Returns:
        The exit status: 0; 1 for a journal that cannot be read or knows nothing of ``connection``;
        2 for a time that is none.

    Raises:
        UnwrittenError: the output cannot be written.
    """
    try:
        begin = 0.0 if since is None else parse_since(since, time.time())
    except ValueError:
        times = "90s, 30m, 2h, 3d, 21:14, 2026-11-22 or 2026-11-22T21:14"
        complain(PROGRAM, f"--since {since!r}: expected {times}")
        return 2
    try:
        if not (folder / FOLDER_NAME).is_dir():
            complain(PROGRAM, f"no journal in {folder}")
            return 1
        found = connection is None
        for each in read(folder, since=begin, connection=connection, now=time.time()):
            if as_json or isinstance(each, Gap) or each.text:
                put(_json(each) if as_json else _words(each))
            found = found or (isinstance(each, Entry) and each.connection == connection)
        flush()
        if connection is not None and not found:
            return _say_nothing_of(connection, folder)
    except OSError as error:
        complain(PROGRAM, f"the journal cannot be read: {error.strerror}")
        return 1
    return 0


def _say_nothing_of(connection: str, folder: Path) -> int:
    """Say whether there was nothing in the time, or never anything at all."""
    known = {each.connection for each in read(folder) if isinstance(each, Entry) and each.connection}
    if connection in known:
        complain(PROGRAM, f"nothing of {connection} in that time")
        return 0
    names = sorted(known)
    more = ", ..." if len(names) > _NAMES_NOTED else ""
    others = f"; of these there is: {', '.join(names[:_NAMES_NOTED])}{more}" if names else ""
    complain(PROGRAM, f"nothing is kept of {connection}{others}")
    return 1


def _json(each: Entry | Gap) -> str:
    if isinstance(each, Gap):
        return json_text({"kind": "gap", **msgspec.structs.asdict(each)})
    return json_text(each)


def _words(each: Entry | Gap) -> str:
    if isinstance(each, Gap):
        minutes, seconds = divmod(round(each.until - each.since), 60)
        length = f"{minutes} min {seconds} s" if minutes >= 0 else "a time unknown, as the clock was set back"
        if each.lasts:
            return f"{_moment(each.since)}   not running since, for {length} now"
        until = f"until {_moment(each.until)}: {WHY[each.because]}"
        return f"{_moment(each.since)}   not running for {length}, {until}"
    who = f"{each.connection} " if each.connection else ""
    said = printable(f"{who}{each.text}", _MOST_TEXT)
    return f"{_moment(each.timestamp)} {_MARKS[each.severity]} {said}"


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S")
