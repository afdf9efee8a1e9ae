"""The channels of one connection, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import ELLIPSIS, cell_width, cut_to, displayable, fitted

_TOPIC, _STATE, _JOINS, _BUFFERED = 23, 9, 6, 9
_MOST_LINES, _LEAST_FOLDED = 3, 20
_WIDE = 90
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
    """Rows of channels under a line of names that stays. Long values are folded where there is room."""

    FREE_COLUMNS = 1

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[ChannelRow, ...] = ()
        self._tall: dict[str, int] = {}
        """The most lines that a channel's value has needed: with each message rows must not move."""
        self._tall_for: tuple[object, ...] = ()

    def show(self, rows: Sequence[ChannelRow]) -> None:
        """Show ``rows``."""
        self._rows = tuple(rows)
        self.lay_out()

    def lay_out(self) -> None:
        """Set the lines."""
        width = max(0, self.size.width - self.FREE_COLUMNS)
        spare = min(self.size.height, self.lines_wanted(self.size.width)) - len(self._rows)
        lines: list[Line] = []
        for row in self._rows:
            tall = min(self._tall[row.topic], 1 + max(0, spare))
            folded = folded_line(row, width, tall)
            lines += [*folded, *([()] * (tall - len(folded)))]
            spare -= tall - 1
        self.set_lines(lines)

    def lines_wanted(self, width: int) -> int:
        """How many lines the rows could fill in a table of ``width`` columns, three each at most."""
        key = (width, *(row.topic for row in self._rows))
        if key != self._tall_for:
            self._tall, self._tall_for = {}, key
        for row in self._rows:
            needed = len(folded_line(row, max(0, width - self.FREE_COLUMNS), _MOST_LINES))
            self._tall[row.topic] = max(needed, self._tall.get(row.topic, 1))
        return sum(self._tall.values())


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


def folded_line(row: ChannelRow, width: int, most: int) -> list[Line]:
    """One channel in ``most`` lines at most; what does not fit into the last one is cut when painted."""
    *head, (text, tone) = channel_line(row, width)
    used = sum(cell_width(span.text) for span in head)
    room = width - used
    parts: list[str] = []
    while room >= _LEAST_FOLDED and len(parts) < most - 1 and cell_width(text) > room:
        part = cut_to(text, room + 1).removesuffix(ELLIPSIS)
        parts.append(part)
        text = text[len(part) :]
    parts.append(text)
    first: Line = (*head, Span(parts[0], tone))
    return [first, *((Span(" " * used), Span(part, tone)) for part in parts[1:])]


def _topic_width(width: int) -> int:
    return _TOPIC + min(20, (width - _WIDE) // 3) if width >= _WIDE else max(8, min(_TOPIC, width * 2 // 5))
