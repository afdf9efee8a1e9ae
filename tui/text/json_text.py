"""JSON that leaves the program: in ASCII alone, so that it is the same in every locale."""

from __future__ import annotations

import re

import msgspec

_encode = msgspec.json.Encoder().encode
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")


def json_text(value: object) -> str:
    """A value as one line of JSON.

    Its control characters, those beyond ASCII and bidirectional ones too, are escaped: no terminal obeys
    it, and every parser gives back the same value. A number that JSON has not is ``null``.
    """
    try:
        return in_ascii(_encode(value).decode())
    except UnicodeEncodeError:
        # A lone surrogate, from a name that is no UTF-8: text has them, and JSON's escapes can say them.
        import json

        return in_ascii(json.dumps(msgspec.to_builtins(value), separators=(",", ":")))


def in_ascii(text: str) -> str:
    """JSON text with all escaped that is beyond ASCII, which only the texts in it can hold."""
    return _BEYOND_ASCII.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
