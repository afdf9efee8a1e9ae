"""What is wrong with settings, one line for each mistake, without any value.

pydantic's own messages repeat what was given, and that may be a secret: lines are built from the
place, the kind of the mistake and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from tui.config.headings import NESTED, homes_of, keys_of
from tui.config.layers import KeyPath, Layer, dotted
from tui.config.model import (
    APP_KEYS,
    CONNECTION_KEYS,
    DEFAULTS_KEYS,
    NAME_EXPECTED,
    TOP_KEYS,
    expected,
)
from tui.connections.settings import Place
from tui.text.nearest import nearest

_WHOLE_AT = {"connections": 3, "defaults": 2, **dict.fromkeys(NESTED, 2)}
"""How many parts a path has whose value one layer replaces as a whole."""


def layer_of(path: KeyPath, layers: list[Layer]) -> Layer | None:
    """The layer whose value at ``path`` is in force; None where no layer sets it."""
    whole = path[: _WHOLE_AT.get(str(path[0]), len(path))]
    layer = next((layer for layer in layers if layer.holds(whole)), None)
    return layer if layer is not None and layer.holds(path) else None


def place_of(path: KeyPath, layers: list[Layer]) -> Place:
    """Where the value at ``path`` stands, looked for when it is asked; ``default`` where no layer sets it."""
    layer = layer_of(path, layers)
    return partial(layer.where, path) if layer else "default"


def lines_of(error: ValidationError, layers: list[Layer]) -> list[str]:
    """One line for each place with a mistake, from place, kind and expectation: never from the value."""
    found: list[tuple[int, int, str]] = []
    for mistake in error.errors(include_url=False, include_input=False):
        path = tuple(mistake["loc"])
        while path and layer_of(path, layers) is None:
            path = path[:-1]
        layer = layer_of(path, layers) if path else None
        place = layer.describe(path) if layer else "settings"
        complaint = _complaint(mistake["type"], mistake["loc"], path, mistake.get("ctx", {}))
        order = (layers.index(layer), layer.order(path)) if layer else (0, 0)
        found.append((*order, f"{place}: {complaint}"))
    # One value of several types gives one mistake for each type.
    return list(dict.fromkeys(line for *_, line in sorted(found, key=lambda mistake: mistake[:2])))


def _complaint(kind: str, loc: KeyPath, path: KeyPath, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"{loc[-1]} is missing; expected {expected(loc)}"
    if kind == "value_error":
        # Every ValueError under the model is one of our own, and those hold no value.
        return str(context["error"])
    if kind == "less_than_equal":
        return f"must be at most {context['le']:.12g}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']:.12g}"
    if len(path) == 2 and path[0] == "connections" and kind == "string_pattern_mismatch":
        return f"not a name for a connection; expected {NAME_EXPECTED}"
    return f"expected {expected(path)}"


def _unknown(path: KeyPath) -> str:
    key = str(path[-1])
    if len(path) == 1:
        if key in CONNECTION_KEYS:
            where = "[defaults] or [connections.NAME]" if key in DEFAULTS_KEYS else "[connections.NAME]"
            return f"unknown key here; it belongs into {where}"
        if key in APP_KEYS:
            return "unknown key here; it belongs into [app]"
        if top := next((top for top in NESTED if key in keys_of((top,))), None):
            return f"unknown key here; it belongs into [{top}]"
        return f"unknown key; nearest known: {nearest(key, TOP_KEYS)}"
    if path[0] == "defaults" and key in CONNECTION_KEYS:
        return "unknown key here; it belongs into [connections.NAME]"
    if path[0] in NESTED:
        return _unknown_in_nested(path)
    known = {"connections": CONNECTION_KEYS, "app": APP_KEYS}.get(str(path[0]), DEFAULTS_KEYS)
    return f"unknown key; nearest known: {nearest(key, known)}"


def _unknown_in_nested(path: KeyPath) -> str:
    top, key = f"[{path[0]}]", str(path[-1])
    # A key under the wrong heading; "event" in a source of alerts is "events" that lacks a letter, though.
    if homes := [home for home in homes_of(key, str(path[0])) if top in (home, f"[{dotted(path[:-1])}]")]:
        return f"unknown key here; it belongs into {' or '.join(homes)}"
    return f"unknown key; nearest known: {nearest(key, tuple(keys_of(path[:-1])))}"
