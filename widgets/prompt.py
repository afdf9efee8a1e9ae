"""A line to type into, in place of the last row."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label


class _Line(Input):
    """An input without a blinking cursor: an idle screen sends nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Leave")]

    def __init__(self, value: str, leave: Callable[[], None]) -> None:
        super().__init__(value, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._leave = leave

    def action_leave(self) -> None:
        """Leave without an answer."""
        self._leave()


class Prompt(Horizontal):
    """Asks for one line. Removes itself when answered or left."""

    DEFAULT_CSS = """
    Prompt { height: 1; dock: bottom; background: $panel; }
    Prompt > Label { width: auto; padding: 0 1; text-style: bold; }
    Prompt > Input { width: 1fr; border: none; padding: 0; height: 1; background: $panel; }
    """

    def __init__(
        self,
        label: str,
        value: str = "",
        *,
        answered: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """``changed`` is called at each change, ``answered`` at enter, ``left`` at escape."""
        super().__init__()
        self._label = label
        self._line = _Line(value, self._leave)
        self._answered, self._changed, self._left = answered, changed, left

    def compose(self) -> ComposeResult:
        """The label and the line."""
        yield Label(self._label, markup=False)
        yield self._line

    def on_mount(self) -> None:
        """Take the keys."""
        self._line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Report what is typed so far."""
        event.stop()
        if self._changed:
            self._changed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Report the answer and go."""
        event.stop()
        self.remove()
        self._answered(event.value)

    def _leave(self) -> None:
        self.remove()
        if self._left:
            self._left()
