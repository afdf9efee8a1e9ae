"""Single lines: a heading over columns, a title with a rule, a notice."""

from __future__ import annotations

from collections.abc import Callable

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width, cut_to, displayable


class HeadingLine(LineView):
    """The names of columns, laid out for the width there is."""

    def __init__(self, layout: Callable[[int], Line], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._layout = layout

    def on_resize(self) -> None:
        """Lay the names out for the new width."""
        self.set_lines((self._layout(self.size.width),))


class TitleLine(LineView):
    """A title in a rule over the whole width."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title, self._note = title, ""

    def show(self, title: str, note: str = "") -> None:
        """Show ``title``, and a ``note`` in a quieter tone after it."""
        self._title, self._note = displayable(title, 200), displayable(note, 400)
        self._lay_out()

    def on_resize(self) -> None:
        """Draw the rule as long as the line."""
        self._lay_out()

    def _lay_out(self) -> None:
        room = max(0, self.size.width - 4)
        title = cut_to(self._title, room)
        note = cut_to(self._note, room - cell_width(title) - 3)
        line = [Span("─ ", "dim"), Span(f"{title} ", "strong")]
        used = cell_width(title) + 3
        if note:
            line.append(Span(f"─ {note} ", "dim"))
            used += cell_width(note) + 3
        line.append(Span("─" * max(0, self.size.width - used), "dim"))
        self.set_lines((tuple(line),))


class NoticeLine(LineView):
    """One line that must be seen."""

    def show(self, text: str | None, tone: Tone = "busy") -> None:
        """Show ``text``."""
        self.set_lines(((Span(f" {text}", tone),),) if text else ())
