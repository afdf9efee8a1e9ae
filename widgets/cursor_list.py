"""A list with a cursor that stays on a row, not on a place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.style import Style
from textual import events

from widgets.lines import Line, LineView

Row = TypeVar("Row", bound=Hashable)


class CursorList(LineView, Generic[Row], can_focus=True):
    """Rows, each with a key of its own; whoever shows them says on which the cursor is.

    Keys of rows that stay must stay the same. A subclass lays its rows out in :meth:`line_of`, and says in
    :meth:`is_heading` which of them the cursor passes over. A row that stayed equal is not laid out anew;
    nothing is kept of those that are not shown any more, since rows with figures in them never come again.
    """

    FREE_COLUMNS = 1
    SPARE: ClassVar[int] = 2
    """Columns that rows are not laid out for: the scrollbar's, and one between it and the last figures."""

    # Muted words on a marked row are as readable as elsewhere: 4.7 to 1 and more in every theme.
    DEFAULT_CSS = """
    CursorList .lines--marked { background: $primary 12%; }
    CursorList:focus .lines--marked { background: $primary 20%; }
    CursorList:ansi .lines--marked { background: ansi_default; text-style: bold; }
    CursorList:ansi:focus .lines--marked { background: ansi_default; text-style: bold; }
    """

    def __init__(
        self,
        moved: Callable[[Hashable], None],
        opened: Callable[[], None] | None = None,
        *,
        id: str | None = None,
    ) -> None:
        """``moved`` is called when the cursor was moved to another row by hand: at once, since a message
        would come behind the next key or the next rows, which would then mean another row. ``opened`` is
        called when a row was clicked twice."""
        super().__init__(id=id)
        self._moved, self._opened = moved, opened
        self._rows: tuple[Row, ...] = ()
        self._keys: tuple[Hashable, ...] = ()
        self._laid_out: dict[tuple[Row, int, bool], Line] = {}
        self._selected: Hashable = None
        self._places: dict[Hashable, int] = {}

    def line_of(self, row: Row, width: int, selected: bool) -> Line:
        """A row, for a list of ``width`` columns."""
        raise NotImplementedError

    def is_heading(self, row: Row) -> bool:
        """Whether a row stands over others, and the cursor is never on it."""
        return False

    @property
    def cursor(self) -> int:
        """The index of the selected row; 0 when there is none."""
        return self._places.get(self._selected, 0)

    @property
    def selected(self) -> Hashable:
        """The key of the row on which the cursor is; None when there is none."""
        return self._keys[self.cursor] if self._keys else None

    def show_rows(self, rows: Sequence[Row], keys: Sequence[Hashable], selected: Hashable) -> None:
        """Show ``rows``, each with its key, and the cursor on the row of the key ``selected``."""
        self._rows = tuple(rows)
        moved = selected != self._selected or len(keys) != len(self._keys)
        self._keys, self._selected = tuple(keys), selected
        self._places = {key: place for place, key in enumerate(self._keys)}
        self._lay_rows_out()
        if moved:
            self.keep_in_view()

    def move(self, rows: int) -> None:
        """Move the cursor by ``rows``."""
        self._choose(self.cursor + rows)

    def move_to_end(self, *, last: bool) -> None:
        """Move the cursor to the first row, or to the last."""
        self._choose(len(self._keys) - 1 if last else 0)

    def mark_of(self, index: int) -> Style | None:
        """The cursor's row is marked; so is its first character, for screens without colour."""
        return self.mark_style() if index == self.cursor else None

    def lay_out(self) -> None:
        """Lay the rows out for the new width."""
        self._lay_rows_out()
        self.keep_in_view()

    def on_click(self, event: events.Click) -> None:
        """Select the row under the pointer; open it at the second click."""
        index = event.y + self.scroll_offset.y
        if 0 <= index < len(self._keys) and not self.is_heading(self._rows[index]):
            self._choose(index)
            if event.chain == 2 and self._opened is not None:
                self._opened()

    def _choose(self, index: int) -> None:
        if self._keys:
            index = self._beside_headings(max(0, min(index, len(self._keys) - 1)))
            self._selected = self._keys[index]
            self._lay_rows_out()
            self.keep_in_view()
            self._moved(self._selected)

    def _beside_headings(self, index: int) -> int:
        """The next row in the direction of the movement, else in the other one."""
        down, up = range(index, len(self._keys)), range(index, -1, -1)
        for places in (down, up) if index >= self.cursor else (up, down):
            for place in places:
                if not self.is_heading(self._rows[place]):
                    return place
        return index

    def keep_in_view(self) -> None:
        """Scroll so that the cursor is seen, with the heading that it stands right under."""
        top, height = self.scroll_offset.y, self.size.height
        first = self.cursor
        if first and height > 1 and self.is_heading(self._rows[first - 1]):
            first -= 1
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif height and self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def _lay_rows_out(self) -> None:
        """Lay the rows out; those that stayed the same are not painted again."""
        width, cursor = max(0, self.size.width - self.SPARE), self.cursor
        before, self._laid_out = self._laid_out, {}
        lines: list[Line] = []
        for index, row in enumerate(self._rows):
            made_of = (row, width, index == cursor)
            self._laid_out[made_of] = before.get(made_of) or self.line_of(*made_of)
            lines.append(self._laid_out[made_of])
        self.set_lines(lines)
