"""Where a key stands in a TOML text, for whatever names a line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

KeyPath = tuple[str | int, ...]
"""The names and list positions that lead to a value."""
Tree = dict[str, Any]

# Every repetition gives nothing back, and a text that is not closed ends with its line or the file, so
# that no text takes longer than its length.
_TOKEN = re.compile(
    r"""
    (?P<text>"{3}(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5})?|'{3}(?:[^']|'(?!''))*+(?:'{3,5})?)
    |(?P<part>"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|[^][{}=,.#"'\s]++)
    |\#[^\n]*+
    |(?P<mark>\[\[|]]|[][{}=,.\n])
    """,
    re.VERBOSE | re.DOTALL,
)


def holds(tree: object, path: KeyPath) -> bool:
    """Whether ``tree`` has something at ``path``."""
    for part in path:
        in_table = isinstance(tree, dict) and part in tree
        in_list = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        if not (in_table or in_list):
            return False
        tree = tree[part]  # type: ignore[index]  # it is one of the two
    return True


def line_of_long_key(text: str, most: int) -> int | None:
    """The line of the first dotted key of more than ``most`` parts in any text, valid TOML or not."""
    parts = 0
    is_after_dot = False
    for token in _TOKEN.finditer(text):
        if token["part"] is not None:
            parts = parts + 1 if is_after_dot else 1
            if parts > most:
                return text.count("\n", 0, token.start()) + 1
        is_after_dot = token["mark"] == "."
    return None


class LineFinder:
    """Finds the line on which something is set in a valid TOML text, whatever way it is written.

    The text is gone through once, when the first line is asked for.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[KeyPath, int] | None = None

    def line_of(self, path: KeyPath) -> int:
        """The line, from 1, that first sets ``path`` or, failing that, the longest part of it that is set."""
        if self._lines is None:
            self._lines = {}
            for found, line in _Reader(self._text).places():
                self._lines.setdefault(found, line)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines[path] if path else 1


class _Inside(NamedTuple):
    """A value of several that is being read."""

    path: KeyPath
    is_list: bool


class _Reader:
    """Reads the places of a valid text; a value itself means nothing here."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._table: KeyPath = ()
        self._last: dict[KeyPath, int] = {}
        """The number of the last table of each list of tables."""

    def places(self) -> Iterator[tuple[KeyPath, int]]:
        """Every path that is set, with a line; a path may come more than once, its first line first."""
        line = 1
        key: list[str] = []
        value: KeyPath | None = None
        """Of the statement that is being read, once its ``=`` has come."""
        header = ""
        inside: list[_Inside] = []
        for token in _TOKEN.finditer(self._text):
            mark, part = token["mark"], token["part"]
            begun = line
            line += token[0].count("\n")
            if value is None and part is not None:
                key.append(_unquoted(part))
            elif value is None and mark in ("[", "[["):
                header = mark
            elif value is None and header and mark in ("]", "]]"):
                yield from ((path, begun) for path in self._open(key, is_list=header == "[["))
                key, header = [], ""
            elif value is None and mark == "=":
                base = inside[-1].path if inside else self._table
                value = (*base, *key)
                yield from ((value[:end], begun) for end in range(len(base) + 1, len(value) + 1))
                key = []
            elif mark == "\n" and not inside:
                value = None
            elif mark is None:
                if value is not None and (part is not None or token["text"] is not None):
                    yield value, begun
            else:
                for sign in mark if inside or value is not None else "":
                    if value is not None and sign in "[{":
                        yield value, begun
                    value = self._step(sign, value, inside)

    def _open(self, key: list[str], *, is_list: bool) -> Iterator[KeyPath]:
        """Begin the table of a heading: what it sets, from the outermost to itself."""
        path: KeyPath = ()
        for number, part in enumerate(key, 1):
            path = (*path, part)
            yield path
            if is_list and number == len(key):
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
                yield path
        self._table = path

    def _step(self, sign: str, value: KeyPath | None, inside: list[_Inside]) -> KeyPath | None:
        """Go on within a value; the path of what comes next, None where that is a key."""
        if sign in "[{" and value is not None:
            inside.append(_Inside(value, is_list=sign == "["))
            return (*value, 0) if sign == "[" else None
        if sign in "]}":
            return inside.pop().path
        if sign == ",":
            if not inside[-1].is_list:
                return None
            assert value is not None
            assert isinstance(value[-1], int)
            return (*value[:-1], value[-1] + 1)
        return value


def _unquoted(part: str) -> str:
    if part[0] == '"' and "\\" in part:
        return str(tomllib.loads(f"_ = {part}")["_"])
    return part[1:-1] if part[0] in "\"'" else part
