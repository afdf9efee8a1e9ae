"""Keeps secrets out of what is shown and recorded, by the names under which they travel."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from tui.text.secret_values import MASK

_HINT = re.compile(rb"token|secret|passw|passphrase|auth|key|credential|jwt|cookie|bearer", re.IGNORECASE)
# A name, then its text or number. Whoever sends it is not to choose how long this takes: every repetition
# is bounded or gives nothing back.
_PLAIN = re.compile(
    rb'("([^"\\]{1,64}+)"\s*+:\s*+)(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|-?[0-9][-+.0-9eE]*+)', re.DOTALL
)
# The same in JSON that is a text of JSON, its quotes escaped.
_NESTED = re.compile(
    rb'((?<!\\)(\\{1,15}+)"([^"\\]{1,64}+)\2"\s*+:\s*+)\2"(?:[^"\\]|(?!\2")\\++"?)*+(?:\2"|\Z)', re.DOTALL
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_STRONG = re.compile(
    r"token|secret|passw(or)?d|passphrase|apikey|accesskey|privatekey|streamkey|credential|authoriz|bearer"
)
_WHOLE = frozenset({"auth", "jwt", "cookie", "cookies"})
_KINDS_OF_KEY = frozenset(
    {"api", "access", "private", "stream", "signing", "encryption", "session", "shared"}
)
_ADDRESS = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://)(?:[^\s/@?#]{1,200}@)?([^\s?#]*)(?:[?#]\S*)?")


def is_secret(name: str) -> bool:
    """Whether a name says that its value is secret: access_token, apiKey, X-Auth; not keyboard or author."""
    return _is_secret(name.encode("utf-8", "replace"))


def without_query(text: str) -> str:
    """A text with the addresses in it bare: user, query and fragment may be a token."""
    return _ADDRESS.sub(r"\1\2", text) if "://" in text else text


def masked(payload: bytes) -> bytes:
    """A payload with the texts and numbers under secret names masked; also one that is cut or is no JSON.

    What a join sends is masked as a whole before it comes here: see :mod:`tui.channels.inspector`.
    """
    if _HINT.search(payload) is None:
        return payload
    payload = _PLAIN.sub(_mask, payload)
    return _NESTED.sub(_mask_nested, payload) if b'\\"' in payload else payload


def _mask(found: re.Match[bytes]) -> bytes:
    return found[1] + b'"%b"' % MASK.encode() if _is_secret(found[2]) else found[0]


def _mask_nested(found: re.Match[bytes]) -> bytes:
    quote = found[2] + b'"'
    return found[1] + quote + MASK.encode() + quote if _is_secret(found[3]) else found[0]


@lru_cache(maxsize=4096)
def _is_secret(name: bytes) -> bool:
    text = name.decode(errors="replace")
    if _STRONG.search(text.replace("_", "").replace("-", "").lower()):
        return True
    words = [word.lower() for word in _WORDS.findall(text)]
    if _WHOLE.intersection(words):
        return True
    return any(second == "key" and first in _KINDS_OF_KEY for first, second in pairwise(words))
