"""What a person types on a line, read: a push, an order to the alert queue, a moment of a replay."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from tui.model.alerts import AlertCommand

_BYTE = re.compile(r" \((?:byte|at byte) (\d+)\)$")


class PushLine(NamedTuple):
    topic: str
    event: str
    payload: Any


def read_push(line: str) -> PushLine:
    """Read ``room:1 ping {"a": 1}``; without a payload it is an empty object.

    Raises:
        ValueError: a part is missing, or the payload is not JSON; where, counted from the line's beginning.
    """
    match = re.match(r"\s*(\S+)\s+(\S+)\s*", line)
    if match is None:
        raise ValueError("a topic, an event and JSON are needed")
    topic, event = match.groups()
    text = line[match.end() :]
    try:
        return PushLine(topic, event, msgspec.json.decode(text or "{}"))
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    except UnicodeError:
        # A lone surrogate, which a terminal can send.
        raise ValueError("not JSON: a character that is none") from None
    except msgspec.DecodeError as error:
        message = str(error)
        place = _BYTE.search(message)
        if place is None:
            raise ValueError(f"not JSON, it ends too early at column {len(line) + 1}") from None
        before = text.encode()[: int(place[1])].decode(errors="ignore")
        words = message[: place.start()].removeprefix("JSON is malformed: ")
        # Of what should not be there, msgspec gives the byte after the first.
        column = match.end() + len(before) + (0 if words == "trailing characters" else 1)
        raise ValueError(f"not JSON at column {column}, {words}") from None


def read_hold(line: str) -> tuple[str, AlertCommand]:
    """Seconds, of which some are needed."""
    seconds = _number(line.strip(), "a number of seconds, such as 30")
    if seconds <= 0:
        raise ValueError("expected more than 0 seconds")
    return f"hold for {seconds:g} s", AlertCommand(verb="hold", seconds=seconds)


def read_mute(line: str, selected: str) -> tuple[str, AlertCommand]:
    """A type and minutes, or minutes alone for the selected type."""
    type, _, minutes = line.strip().rpartition(" ")
    expected = "a type and minutes, such as follow 10"
    number = _number(minutes, expected)
    if number < 0:
        raise ValueError(f"expected {expected}")
    type = type.strip() or selected
    return f"mute {type}", AlertCommand(verb="mute", type=type, seconds=60 * number)


def read_test(line: str, selected: str) -> tuple[str, AlertCommand]:
    """A type and how many, or one of both."""
    type, _, count = line.strip().rpartition(" ")
    if not type and not count.isdigit():
        type, count = count, "1"
    type = type.strip() or (selected if count else "")
    if not type or not (count.isascii() and count.isdigit()):
        raise ValueError("expected a type and how many, such as follow 50")
    return f"test {type}", AlertCommand(verb="test", type=type, count=int(count[:9]))


def _number(text: str, expected: str) -> float:
    try:
        # Neither "nan" nor "1_0" is a number that a person means.
        return float(msgspec.json.decode(text, type=float))
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise ValueError(f"expected {expected}") from None


def moment_of(text: str, now: float, begin: float, end: float) -> float:
    """Epoch seconds of a time of day, of ``-5m`` or ``+30s`` from ``now``, or of a date.

    A time of day is one of the day of ``now``, or of the day before or after if only that is between
    ``begin`` and ``end``.

    Raises:
        ValueError: none of these.
    """
    text = text.strip()
    units = {"s": 1, "m": 60, "h": 3600}
    if match := re.fullmatch(r"([+-])(\d{1,6})([smh])", text):
        return now + (1 if match[1] == "+" else -1) * int(match[2]) * units[match[3]]
    if match := re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text):
        day = datetime.fromtimestamp(now)
        hour, minute, second = (int(part or 0) for part in match.groups())
        day = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
        days = [(day + timedelta(days=shift)).timestamp() for shift in (0, -1, 1)]
        # A minute that was begun before there was anything is meant too.
        return next((moment for moment in days if begin - 60 <= moment <= end), days[0])
    return datetime.fromisoformat(text).timestamp()
