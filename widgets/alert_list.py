"""Alerts, one row each: those that wait in their order, those that ended the newest first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from widgets.cursor_list import CursorList
from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width, cut_to, displayable, fitted

_LEAD, _PRIORITY, _STATE = 9, 4, 12
_WIDE = 60
"""Columns from which a pane has room for whole types and times."""


class AlertRow(NamedTuple):
    """One alert, or a time in which a source was away. Type, what and note may be from the network."""

    key: Hashable
    lead: str
    """Its place among those that wait, or when it ended."""
    type: str
    what: str
    state: str = ""
    """Its outcome; of a waiting one that it waits."""
    tone: Tone = "plain"
    """Of the state."""
    priority: str = ""
    grown: int = 0
    """How many more were collapsed into it; told even when what it is must be cut."""
    note: str = ""
    """Why it ended so."""
    ended: bool = False


class AlertPane(LineView, can_focus=True):
    """The next and the last ones, in little room."""

    DEFAULT_CSS = "AlertPane { scrollbar-size-vertical: 0; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[AlertRow, ...] = ()

    def show(self, rows: Sequence[AlertRow]) -> None:
        """Show ``rows``, those that ended after a gap."""
        self._rows = tuple(rows)
        self.lay_out()

    def lay_out(self) -> None:
        """Set the lines."""
        lines: list[Line] = []
        for row, before in zip(self._rows, (None, *self._rows), strict=False):
            if before is not None and row.ended and not before.ended:
                lines.append(())
            lines.append(pane_line(row, self.size.width))
        self.set_lines(lines)


class AlertList(CursorList[AlertRow]):
    """The whole queue and what is held of its history, with a cursor."""

    def show(self, rows: Sequence[AlertRow], selected: Hashable) -> None:
        """Show ``rows`` with the cursor on the row of the key ``selected``."""
        self.show_rows(rows, [row.key for row in rows], selected)
        # What ends comes in above: stay where the cursor is.
        self.keep_in_view()

    def key_after(self, key: Hashable) -> Hashable:
        """The key of the row below that of ``key``; None when there is none."""
        place = self._places.get(key)
        return self._keys[place + 1] if place is not None and place + 1 < len(self._keys) else None

    @property
    def is_near_the_end(self) -> bool:
        """Whether the last rows are seen, or nearly."""
        height = self.size.height if self.is_on_screen else 0
        return height > 0 and self.scroll_offset.y + 2 * height >= len(self._rows)

    def line_of(self, row: AlertRow, width: int, selected: bool) -> Line:
        """One alert."""
        return alert_line(row, width, selected)


def alert_heading(width: int) -> Line:
    """The names of the columns."""
    text = " " + fitted("AT", _LEAD) + fitted("", _PRIORITY) + fitted("TYPE", _type_width(width))
    return (Span(f"{text}{fitted('STATE', _STATE)}WHO AND WHAT", "heading"),)


def alert_line(row: AlertRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns."""
    kind = _type_width(width)
    used = 1 + _LEAD + _PRIORITY + kind + _STATE
    return (
        Span("▸" if selected else " "),
        Span(fitted(row.lead, _LEAD), "dim" if row.ended else "strong"),
        Span(fitted(row.priority, _PRIORITY), "dim"),
        Span(fitted(displayable(row.type, 40), kind - 1) + " "),
        Span(fitted(row.state, _STATE - 1) + " ", row.tone),
        *_what(row, width - used),
    )


def pane_line(row: AlertRow, width: int) -> Line:
    """One row for a pane of ``width`` columns."""
    wide = width >= _WIDE
    kind = fitted(displayable(row.type, 40), 10 if wide else 6) + " "
    if row.ended:
        # A time of day without its seconds, where there is no room for them.
        lead = row.lead if wide or row.lead.count(":") < 2 else row.lead[:-3]
        state = fitted(row.state, max(cell_width(row.state), 11 if wide else 8)) + " "
        kind = kind if row.type else ""
        head = (Span(f" {lead} ", "dim"), Span(state, row.tone), Span(kind))
    else:
        head = (Span(f" {row.lead:>2} ", "strong"), Span(fitted(row.priority, 3) + " ", "dim"), Span(kind))
    return (*head, *_what(row, width - sum(cell_width(span.text) for span in head)))


def _what(row: AlertRow, room: int) -> tuple[Span, ...]:
    what = displayable(row.what, 400)
    if row.grown:
        grown = f"(+{row.grown:,} collapsed)"
        if cell_width(what) + 1 + len(grown) > room:
            grown = f"(+{row.grown:,})"
        what = f"{cut_to(what, max(0, room - len(grown) - 1))} {grown}"
    note = displayable(row.note, 400)
    return (Span(what), Span(f"  {note}", "dim")) if note else (Span(what),)


def _type_width(width: int) -> int:
    return 11 if width >= _WIDE else 8
