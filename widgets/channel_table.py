"""The channels of one connection, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import displayable, fitted

_TOPIC, _STATE, _JOINS, _BUFFERED = 23, 9, 6, 9


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
        topic = topic_width(self.size.width)
        self.set_lines([channel_line(row, topic) for row in self._rows])


def topic_width(width: int) -> int:
    """How wide the topics are in a table of ``width`` columns."""
    return _TOPIC + min(20, max(0, (width - 80) // 3))


def channel_heading(width: int) -> Line:
    """The names of the columns for a table of ``width`` columns."""
    text = "   " + fitted("CHANNEL", topic_width(width)) + " " + fitted("STATE", _STATE)
    text += fitted("JOINS", _JOINS, right=True) + fitted("BUFFERED", _BUFFERED, right=True) + "  LAST"
    return (Span(text, "heading"),)


def channel_line(row: ChannelRow, topic: int) -> Line:
    """One channel with its topic in ``topic`` columns."""
    return (
        Span(f" {row.symbol} ", row.tone),
        Span(fitted(displayable(row.topic, 200), topic) + " "),
        Span(fitted(row.state, _STATE), row.tone),
        Span(fitted(row.joins, _JOINS, right=True)),
        Span(fitted(row.buffered, _BUFFERED, right=True), row.buffered_tone),
        Span("  " + displayable(row.last, 400), row.last_tone),
    )
