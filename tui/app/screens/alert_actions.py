"""What can be done with the alert queue from every screen, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tui.alerts.events import TYPES
from tui.app.commands import run_beside
from tui.app.presenters import alert_history as history
from tui.app.presenters import alerts as present
from tui.app.typed_lines import read_hold, read_mute, read_test
from tui.model.alerts import AlertCommand, AlertsSnapshot, AlertSummary, AlertVerb, SourceAway
from tui.model.known import on_stage
from tui.model.snapshot import CommandResult
from tui.text.formats import counted
from widgets.prompt import Prompt
from widgets.untrusted import displayable

if TYPE_CHECKING:
    from tui.app.screens.base import SupervisorScreen

MOST_EXPORTED = 100_000
"""Alerts of one file, the newest."""
PAGE = 1000

_Encode = Callable[[list[AlertSummary | SourceAway]], bytes]


class AlertActions:
    """What can be done with the alert queue from ``screen``, and asked for in its last row."""

    def __init__(self, screen: SupervisorScreen) -> None:
        self._screen = screen
        self._app = screen.app
        self._row = screen.last_row
        self._actions: dict[str, Callable[[], None]] = {
            "pause": self._pause,
            "skip": lambda: self.give("skip", AlertCommand(verb="skip")),
            "undo": lambda: self.give("undo", AlertCommand(verb="undo")),
            "panic": self._panic,
            "hold": lambda: self._give_line("hold the alerts for seconds:", "30", read_hold),
            "clear": self._clear,
            "clear_type": self._clear_type,
            "mute": self._mute,
            "test": self._test,
            "export": lambda: self._export("jsonl", history.json_lines),
            "export_csv": lambda: self._export("csv", history.csv_lines),
        }

    def do(self, what: str) -> None:
        """Do ``alerts.what`` of :data:`tui.app.actions.ACTIONS`."""
        self._actions[what]()

    def queue(self) -> AlertsSnapshot | None:
        """The queue as it was last read; where there is none that is said."""
        alerts = self._app.snapshot.alerts
        if alerts is None:
            self._row.note(present.NO_QUEUE, "busy")
        return alerts

    def give(
        self, words: str, command: AlertCommand, noted: Callable[[CommandResult], None] | None = None
    ) -> None:
        """Give a command; ``words`` say what it is, if it fails."""
        if self.queue() is not None:
            self._app.run_command(displayable(words, 100), self._app.engine.alerts(command), noted)

    def _give_line(self, label: str, line: str, read: Callable[[str], tuple[str, AlertCommand]]) -> None:
        """Ask for a line and give the command that is read from it."""
        if self.queue() is not None:
            self._row.ask_line(label, line, read, lambda found: self.give(*found), suggested=True)

    def _ask(self, action: str, what: str, command: AlertCommand) -> None:
        """Ask once: the key of ``action`` or y gives the command."""
        self._row.ask(what, self._app.keymap[action], lambda: self.give(what, command))

    def _offered_type(self) -> str:
        """The type that is offered where one is asked for."""
        selected = self._screen.selected_type
        if selected is None:
            alerts = self._app.snapshot.alerts
            found = (*on_stage(alerts), *alerts.waiting) if alerts else ()
            selected = found[0].type if found else TYPES[0]
        # One that no keyboard has cannot be typed.
        return selected if selected == displayable(selected, 40) else TYPES[0]

    def _pause(self) -> None:
        if self._app.replay is not None:
            # There is no queue to pause in the past.
            self._app.action_replay("play")
        elif (alerts := self.queue()) is not None:
            verb: AlertVerb = "resume" if present.is_stopped(alerts) else "pause"
            self.give(f"{verb} the alerts", AlertCommand(verb=verb))

    def _panic(self) -> None:
        if (alerts := self.queue()) is None:
            return
        what = "take every alert off the overlays and pause"
        if not alerts.can_clear and alerts.delivers_to is not None:
            what = "pause, though the hub has nothing that takes off what plays"
        self._ask("alerts.panic", what, AlertCommand(verb="panic"))

    def _clear(self) -> None:
        if (alerts := self.queue()) is None:
            return
        count = len(alerts.waiting)
        if not count:
            self._row.note("no alert waits", "busy")
            return
        what = "remove the one alert that waits" if count == 1 else f"remove all {count} alerts that wait"
        self._ask("alerts.clear", what, AlertCommand(verb="clear", type=None))

    def _clear_type(self) -> None:
        """Remove all that wait of the selected type, or of one that is asked for."""
        if self.queue() is None:
            return
        if (type := self._screen.selected_type) is not None:
            self._clear_all_of(type)
            return
        label = "clear the waiting alerts of type:"
        self._row.prompt(Prompt(label, self._offered_type(), suggested=True, answered=self._clear_all_of))

    def _clear_all_of(self, type: str) -> None:
        type, alerts = type.strip(), self._app.snapshot.alerts
        count = sum(alert.type == type for alert in alerts.waiting) if alerts else 0
        shown = displayable(type, 40)
        if not count:
            self._row.note(f"no alert of type {shown} waits", "busy")
            return
        what = f"remove {counted(count, 'waiting alert')} of type {shown}"
        self._ask("alerts.clear_type", what, AlertCommand(verb="clear", type=type))

    def _mute(self) -> None:
        type = self._offered_type()
        self._give_line("mute TYPE MINUTES, 0 ends it:", f"{type} 10", lambda line: read_mute(line, type))

    def _test(self) -> None:
        type = self._offered_type()
        self._give_line("test alert TYPE COUNT:", f"{type} 1", lambda line: read_test(line, type))

    def test_alert(self, type: str) -> None:
        self.give(f"test {type}", AlertCommand(verb="test", type=type))

    def _export(self, ending: str, encode: _Encode) -> None:
        if self.queue() is not None:
            work = partial(self._read_and_export, ending, encode)
            run_beside(self._screen, work, "export", exclusive=True)

    async def _read_and_export(self, ending: str, encode: _Encode) -> None:
        wanted = self._screen.wanted_history
        entries: list[AlertSummary | SourceAway] = []
        before: str | None = None
        while len(entries) < MOST_EXPORTED:
            page = await self._app.engine.alert_history(
                before=before, limit=PAGE, alert_type=wanted.type, outcome=wanted.outcome, words=wanted.terms
            )
            if isinstance(page, CommandResult):
                self._row.note(f"✗ export: {page.message}", "bad")
                return
            entries += [entry for entry in page.alerts if wanted.passes(entry)]
            before = page.next_before
            if before is None:
                break
        if not entries:
            self._row.note("✗ nothing to write: the history holds nothing of that", "busy")
            return
        rest = "" if before is None else ", the newest: there are older ones"
        what = f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'} of the history{rest}"
        self._app.export(what, "alerts", ending, lambda: encode(entries))
