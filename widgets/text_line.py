"""Single lines: a heading over columns, a title with a rule, a notice."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from textual.strip import Strip

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width, cut_to, displayable


class HeadingLine(LineView):
    """The names of columns, laid out for the width there is."""

    def __init__(self, layout: Callable[[int], Line], *, spare: int = 0, id: str | None = None) -> None:
        """``spare`` columns on the right are left out, as in the list below it."""
        super().__init__(id=id)
        self._layout = layout
        self._spare = spare

    def use(self, layout: Callable[[int], Line]) -> None:
        """Show the names of other columns."""
        if layout is not self._layout:
            self._layout = layout
            self.lay_out()

    def lay_out(self) -> None:
        """Lay the names out for the new width."""
        self.set_lines((self._layout(max(0, self.size.width - self._spare)),))


class TitleLine(LineView):
    """A title in a rule over the whole width."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title, self._note = title, ""
        self._tone: Tone = "dim"

    def show(self, title: str, note: str = "", tone: Tone = "dim") -> None:
        """Show ``title``, and a ``note`` in a tone of its own after it."""
        self._title, self._note, self._tone = displayable(title, 200), displayable(note, 400), tone
        self.lay_out()

    def lay_out(self) -> None:
        """Set the lines."""
        room = max(0, self.size.width - 4)
        title = cut_to(self._title, room)
        note = cut_to(self._note, room - cell_width(title) - 3)
        line = [Span("─ ", "rule"), Span(f"{title} ", "strong")]
        used = cell_width(title) + 3
        if note:
            line += (Span("─ ", "rule"), Span(f"{note} ", self._tone))
            used += cell_width(note) + 3
        line.append(Span("─" * max(0, self.size.width - used), "rule"))
        self.set_lines((tuple(line),))


class Divider(LineView):
    """A quiet line between a pane and the one to its left: a border's colour is lost where there is none."""

    DEFAULT_CSS = "Divider { width: 1; height: 100%; }"

    def render_line(self, y: int) -> Strip:
        """Paint one row of it."""
        return Strip([Segment("│", self.tone_style("rule"))])


class NoticeLine(LineView):
    """One line that must be seen."""

    def show(self, text: str | None, tone: Tone = "busy") -> None:
        """Show ``text``."""
        self.set_lines(((Span(f" {text}", tone),),) if text else ())
