"""The list of connections, one row each, with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual import events
from textual.message import Message

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import displayable, fitted

_NAME, _STATE, _RTT, _IN, _OUT, _JOINED, _SINCE = 15, 21, 7, 6, 6, 7, 12
_FIXED = 5 + _NAME + _STATE + _RTT + _IN + _JOINED + _SINCE
"""The columns that are always there; messages out and the reason need a wider screen."""


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
    joined: str
    joined_tone: Tone = "plain"
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
    text = "   " + fitted("CONNECTION", _NAME + 1) + fitted("STATE", _STATE)
    text += fitted("RTT", _RTT, right=True) + fitted("IN/S", _IN, right=True)
    if width >= _FIXED + _OUT:
        text += fitted("OUT/S", _OUT, right=True)
    text += fitted("JOINED", _JOINED, right=True) + " " + fitted("SINCE", _SINCE)
    if width > _FIXED + _OUT + 12:
        text += " WHY"
    return (Span(text, "heading"),)


def row_line(row: ConnectionRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns; what seldom changes stands on the right."""
    name = fitted(displayable(row.name, 100), _NAME)
    rates = fitted(row.round_trip, _RTT, right=True) + fitted(row.rate_in, _IN, right=True)
    if width >= _FIXED + _OUT:
        rates += fitted(row.rate_out, _OUT, right=True)
    line: list[Span] = [
        Span("▸" if selected else " "),
        Span(f"{row.symbol} ", row.tone),
        Span(f"{name} ", "strong" if selected else "plain"),
        Span(fitted(row.state, _STATE), row.tone),
        Span(rates),
        Span(fitted(row.joined, _JOINED, right=True), row.joined_tone),
        Span(" " + fitted(row.since, _SINCE), "dim"),
    ]
    if width > _FIXED + _OUT + 12:
        line.append(Span(" " + displayable(row.why, 300)))
    return tuple(line)
