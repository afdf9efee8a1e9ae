"""What all that comes of tables has in common: what is in force of them, and what is wrong."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_origin

from tui.config.errors import layer_of, place_of
from tui.config.layers import Layer, dotted
from tui.config.model import SETTINGS
from tui.config.shape import inside, keys_of, notes, plain
from tui.connections.settings import EffectiveValue, Place
from tui.text.option_types import NONE, OrNone
from tui.text.secret_values import MASK
from tui.text.toml_lines import KeyPath

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BY_KEY = (("keys",), ("incidents", "severity"))
"""Tables of values that are shown key by key."""
_COMMAND = ("incidents", "command")
"""Its arguments may hold a secret, such as the key of whoever carries the message."""


class TableResolver:
    """Notes what is in force of a table, and the mistakes in it, after one of which it is not to be used."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self.effective: list[EffectiveValue] = []
        self.mistakes: dict[str, None] = {}

    def record(self, path: KeyPath, value: Any) -> None:
        """Note what is in force at a path, and of options each by itself, in the order of their table."""
        hint = inside(SETTINGS, path)
        if is_dataclass(value) or path in _BY_KEY:
            for key in value if isinstance(value, Mapping) else keys_of(hint):
                self.record((*path, key), value[key] if isinstance(value, Mapping) else getattr(value, key))
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            is_named = get_origin(plain(hint)) is dict
            for number, each in enumerate(value):
                self.record((*path, each.name if is_named else number), each)
        else:
            self._note(path, _shown(path, value, hint), place_of(path, self._layers))

    def _note(self, path: KeyPath, text: str, place: Place) -> None:
        self.effective.append(EffectiveValue(key=dotted(path), text=text, place=place))

    def _mistake(self, path: KeyPath, message: str) -> None:
        layer = layer_of(path, self._layers)
        self.mistakes[f"{layer.describe(path) if layer else dotted(path)}: {message}"] = None

    def _below_folder(self, path: KeyPath, file: str) -> str:
        """The path of a file that stands at ``path``; a relative one starts at the settings file's folder."""
        return os.path.join(self._folder(path), os.path.expanduser(file))

    def _folder(self, path: KeyPath) -> Path:
        """Where relative paths in the value at ``path`` start."""
        layer = layer_of(path, self._layers)
        return (layer.folder if layer else None) or Path.cwd()


def _shown(path: KeyPath, value: Any, hint: Any) -> str:
    if value is None:
        return toml_text(NONE) if any(isinstance(note, OrNone) for note in notes(hint)) else "not set"
    if path == _COMMAND and value:
        return f"[{', '.join([toml_text(value[0]), *(MASK for _ in value[1:])])}]"
    if path[0] == "keys":
        # As people write it: one key alone is no list.
        value = value[0] if len(value) == 1 else value
    return toml_text({} if value == () and get_origin(plain(hint)) is dict else value)


def toml_text(value: Any) -> str:
    """A value as TOML on one line; None, which JSON has and TOML has not, is ``null``.

    A secret is shown as it says itself, masked.
    """
    if hasattr(value, "shown"):
        return str(value.shown())
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {toml_text(inner)}" for name, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else repr(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
