"""Text of which parts came over a network, made fit for a line of a shell's terminal."""

from __future__ import annotations

import unicodedata

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ELLIPSIS = "…"
_JOINERS = (0x200C, 0x200D)


def printable(text: str, most: int = 500) -> str:
    """Return ``text`` as one line of at most ``most`` characters that a terminal shows and does not obey.

    Control characters become their symbols (``␛`` for escape); what cannot be seen, such as
    bidirectional controls, and lone surrogates become the replacement character.
    """
    cut = len(text) > most
    shown = "".join(map(_one, text[:most]))
    return shown[: max(0, most - 1)] + _ELLIPSIS if cut and most else shown


def columns(text: str) -> int:
    """Return how many columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut_to(text: str, width: int) -> str:
    """Return a printable text cut to ``width`` columns; what was cut ends in an ellipsis."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + _ELLIPSIS if width > 0 else ""


def padded(text: str, width: int) -> str:
    """Return a printable text filled with spaces to at least ``width`` columns."""
    return text + " " * (width - columns(text))


def _one(character: str) -> str:
    if " " <= character <= "~":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if code in _JOINERS:
        # A joined emoji is shown as its parts, in columns that terminals agree on.
        return ""
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or code == 0x85:
        return "\N{SYMBOL FOR NEWLINE}"
    if category == "Zs":
        return " "
    return _REPLACEMENT if category[0] == "C" else character


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("F", "W") else 1
