"""Screens of plain lines: the help made from the actions, and metrics as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.app.actions import ACTIONS, Action
from tui.app.keymap import Keymap, shown
from tui.app.screens.base import SupervisorScreen
from widgets.lines import Line, LinesPane, Span, folded
from widgets.untrusted import fitted


class LinesScreen(SupervisorScreen):
    """A title over lines that scroll; any of the usual keys leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "back", show=False)]
    HINTS: ClassVar[tuple[str, ...]] = ("move.down", "move.up", "back")
    AUTO_FOCUS = "#lines"

    def __init__(self, title: str, note: str, lines: Iterable[Line]) -> None:
        self._lines_pane = LinesPane(id="lines")
        super().__init__(self._lines_pane)
        self._lines = tuple(lines)
        self._lines_pane.set_lines(self._lines)
        self._title.show(title, note)


class TextScreen(LinesScreen):
    """A text that may be copied; none of it is cut off, however long its lines are.

    Args:
        text: what is copied.
        what: its name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", show=False, id="connection.copy")]
    HINTS = ("connection.copy", *LinesScreen.HINTS)

    def __init__(
        self, title: str, note: str, lines: Iterable[Line], text: str, what: str = "the text"
    ) -> None:
        super().__init__(title, note, lines)
        self._copied, self._what = text, what

    def on_resize(self, event: events.Resize) -> None:
        self._lines_pane.set_lines(folded(self._lines, event.size.width - 1))

    def action_copy(self) -> None:
        self.app.copy(self._copied, self._what)


class MetricsScreen(TextScreen):
    """``getMetrics()`` as the browser's console answered it: the values of one moment."""

    def __init__(self, name: str, read_at: str, json_text: str) -> None:
        super().__init__(
            f"{name}.getMetrics()",
            f"read at {read_at}",
            [(Span(f" {line}"),) for line in json_text.splitlines()],
            json_text,
            "the metrics",
        )


class HelpScreen(LinesScreen):
    def __init__(self, keymap: Keymap, first: Sequence[str] = ()) -> None:
        """``first`` are the places that are told before all others."""
        super().__init__("keys", "what can be done, and by which key", help_lines(keymap, first))


_HEADINGS = (
    ("dashboard", "DASHBOARD"),
    ("connection", "CONNECTIONS"),
    ("queue", "ALERTS, FROM EVERYWHERE"),
    ("alerts", "ALERTS, ON THEIR OWN SCREEN"),
    ("incidents", "INCIDENTS"),
    ("inspector", "INSPECTOR"),
    ("replay", "REPLAY"),
    ("list", "LISTS"),
    ("everywhere", "EVERYWHERE"),
)


def _place(action: Action) -> str:
    """Under which heading an action stands."""
    if action.scope == "everywhere" and action.id.startswith("replay."):
        return "replay"
    of_the_queue = action.scope == "everywhere" and action.id.startswith("alerts.")
    return "queue" if of_the_queue else action.scope


def help_lines(keymap: Keymap, first: Sequence[str] = ()) -> list[Line]:
    """The actions under the places where they work, ``first`` before the others, then the symbols."""
    lines: list[Line] = []
    ordered = sorted(_HEADINGS, key=lambda each: first.index(each[0]) if each[0] in first else len(first))
    for place, heading in ordered:
        lines.append((Span(f" {heading}", "heading"),))
        for action in ACTIONS:
            if _place(action) == place:
                lines.append((Span(f"  {fitted(shown(keymap[action.id]), 10)}", "strong"), Span(action.help)))
        lines.append(())
    lines.append((Span(" SYMBOLS", "heading"),))
    for symbol, meaning in (
        ("●", "connected: a heartbeat was answered on this very connection; joined"),
        ("◐", "connecting or reconnecting; joining"),
        ("✗", "failed, the breaker open; a channel that was refused or crashed"),
        ("○", "disconnected; a channel that is closed"),
        ("?", "not known: nobody observes it any more; in LAST HOUR a gap that nobody observed"),
        ("▇ ▅ ▂ ▁", "LAST HOUR: well without a break, most of it, some of it, none of it"),
        ("·", "LAST HOUR: before it was watched"),
    ):
        lines.append((Span(f"  {fitted(symbol, 10)}", "strong"), Span(meaning)))
    return lines
