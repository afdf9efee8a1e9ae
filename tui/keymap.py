"""Keys from the settings: checked before any screen is opened, and written as help shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from tui.actions import ACTIONS, SCREENS, Action

Keymap = Mapping[str, tuple[str, ...]]
"""The keys of each action by its id, in Textual's names."""

_SIGNS = {
    " ": "space",
    "!": "exclamation_mark",
    '"': "quotation_mark",
    "#": "number_sign",
    "$": "dollar_sign",
    "%": "percent_sign",
    "&": "ampersand",
    "'": "apostrophe",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "*": "asterisk",
    "+": "plus",
    ",": "comma",
    "-": "minus",
    ".": "full_stop",
    "/": "slash",
    ":": "colon",
    ";": "semicolon",
    "<": "less_than_sign",
    "=": "equals_sign",
    ">": "greater_than_sign",
    "?": "question_mark",
    "@": "at",
    "[": "left_square_bracket",
    "\\": "backslash",
    "]": "right_square_bracket",
    "^": "circumflex_accent",
    "_": "underscore",
    "`": "grave_accent",
    "{": "left_curly_bracket",
    "|": "vertical_line",
    "}": "right_curly_bracket",
    "~": "tilde",
}
"""Signs as they are typed, and Textual's names for them."""

_NAMED = {
    "backspace",
    "delete",
    "down",
    "end",
    "enter",
    "escape",
    "home",
    "insert",
    "left",
    "pagedown",
    "pageup",
    "right",
    "tab",
    "up",
    *(f"f{number}" for number in range(1, 13)),
    *_SIGNS.values(),
}
_SHOWN = {
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "pagedown": "page ↓",
    "pageup": "page ↑",
    "escape": "esc",
    **{name: sign for sign, name in _SIGNS.items() if sign != " "},
}
_ALWAYS = {"quit": "quitting", "back": "leaving a screen"}
"""Actions that must have a key."""


class KeymapError(Exception):
    """Keys that cannot be used.

    Attributes:
        mistakes: for each its action's id and the complaint.
    """

    def __init__(self, mistakes: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{action}: {words}" for action, words in mistakes))
        self.mistakes = tuple(mistakes)


def keymap(overrides: Keymap, actions: Sequence[Action] = ACTIONS) -> dict[str, tuple[str, ...]]:
    """The keys of every action: those of ``overrides``, else its own.

    Raises:
        KeymapError: an unknown action or key, one key for two actions of the same screen, or an
            action that must have a key and has none.
    """
    mistakes: list[tuple[str, str]] = []
    known = {action.id: action for action in actions}
    keys = {action.id: action.keys for action in actions}
    for action, given in overrides.items():
        if action not in known:
            like = get_close_matches(action, known, n=1, cutoff=0.0)
            mistakes.append((action, f"unknown action; nearest known: {like[0]}"))
            continue
        named = []
        for each in given:
            name = key_name(each)
            if name is None:
                words = 'expected a key such as "r", "?", "f5", "ctrl+r" or "shift+tab"'
                mistakes.append((action, words))
            else:
                named.append(name)
        keys[action] = tuple(dict.fromkeys(named))
        if not given and action in _ALWAYS:
            mistakes.append((action, f"{_ALWAYS[action]} needs a key"))
    if not mistakes:
        mistakes = _clashes(keys, known, overrides)
    if mistakes:
        raise KeymapError(mistakes)
    return keys


def _clashes(keys: Keymap, known: Mapping[str, Action], overrides: Keymap) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], str] = {}
    for screen in SCREENS:
        owner: dict[str, str] = {}
        for action, own in keys.items():
            if known[action].scope not in screen:
                continue
            for key in own:
                other = owner.setdefault(key, action)
                if other == action:
                    continue
                # The mistake is told where it was made.
                made, other = (action, other) if action in overrides else (other, action)
                words = f'"{shown((key,))}" is the key of {other} too; give {other} another one'
                found.setdefault((made, words), words)
    return list(found)


def key_name(text: str) -> str | None:
    """Textual's name of a key as a person writes it; None for one that there is not.

    ``?`` and ``question_mark``, ``^r`` and ``ctrl+r``, ``R`` and ``shift+r`` are the same keys.
    """
    if text in _SIGNS:
        return _SIGNS[text]
    if len(text) == 1:
        return text if text.isprintable() else None
    if len(text) == 2 and text[0] == "^":
        text = f"ctrl+{text[1]}"
    *modifiers, key = text.lower().split("+") if not text.endswith("+") else (text,)
    key = _SIGNS.get(key, key)
    if modifiers == ["shift"] and len(key) == 1 and key.isalpha():
        return key.upper()
    if len(set(modifiers)) != len(modifiers) or not set(modifiers) <= {"ctrl", "shift", "alt"}:
        return None
    if key not in _NAMED and not (modifiers and len(key) == 1 and key.isalnum()):
        return None
    return "+".join((*(each for each in ("alt", "ctrl", "shift") if each in modifiers), key))


def shown(keys: tuple[str, ...]) -> str:
    """The first two of ``keys`` as help writes them."""
    return " ".join(map(_one_shown, keys[:2]))


def _one_shown(key: str) -> str:
    *modifiers, last = key.split("+")
    text = _SHOWN.get(last, last.upper() if last[0] == "f" and last[1:].isdigit() else last)
    if modifiers == ["ctrl"]:
        return f"^{text}"
    return "+".join((*modifiers, text))
