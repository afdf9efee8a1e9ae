"""Where a key stands in a TOML text, for errors that name a line."""

from __future__ import annotations

import tomllib
from typing import Any

KeyPath = tuple[str | int, ...]
"""The names and list positions that lead to a value."""
Tree = dict[str, Any]

_MOST_PARSED = 16_000_000
"""Characters, some seconds of work; only a text made to be slow takes more."""


def holds(tree: object, path: KeyPath) -> bool:
    """Whether ``tree`` has something at ``path``."""
    for part in path:
        in_table = isinstance(tree, dict) and part in tree
        in_list = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        if not (in_table or in_list):
            return False
        tree = tree[part]  # type: ignore[index]  # it is one of the two
    return True


class LineFinder:
    """Finds the line on which a key of a valid TOML text is set, whatever way it is written.

    Asks the TOML parser about beginnings of the text instead of parsing TOML a second time. Each
    beginning is parsed once. In a text whose beginnings take too long to parse (a value of a hundred
    thousand lines, say) the line found may be one further up.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._beginnings: dict[int, Tree | None] = {}
        self._parsed = 0

    def line_of(self, path: KeyPath) -> int:
        """The line, from 1, on which the statement begins that first sets ``path`` or, failing that,
        the longest part of it that is set.
        """
        while path and not holds(self._beginning(len(self._lines)), path):
            path = path[:-1]
        if not path:
            return 1
        # The first `absent` lines lack the path, the first `present` lines hold it. Only whole
        # statements parse, so the two end at a statement's borders.
        absent, present = 0, len(self._lines)
        while (middle := self._whole_between(absent, present)) is not None:
            if holds(self._beginning(middle), path):
                present = middle
            else:
                absent = middle
        for number in range(absent, present):
            if self._lines[number].strip() and not self._lines[number].lstrip().startswith("#"):
                return number + 1
        return present

    def _whole_between(self, absent: int, present: int) -> int | None:
        """The number of lines strictly between the two, as near to the middle as can be, that parse."""
        middle = (absent + present) // 2
        ends = sorted(range(absent + 1, present), key=lambda number: abs(number - middle))
        return next((end for end in ends if self._beginning(end) is not None), None)

    def _beginning(self, end: int) -> Tree | None:
        """What the first ``end`` lines set; None where they end inside a value of several lines."""
        if end not in self._beginnings:
            if self._parsed > _MOST_PARSED:
                return None
            beginning = "\n".join(self._lines[:end])
            self._parsed += len(beginning)
            try:
                self._beginnings[end] = tomllib.loads(beginning)
            except ValueError:
                self._beginnings[end] = None
        return self._beginnings[end]
