"""The themes, and the choice of one: each is seen on what lies behind as the cursor comes to it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.theme import Theme

from widgets.cursor_list import CursorList
from widgets.lines import Line, Span

DARK = Theme(
    name="dark",
    primary="#3d7fd9",
    secondary="#5aa0a8",
    success="#4cc27a",
    warning="#f2c230",
    error="#ff5f6b",
    accent="#5aa0a8",
    foreground="#d8dde3",
    background="#12161b",
    surface="#12161b",
    panel="#1f262e",
    boost="#1f262e",
    dark=True,
)
LIGHT = Theme(
    name="light",
    primary="#2563b8",
    secondary="#2f7d86",
    success="#0f6130",
    warning="#755200",
    error="#b3132b",
    accent="#2f7d86",
    foreground="#1c2126",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#e7e9ea",
    boost="#e7e9ea",
    dark=False,
)
THEMES = ("dark", "light", "ansi-dark", "ansi-light")


class _Themes(CursorList[str]):
    DEFAULT_CSS = """
    _Themes { dock: bottom; width: 100%; background: $panel; padding: 0 1; border-top: solid $primary; }
    """

    def line_of(self, row: str, width: int, selected: bool) -> Line:
        return (Span("▸ " if selected else "  "), Span(row, "strong" if selected else "plain"))


class ThemeScreen(ModalScreen[None]):
    """Enter keeps the theme that is seen, esc takes back the one before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss", show=False),
        Binding("escape,q", "leave", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
    ]
    DEFAULT_CSS = "ThemeScreen { background: $background 0%; }"

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__()
        self._names, self._before = tuple(names), current
        self._list = _Themes(self._cursor_moved)

    def compose(self) -> ComposeResult:
        self._list.styles.height = len(self._names) + 1
        yield self._list

    def on_mount(self) -> None:
        self._list.show_rows(self._names, self._names, self._before)
        self._list.focus()

    def _cursor_moved(self, key: Hashable) -> None:
        self.app.theme = str(key)

    def action_move(self, rows: int) -> None:
        self._list.move(rows)

    def action_leave(self) -> None:
        self.app.theme = self._before
        self.dismiss()
