"""A line to type into, in place of the last row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Label

_LEAVES = ("escape", "ctrl+c")
_STAYS = ("tab", "shift+tab")
"""Elsewhere they go to the next pane, and would leave the line on the screen without the keys."""


MOST_CHARACTERS = 4096
"""Of a line."""


def paste(line: Input, text: str) -> None:
    """Put all lines of a text into a line as one, as far as there is room for it."""
    start, end = sorted(line.selection)
    most = line.max_length or MOST_CHARACTERS
    room = most - len(line.value) + end - start
    line.replace(" ".join(text[:most].splitlines())[: max(0, room)], start, end)


def again(app: App[Any], event: events.Key | events.Paste) -> None:
    """Have a key pressed, or a text pasted, once more, for what has the focus by then."""
    if isinstance(event, events.Key):
        app.post_message(events.Key(event.key, event.character))
    else:
        app.post_message(events.Paste(event.text))


class TypeAhead:
    """What comes for a line before it has the focus, and is typed into it once it has."""

    def __init__(self, line: Input) -> None:
        self._line = line
        self._early: list[events.Key | events.Paste] = []
        self._is_ready = False
        self.passed_on: events.Key | None = None
        """The last key with which the line did nothing, and so let it go on."""

    def begin(self) -> None:
        """Give the line, which is mounted now, the focus, and type what came."""
        self._is_ready = True
        self._line.focus()
        # Behind the focus, which the app sets by a message too.
        early, self._early = self._early, []
        for event in early:
            again(self._line.app, event)

    def take(self, event: events.Key | events.Paste) -> bool:
        """Type a key, or paste a text, that went to something else; False if it is one that was passed on."""
        if event is self.passed_on:
            return False
        self._early.append(event)
        if self._is_ready:
            self.begin()
        return True


class _Line(Input):
    """An input without a blinking cursor: an idle screen sends nothing."""

    def __init__(self, value: str, take: Callable[[events.Key], bool]) -> None:
        super().__init__(value, compact=True, select_on_focus=False, max_length=MOST_CHARACTERS)
        self.cursor_blink = False
        self._take = take

    def on_key(self, event: events.Key) -> None:
        """What ends the line ends it here and now: what was typed behind it must not get into it."""
        if self._take(event):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Take all lines of what is pasted, as one."""
        event.stop()
        event.prevent_default()
        paste(self, event.text)


class Prompt(Horizontal):
    """Asks for one line. Removes itself when answered or left, and gives the focus back.

    A line that is full says so: what was pasted may have been cut.

    Keys that were typed before the line had the focus are to be given to :attr:`type_ahead`.
    """

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
        suggested: bool = False,
        answered: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """``changed`` is called at each change, ``answered`` at enter, ``left`` at escape or ctrl+c.

        What is typed takes the place of a ``suggested`` value, unless a key moves the cursor first.
        """
        super().__init__()
        self.before: Widget | None = None
        """What had the focus, and gets it again."""
        self.is_over = False
        """It was answered or left."""
        self._label = label
        self._line = _Line(value, self._taken)
        self._answered, self._changed, self._left = answered, changed, left
        self._is_suggested = suggested
        self.type_ahead = TypeAhead(self._line)

    def compose(self) -> ComposeResult:
        """The label and the line."""
        yield Label(self._label, markup=False)
        yield self._line

    def on_mount(self) -> None:
        """Take the keys."""
        if self._is_suggested:
            self._line.select_all()
        self.type_ahead.begin()

    def _taken(self, event: events.Key) -> bool:
        if self.is_over:
            again(self.app, event)
            return True
        if event.key in _LEAVES:
            self.leave()
        elif event.key == "enter":
            self._end()
            self._answered(self._line.value)
        elif event.key not in _STAYS:
            self.type_ahead.passed_on = event
            return False
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Report what is typed so far."""
        event.stop()
        full = len(event.value) >= MOST_CHARACTERS
        self.query_one(Label).update(f"{self._label} (full)" if full else self._label)
        if self._changed and not self.is_over:
            self._changed(event.value)

    def leave(self) -> None:
        """Go without an answer."""
        if not self.is_over:
            self._end()
            if self._left:
                self._left()

    def _end(self) -> None:
        self.is_over = True
        if self.before is not None and self.before.is_mounted:
            self.screen.set_focus(self.before)
        self.remove()
