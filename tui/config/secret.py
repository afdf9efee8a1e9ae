"""Secrets in the settings: a text that is never shown, or the place that holds one.

A secret is read anew at each use, so that a token that was renewed is the one that is sent. No
``repr`` and no error holds a value; errors name the place.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tui.channels.apart import apart
from tui.channels.options import Plain, Unavailable
from tui.text import secret_values
from tui.text.option_types import is_reference
from tui.text.secret_values import MASK

MAX_SECRET_BYTES = 64 * 1024
"""Bytes of a secret file; a larger one is an error."""
MOST_DEPTH = 100
"""Levels of tables and lists in a topic's join parameters."""

EXPECTED = 'text, { env = "NAME" } or { file = "path" }'
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class SecretError(Unavailable):
    """A secret that cannot be read now. The message names its place and never holds a value."""


@dataclass(frozen=True, slots=True)
class LiteralSecret(Plain):
    """A text that stands in the settings themselves."""

    _value: str = field(repr=False)

    async def __call__(self) -> str:
        return self._value

    def begins_with(self, *schemes: str) -> bool:
        """Whether the text begins with one of these; the scheme of an address is no secret."""
        return self._value.startswith(schemes)

    def below(self, folder: Path) -> LiteralSecret:
        return self

    def shown(self) -> str:
        return MASK


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    """A text in an environment variable, ``{ env = "NAME" }``."""

    name: str

    async def __call__(self) -> str:
        value = os.environ.get(self.name)
        if value is None:
            raise SecretError(f"environment variable {self.name} is not set")
        return _checked(value, f"environment variable {self.name}")

    def below(self, folder: Path) -> EnvironmentSecret:
        return self

    def shown(self) -> str:
        return f'{{ env = "{self.name}" }}'


@dataclass(frozen=True, slots=True)
class FileSecret:
    """A text in a file, ``{ file = "path" }``, at most 64 KiB of UTF-8; white space around it is dropped."""

    path: str

    async def __call__(self) -> str:
        """Read apart, since a disk may never answer."""
        try:
            return await apart(self, self._read, self._place)
        except OSError as error:
            words = f"{error.strerror}"
        raise SecretError(words)

    @property
    def _place(self) -> str:
        return f"secret file {self.path}"

    def _read(self) -> str:
        place = self._place
        try:
            # Not blocking: opening a named pipe that nobody writes to would hold the thread for ever.
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with open(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SecretError(f"{place} is not a regular file")
                content = stream.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise SecretError(f"{place}: {error.strerror or type(error).__name__}") from None
        except ValueError:
            raise SecretError(f"{place}: not a usable path") from None
        if len(content) > MAX_SECRET_BYTES:
            raise SecretError(f"{place} is larger than {MAX_SECRET_BYTES // 1024} KiB")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # "from None": the error carries the bytes.
            raise SecretError(f"{place} is not UTF-8") from None
        return _checked(text, place)

    def below(self, folder: Path) -> FileSecret:
        """The same secret with ``~`` expanded and a relative path taken from ``folder``."""
        return replace(self, path=os.path.join(folder, os.path.expanduser(self.path)))

    def shown(self) -> str:
        return f'{{ file = "{self.path}" }}'


Reference = EnvironmentSecret | FileSecret
Secret = LiteralSecret | Reference


def _checked(value: str, place: str) -> str:
    value = value.strip()
    if not value:
        raise SecretError(f"{place} is empty")
    if any(character in value for character in "\r\n\0"):
        # It would end a header early; and nobody's token is two lines long.
        raise SecretError(f"{place} holds a line break")
    return value


def parse_secret(value: object) -> Secret:
    """The secret that a value of the settings stands for; no message of a ValueError holds the value."""
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        if any(character in value for character in "\r\n\0"):
            raise ValueError("expected text without line breaks")
        return LiteralSecret(value)
    if isinstance(value, dict) and is_reference(value):
        ((kind, place),) = value.items()
        if kind == "env" and isinstance(place, str) and _VARIABLE_NAME.fullmatch(place):
            return EnvironmentSecret(place)
        if kind == "env":
            raise ValueError("expected the name of an environment variable after env")
        if isinstance(place, str) and place and "\0" not in place:
            return FileSecret(place)
        raise ValueError("expected the path of a file after file")
    raise ValueError(f"expected {EXPECTED}")


def parse_secrets(value: object) -> dict[str, Secret]:
    """The same for a table of texts."""
    if not isinstance(value, dict):
        raise ValueError("expected a table of texts")
    if is_reference(value) and isinstance(next(iter(value.values())), str):
        # { env = "NAME" } for the whole table would be sent as a parameter that is called "env".
        raise ValueError("expected a table of texts; a reference stands for one text, not for the table")
    parsed = {}
    for name, inner in value.items():
        try:
            parsed[str(name)] = parse_secret(inner)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return parsed


def parse_headers(value: object) -> dict[str, Secret]:
    headers = parse_secrets(value)
    if not all(_HEADER_NAME.fullmatch(name) for name in headers):
        raise ValueError("a header's name must be letters, digits and signs such as -")
    return headers


@dataclass(frozen=True, slots=True)
class SecretTable(Plain):
    """Named values, texts and references at any depth among them, none of which is shown."""

    _values: dict[str, Any] = field(repr=False)

    async def __call__(self) -> dict[str, Any]:
        """The values now, each reference replaced by what its place holds."""
        found: dict[Reference, str] = {}
        _with_each(self._values, lambda place: found.setdefault(place, ""))
        for place in found:
            found[place] = await place()
            # Beside it stand plain words: whoever asked cannot tell them apart.
            secret_values.add(found[place])
        return dict(_with_each(self._values, found.__getitem__))

    def over(self, others: Mapping[str, Any]) -> SecretTable:
        """The same values, and those of ``others`` under names that it lacks."""
        return SecretTable({**others, **self._values})

    def below(self, folder: Path) -> SecretTable:
        return SecretTable(_with_each(self._values, lambda place: place.below(folder)))

    def shown(self) -> str:
        inside = ", ".join(
            f"{name} = {value.shown() if isinstance(value, Reference) else MASK}"
            for name, value in self._values.items()
        )
        return f"{{ {inside} }}" if inside else "{}"


def parse_table(value: object) -> SecretTable:
    """A topic's join parameters: JSON values in which a reference may stand for a text."""
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    return SecretTable({str(name): _parse(inner, 1) for name, inner in value.items()})


def _parse(value: object, depth: int) -> object:
    if depth > MOST_DEPTH:
        raise ValueError(f"expected no more than {MOST_DEPTH} levels of tables and lists")
    if is_reference(value):
        return parse_secret(value)
    if isinstance(value, dict):
        return {str(name): _parse(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_parse(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError("expected texts, numbers, true or false, lists and tables")


def _with_each(value: Any, change: Callable[[Reference], Any]) -> Any:
    """A value in which each reference, at any depth, is changed."""
    if isinstance(value, Reference):
        return change(value)
    if isinstance(value, dict):
        return {name: _with_each(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_each(inner, change) for inner in value]
    return value
