"""Texts with places for an event's fields: ``{user_name} cheered {bits} bits``. Nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tui.alerts.alert import MOST_MESSAGE
from tui.text.fitted import fitted

MOST_TEMPLATE = 500
"""Characters of a template."""

_PLACE = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)((?:\|[^{}|]*){0,3})\}", re.ASCII)
_VALUE = "#"
_MOST_DIGITS_BITS = 128


class Template:
    """A text in which ``{field}`` stands for a field of the event; dots lead into nested ones.

    What the event lacks, its object ``data`` too, and what is neither text nor number nor truth value, is
    empty. A value is put in as it is: braces in it are text.

    ``{field|one|many|none}`` is the first text where the value is 1, the second where it is another, the
    third where it is empty; ``#`` in them is the value. ``many`` is ``one`` unless given, ``none`` is empty.

    Raises:
        ValueError: a brace that belongs to no field, or too long; says what is expected.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_TEMPLATE:
            raise ValueError(f"expected at most {MOST_TEMPLATE} characters")
        parts = _PLACE.split(text)
        self._texts = parts[::3]
        self._places = [
            (name, forms.split("|")[1:]) for name, forms in zip(parts[1::3], parts[2::3], strict=True)
        ]
        if any("{" in part or "}" in part for part in self._texts):
            raise ValueError(
                "expected braces around the name of a field only, like {user_name} or {bits|1 bit|# bits}"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._places)

    def render(self, payload: Mapping[str, Any], given: Mapping[str, str], most: int) -> str:
        """The text, of one line and at most ``most`` characters; ``given`` goes before the payload."""
        parts = [self._texts[0]]
        for (name, forms), text in zip(self._places, self._texts[1:], strict=True):
            value = given[name] if name in given else shown(field(payload, name))
            parts += (_formed(value, forms) if forms else value, text)
        return fitted("".join(parts), most)


def field(payload: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none.

    A name that is missing is looked for in the object ``data`` beside it, since hubs tell the same event
    with an envelope around it and without.
    """
    value = _named(payload, path)
    if value is None and "." in path:
        value = payload
        for name in path.split("."):
            value = _named(value, name)
    return value


def objects(value: object) -> tuple[Mapping[str, Any], ...]:
    """An object, and its object ``data``, where it has one."""
    if not isinstance(value, Mapping):
        return ()
    inner = value.get("data")
    return (value, inner) if isinstance(inner, Mapping) else (value,)


def _named(value: object, name: str) -> Any:
    return next((found for noted in objects(value) if (found := noted.get(name)) is not None), None)


def _formed(value: str, forms: list[str]) -> str:
    if not value:
        return forms[2] if len(forms) > 2 else ""
    return (forms[0] if value == "1" or len(forms) == 1 else forms[1]).replace(_VALUE, value)


def shown(value: object) -> str:
    """A value as a template shows it, at most :data:`MOST_MESSAGE` characters; empty for what is neither text
    nor number nor truth value, and for a number of hundreds of digits.
    """
    if isinstance(value, str):
        return value[:MOST_MESSAGE]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        # Python refuses to print a number of thousands of digits.
        return str(value) if value.bit_length() <= _MOST_DIGITS_BITS else ""
    if isinstance(value, float):
        return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"
    return ""
