"""Row 1: a bar over the whole width whose colour can be read from across the room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.segment import Segment
from textual.strip import Strip

from widgets.lines import LineView, Span
from widgets.untrusted import cell_width, cut_to, displayable, fitted

BarTone = Literal["good", "busy", "bad", "unknown"]


@dataclass(frozen=True)
class StatusBarValue:
    """What the bar says, the most important first."""

    tone: BarTone
    message: str
    """The symbol and the words of the worst state."""
    subject: str = ""
    detail: str = ""
    tally: str = ""
    """Kept at the right edge as long as there is room for it."""


class StatusBar(LineView):
    """One line in the colour of the worst state."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1;
        dock: top;
        text-style: bold;
        color: #ffffff;
        background: $panel;
        &.bar-good { background: #1f6f43; }
        &.bar-busy { background: #f2c230; color: #161616; }
        &.bar-bad { background: #c81e2d; }
        &:ansi { color: ansi_default; background: ansi_default; text-style: bold reverse; }
        &:ansi.bar-good { color: ansi_green; }
        &:ansi.bar-busy { color: ansi_yellow; }
        &:ansi.bar-bad { color: ansi_red; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.value = StatusBarValue("unknown", "")

    def show(self, value: StatusBarValue) -> None:
        """Show ``value``."""
        if value == self.value:
            return
        if value.tone != self.value.tone:
            self.remove_class(f"bar-{self.value.tone}")
            self.add_class(f"bar-{value.tone}")
        self.value = value
        # The text is fitted when painted, since it depends on the width.
        self.set_lines(((Span(f"{value.message}|{value.subject}|{value.detail}|{value.tally}"),),))

    def render_line(self, y: int) -> Strip:
        """Paint the bar."""
        width, style = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, style)
        text = bar_text(self.value, width)
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)


def bar_text(value: StatusBarValue, width: int) -> str:
    """Return the bar's text of exactly ``width`` columns: words before tally before the rest."""
    words = displayable(value.message, 200)
    tally = displayable(value.tally, 40)
    room = width - cell_width(tally) - 2 if tally else width - 1
    if tally and cell_width(words) + 2 > room:
        tally, room = "", width - 1
    left = " " + words
    for part in (value.subject, value.detail):
        if part and cell_width(left) + 6 < room:
            left += "  " + displayable(part, 400)
    left = fitted(cut_to(left, room), room)
    return f"{left} {tally} " if tally else f"{left} "
