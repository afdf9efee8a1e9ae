"""Text that came over a network, made fit for a grid of cells.

A terminal obeys escape sequences, reorders text at bidirectional controls and disagrees with every
other terminal about joined emoji. What is returned here holds printable characters only, each of a
width that terminals agree on, so that columns stay where they were drawn.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from rich.cells import get_character_cell_size

ELLIPSIS = "…"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_MOST_MARKS = 2
"""Combining marks kept on one character; more is decoration that climbs over the lines above."""

_LINE_ENDS = {0x85, 0x2028, 0x2029}
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_VARIATION_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_JOINERS = {0x200C, 0x200D, 0x2060, 0xFEFF}
_PLAIN = re.compile(r"[ -~]*\Z")


def displayable(text: str, most: int = 500) -> str:
    """Return ``text`` as at most ``most`` characters that a terminal shows and does not obey.

    Control characters become their symbols (``␛`` for escape), bidirectional and other invisible
    controls and lone surrogates the replacement character, every space a plain one. Joiners,
    variation selectors and skin tones are left out; flags become their two letters.
    """
    # Cut before anything is normalised: the text may be a megabyte long.
    cut = len(text) > most
    text = text[:most]
    if not _PLAIN.match(text):
        text = "".join(islice(_shown(unicodedata.normalize("NFC", text)), most))
    return text[: max(0, most - 1)] + ELLIPSIS if cut and most else text


def cell_width(text: str) -> int:
    """Return how many columns a displayable text takes."""
    return len(text) if text.isascii() else sum(map(get_character_cell_size, text))


def cut_to(text: str, width: int) -> str:
    """Return a displayable text cut to ``width`` columns; what was cut ends in an ellipsis."""
    if cell_width(text) <= width:
        return text
    if width <= 0:
        return ""
    kept: list[str] = []
    used = 0
    for character in text:
        size = get_character_cell_size(character)
        if used + size > width - 1:
            break
        kept.append(character)
        used += size
    return "".join(kept).rstrip(" ") + ELLIPSIS


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Return a displayable text of exactly ``width`` columns, cut or filled with spaces."""
    text = cut_to(text, width)
    fill = " " * (width - cell_width(text))
    return fill + text if right else text + fill


def _shown(text: str) -> Iterator[str]:
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
            # Marks after a replaced or doubled character have no agreed place.
            marks = 0 if shown == character else _MOST_MARKS
            yield shown


def _one(character: str, code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if code in _LINE_ENDS:
        return "\N{SYMBOL FOR NEWLINE}"
    if code in _JOINERS or code in _SKIN_TONES:
        return ""
    if code in _REGIONAL_INDICATORS:
        return chr(ord("A") + code - _REGIONAL_INDICATORS.start)
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    # Controls, formats, surrogates, private and unassigned characters; and letters such as the
    # inner parts of Hangul syllables, which take no column of their own.
    if category[0] == "C" or get_character_cell_size(character) == 0:
        return REPLACEMENT
    return character
