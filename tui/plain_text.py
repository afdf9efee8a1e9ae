"""What a terminal is sent that knows ASCII alone: every column stays where it was."""

from __future__ import annotations

import re

from rich.cells import get_character_cell_size

_SIGNS = {
    "●": "*",
    "◐": "~",
    "✗": "x",
    "○": "o",
    "▸": ">",
    "★": "*",
    "…": ".",
    "\N{EN DASH}": "-",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "▓": "#",
    "▒": ".",
    "·": ":",
    "▁": "_",
    "▂": ".",
    "▃": "-",
    "▄": "-",
    "▅": "=",
    "▆": "=",
    "▇": "#",
    "█": "#",
    "─": "-",
    "━": "-",
    "│": "|",
    "┃": "|",
}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def ascii_only(text: str) -> str:
    """Return ``text`` with each sign replaced by ASCII ones that take as many columns."""
    return text if text.isascii() else _NOT_ASCII.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    sign = match[0]
    if sign in _SIGNS:
        return _SIGNS[sign]
    if 0x2500 <= ord(sign) < 0x2580:
        return "+"  # corners and crossings
    return "?" * get_character_cell_size(sign)
