"""The history of the alerts as files: JSON lines and CSV, the same from the screen and from the shell."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

HEADINGS = (
    *("kind", "id", "type", "who", "title", "message", "priority", "count", "duration", "source"),
    *("accepted_at", "sent_at", "ended_at", "outcome", "reason", "confirmed"),
)
"""Of the columns. Times are UTC in ISO 8601; a time in which a source was away has the kind ``away``, and
its beginning and end in ``accepted_at`` and ``ended_at``."""

_FORMULA = frozenset("=+-@＝＋－＠")  # noqa: RUF001  # the wide ones are formulas to some spreadsheets
_JOINERS = ("\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MOST_CELL = 1000


class CsvExport:
    """Writes rows to ``out``, the headings first."""

    def __init__(self, out: TextIO) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._writer.writerow(HEADINGS)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write a row for an alert or an absence, as :func:`tui.formats.for_json` makes them."""
        values = entry
        if entry["kind"] == "away":
            values = {**entry, "acceptedAt": entry["since"], "endedAt": entry["until"]}
        self._writer.writerow([_cell(heading, values) for heading in HEADINGS])


def _cell(heading: str, values: Mapping[str, Any]) -> object:
    if heading.endswith("_at"):
        return _moment(values.get(heading.removesuffix("_at") + "At"))
    value = values.get(heading)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else value


def harmless(text: str) -> str:
    """A text as one line that no terminal obeys and no spreadsheet takes for a formula: one that would be
    gets a ``'`` in front."""
    kept = "".join(map(_shown, text[:_MOST_CELL]))
    return f"'{kept}" if kept.lstrip()[:1] in _FORMULA else kept


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    hidden = unicodedata.category(character)[0] == "C" or character in "\u2028\u2029"
    return _REPLACEMENT if hidden and character not in _JOINERS else character


def _moment(epoch: float | None) -> str:
    if epoch is None:
        return ""
    try:
        return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        # A clock that was far off; what it said is kept.
        return str(epoch)
