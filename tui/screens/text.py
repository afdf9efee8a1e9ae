"""Screens of plain lines: the help made from the actions, and metrics as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.actions import ACTIONS, Scope
from tui.screens.base import SupervisorScreen
from tui.screens.details import LinesPane
from widgets.hint_line import Hint
from widgets.lines import Line, Span
from widgets.text_line import TitleLine
from widgets.untrusted import fitted


class LinesScreen(SupervisorScreen):
    """A title over lines that scroll; any of the usual keys leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(15)", show=False),
        Binding("pageup", "scroll(-15)", show=False),
    ]
    AUTO_FOCUS = "#lines"

    def __init__(self, title: str, note: str, lines: Iterable[Line]) -> None:
        super().__init__()
        self._title = TitleLine(id="selected")
        self._lines_pane = LinesPane(id="lines")
        self._text = (title, note)
        self._lines_pane.set_lines(tuple(lines))

    def hints(self) -> tuple[Hint, ...]:
        """The keys that work here."""
        return (Hint("j k", "scroll"), Hint("esc", "back"))

    def body(self) -> Iterable[Widget]:
        """The title and the lines."""
        yield self._title
        yield self._lines_pane

    def on_mount(self) -> None:
        """Show the title."""
        self._title.show(*self._text)

    def action_leave(self) -> None:
        """Leave the screen."""
        self.dismiss()

    def action_scroll(self, rows: int) -> None:
        """Scroll by ``rows``."""
        self._lines_pane.move(rows)


class MetricsScreen(LinesScreen):
    """``getMetrics()`` as the browser's console answered it: the values of one moment."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", show=False)]

    def __init__(self, name: str, read_at: str, json_text: str) -> None:
        super().__init__(
            f"{name}.getMetrics()",
            f"read at {read_at}",
            [(Span(f" {line}"),) for line in json_text.splitlines()],
        )
        self._json_text = json_text

    def hints(self) -> tuple[Hint, ...]:
        """The keys that work here."""
        return (Hint("y", "copy"), *super().hints())

    def action_copy(self) -> None:
        """Send what is shown to the terminal's clipboard."""
        self.supervisor.copy(self._json_text, "the metrics")


class HelpScreen(LinesScreen):
    """The keys, made from the actions."""

    def __init__(self) -> None:
        super().__init__("keys", "what can be done, and by which key", help_lines())


_HEADINGS: tuple[tuple[Scope, str], ...] = (
    ("dashboard", "DASHBOARD"),
    ("connection", "CONNECTIONS"),
    ("everywhere", "EVERYWHERE"),
)


def help_lines() -> list[Line]:
    """The actions under the places where they work, and what the symbols mean."""
    lines: list[Line] = []
    for scope, heading in _HEADINGS:
        lines.append((Span(f" {heading}", "heading"),))
        for action in ACTIONS:
            if action.scope == scope:
                lines.append((Span(f"  {fitted(action.shown, 8)}", "strong"), Span(action.help)))
        lines.append(())
    lines.append((Span(" SYMBOLS", "heading"),))
    for symbol, meaning in (
        ("●", "connected: a heartbeat was answered on this very connection; joined"),
        ("◐", "connecting or reconnecting; joining"),
        ("✗", "failed, the breaker open; a channel that was refused or crashed"),
        ("○", "disconnected; a channel that is closed"),
        ("?", "not known: nobody observes it any more"),
    ):
        lines.append((Span(f"  {fitted(symbol, 8)}", "strong"), Span(meaning)))
    return lines
