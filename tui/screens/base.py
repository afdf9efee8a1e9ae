"""What all screens share: row 1, the last row, and a way to ask once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from tui import presenters
from tui.actions import ACTIONS
from tui.engine.api import ConnectionSnapshot, Snapshot
from tui.keymap import shown
from tui.screens.bindings import bindings
from tui.screens.layout import LEAST_HEIGHT, LEAST_WIDTH
from widgets.hint_line import Hint, HintLine
from widgets.lines import LineView, Tone
from widgets.prompt import Prompt
from widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from tui.app import OverlaySupervisorApp

MESSAGE_SECONDS = 8.0


@dataclass(frozen=True)
class Question:
    """Something to be confirmed by one more key."""

    text: str
    keys: frozenset[str]
    proceed: Callable[[], None]


class SupervisorScreen(Screen[None]):
    """A screen under row 1: a lost connection is seen wherever one is."""

    BINDINGS = bindings("everywhere")

    def __init__(self) -> None:
        super().__init__()
        self._bar = StatusBar(id="bar")
        self._hints = HintLine((), id="hints")
        self._question: Question | None = None
        self._message_number = 0

    @property
    def supervisor(self) -> OverlaySupervisorApp:
        """The app, as the type that it is."""
        return cast("OverlaySupervisorApp", self.app)

    def hints(self) -> tuple[Hint, ...]:
        """What the last row says while there is nothing else to say."""
        return self.hints_of(("back",))

    def hints_of(self, actions: Iterable[str]) -> tuple[Hint, ...]:
        """The keys of these actions; one that has none is left out."""
        keymap = self.supervisor.keymap
        labels = {action.id: action.label for action in ACTIONS}
        return tuple(Hint(shown(keymap[each]), labels[each]) for each in actions if keymap[each])

    def body(self) -> Iterable[Widget]:
        """The widgets between row 1 and the last."""
        return ()

    def compose(self) -> ComposeResult:
        """Row 1, the body, the last row."""
        self._hints.show_hints(self.hints())
        yield self._bar
        yield from self.body()
        yield self._hints

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot, ``now`` in whole seconds; what did not change is not painted."""
        self._bar.show(presenters.status_bar(snapshot, now))

    def on_resize(self, event: events.Resize) -> None:
        """Say when there is less room than everything needs."""
        width, height = event.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        words = f"too small: {width}x{height}; all is seen from {LEAST_WIDTH}x{LEAST_HEIGHT} on"
        self._hints.show_instead(words if small else None)

    # The last row -------------------------------------------------------------------------------

    def tell(self, text: str, tone: Tone = "plain", *, keep: bool = False) -> None:
        """Say something in the last row, for a few seconds or until it is answered."""
        self._message_number += 1
        number = self._message_number
        self._hints.tell(text, tone)
        if not keep:
            self.set_timer(MESSAGE_SECONDS, lambda: self._forget(number))

    def _forget(self, number: int) -> None:
        if number == self._message_number:
            self._hints.clear()

    def ask(self, text: str, keys: Iterable[str], proceed: Callable[[], None]) -> None:
        """Ask once: one of ``keys`` or y proceeds, any other key does not."""
        asked, self._question = self._question, None
        if asked is not None and asked.text == text:
            # Two quick presses: the second one passed here before the first had become a question.
            self._hints.clear()
            proceed()
            return
        self._question = Question(text, frozenset((*keys, "y")), proceed)
        self.tell(text, "busy", keep=True)

    def on_key(self, event: events.Key) -> None:
        """Take the answer to a question before any binding does."""
        question, self._question = self._question, None
        if question is None:
            return
        event.stop()
        self._hints.clear()
        if event.key in question.keys or event.character in question.keys:
            question.proceed()

    def prompt(
        self,
        label: str,
        value: str,
        *,
        answered: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """Ask for a line in the last row; a prompt that is open gives way."""
        for open_prompt in self.query(Prompt):
            open_prompt.remove()
        self.mount(Prompt(label, value, answered=answered, changed=changed, left=left))


class ListScreen(SupervisorScreen):
    """A screen with something to move in."""

    BINDINGS = bindings("list")

    @property
    def moved_pane(self) -> LineView:
        """The pane that the movement keys move."""
        raise NotImplementedError

    def action_move_down(self) -> None:
        """Move down."""
        self.moved_pane.move(1)

    def action_move_up(self) -> None:
        """Move up."""
        self.moved_pane.move(-1)

    def action_page_down(self) -> None:
        """Move down by what is seen."""
        self.moved_pane.move(max(1, self.moved_pane.size.height - 1))

    def action_page_up(self) -> None:
        """Move up by what is seen."""
        self.moved_pane.move(-max(1, self.moved_pane.size.height - 1))

    def action_move_first(self) -> None:
        """Move to the first line."""
        self.moved_pane.move_to_end(last=False)

    def action_move_last(self) -> None:
        """Move to the last line."""
        self.moved_pane.move_to_end(last=True)

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()


class ConnectionScreen(ListScreen):
    """A screen that shows one connection, which commands then mean."""

    BINDINGS = bindings("connection")

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The connection that a command means."""
        raise NotImplementedError

    def _selected_name(self) -> str | None:
        connection = self.selected
        if connection is None:
            self.tell("no connection is selected", "busy")
            return None
        return connection.name

    def action_connect(self) -> None:
        """Connect the selected connection."""
        if name := self._selected_name():
            self.supervisor.command("connect", name)

    def action_reconnect(self) -> None:
        """Reconnect the selected connection."""
        if name := self._selected_name():
            self.supervisor.command("reconnect", name)

    def action_disconnect(self) -> None:
        """Disconnect the selected connection, asking first."""
        if name := self._selected_name():
            self.supervisor.ask_command("disconnect", name)

    def action_connect_all(self) -> None:
        """Connect every connection."""
        self.supervisor.command("connect", None)

    def action_reconnect_all(self) -> None:
        """Reconnect every connection, asking first."""
        self.supervisor.ask_command("reconnect", None)

    def action_metrics(self) -> None:
        """Show the selected connection's metrics."""
        if name := self._selected_name():
            self.supervisor.show_metrics(name)

    def action_copy_metrics(self) -> None:
        """Send the selected connection's metrics to the terminal's clipboard."""
        if name := self._selected_name():
            self.supervisor.copy_metrics(name)

    def action_inspect(self) -> None:
        """Show the frames of the selected connection."""
        if name := self._selected_name():
            self.supervisor.inspect(name)

    def action_push(self) -> None:
        """Ask what to push on which topic."""
        connection = self.selected
        if connection is None:
            self.tell("no connection is selected", "busy")
            return
        topic = connection.channels[0].topic if connection.channels else "topic"
        self._ask_push(connection.name, "push topic event JSON:", f"{topic} ping {{}}")

    def _ask_push(self, name: str, label: str, line: str) -> None:
        def answered(line: str) -> None:
            mistake = self.supervisor.push_line(name, line)
            if mistake is not None:
                # What was typed is kept: one character is wrong, not all of it.
                self._ask_push(name, f"✗ {mistake}:", line)

        self.prompt(label, line, answered=answered)
