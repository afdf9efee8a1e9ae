"""Incidents, one row each: those that are open, then those that were resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.cursor_list import CursorList
from widgets.lines import Line, Span, Tone
from widgets.untrusted import displayable, fitted

_MARK, _SEVERITY, _SINCE, _STATE, _SUBJECT, _RULE = 3, 9, 9, 13, 17, 19
_FIXED = _MARK + _SEVERITY + _SINCE + _STATE
_WIDE = 110
"""Columns from which the rule and the words have columns of their own."""


class IncidentRow(NamedTuple):
    """One incident. Subject and words may be from the network."""

    key: str
    symbol: str
    severity: str
    since: str
    state: str
    """Open, acknowledged, or how long it lasted."""
    subject: str
    rule: str
    message: str
    tone: Tone = "plain"
    quiet: bool = False
    """Nobody needs to do anything about it."""


class _Between(NamedTuple):
    """The key of a row that stands over others."""

    text: str


_RESOLVED = _Between(" RESOLVED  OPENED    LASTED")


class IncidentList(CursorList[IncidentRow | _Between]):
    """Open ones first, under the heading above the list; the resolved ones under one of their own."""

    def show(
        self, opened: Sequence[IncidentRow], resolved: Sequence[IncidentRow], selected: str | None
    ) -> None:
        """Show the rows with the cursor on ``selected``."""
        rows = (*opened, *((_RESOLVED,) if resolved else ()), *resolved)
        self.show_rows(rows, [row if isinstance(row, _Between) else row.key for row in rows], selected)
        self.keep_in_view()

    def is_heading(self, row: IncidentRow | _Between) -> bool:
        """The row over the resolved ones."""
        return isinstance(row, _Between)

    def line_of(self, row: IncidentRow | _Between, width: int, selected: bool) -> Line:
        """One incident."""
        if isinstance(row, _Between):
            return (Span(row.text, "heading"),)
        return incident_line(row, width, selected)


def incident_heading(width: int) -> Line:
    """The names of the columns of those that are open."""
    text = fitted(" OPEN", _MARK + _SEVERITY) + fitted("SINCE", _SINCE) + fitted("STATE", _STATE)
    text += fitted("WHERE", _subject_width(width))
    return (Span(text + (fitted("WHAT", _RULE) + "WORDS" if width >= _WIDE else "WHAT"), "heading"),)


def incident_line(row: IncidentRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns."""
    rule, words = displayable(row.rule, 60), displayable(row.message, 300)
    subject = fitted(displayable(row.subject, 200), _subject_width(width) - 1) + " "
    quiet: Tone = "dim" if row.quiet else "plain"
    line = [
        Span("▸" if selected else " "),
        Span(f"{row.symbol} ", row.tone),
        Span(fitted(row.severity, _SEVERITY), row.tone),
        Span(fitted(row.since, _SINCE), "dim"),
        Span(fitted(row.state, _STATE), quiet),
        Span(subject, quiet if row.quiet else "strong"),
    ]
    if width >= _WIDE:
        return (*line, Span(fitted(rule, _RULE - 1) + " ", row.tone), Span(words, quiet))
    return (*line, Span(rule, row.tone), Span(f": {words}" if words else "", quiet))


def _subject_width(width: int) -> int:
    """Of where it is: it gives room to what it is, and takes some where there is much."""
    return max(10, min(_SUBJECT, width - _FIXED - 10)) + (12 if width >= _WIDE else 0)
