"""What is wrong with settings, one line for each mistake, without any value.

pydantic's own messages repeat what was given, and that may be a secret: lines are built from the
place, the kind of the mistake and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from tui.config.layers import Layer
from tui.config.model import HEADINGS, SETTINGS
from tui.config.shape import expected, inside, keys_of
from tui.connections.settings import Place
from tui.text.nearest import nearest
from tui.text.toml_lines import KeyPath


def layer_of(path: KeyPath, layers: list[Layer]) -> Layer | None:
    """The layer whose value at ``path`` is in force; None where no layer sets it."""
    # As many parts has a path whose value one layer replaces as a whole.
    whole = path[: 3 if path[0] == "connections" else 2]
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
    if kind == "extra_forbidden" or (kind == "literal_error" and loc[-1] == "[key]"):
        if homes := _homes(path):
            return f"unknown key here; it belongs into {' or '.join(homes)}"
        return f"unknown key; nearest known: {nearest(str(path[-1]), keys_of(inside(SETTINGS, path[:-1])))}"
    if kind == "missing":
        return f"{loc[-1]} is missing; expected {expected(inside(SETTINGS, loc), loc)}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']:.12g}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']:.12g}"
    # Every ValueError under the settings is one of our own, and those hold no value.
    own = str(context["error"]) if kind == "value_error" else ""
    return own or f"expected {expected(inside(SETTINGS, path), path)}"


def _homes(path: KeyPath) -> list[str]:
    """The headings under which a key would be known that is not where it stands."""
    *above, key = path
    found = {heading: heading.strip("[]").split(".") for heading, keys in HEADINGS if key in keys}
    if not above:
        return [each for each, parts in found.items() if len(parts) == 1 or parts[0] == "connections"]
    top = "connections" if above == ["defaults"] else above[0]
    # "event" in a source of alerts is "events" that lacks a letter, and not meant for [alerts.delivery].
    return [each for each, parts in found.items() if parts[0] == top and 1 in (len(parts), len(above))]
