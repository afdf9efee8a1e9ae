"""Lines of text in tones, of which only the changed ones are painted again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.untrusted import ELLIPSIS, cell_width, displayable

Tone = Literal["plain", "strong", "dim", "good", "calm", "busy", "bad", "heading", "rule"]
"""What a text means; the theme gives it a colour, the text itself must say it too. ``calm`` is good where
there is so much of it that what is not must stand out; ``rule`` is no text but what parts it."""


class Span(NamedTuple):
    """A piece of a line. Its text may come from a network; it is made harmless when painted."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]

_MOST_FOLDED = 1_000_000
"""Characters of one span that are folded."""


def folded(lines: Iterable[Line], width: int) -> list[Line]:
    """Lines of at most ``width`` columns: what is longer goes on in the next line."""
    found: list[Line] = []
    for line in lines:
        row: list[Span] = []
        left = max(1, width)
        for span in line:
            text = displayable(span.text, _MOST_FOLDED)
            while cell_width(text) > left:
                taken = _within(text, left)
                row.append(Span(text[:taken], span.tone))
                found.append(tuple(row))
                text, row, left = text[taken:], [], max(2, width)
            row.append(Span(text, span.tone))
            left -= cell_width(text)
        found.append(tuple(row))
    return found


def _within(text: str, columns: int) -> int:
    """How many characters of a displayable text fit."""
    if text.isascii():
        return columns
    used = 0
    for index, character in enumerate(text):
        used += cell_width(character)
        if used > columns:
            return index
    return len(text)


class LineView(ScrollView, can_focus=False, inherit_bindings=False):
    """Shows lines and paints only what changed.

    Textual sends a dirty region again whether or not its text changed, so the comparison is made
    here: lines that stay the same cost nothing.
    """

    ALLOW_MAXIMIZE = False
    FREE_COLUMNS: ClassVar[int] = 0
    """Columns on the right that stay free whether or not a scrollbar is there: its coming moves nothing."""
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lines--strong",
        "lines--dim",
        "lines--good",
        "lines--calm",
        "lines--busy",
        "lines--bad",
        "lines--heading",
        "lines--rule",
        "lines--marked",
    }
    DEFAULT_CSS = """
    LineView {
        height: 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & .lines--strong { text-style: bold; }
        & .lines--dim { color: $foreground 72%; }
        & .lines--heading { color: $foreground 72%; }
        & .lines--rule { color: $foreground 30%; }
        & .lines--good { color: $success; }
        & .lines--calm { color: $success 65%; }
        & .lines--busy { color: $warning; }
        & .lines--bad { color: $error; text-style: bold; }
        & .lines--marked { background: $boost; }
        &:ansi .lines--dim { color: ansi_default; text-style: dim; }
        &:ansi .lines--heading { color: ansi_default; text-style: dim; }
        &:ansi .lines--rule { color: ansi_default; text-style: dim; }
        &:ansi .lines--calm { color: ansi_green; text-style: dim; }
        &:ansi .lines--marked { text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines as they were last laid out."""
        return self._lines

    def lay_out(self) -> None:
        """Set the lines for the width there is; called when that changes."""

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.lay_out()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show ``lines``; those that did not change are not painted."""
        old, new = self._lines, tuple(lines)
        if new == old:
            return
        self._lines = new
        if len(old) != len(new):
            self.virtual_size = Size(0, len(new))
        top = self.scroll_offset.y
        for y in range(top, top + self.size.height):
            before = old[y] if y < len(old) else ()
            after = new[y] if y < len(new) else ()
            if before != after:
                self.refresh(Region(0, y - top, _changed_columns(before, after, self.size.width), 1))

    def move(self, rows: int) -> None:
        """Move by ``rows``, down when positive."""
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False)

    def move_to_end(self, *, last: bool) -> None:
        """Move to the first line, or to the last."""
        self.scroll_to(y=self.virtual_size.height if last else 0, animate=False)

    def tone_style(self, tone: Tone) -> Style:
        """The style of a tone over the widget's own background."""
        if tone == "plain":
            return self.rich_style
        return self.get_component_rich_style(f"lines--{tone}")

    def mark_of(self, index: int) -> Style | None:
        """The style laid under line ``index``, if it is marked."""
        return None

    def mark_style(self) -> Style:
        """The background of a marked line; tones keep their colours on it."""
        style = self.get_component_rich_style("lines--marked")
        return Style(bgcolor=style.bgcolor, bold=True if style.bold else None)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the visible part."""
        # Without the scrollbar's column: the ellipsis would be under it.
        width = self.size.width - self.scrollbar_gutter.width
        index = y + self.scroll_offset.y
        base = self.rich_style
        if not 0 <= index < len(self._lines):
            return Strip.blank(width, base)
        mark = self.mark_of(index)
        segments = []
        used = 0
        for text, tone in self._lines[index]:
            style = self.tone_style(tone)
            shown = displayable(text, 4 * max(width, 1))
            segments.append(Segment(shown, style + mark if mark else style))
            used += cell_width(shown)
        end = base + mark if mark else base
        room = min(width, self.size.width - self.FREE_COLUMNS)
        if used > room > 1:
            # What was cut must not look whole.
            segments, used = [*_cut(segments, room - 1), Segment(ELLIPSIS, end)], room
        # Measured and cut here: the toolkit would keep each of the last thousands of texts for it.
        return Strip(segments, used).adjust_cell_length(width, end)


def _cut(segments: Iterable[Segment], columns: int) -> Iterator[Segment]:
    """The first ``columns`` of a line that is longer; a space stands for half a character."""
    for text, style, _ in segments:
        if cell_width(text) > columns:
            kept = text[: _within(text, columns)]
            yield Segment(kept + " " * (columns - cell_width(kept)), style)
            return
        yield Segment(text, style)
        columns -= cell_width(text)


def _changed_columns(before: Line, after: Line, width: int) -> int:
    """How many columns from the left must be painted: what follows them is the same as before."""
    same = 0
    for old, new in zip(reversed(before), reversed(after), strict=False):
        if old != new:
            break
        same += 1
    heads = [
        sum(cell_width(displayable(span.text)) for span in line[: len(line) - same])
        for line in (before, after)
    ]
    return min(width, heads[1]) if heads[0] == heads[1] and heads[1] else width


class LinesPane(LineView, can_focus=True):
    """Lines to scroll through."""
