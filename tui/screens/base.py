"""What all screens share: row 1, the last row, and a way to ask once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from tui import presenters
from tui.actions import ACTIONS
from tui.engine.api import Snapshot
from tui.keymap import answering, shown
from tui.screens.bindings import bindings
from tui.screens.layout import LEAST_HEIGHT, LEAST_WIDTH
from widgets.hint_line import Hint, HintLine
from widgets.lines import Tone
from widgets.prompt import Prompt
from widgets.status_bar import StatusBar
from widgets.time_line import TimeLine
from widgets.untrusted import cell_width, cut_to, displayable

if TYPE_CHECKING:
    from tui.app import OverlaySupervisorApp

MESSAGE_SECONDS = 8.0
QUESTION_SECONDS = 20.0
"""Then it is withdrawn: who comes back to the terminal presses a key that means something else."""


@dataclass(frozen=True)
class Question:
    """Something to be confirmed by one more key."""

    text: str
    keys: frozenset[str]
    proceed: Callable[[], None]


class SupervisorScreen(Screen[None]):
    """A screen under row 1: a lost connection is seen wherever one is."""

    BINDINGS = bindings("everywhere")
    HELP_FIRST: ClassVar[tuple[str, ...]] = ()
    """The places whose keys the help tells before all others."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = StatusBar(id="bar")
        self._hints = HintLine((), id="hints")
        self._time_line = TimeLine(id="time-line")
        self._question: Question | None = None
        self._question_timer: Timer | None = None
        self._held_back: tuple[str, Tone, bool] | None = None
        """What was to be told while a question stood."""
        self._message_number = 0
        self._alerts_stand: bool | None = None
        """Whether the queue waits for a person; None without one."""

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
        if self._alerts_stand:
            labels["alerts.pause"] = "resume"
        if self.supervisor.replay is not None:
            labels["alerts.pause"] = "play"
        return tuple(Hint(shown(keymap[each]), labels[each]) for each in actions if keymap[each])

    def body(self) -> Iterable[Widget]:
        """The widgets between row 1 and the last."""
        return ()

    def compose(self) -> ComposeResult:
        """Row 1, the body, the last row."""
        self._alerts_stand = presenters.alerts_stand(self.supervisor.snapshot)
        self._hints.show_hints(self.hints())
        yield self._bar
        yield from self.body()
        if self.supervisor.replay is not None:
            yield self._time_line
        yield self._hints

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot, ``now`` in whole seconds; what did not change is not painted."""
        replay = self.supervisor.replay
        if replay is None:
            self._bar.show(presenters.status_bar(snapshot, now))
        else:
            self._time_line.show(presenters.time_line(replay.position(), self.supervisor.marks))
            missing = snapshot.waiting
            self._bar.show(
                presenters.status_bar(snapshot, now)
                if missing is None
                else presenters.nothing_recorded(missing)
            )
        if (stand := presenters.alerts_stand(snapshot)) != self._alerts_stand:
            self._alerts_stand = stand
            self._hints.show_hints(self.hints())

    def count_down(self, snapshot: Snapshot, now: float) -> None:
        """Show the time that is left of an alert, and nothing else; called once a second while one plays."""

    def on_resize(self, event: events.Resize) -> None:
        """Say when there is less room than everything needs."""
        width, height = event.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        words = f"too small: {width}x{height}; all is seen from {LEAST_WIDTH}x{LEAST_HEIGHT} on"
        self._hints.show_instead(words if small else None)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Have it told when something that the screen read or wrote failed in a way nobody foresaw."""
        # The app hears of its own workers only.
        if event.state is WorkerState.ERROR:
            self.supervisor.worker_failed(event.worker)

    # The last row -------------------------------------------------------------------------------

    def tell(self, text: str, tone: Tone = "plain", *, keep: bool = False) -> None:
        """Say something in the last row, for a few seconds or until it is answered.

        While a question stands there it waits: a question that cannot be seen must not be answered.
        """
        if self._question is not None:
            self._held_back = (text, tone, keep)
            return
        self._message_number += 1
        number = self._message_number
        self._hints.tell(text, tone)
        if not keep:
            self.set_timer(MESSAGE_SECONDS, lambda: self._forget(number))

    def _forget(self, number: int) -> None:
        if number == self._message_number:
            self._hints.clear()

    def ask(self, what: str, keys: Sequence[str], proceed: Callable[[], None]) -> None:
        """Ask once: one of ``keys`` or y proceeds, any other key and :data:`QUESTION_SECONDS` do not.

        What is asked may be cut at the edge of the screen, the keys that answer not.
        """
        room = self.size.width - 2
        what, answers = displayable(what, 300), f"? {answering(keys)}: yes, any other key: no"
        if cell_width(what) + len(answers) > room:
            answers = f"? {answering(keys)}: yes, else no"
        text = cut_to(what, max(8, room - len(answers))) + answers
        for prompt in self.query(Prompt):
            prompt.leave()
        asked = self._end_question()
        if asked is not None and asked.text == text:
            # Two quick presses: the second one passed here before the first had become a question.
            proceed()
            return
        self.tell(text, "busy", keep=True)
        self._question = Question(text, frozenset((*keys, "y")), proceed)
        self._question_timer = self.set_timer(QUESTION_SECONDS, self._give_up)

    def _end_question(self) -> Question | None:
        """Take the question away; what had to wait for it is told."""
        question, self._question = self._question, None
        if self._question_timer is not None:
            self._question_timer.stop()
            self._question_timer = None
        if question is not None:
            self._hints.clear()
            held, self._held_back = self._held_back, None
            if held is not None:
                text, tone, keep = held
                self.tell(text, tone, keep=keep)
        return question

    def _give_up(self) -> None:
        if self._end_question() is not None:
            self.tell("nobody answered: nothing was done", "dim")

    def take_key(self, event: events.Key) -> bool:
        """Take a key before any binding does, where it belongs to a line or is an answer; whether it was."""
        prompt = next((each for each in self.query(Prompt) if not each.is_over), None)
        if prompt is not None:
            if prompt.has_had(event):
                return False
            # Typed behind the key that opened the line, while something else had the focus still.
            prompt.take(event)
            return True
        question = self._end_question()
        if question is None:
            return False
        if event.key in question.keys or event.character in question.keys:
            question.proceed()
        return True

    def take_paste(self, event: events.Paste) -> bool:
        """Take a text that was pasted behind the key that opened a line; whether there is one."""
        prompt = next((each for each in self.query(Prompt) if not each.is_over), None)
        if prompt is not None:
            prompt.take(event)
        return prompt is not None

    @property
    def is_asking(self) -> bool:
        """Whether the last row waits for an answer, which nothing else may take the place of."""
        return self._question is not None or any(not each.is_over for each in self.query(Prompt))

    def prompt(
        self,
        label: str,
        value: str,
        *,
        suggested: bool = False,
        answered: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """Ask for a line in the last row; a prompt that is open gives way."""
        for open_prompt in self.query(Prompt):
            open_prompt.leave()
        before = self.focused
        self.mount(
            Prompt(
                label,
                value,
                suggested=suggested,
                before=before,
                answered=answered,
                changed=changed,
                left=left,
            )
        )
