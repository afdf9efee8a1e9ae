"""Frames of one connection, one row each, the newest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.cursor_list import CursorList
from widgets.lines import Line, Span, Tone
from widgets.untrusted import displayable, fitted

_TIME, _TOPIC, _EVENT, _REF, _SIZE = 13, 22, 20, 6, 9
_FIXED = 4 + _TIME + _TOPIC + _EVENT + _REF + _SIZE


class FrameRow(NamedTuple):
    """One frame; every text is fitted when it is laid out."""

    cursor: int
    time: str
    sent: bool
    topic: str
    event: str
    ref: str
    size: str
    preview: str
    tone: Tone = "plain"


class FrameList(CursorList[FrameRow]):
    """Follows the newest frame until the cursor is moved away from it."""

    def show(self, rows: Sequence[FrameRow], selected: int | None) -> None:
        """Show ``rows``, oldest first; without a selected one the cursor is on the newest."""
        if selected is None and rows:
            selected = rows[-1].cursor
        self.show_rows(rows, [row.cursor for row in rows], selected)
        # What is dropped at the top moves everything: stay where the cursor is.
        self.keep_in_view()

    def line_of(self, row: FrameRow, width: int, selected: bool) -> Line:
        """One frame."""
        return frame_line(row, width, selected)


def frame_heading(width: int) -> Line:
    """The names of the columns for a list of ``width`` columns."""
    topic, event = _widths(width)
    text = "    " + fitted("TIME", _TIME) + fitted("TOPIC", topic) + fitted("EVENT", event)
    text += fitted("REF", _REF, right=True) + fitted("SIZE", _SIZE, right=True)
    return (Span(text + ("  PAYLOAD" if width > _FIXED + 12 else ""), "heading"),)


def frame_line(row: FrameRow, width: int, selected: bool) -> Line:
    """One frame for a list of ``width`` columns."""
    topic, event = _widths(width)
    line = [
        Span("▸" if selected else " "),
        Span("→ " if row.sent else "← ", "dim" if row.sent else "good"),
        Span(" " + fitted(row.time, _TIME), "dim"),
        Span(fitted(displayable(row.topic, 200), topic - 1) + " "),
        Span(fitted(displayable(row.event, 200), event - 1) + " ", row.tone),
        Span(fitted(displayable(row.ref, 100), _REF, right=True), "dim"),
        Span(fitted(row.size, _SIZE, right=True)),
    ]
    if width > _FIXED + 12:
        line.append(Span("  " + displayable(row.preview, 200), "dim"))
    return tuple(line)


def _widths(width: int) -> tuple[int, int]:
    """Of topic and event: they share what a narrow screen lacks."""
    lack = max(0, _FIXED - width)
    wide = min(12, max(0, (width - _FIXED - 40) // 3))
    return max(8, _TOPIC - (lack + 1) // 2 + wide), max(8, _EVENT - lack // 2 + wide)
