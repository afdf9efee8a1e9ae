"""Text that came over a network, made fit for a grid of cells.

What is returned here holds printable characters only, each of a width that terminals agree on, so that
columns stay where they were drawn.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size

from tui.text.printable import ELLIPSIS as ELLIPSIS
from tui.text.printable import printable


def displayable(text: str, most: int = 500) -> str:
    """Return ``text`` as at most ``most`` characters that a terminal shows and does not obey.

    A letter that takes no column of its own, such as the inner parts of Hangul syllables, becomes the
    replacement character.
    """
    return printable(text, most, has_room=_has_a_cell)


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


def _has_a_cell(character: str) -> bool:
    return get_character_cell_size(character) > 0
