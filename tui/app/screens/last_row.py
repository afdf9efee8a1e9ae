"""The last row of a screen: what it tells, and what it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from textual import events
from textual.screen import Screen
from textual.timer import Timer

from tui.app.keymap import answering
from widgets.hint_line import HintLine
from widgets.lines import Tone
from widgets.prompt import Prompt
from widgets.untrusted import cell_width, cut_to, displayable

MESSAGE_SECONDS = 8.0
QUESTION_SECONDS = 20.0
"""Then it is withdrawn: who comes back to the terminal presses a key that means something else."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Question:
    """Something to be confirmed by one more key."""

    text: str
    keys: frozenset[str]
    proceed: Callable[[], None]


class LastRow:
    """Tells and asks in the last row of ``screen``, in place of its ``hints``."""

    def __init__(self, screen: Screen[None], hints: HintLine) -> None:
        self.screen = screen
        self._hints = hints
        self._question: Question | None = None
        self._question_timer: Timer | None = None
        self._held_back: tuple[str, Tone, bool] | None = None
        """What was to be told while a question stood."""
        self._message_number = 0

    @property
    def _open_prompt(self) -> Prompt | None:
        return next((each for each in self.screen.query(Prompt) if not each.is_over), None)

    def note(self, text: str, tone: Tone = "plain", *, keep: bool = False) -> None:
        """Say something in the last row, for a few seconds or until it is answered.

        While a question stands there it waits: a question that cannot be seen must not be answered.
        """
        if self._question is not None:
            self._held_back = (text, tone, keep)
            return
        self._message_number += 1
        number = self._message_number
        self._hints.note(text, tone)
        if not keep:
            self.screen.set_timer(MESSAGE_SECONDS, lambda: self._forget(number))

    def _forget(self, number: int) -> None:
        if number == self._message_number:
            self._hints.clear()

    def ask(self, what: str, keys: Sequence[str], proceed: Callable[[], None]) -> None:
        """Ask once: one of ``keys`` or y proceeds, any other key and :data:`QUESTION_SECONDS` do not.

        What is asked may be cut at the edge of the screen, the keys that answer not.
        """
        room = self.screen.size.width - 2
        what, answers = displayable(what, 300), f"? {answering(keys)}: yes, any other key: no"
        if cell_width(what) + len(answers) > room:
            answers = f"? {answering(keys)}: yes, else no"
        text = cut_to(what, max(8, room - len(answers))) + answers
        for prompt in self.screen.query(Prompt):
            prompt.leave()
        asked = self._end_question()
        if asked is not None and asked.text == text:
            # Two quick presses: the second one passed here before the first had become a question.
            proceed()
            return
        self.note(text, "busy", keep=True)
        self._question = Question(text, frozenset((*keys, "y")), proceed)
        self._question_timer = self.screen.set_timer(QUESTION_SECONDS, self._give_up)

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
                self.note(text, tone, keep=keep)
        return question

    def _give_up(self) -> None:
        if self._end_question() is not None:
            self.note("nobody answered: nothing was done", "dim")

    def take(self, event: events.Key | events.Paste) -> bool:
        """Take a key before any binding does, or a text, where it is an answer or a line's; if it was."""
        prompt = self._open_prompt
        if prompt is not None:
            # Typed behind the key that opened the line, while something else had the focus still.
            return prompt.type_ahead.take(event)
        if isinstance(event, events.Paste) or (question := self._end_question()) is None:
            return False
        if event.key in question.keys or event.character in question.keys:
            question.proceed()
        return True

    @property
    def is_asking(self) -> bool:
        """Whether the last row waits for an answer, which nothing else may take the place of."""
        return self._question is not None or self._open_prompt is not None

    def prompt(self, prompt: Prompt) -> None:
        """Ask for a line; a prompt that is open gives way."""
        for open_prompt in self.screen.query(Prompt):
            open_prompt.leave()
        prompt.before = self.screen.focused
        self.screen.mount(prompt)

    def ask_line(
        self,
        label: str,
        line: str,
        read: Callable[[str], _Answer],
        give: Callable[[_Answer], None],
        *,
        suggested: bool = False,
    ) -> None:
        """Ask for a line until ``read`` raises no ValueError.

        What was typed is kept: one character of it is wrong, not all.
        """

        def answered(typed: str) -> None:
            try:
                answer = read(typed)
            except ValueError as mistake:
                self.ask_line(f"✗ {mistake}:", typed, read, give)
            else:
                give(answer)

        self.prompt(Prompt(label, line, suggested=suggested, answered=answered))

    def ask_filter(self, value: str, changed: Callable[[str], None]) -> None:
        """Ask for a text to filter by; ``changed`` is called at each change, and with none at esc."""
        self.prompt(Prompt("/", value, answered=changed, changed=changed, left=lambda: changed("")))
