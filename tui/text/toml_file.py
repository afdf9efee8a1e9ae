"""A TOML file that somebody wrote by hand, on whatever system."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tui.text.toml_lines import Tree, line_of_long_key

MAX_PARTS = 100
"""Of a dotted key. The parser's time grows with their square: 50,000 of them take minutes."""

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_AT = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_QUOTED = re.compile(r""" ?('[^']*'|"[^"]*")""")
_TWICE = re.compile(r"\(.*\) twice")
_SYNTAX = ("'='", "'['", "']'", "'[['", "']]'", "','", "'}'")


class TomlError(Exception):
    """A file that cannot be used; the message is its path, the line where one is known, and what is wrong.

    No message holds a value.
    """

    def __init__(self, path: Path, words: str, line: int | str | None = None) -> None:
        super().__init__(f"{path}: {words}" if line is None else f"{path}:{line}: {words}")


def read_toml(path: Path, max_bytes: int, kind: str) -> tuple[str, Tree]:
    """The text of a file, lines ended by ``\\n`` and without a byte order mark, and what it sets.

    Args:
        max_bytes: a larger one is an error.
        kind: what it should be, for that error, such as ``settings file``.

    Raises:
        TomlError: it cannot be read or is no TOML. No content raises anything else.
    """
    text = _read_text(path, max_bytes, kind)
    if (line := line_of_long_key(text, MAX_PARTS)) is not None:
        raise TomlError(path, f"a key of more than {MAX_PARTS} parts", line)
    try:
        return text, tomllib.loads(text)
    except RecursionError:
        raise TomlError(path, "nested too deeply") from None
    except ValueError as error:
        raise _invalid(path, text, error) from None


def _read_text(path: Path, max_bytes: int, kind: str) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise TomlError(path, error.strerror or type(error).__name__) from None
    except ValueError:
        raise TomlError(path, "this is no name of a file") from None
    if len(content) > max_bytes:
        size = f"{max_bytes // 2**20} MiB" if max_bytes >= 2**20 else f"{max_bytes // 2**10} KiB"
        raise TomlError(path, f"larger than {size}; that is no {kind}")
    if content.startswith(_BYTE_ORDER_MARKS) or b"\0" in content[:4]:
        raise TomlError(path, "written as UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TomlError(path, "not UTF-8 text; save it as UTF-8", line) from None
    return text.replace("\r\n", "\n")


def _invalid(path: Path, text: str, error: ValueError) -> TomlError:
    message = str(error)
    place = _AT.search(message)
    if place is None and not isinstance(error, tomllib.TOMLDecodeError):
        return TomlError(path, "a number with too many digits")
    line = place["line"] if place and place["line"] else len(text.rstrip("\n").split("\n"))
    column = f", column {place['column']}" if place and place["column"] else ""
    words = _TWICE.sub("a table twice", message[: place.start()] if place else message)
    # Quoted parts may be text of the file, and that may be a secret: only TOML's own signs stay.
    words = _QUOTED.sub(lambda quoted: quoted[0] if quoted[1] in _SYNTAX else "", words)
    return TomlError(path, f"not valid TOML: {words[:1].lower()}{words[1:]}{column}", line)
