"""The end of the program's log, for a shell."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from tui.store.log_file import FILES
from tui.system.private_files import open_to_read
from tui.text.formats import time_of_day
from tui.text.printable import printable


def tail(path: Path, count: int) -> list[str]:
    """The last ``count`` lines of a log and of the older files beside it.

    Raises:
        OSError: the newest file cannot be read.
    """
    found: list[str] = []
    for number in range(FILES):
        try:
            file = open_to_read(path.with_name(f"{path.name}.{number}") if number else path)
            with open(file, encoding="utf-8", errors="replace") as stream:
                found[:0] = deque(stream, maxlen=count - len(found))
        except FileNotFoundError:
            if number == 0:
                raise
            break
        if len(found) >= count:
            break
    return [line.rstrip("\n") for line in found]


def log_line(line: str, now: float) -> str:
    """One line of the log as text for a terminal; a traceback follows on lines of its own."""
    try:
        record = json.loads(line)
        moment = time_of_day(float(record["timestamp"]), now)
        level, message = str(record["level"]), str(record["message"])
        connection, trace = record.get("connection"), record.get("traceback")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return printable(line, 4000)  # not a line of ours, or half of one
    words: Iterable[str] = (moment, level, f"{connection}:" if connection else "", message)
    text = printable(" ".join(word for word in words if word), 4000)
    if not trace:
        return text
    return "\n".join((text, *(f"    {printable(each, 1000)}" for each in str(trace).splitlines())))
