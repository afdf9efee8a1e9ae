"""Keys from the settings: checked before any screen is opened, and written as help shows them."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from tui.app.actions import ACTIONS, SCREENS, Action

Keymap = Mapping[str, tuple[str, ...]]
"""The keys of each action by its id, in Textual's names."""

_REPLACED = {
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "low_line": "underscore",
    "plus_sign": "plus",
    "reverse_solidus": "backslash",
    "solidus": "slash",
}
"""Where Textual does not use Unicode's own name."""


def _sign_name(sign: str) -> str | None:
    """Textual's name of a sign; None for a character that cannot be seen."""
    if not sign.isprintable():
        return None
    name = unicodedata.name(sign, "").lower().replace("-", "_").replace(" ", "_")
    return _REPLACED.get(name, name) or None


_SIGNS = {sign: str(_sign_name(sign)) for sign in (" ", *string.punctuation)}
"""Signs as they are typed, and Textual's names for them."""

_LETTERS = frozenset(string.ascii_lowercase)
_DIGITS = frozenset(string.digits)
_MOVING = frozenset(("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete"))
_FUNCTION = frozenset(f"f{number}" for number in range(1, 25))
_POSSIBLE: Mapping[tuple[str, ...], frozenset[str]] = {
    (): _MOVING | _FUNCTION | {"backspace", "enter", "escape", "tab", *_SIGNS.values()},
    ("alt",): _LETTERS | _DIGITS,
    ("alt", "shift"): _LETTERS,
    ("ctrl",): _LETTERS
    | _DIGITS
    | _MOVING
    | _FUNCTION
    | {"backslash", "circumflex_accent", "left_square_bracket", "right_square_bracket", "underscore"},
    ("ctrl", "shift"): _DIGITS | _MOVING,
    ("shift",): _LETTERS | _MOVING | {"tab"},
}
"""The keys that terminals tell apart, by the modifiers that are held."""

_SAME = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+left_square_bracket": "escape", "ctrl+m": "enter"}
"""Keys that terminals have always sent as another one."""

_ALSO = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete"}
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
_MAX_COMPARED = 100
"""Characters of an unknown action that are compared with the known ones."""


def textual_keys(number: int, keys: Sequence[str]) -> str:
    """Keys as Textual's bindings have them; an action without any has one that nobody can press.

    Textual takes an empty text for none given, and leaves the action the keys that it had.
    """
    return ",".join(keys) or f"no-key-{number}"


def textual_keymap(keymap: Keymap) -> dict[str, str]:
    """The keymap as :meth:`textual.app.App.set_keymap` takes it."""
    return {action.id: textual_keys(number, keymap[action.id]) for number, action in enumerate(ACTIONS)}


def answering(keys: Sequence[str]) -> str:
    """The keys that say yes to a question that ``keys`` raised, such as "D or y"."""
    return " or ".join(dict.fromkeys((*(shown((key,)) for key in keys[:1]), "y")))


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
            like = get_close_matches(action[:_MAX_COMPARED], known, n=1, cutoff=0.0)
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
    if len(text) == 1:
        return text if text.isalnum() else _sign_name(text)
    if len(text) == 2 and text[0] == "^":
        text = f"ctrl+{text[1].lower()}"
    *held, key = text.split("+")
    modifiers = [each.lower() for each in held]
    if len(key) == 1 and key.isupper() and modifiers == ["alt"]:
        modifiers.append("shift")
    key = _SIGNS.get(key, key.lower())
    key = _ALSO.get(key, key)
    modifiers.sort()
    if key not in _POSSIBLE.get(tuple(modifiers), ()):
        return None
    if modifiers == ["shift"] and key in _LETTERS:
        return key.upper()
    name = "+".join((*modifiers, key))
    return _SAME.get(name, name)


def shown(keys: tuple[str, ...]) -> str:
    """The first two of ``keys`` as help writes them."""
    return " ".join(map(_one_shown, keys[:2]))


def _one_shown(key: str) -> str:
    *modifiers, last = key.split("+")
    text = _SHOWN.get(last) or (last.upper() if last in _FUNCTION else _sign_of(last))
    if modifiers == ["ctrl"]:
        return f"^{text}"
    return "+".join((*modifiers, text))


def _sign_of(name: str) -> str:
    """The sign of that name, or the name of a key that has none."""
    try:
        return unicodedata.lookup(name.replace("_", " ")) if "_" in name else name
    except KeyError:
        return name
