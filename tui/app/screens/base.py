"""What all screens share: row 1, something to move in, the last row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import ClassVar, TypeVar

from textual import events, getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from tui.app.actions import ACTIONS, Scope
from tui.app.commands import EngineApp, run_beside
from tui.app.keymap import shown, textual_keys
from tui.app.presenters import status
from tui.app.presenters.alert_history import AlertFilter
from tui.app.presenters.alerts import is_stopped
from tui.app.presenters.replay import nothing_recorded, time_line
from tui.app.screens.alert_actions import AlertActions
from tui.app.screens.last_row import LastRow
from tui.app.screens.layout import LEAST_HEIGHT, LEAST_WIDTH
from tui.model.snapshot import CommandResult, Snapshot
from widgets.hint_line import Hint, HintLine
from widgets.lines import LineView, Tone
from widgets.status_bar import StatusBar
from widgets.text_line import NoticeLine, TitleLine
from widgets.time_line import TimeLine

_Answer = TypeVar("_Answer")
_LABELS = {action.id: action.label for action in ACTIONS}


def bindings(*scopes: Scope) -> list[BindingType]:
    """The key bindings of the actions in ``scopes``, to which the settings may give other keys."""
    return [
        Binding(textual_keys(number, action.keys), action.function, action.label, id=action.id, show=False)
        for number, action in enumerate(ACTIONS)
        if action.scope in scopes
    ]


class SupervisorScreen(Screen[None]):
    """A screen under row 1: a lost connection is seen wherever one is.

    Attributes:
        parts: the widgets between row 1 and the last.
    """

    app = getters.app(EngineApp)
    BINDINGS = bindings("everywhere", "list")
    HELP_FIRST: ClassVar[tuple[str, ...]] = ()
    """The places whose keys the help tells before all others."""
    HINTS: ClassVar[tuple[str, ...]] = ("back",)

    def __init__(self, pane: LineView) -> None:
        """``pane`` is what the movement keys move."""
        super().__init__()
        self._pane = pane
        self._bar = StatusBar(id="bar")
        self._title = TitleLine(id="selected")
        self._notice = NoticeLine(id="notice")
        self._hints = HintLine((), id="hints")
        self._time_line = TimeLine(id="time-line")
        self.parts: tuple[Widget, ...] = (self._title, pane)
        self.last_row = LastRow(self, self._hints)
        self.take = self.last_row.take

    @cached_property
    def alert_actions(self) -> AlertActions:
        return AlertActions(self)

    @property
    def selected_type(self) -> str | None:
        """The type of the alert that the cursor is on, if it is on one."""
        return None

    @property
    def wanted_history(self) -> AlertFilter:
        """Which part of the alerts' history is meant."""
        return AlertFilter()

    @property
    def moved_pane(self) -> LineView:
        """The pane that the movement keys move."""
        return self._pane

    def hints(self) -> Sequence[str]:
        """The actions whose keys the last row says while there is nothing else to say."""
        return self.HINTS

    def _show_hints(self) -> None:
        """Show the keys of these actions; one that has none is left out."""
        keymap, labels = self.app.keymap, dict(_LABELS)
        if self.app.replay is not None:
            labels["alerts.pause"] = "play"
        elif is_stopped(self.app.snapshot.alerts):
            labels["alerts.pause"] = "resume"
        hints = (Hint(shown(keymap[each]), labels[each]) for each in self.hints() if keymap[each])
        self._hints.show_hints(tuple(hints))

    def compose(self) -> ComposeResult:
        self._show_hints()
        yield self._bar
        yield from self.parts
        if self.app.replay is not None:
            yield self._time_line
        yield self._hints

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot, ``now`` in whole seconds; what did not change is not painted."""
        if (replay := self.app.replay) is not None:
            self._time_line.show(time_line(replay.position(), self.app.marks))
        if replay is None or snapshot.waiting is None:
            self._bar.show(status.status_bar(snapshot, now))
        else:
            self._bar.show(nothing_recorded(snapshot.waiting))
        self._show_hints()

    def count_down(self, snapshot: Snapshot, now: float) -> None:
        """Show the time that is left of an alert, and nothing else; called once a second while one plays."""

    def on_resize(self, event: events.Resize) -> None:
        """Lay out anew, and say when there is less room than everything needs."""
        width, height = event.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        words = f"too small: {width}x{height}; all is seen from {LEAST_WIDTH}x{LEAST_HEIGHT} on"
        self._hints.show_instead(words if small else None)
        self.app.show_now()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Have it told when something that the screen read or wrote failed in a way nobody foresaw."""
        # The app hears of its own workers only.
        if event.state is WorkerState.ERROR:
            self.app.worker_failed(event.worker)

    def note(self, text: str, tone: Tone = "plain") -> None:
        self.last_row.note(text, tone)

    def with_answer(
        self, ask: Callable[[], Awaitable[_Answer | CommandResult]], do: Callable[[_Answer], None], name: str
    ) -> None:
        """Ask the engine beside everything else, and do something with the answer; a refusal is said.

        What else was asked for under this ``name`` is given up.
        """

        async def run() -> None:
            answer = await ask()
            if isinstance(answer, CommandResult):
                self.note(f"✗ {answer.message}", "bad")
            else:
                do(answer)

        run_beside(self, run, name, exclusive=True)

    def action_alerts(self, what: str) -> None:
        self.alert_actions.do(what)

    def action_move(self, lines: int) -> None:
        self.moved_pane.move(lines)

    def action_move_page(self, direction: int) -> None:
        self.moved_pane.move(direction * max(1, self.moved_pane.size.height - 1))

    def action_move_to_end(self, last: bool) -> None:
        self.moved_pane.move_to_end(last=last)

    def action_back(self) -> None:
        self.dismiss()
