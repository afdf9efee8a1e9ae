"""A push as a person types it: a topic, an event and a payload in JSON, on one line."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

_BYTE = re.compile(r" \((?:byte|at byte) (\d+)\)$")


class PushLine(NamedTuple):
    """What is to be pushed."""

    topic: str
    event: str
    payload: Any


class PushError(Exception):
    """The line is no push; the message says where, counted from the line's first character."""


def read_push(line: str) -> PushLine:
    """Read ``room:1 ping {"a": 1}``; without a payload it is an empty object.

    Raises:
        PushError: a part is missing, or the payload is not JSON.
    """
    match = re.match(r"\s*(\S+)\s+(\S+)\s*", line)
    if match is None:
        raise PushError("a topic, an event and JSON are needed")
    topic, event = match.groups()
    text = line[match.end() :]
    try:
        return PushLine(topic, event, msgspec.json.decode(text or "{}"))
    except RecursionError:
        raise PushError("not JSON: nested too deeply") from None
    except UnicodeError:
        # A lone surrogate, which a terminal can send.
        raise PushError("not JSON: a character that is none") from None
    except msgspec.DecodeError as error:
        message = str(error)
        place = _BYTE.search(message)
        if place is None:
            raise PushError(f"not JSON, it ends too early at column {len(line) + 1}") from None
        before = text.encode()[: int(place[1])].decode(errors="ignore")
        words = message[: place.start()].removeprefix("JSON is malformed: ")
        # Of what should not be there, msgspec gives the byte after the first.
        column = match.end() + len(before) + (0 if words == "trailing characters" else 1)
        raise PushError(f"not JSON at column {column}, {words}") from None
