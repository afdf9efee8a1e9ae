"""The file of a user's rules: TOML, each mistake told with its line."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tui.alerts.alert import MOST_TYPE
from tui.alerts.conditions import EXPECTED, Condition, parse
from tui.alerts.events import EVENTS, unknown_type
from tui.alerts.rules import OTHER, Rule, Rules
from tui.alerts.templates import Template
from tui.text.nearest import nearest
from tui.text.toml_file import TomlError, read_toml
from tui.text.toml_lines import LineFinder

MAX_FILE_BYTES = 256 * 1024
MAX_RULES = 500
_MOST_CONDITIONS = 20
_MOST_SECONDS = 86_400.0


class RulesError(Exception):
    """A file of rules that cannot be used; its text is one line with the place of the first mistake."""


def load(path: Path, types: Collection[str] | None = None) -> Rules:
    """The rules of a file over the built-in ones. Reads the file, so it may block.

    Args:
        types: those that there can be; a rule for another one is a mistake. None for any.

    Raises:
        RulesError: ``PATH:LINE: rule N: what is expected``, or why the file cannot be read. No content
            raises anything else.
    """
    try:
        text, tree = read_toml(path, MAX_FILE_BYTES, "file of rules")
    except TomlError as error:
        raise RulesError(str(error)) from None
    try:
        return Rules(_rules(tree, types))
    except _Mistake as mistake:
        line = LineFinder(text).line_of(mistake.path)
        raise RulesError(f"{path}:{line}: {mistake.message}") from None


class _Mistake(Exception):  # noqa: N818  # it never leaves this module
    def __init__(self, path: tuple[str | int, ...], words: str) -> None:
        super().__init__(words)
        self.path = path
        self.message = words


def _rules(tree: dict[str, Any], types: Collection[str] | None) -> list[Rule]:
    for key in tree:
        if key != "rule":
            raise _Mistake((key,), f"{_shown(key)}: expected [[rule]] tables only")
    tables = tree.get("rule", [])
    if not isinstance(tables, list):
        raise _Mistake(("rule",), "expected [[rule]], in two pairs of brackets")
    if len(tables) > MAX_RULES:
        raise _Mistake(("rule", MAX_RULES), f"expected at most {MAX_RULES} rules")
    rules = [_rule(number, table) for number, table in enumerate(tables)]
    if types is not None:
        known = {OTHER, *types}
        for number, rule in enumerate(rules):
            if (words := unknown_type(rule.type, known)) is not None:
                raise _Mistake(("rule", number, "type"), f"rule {number + 1}: type: {words}")
    return rules


def _rule(number: int, table: object) -> Rule:
    place = f"rule {number + 1}"
    if not isinstance(table, dict):
        raise _Mistake(("rule", number), f"{place}: expected a table")
    read: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            words = f"{place}: {_shown(key)}: unknown key; nearest known: {nearest(key, _KEYS)}"
            raise _Mistake(("rule", number, key), words)
        try:
            read[key] = _KEYS[key](value)
        except ValueError as error:
            raise _Mistake(("rule", number, key), f"{place}: {key}: {error}") from None
    if "type" not in read:
        raise _Mistake(("rule", number), f'{place}: expected a type, like type = "cheer" or type = "*"')
    return Rule(**read)


def _type(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MOST_TYPE:
        raise ValueError(f'expected a type, like "cheer" or "{OTHER}", of at most {MOST_TYPE} characters')
    return EVENTS.get(value, value)


def _when(value: object) -> tuple[Condition, ...]:
    texts = value if isinstance(value, list) else [value]
    if len(texts) > _MOST_CONDITIONS:
        raise ValueError(f"expected at most {_MOST_CONDITIONS} conditions")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(EXPECTED)
    return tuple(map(parse, texts))


def _template(value: object) -> Template:
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return Template(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _priority(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise ValueError("expected a whole number from 1 to 10")
    return value


def _seconds(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        # A comparison finds out infinity and what is no number, too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"expected seconds, from {least:g} to {most:g}")
        seconds = float(value)
        assert math.isfinite(seconds)
        return seconds

    return read


def _shown(key: str) -> str:
    return repr(key[:40])[1:-1] + ("…" if len(key) > 40 else "")


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "type": _type,
    "when": _when,
    "priority": _priority,
    "duration": _seconds(0.5, 600.0),
    "title": _template,
    "title_many": _template,
    "message": _template,
    "bypass": _truth,
    "ignore": _truth,
    "time_to_live": _seconds(0.0, _MOST_SECONDS),
    "collapse": _seconds(0.0, 3600.0),
}
