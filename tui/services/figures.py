"""What a payload says, as texts that are ready to be shown: names, plain values, times, addresses.

Pure functions that raise for nothing, as those of :mod:`tui.services.payloads`, which these serve.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from tui.text import formats
from tui.text.fitted import fitted
from tui.text.secret_names import is_secret, without_query
from tui.text.secret_values import MASK, masked, masked_value

MOST_WORDS = 200
MOST_FIGURES = 30
MOST_FIGURE = 100

_MOST_FIGURE_NAME = 40
_MOST_LISTED = 5
_MOST_COUNT = 2**53  # what JSON's numbers hold exactly in every language

_MILLISECONDS_FROM = 1e11
"""As seconds it would be the year 5138, as milliseconds it is 1973."""
_EARLIEST = 946_684_800.0  # the year 2000
_CLOCK_DIFFERENCE = 86_400.0
"""Seconds that another machine's clock may be ahead."""


def line(value: Any, most: int) -> str | None:
    """A text as one line, None when it is none or is empty."""
    return without_query(fitted(value, most)) or None if isinstance(value, str) else None


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def error_text(value: Any) -> str | None:
    """An error in words: a text, or the message or reason of an object."""
    if isinstance(value, dict):
        named = (line(value.get(name), MOST_WORDS) for name in ("message", "reason", "code"))
        return next(filter(None, named), None)
    return line(value, MOST_WORDS)


def bare_url(url: str, base: str = "") -> str:
    """A URL's scheme, host, port and path; of what is no URL nothing but that.

    Args:
        base: against which a relative one is read.
    """
    try:
        parts = urlsplit(urljoin(base, url[:2000]))
        host, port = parts.hostname, parts.port
    except ValueError:
        return "what is no address"
    if not host or parts.scheme not in ("http", "https", "ws", "wss"):
        return "what is no address"
    where = f"[{host}]" if ":" in host else host
    path = f"{parts.scheme}://{where}{'' if port is None else f':{port}'}{parts.path}"
    return fitted(path, MOST_WORDS)


def moment(value: Any, now: float) -> float | None:
    """Epoch seconds of seconds, milliseconds or ISO 8601 (without a zone: UTC).

    None for what is no time between the year 2000 and a day from ``now``.
    """
    if isinstance(value, str):
        if len(value) > 40:
            return None
        try:
            parsed = datetime.fromisoformat(value)
            found = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        found = value / 1000 if value >= _MILLISECONDS_FROM else float(value)
    else:
        return None
    return found if _EARLIEST <= found <= now + _CLOCK_DIFFERENCE else None


def whole_number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_COUNT:
        return None
    return int(value) if value == int(value) else None


class Figures:
    """Names and texts that are ready to be shown, at most :data:`MOST_FIGURES`."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def add_fields(self, fields: dict[str, Any], *names: str) -> None:
        for name in names:
            if name in fields:
                self.add(name, fields[name])

    def add(self, key: Any, value: Any) -> None:
        """Add a value, the plain members of an object each by itself."""
        if len(self.found) >= MOST_FIGURES or not isinstance(key, str):
            return
        name = _name(key)
        if is_secret(key[:_MOST_FIGURE_NAME]):
            self.add_text(name, MASK)
            return
        if not isinstance(value, dict):
            self.add_text(name, _shown(value))
            return
        for inner, member in islice(value.items(), MOST_FIGURES):
            if isinstance(inner, str):
                text = f"{len(member)} entries" if isinstance(member, dict) else _shown(member)
                text = MASK if is_secret(inner[:_MOST_FIGURE_NAME]) else text
                self.add_text(f"{name} {_name(inner)}", text)

    def add_text(self, name: str, text: str | None) -> None:
        """Add what was put into words already."""
        if text and name and len(self.found) < MOST_FIGURES:
            self.found.setdefault(cut(name, _MOST_FIGURE_NAME), text)


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _name(key: str) -> str:
    # Before what is remembered for long: it may have become a secret since.
    return label(masked(key[:_MOST_FIGURE_NAME]))


@lru_cache(maxsize=1024)
def label(key: str) -> str:
    """``memory_mb`` or ``memoryMb`` in words."""
    return fitted(_HUMP.sub(" ", key).replace("_", " "), _MOST_FIGURE_NAME).lower()


def _shown(value: Any) -> str | None:
    """A plain value, or a list's first plain ones, as text."""
    if isinstance(value, list):
        texts = [text for each in value[:_MOST_LISTED] if (text := _plain(each))]
        if not texts:
            return f"{len(value)} entries" if value else None
        more = f" and {len(value) - len(texts)} more" if len(value) > len(texts) else ""
        return cut(f"{'; '.join(texts)}{more}", MOST_FIGURE)
    return _plain(value)


def _plain(value: Any) -> str | None:
    if isinstance(value, str):
        return without_query(fitted(value, MOST_FIGURE))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if masked_value(value) == MASK:
        return MASK
    if isinstance(value, int):
        # The digits of a number may be thousands.
        return str(value) if abs(value) < 10**18 else "out of range"
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
    return None


def time_text(name: str, value: Any, now: float) -> str | None:
    if name == "uptime_seconds":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return formats.duration(value) if is_number and 0 <= value < 1e11 else _plain(value)
    seen = moment(value, now)
    return _plain(value) if seen is None else datetime.fromtimestamp(seen).strftime("%Y-%m-%d %H:%M:%S")
