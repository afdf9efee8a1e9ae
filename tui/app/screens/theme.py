"""The choice of a theme, each seen on what lies behind as the cursor comes to it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from widgets.cursor_list import CursorList
from widgets.lines import Line, Span


class _Themes(CursorList[str]):
    """The names."""

    DEFAULT_CSS = """
    _Themes { dock: bottom; width: 100%; background: $panel; padding: 0 1; border-top: solid $primary; }
    """

    def line_of(self, row: str, width: int, selected: bool) -> Line:
        return (Span("▸ " if selected else "  "), Span(row, "strong" if selected else "plain"))


class ThemeScreen(ModalScreen[None]):
    """Enter keeps the theme that is seen, esc takes back the one before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", show=False),
        Binding("escape,q", "leave", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
    ]
    DEFAULT_CSS = "ThemeScreen { background: $background 0%; }"

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__()
        self._names, self._before = tuple(names), current
        self._list = _Themes()
        self._list.moved = self._cursor_moved

    def compose(self) -> ComposeResult:
        """The names at the bottom."""
        self._list.styles.height = len(self._names) + 1
        yield self._list

    def on_mount(self) -> None:
        """Begin at the theme in force."""
        self._list.show_rows(self._names, self._names, self._before)
        self._list.focus()

    def _cursor_moved(self, key: Hashable) -> None:
        """Preview."""
        self.app.theme = str(key)

    def action_move(self, rows: int) -> None:
        """Go to another theme."""
        self._list.move(rows)

    def action_keep(self) -> None:
        """Keep what is seen."""
        self.dismiss()

    def action_leave(self) -> None:
        """Take the theme before back."""
        self.app.theme = self._before
        self.dismiss()
