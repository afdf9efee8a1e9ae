"""The list of connections, one row each, with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual import events
from textual.message import Message

from widgets.hour_strip import cells_for, strip_spans
from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width, displayable, fitted

_MARK, _NAME, _STATE, _RTT, _IN, _OUT, _RECONNECTS, _SINCE = 3, 16, 21, 6, 6, 7, 10, 12
_SMALLEST = _MARK + _NAME + _STATE
"""What is always there: which connection, and its state in words."""
_WITH_STRIP = _SMALLEST + _RTT + _IN + 2 + cells_for(80) + _RECONNECTS
_LEAST_WHY = 16


@dataclass(frozen=True)
class ConnectionRow:
    """One connection in the list; every value is text ready to be fitted."""

    name: str
    symbol: str
    state: str
    tone: Tone
    round_trip: str
    rate_in: str
    rate_out: str
    joined: str = ""
    """Beside the state, where channels are to be joined."""
    joined_tone: Tone = "plain"
    hour: str = ""
    """The last hour, as :func:`widgets.hour_strip.strip_spans` takes it."""
    reconnects: str = "0"
    since: str = ""
    why: str = ""


class ConnectionList(LineView, can_focus=True):
    """Rows with a cursor that stays on a connection, not on a place."""

    DEFAULT_CSS = """
    ConnectionList .lines--marked { background: $primary 18%; }
    ConnectionList:focus .lines--marked { background: $primary 32%; }
    ConnectionList:ansi .lines--marked { background: ansi_default; text-style: bold; }
    ConnectionList:ansi:focus .lines--marked { background: ansi_default; text-style: bold; }
    """

    class Moved(Message):
        """The cursor was moved to another connection by hand."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Opened(Message):
        """A row was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[ConnectionRow, ...] = ()
        self._selected: str | None = None

    @property
    def cursor(self) -> int:
        """The index of the selected row; 0 when there is none."""
        for index, row in enumerate(self._rows):
            if row.name == self._selected:
                return index
        return 0

    def show(self, rows: Sequence[ConnectionRow], selected: str | None) -> None:
        """Show ``rows`` with the cursor on ``selected``."""
        moved = selected != self._selected or len(rows) != len(self._rows)
        self._rows, self._selected = tuple(rows), selected
        self._lay_out()
        if moved:
            self._keep_in_view()

    def move(self, rows: int) -> None:
        """Move the cursor by ``rows``."""
        self._choose(self.cursor + rows)

    def move_to_end(self, *, last: bool) -> None:
        """Move the cursor to the first connection, or to the last."""
        self._choose(len(self._rows) - 1 if last else 0)

    def mark_of(self, index: int) -> Style | None:
        """The cursor's row is marked; so is its first character, for screens without colour."""
        if index != self.cursor:
            return None
        return self.mark_style()

    def on_resize(self) -> None:
        """Lay the rows out for the new width."""
        self._lay_out()
        self._keep_in_view()

    def on_click(self, event: events.Click) -> None:
        """Select the row under the pointer; open it at the second click."""
        index = event.y + self.scroll_offset.y
        if 0 <= index < len(self._rows):
            self._choose(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def _choose(self, index: int) -> None:
        if self._rows:
            index = max(0, min(index, len(self._rows) - 1))
            self._selected = self._rows[index].name
            self._lay_out()
            self._keep_in_view()
            self.post_message(self.Moved(self._selected))

    def _keep_in_view(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif height and self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def _lay_out(self) -> None:
        width = self.size.width
        self.set_lines([row_line(row, width, row.name == self._selected) for row in self._rows])


def heading_line(width: int) -> Line:
    """The names of the columns for a list of ``width`` columns."""
    text = fitted(" LINKS", _MARK + _name_width(width)) + fitted("STATE", _STATE)
    if width >= _SMALLEST + _RTT + _IN:
        text += fitted("RTT", _RTT, right=True) + fitted("IN/S", _IN, right=True)
    if width >= _WITH_STRIP:
        if _has_out(width):
            text += fitted("OUT/S", _OUT, right=True)
        text += "  " + fitted("LAST HOUR", cells_for(width)) + fitted("RECONNECTS", _RECONNECTS, right=True)
    if _room_for_why(width) >= 0:
        text += "  " + fitted("SINCE", _SINCE) + "WHY"
    return (Span(text, "heading"),)


@lru_cache(maxsize=1024)
def row_line(row: ConnectionRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns; what seldom changes stands on the right."""
    name = fitted(displayable(row.name, 100), _name_width(width) - 1)
    joined = f" {row.joined}" if row.joined else ""
    line: list[Span] = [
        Span("▸" if selected else " "),
        Span(f"{row.symbol} ", row.tone),
        Span(f"{name} ", "strong" if selected else "plain"),
        Span(row.state, row.tone),
        Span(fitted(joined, max(0, _STATE - cell_width(row.state))), row.joined_tone),
    ]
    if width >= _SMALLEST + _RTT + _IN:
        rates = fitted(row.round_trip, _RTT, right=True) + fitted(row.rate_in, _IN, right=True)
        if _has_out(width):
            rates += fitted(row.rate_out, _OUT, right=True)
        line.append(Span(rates))
    if width >= _WITH_STRIP:
        line += (Span("  "), *strip_spans(row.hour, cells_for(width)))
        line.append(Span(fitted(row.reconnects, _RECONNECTS, right=True)))
    if _room_for_why(width) >= 0:
        line += (Span("  " + fitted(row.since, _SINCE), "dim"), Span(displayable(row.why, 300)))
    return tuple(line)


def _name_width(width: int) -> int:
    return _NAME + (8 if width >= 150 else 0)


def _has_out(width: int) -> bool:
    return width >= _WITH_STRIP + _OUT


def _room_for_why(width: int) -> int:
    taken = _MARK + _name_width(width) + _STATE + _RTT + _IN + _OUT + 2 + cells_for(width) + _RECONNECTS
    return width - taken - 2 - _SINCE - _LEAST_WHY
