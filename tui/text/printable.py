"""Text that is not ours, made fit for people to read: the one place where that is decided.

A terminal obeys control characters, those beyond ASCII too, reorders text at bidirectional controls and
disagrees with every other terminal about joined emoji; a locale may lack a character altogether.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice

ELLIPSIS = "…"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SIGNS = "overlay-supervisor.signs"
"""The name of an error handler for encoding: what an encoding lacks becomes ASCII of as many columns."""

_MOST_MARKS = 2
"""Combining marks kept on one character; more is decoration that climbs over the lines above."""

_LINE_ENDS = {0x85, 0x2028, 0x2029}
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_VARIATION_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_JOINERS = {0x200C, 0x200D, 0x2060, 0xFEFF}
_PLAIN = re.compile(r"[ -~]*\Z")
_ASCII_SIGNS = {
    **{"●": "*", "◐": "~", "✗": "x", "○": "o", "▸": ">", "★": "*", "…": ".", "\N{EN DASH}": "-", "·": ":"},
    **{"→": ">", "←": "<", "↑": "^", "↓": "v", "▓": "#", "▒": ".", "─": "-", "━": "-", "│": "|", "┃": "|"},
    **dict(zip("▁▂▃▄▅▆▇█", "_.--==##", strict=True)),
}


def obeyed_by_none(text: str) -> str:
    """``text`` as one line that no terminal obeys and no reader sees in another order, else as it was.

    Control characters become their symbols (``␛`` for escape), line ends ``␤``; bidirectional and other
    invisible controls, and lone surrogates, the replacement character. Emoji stay joined.
    """
    if _PLAIN.match(text):
        return text
    return "".join(each if ord(each) in (0x200C, 0x200D) else _seen(each) for each in text)


def printable(text: str, most: int = 500, has_room: Callable[[str], bool] | None = None) -> str:
    """``text`` as :func:`obeyed_by_none` has it, in at most ``most`` characters whose columns are known.

    What was cut ends in an ellipsis. Joiners, variation selectors and skin tones are left out; flags
    become their two letters, every space a plain one.

    Args:
        has_room: whether a character takes a column where it will stand; one that does not becomes the
            replacement character.
    """
    # Cut before anything is normalised: the text may be a megabyte long.
    cut = len(text) > most
    text = text[:most]
    if not _PLAIN.match(text):
        text = "".join(islice(_in_columns(unicodedata.normalize("NFC", text), has_room), most))
    return text[: max(0, most - 1)] + ELLIPSIS if cut and most else text


def columns(text: str) -> int:
    """Return how many columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut_to(text: str, width: int) -> str:
    """Return a printable text cut to ``width`` columns; what was cut ends in an ellipsis."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS if width > 0 else ""


def padded(text: str, width: int) -> str:
    """Return a printable text filled with spaces to at least ``width`` columns."""
    return text + " " * (width - columns(text))


def ascii_only(text: str) -> str:
    """``text`` with each sign replaced by ASCII that takes as many columns."""
    return text.encode("ascii", SIGNS).decode()


def _seen(character: str) -> str:
    """A character as it is seen: itself, or a sign for what would be obeyed."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if code in _LINE_ENDS:
        return "\N{SYMBOL FOR NEWLINE}"
    # Controls, formats, surrogates, private and unassigned characters.
    return REPLACEMENT if unicodedata.category(character)[0] == "C" else character


def _in_columns(text: str, has_room: Callable[[str], bool] | None) -> Iterator[str]:
    # As if the text began after marks enough: a leading mark would join what stands before it.
    marks = _MOST_MARKS
    for character in text:
        code = ord(character)
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            if code not in _VARIATION_SELECTORS and marks <= _MOST_MARKS:
                yield character
            continue
        shown = _one(character, code)
        if shown:
            if has_room is not None and shown == character and not has_room(character):
                shown = REPLACEMENT
            # Marks after a replaced or doubled character have no agreed place.
            marks = 0 if shown == character else _MOST_MARKS
            yield shown


def _one(character: str, code: int) -> str:
    if code in _JOINERS or code in _SKIN_TONES:
        return ""
    if code in _REGIONAL_INDICATORS:
        return chr(ord("A") + code - _REGIONAL_INDICATORS.start)
    return " " if unicodedata.category(character) == "Zs" else _seen(character)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("F", "W") else 1


def _ascii_for(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_ascii_sign, error.object[error.start : error.end])), error.end


def _ascii_sign(character: str) -> str:
    if "\u2500" <= character < "\u2580":
        return _ASCII_SIGNS.get(character, "+")  # corners and crossings
    return _ASCII_SIGNS.get(character) or "?" * _width(character)


codecs.register_error(SIGNS, _ascii_for)
