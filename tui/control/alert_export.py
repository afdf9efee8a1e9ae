"""Ended alerts as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from tui.control.alerts_view import AlertView, AwayView
from tui.control.text import printable

HEADINGS = (
    *("kind", "id", "type", "who", "title", "message", "priority", "count", "duration", "source"),
    *("accepted_at", "sent_at", "ended_at", "outcome", "reason", "confirmed"),
)
"""Of the columns. Times are UTC in ISO 8601; a time in which a source was away has the kind ``away``, and
its beginning and end in ``accepted_at`` and ``ended_at``."""

_FORMULA = frozenset("=+-@＝＋－＠")  # noqa: RUF001  # the wide ones are formulas to some spreadsheets


class CsvExport:
    """Writes rows to ``out``, the headings first."""

    def __init__(self, out: TextIO) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._writer.writerow(HEADINGS)

    def add(self, alerts: Iterable[AlertView | AwayView]) -> None:
        """Write a row for each."""
        self._writer.writerows(map(_row, alerts))


def harmless(text: str) -> str:
    """A text as one line that no spreadsheet takes for a formula: one that would be gets a ``'`` in front."""
    text = printable(text, 1000)
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text


def _row(entry: AlertView | AwayView) -> list[object]:
    if isinstance(entry, AwayView):
        cells = {"source": harmless(entry.source)}
        cells |= {"kind": "away", "accepted_at": _moment(entry.since), "ended_at": _moment(entry.until)}
        return [cells.get(heading, "") for heading in HEADINGS]
    return [
        "alert",
        *map(harmless, (entry.id, entry.type, entry.who, entry.title, entry.message)),
        entry.priority,
        entry.count,
        entry.duration,
        harmless(entry.source),
        *map(_moment, (entry.accepted_at, entry.sent_at, entry.ended_at)),
        harmless(entry.outcome or ""),
        harmless(entry.reason or ""),
        "yes" if entry.confirmed else "no",
    ]


def _moment(epoch: float | None) -> str:
    if epoch is None:
        return ""
    try:
        return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        # A clock that was far off; what it said is kept.
        return str(epoch)
