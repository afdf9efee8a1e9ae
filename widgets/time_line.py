"""One row that says that this is no present: where in a recording one stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width, displayable

_LEAST_BAR = 8


class TimeMark(NamedTuple):
    """Something on the bar, from 0 (its begin) to 1 (its end)."""

    begin: float
    end: float
    sign: str
    tone: Tone


@dataclass(frozen=True)
class TimeLineValue:
    """What the row says."""

    moment: str
    """Day and time of what is shown."""
    how: str
    """Such as ``paused`` or ``playing x10``."""
    begin: str
    end: str
    at: float
    """Where it stands, from 0 to 1."""
    marks: tuple[TimeMark, ...] = ()


class TimeLine(LineView):
    """The row."""

    DEFAULT_CSS = "TimeLine { height: 1; background: $panel; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._value: TimeLineValue | None = None

    def show(self, value: TimeLineValue) -> None:
        """Show ``value``."""
        if value != self._value:
            self._value = value
            self.lay_out()

    def lay_out(self) -> None:
        """Lay the bar out for the width there is."""
        if self._value is not None:
            self.set_lines((time_line(self._value, self.size.width),))


def time_line(value: TimeLineValue, width: int) -> Line:
    """The row for ``width`` columns: the words before the bar, the bar before its ends."""
    words = (Span(" REPLAY ", "busy"), Span(f"{value.moment} ", "strong"), Span(f"{value.how}  ", "busy"))
    room = width - sum(cell_width(displayable(span.text)) for span in words) - 1
    ends = len(value.begin) + len(value.end) + 2
    begin, end = (f"{value.begin} ", f" {value.end}") if room - ends >= _LEAST_BAR else ("", "")
    cells = room - len(begin) - len(end)
    if cells < _LEAST_BAR:
        return words
    return (*words, Span(begin, "dim"), *_bar(value, cells), Span(end, "dim"))


def _bar(value: TimeLineValue, cells: int) -> Sequence[Span]:
    drawn: list[tuple[str, Tone]] = [("─", "dim")] * cells
    for mark in value.marks:
        first, last = (min(cells - 1, max(0, int(place * cells))) for place in (mark.begin, mark.end))
        for cell in range(first, last + 1):
            drawn[cell] = (mark.sign, mark.tone)
    drawn[min(cells - 1, max(0, int(value.at * cells)))] = ("█", "strong")
    return [Span(sign, tone) for sign, tone in drawn]
