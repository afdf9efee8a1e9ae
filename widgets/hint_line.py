"""The last row: the keys of the moment, or what the last command answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import cell_width


class Hint(NamedTuple):
    """A key and what it does."""

    key: str
    label: str


class HintLine(LineView):
    """Shows hints; a message takes their place until it is taken away."""

    DEFAULT_CSS = """
    HintLine { height: 1; dock: bottom; background: $panel; }
    """

    def __init__(self, hints: Sequence[Hint], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints = tuple(hints)
        self._message: Line | None = None
        self._instead: Line | None = None

    def show_hints(self, hints: Sequence[Hint]) -> None:
        """Show other hints."""
        self._hints = tuple(hints)
        self.lay_out()

    def show_instead(self, text: str | None) -> None:
        """Show ``text`` where the hints would be; None shows them again."""
        self._instead = None if text is None else (Span(f" {text}", "busy"),)
        self.lay_out()

    def note(self, text: str, tone: Tone = "plain") -> None:
        """Show a message in place of the hints."""
        self._message = (Span(f" {text}", tone),)
        self.lay_out()

    def clear(self) -> None:
        """Show the hints again."""
        self._message = None
        self.lay_out()

    def lay_out(self) -> None:
        """Set the lines."""
        self.set_lines((self._message or self._instead or hints_line(self._hints, self.size.width),))


def hints_line(hints: Sequence[Hint], width: int) -> Line:
    """As many whole hints as ``width`` columns hold; the last one is kept before all others."""
    if not hints:
        return ()
    room = width - _width(hints[-1])
    kept: list[Hint] = []
    for hint in hints[:-1]:
        room -= _width(hint)
        if room < 0:
            break
        kept.append(hint)
    line: list[Span] = []
    for hint in (*kept, hints[-1]):
        line += (Span(f" {hint.key} ", "strong"), Span(f"{hint.label}  ", "dim"))
    return tuple(line)


def _width(hint: Hint) -> int:
    return cell_width(hint.key) + cell_width(hint.label) + 4
