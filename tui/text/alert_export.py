"""The history of the alerts as files: JSON lines and CSV, the same from the screen and from the shell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tui.text.printable import ELLIPSIS, obeyed_by_none

HEADINGS = (
    *("kind", "id", "type", "who", "title", "message", "priority", "count", "duration", "source"),
    *("accepted_at", "sent_at", "ended_at", "outcome", "reason", "confirmed"),
)
"""Of the columns. Times are UTC in ISO 8601; a time in which a source was away has the kind ``away``, and
its beginning and end in ``accepted_at`` and ``ended_at``."""

_FORMULA = frozenset("=+-@＝＋－＠")  # noqa: RUF001  # the wide ones are formulas to some spreadsheets
MAX_CELL = 1000
"""Characters of a text."""


def csv_rows(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The headings, then a row for each alert or absence, as :func:`tui.text.formats.for_json` makes them,
    each without its line end."""
    yield _row(HEADINGS)
    for entry in entries:
        values = entry
        if entry["kind"] == "away":
            values = {**entry, "acceptedAt": entry["since"], "endedAt": entry["until"]}
        yield _row([_cell(heading, values) for heading in HEADINGS])


def _row(cells: Sequence[object]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(cells)
    return row.getvalue()


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
    gets a ``'`` in front. What was cut ends in an ellipsis."""
    kept = obeyed_by_none(text[:MAX_CELL])
    if len(text) > MAX_CELL:
        kept = kept[:-1] + ELLIPSIS
    return f"'{kept}" if kept.lstrip()[:1] in _FORMULA else kept


def _moment(epoch: float | None) -> str:
    if epoch is None:
        return ""
    try:
        return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        # A clock that was far off; what it said is kept.
        return str(epoch)
