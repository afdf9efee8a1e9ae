"""Where settings are read: the file, the environment, the command line.

Each layer gives a tree of plain values (tables as dictionaries) and can say where any part of it
stands, in words that an error can begin with. No message here ever holds a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.config.model import SECRET_OPTIONS, SETTINGS
from tui.config.shape import inside, is_text, keys_of, plain
from tui.system.paths import CONFIG_VARIABLE, SOCKET_VARIABLE, STATE_VARIABLE
from tui.text.nearest import nearest
from tui.text.toml_file import TomlError, read_toml
from tui.text.toml_lines import KeyPath, LineFinder, Tree, holds

PREFIX = "OVERLAY_SUPERVISOR_"
NESTING = "__"
MAX_FILE_BYTES = 1024 * 1024
"""Bytes of a settings file; a larger one is an error."""


class SettingsError(Exception):
    """Settings that cannot be used: a line for each mistake, up to :data:`MAX_LINES`, none with a value."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines[:MAX_LINES]
        if len(lines) > MAX_LINES:
            self.lines += (f"and {len(lines) - MAX_LINES} more",)
        super().__init__("\n".join(self.lines))


MAX_LINES = 5


class Layer:
    """One place of settings; ``tree`` is what was set there."""

    folder: Path | None = None
    """Relative paths in the layer's values start here; None for the working directory."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def holds(self, path: KeyPath) -> bool:
        return holds(self.tree, path)

    def where(self, path: KeyPath) -> str:
        """The place of ``path`` in words; ``path`` is held here."""
        raise NotImplementedError

    def order(self, path: KeyPath) -> int:
        """Mistakes are told in this order: that of the file's lines."""
        return 0

    def describe(self, path: KeyPath) -> str:
        """The beginning of an error about ``path``: its place and, where that does not tell, its key."""
        return f"{self.where(path)}: {dotted(path)}"


def flat(table: Tree) -> list[tuple[str, KeyPath, Any]]:
    """The entries of a table whose keys hold dots: each with its whole key and its place in ``table``.

    TOML reads ``list.order = "o"`` as a table in a table, ``"list.order" = "o"`` as what it looks like.
    """
    found: list[tuple[str, KeyPath, Any]] = []
    waiting: list[tuple[KeyPath, Any]] = [((name,), value) for name, value in reversed(table.items())]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, name), inner) for name, inner in reversed(value.items())]
        else:
            found.append((".".join(map(str, path)), path, value))
    return found


def dotted(path: KeyPath) -> str:
    """``connections.hub.topics[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _beginning(path: KeyPath, known: Mapping[KeyPath, str]) -> KeyPath:
    """The longest beginning of a path that is known; empty where none is."""
    return next((path[:length] for length in range(len(path), 0, -1) if path[:length] in known), ())


class CommandLineLayer(Layer):
    """``options`` names the option of each path."""

    def __init__(self, tree: Tree, options: Mapping[KeyPath, str]) -> None:
        super().__init__(tree)
        self._options = options

    def where(self, path: KeyPath) -> str:
        option = self._options.get(_beginning(path, self._options))
        return f"command line, {option}" if option else "command line"

    def describe(self, path: KeyPath) -> str:
        return self.where(path)


class FileLayer(Layer):
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            text, tree = read_toml(path, MAX_FILE_BYTES, "settings file")
        except TomlError as error:
            raise SettingsError(str(error)) from None
        self.folder = path.parent
        super().__init__(tree)
        self._lines = LineFinder(text)
        self._written: dict[KeyPath, KeyPath] = {}
        self._flatten_keys()

    def where(self, path: KeyPath) -> str:
        return f"{self._path}:{self.order(path)}"

    def order(self, path: KeyPath) -> int:
        return self._lines.line_of(self._written.get(path, path))

    def _flatten_keys(self) -> None:
        table = self.tree.get("keys")
        if not isinstance(table, dict):
            return
        self.tree["keys"] = {}
        for key, below, value in flat(table):
            path: KeyPath = ("keys", key)
            if path in self._written:
                line = self._lines.line_of(("keys", *below))
                raise SettingsError(f"{self._path}:{line}: {dotted(path)}: set twice")
            self._written[path] = ("keys", *below)
            self.tree["keys"][key] = value


class EnvironmentLayer(Layer):
    """The variables that begin with ``OVERLAY_SUPERVISOR_``. An empty variable counts as not set.

    Of a key that takes a text the value is taken as it is, of a secret unless it begins with ``{``;
    everything else is JSON, or a plain word.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.mistakes: list[str] = []
        """One line for each variable that names no setting or holds broken JSON."""
        self._variables: dict[KeyPath, str] = {}
        super().__init__({})
        names = sorted(name for name in environ if name.startswith(PREFIX))
        # Short names first, so that the more exact of two variables wins.
        for name in sorted(names, key=lambda name: name.count(NESTING)):
            if name not in (CONFIG_VARIABLE, SOCKET_VARIABLE, STATE_VARIABLE) and environ[name]:
                try:
                    self._add(name, environ[name])
                except ValueError as error:
                    self.mistakes.append(f"{name}: {error}")

    def where(self, path: KeyPath) -> str:
        if variable := self._variables.get(_beginning(path, self._variables)):
            return f"environment variable {variable}"
        below = [name for known, name in self._variables.items() if known[: len(path)] == path]
        return f"environment variable {below[0]}"

    def describe(self, path: KeyPath) -> str:
        known = _beginning(path, self._variables)
        if not known:
            return self.where(path)
        rest = dotted(path[len(known) :])
        return f"{self._variables[known]}: {rest}" if rest else self._variables[known]

    def _add(self, name: str, value: str) -> None:
        path = tuple(name[len(PREFIX) :].lower().split(NESTING))
        top = path[0]
        depth = _depth(top)
        if not depth or (top == "debug" and len(path) > 1):
            raise ValueError(f"unknown variable; nearest known: {self._nearest(path)}")
        if len(path) > depth:
            variable = PREFIX + NESTING.join(path[:depth]).upper()
            raise ValueError(f"unknown variable; give the whole of {variable} in JSON")
        key = path[-1]
        # One variable holds all keys of the app, whose names hold dots.
        is_key = len(path) == depth and top != "keys"
        if is_key and top != "debug" and inside(SETTINGS, path) is None:
            raise ValueError(f"unknown variable; nearest known: {self._nearest(path)}")
        try:
            parsed = _parsed(value, path if is_key else ())
        except (ValueError, RecursionError):
            raise ValueError("not valid JSON") from None
        if not is_key and not isinstance(parsed, dict):
            raise ValueError("expected a table in JSON")
        if top == "keys":
            parsed = {key: inner for key, _, inner in flat(parsed)}
        tree = self.tree
        for part in path[:-1]:
            tree = tree.setdefault(part, {})
            if not isinstance(tree, dict):
                raise ValueError(f"{dotted(path[:-1])} is no table")
        tree[key] = parsed
        self._variables[path] = name

    def _nearest(self, path: KeyPath) -> str:
        top, *below = path
        known = [CONFIG_VARIABLE, SOCKET_VARIABLE, STATE_VARIABLE]
        name = below[0] if top == "connections" and len(below) > 1 else "NAME"
        for table in keys_of(SETTINGS):
            inner = ("connections", "hub") if table == "connections" else (table,)
            prefix = f"{PREFIX}{table}__{name}" if table == "connections" else f"{PREFIX}{table}"
            keys = keys_of(inside(SETTINGS, inner))
            known += [f"{prefix}__{key}".upper() for key in keys] or [prefix.upper()]
        return nearest(PREFIX + NESTING.join(map(str, path)).upper(), known)


def _depth(top: str) -> int:
    """How many parts the name of a variable may have that begins so; 0 for one that there is not."""
    if top not in keys_of(SETTINGS):
        return 0
    return 3 if top == "connections" else 2 if keys_of(inside(SETTINGS, (top,))) else 1


def _parsed(value: str, path: KeyPath) -> Any:
    """What a variable's text stands for; ``path`` leads to its key, and is empty for a whole table."""
    hint = inside(SETTINGS, path)
    if path and plain(hint) is bool and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if path and (is_text(hint) or (path[-1] in SECRET_OPTIONS and not value.startswith("{"))):
        return value
    is_number = path and _NUMBER.fullmatch(value.strip())
    return json.loads(value) if is_number or value.lstrip()[:1] in ("{", "[") else value


_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
