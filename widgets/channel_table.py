"""The channels of one connection, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import displayable, fitted

_TOPIC, _STATE, _JOINS, _BUFFERED = 23, 9, 6, 9
_WIDE = 70
"""Columns from which there is room for every column of the table."""


@dataclass(frozen=True)
class ChannelRow:
    """One channel; every value is text ready to be fitted."""

    symbol: str
    tone: Tone
    topic: str
    state: str
    joins: str
    buffered: str
    buffered_tone: Tone = "plain"
    last: str = ""
    last_tone: Tone = "plain"


class ChannelTable(LineView, can_focus=True):
    """Rows of channels under a line of column names that stays."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[ChannelRow, ...] = ()

    def show(self, rows: Sequence[ChannelRow]) -> None:
        """Show ``rows``."""
        self._rows = tuple(rows)
        self._lay_out()

    def on_resize(self) -> None:
        """Lay the rows out for the new width."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.size.width
        self.set_lines([channel_line(row, width) for row in self._rows])


def channel_heading(width: int) -> Line:
    """The names of the columns for a table of ``width`` columns."""
    text = fitted(" CHANNELS", 3 + _topic_width(width)) + " "
    if width >= _WIDE:
        text += fitted("STATE", _STATE) + fitted("JOINS", _JOINS, right=True)
        text += fitted("BUFFERED", _BUFFERED, right=True) + "  "
    return (Span(text + "LAST", "heading"),)


def channel_line(row: ChannelRow, width: int) -> Line:
    """One channel for a table of ``width`` columns; a narrow one says what is not as it should be."""
    line = [
        Span(f" {row.symbol} ", row.tone),
        Span(fitted(displayable(row.topic, 200), _topic_width(width)) + " "),
    ]
    if width >= _WIDE:
        line += (
            Span(fitted(row.state, _STATE), row.tone),
            Span(fitted(row.joins, _JOINS, right=True)),
            Span(fitted(row.buffered, _BUFFERED, right=True) + "  ", row.buffered_tone),
        )
    else:
        if row.tone != "good":
            line.append(Span(f"{row.state} ", row.tone))
        if row.buffered != "0":
            line.append(Span(f"{row.buffered} ", row.buffered_tone))
    return (*line, Span(displayable(row.last, 400), row.last_tone))


def _topic_width(width: int) -> int:
    return _TOPIC + min(20, (width - _WIDE) // 3) if width >= _WIDE else max(8, min(_TOPIC, width // 2))
