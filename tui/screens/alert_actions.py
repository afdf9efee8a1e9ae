"""What can be done with the alert queue from every screen, and how it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec

from tui.alerts.events import TYPES
from tui.engine.api import (
    AlertCommand,
    AlertsSnapshot,
    AlertSummary,
    AlertVerb,
    CommandResult,
    SourceAway,
)
from tui.exports import write_new
from tui.formats import counted
from tui.presenters import alert_history as history
from tui.presenters import alerts as present
from tui.screens.base import SupervisorScreen
from tui.screens.workers import run_beside
from widgets.untrusted import displayable

MOST_EXPORTED = 100_000
"""Alerts of one file, the newest."""
PAGE = 1000

_Told = Callable[[CommandResult], None]
_Encode = Callable[[list[AlertSummary | SourceAway]], bytes]


class AlertActionsScreen(SupervisorScreen):
    """A screen on which the queue obeys."""

    @property
    def alerts(self) -> AlertsSnapshot | None:
        """The queue as it was last read."""
        return self.supervisor.snapshot.alerts

    @property
    def selected_type(self) -> str:
        """The type that is offered where one is asked for."""
        alerts = self.alerts
        found = (*present.on_stage(alerts), *alerts.waiting) if alerts else ()
        return typable(found[0].type) if found else TYPES[0]

    @property
    def wanted_history(self) -> history.AlertFilter:
        """Which part of the history is meant."""
        return history.AlertFilter()

    def queue(self) -> AlertsSnapshot | None:
        """The queue; where there is none that is said."""
        if self.alerts is None:
            self.tell(present.NO_QUEUE, "busy")
        return self.alerts

    def give(self, words: str, command: AlertCommand, told: _Told | None = None) -> None:
        """Give a command; ``words`` say what it is, if it fails."""
        if self.queue() is None:
            return
        self.supervisor.run_command(
            displayable(words, 100),
            self.supervisor.engine.alerts(command),
            told=None if told is None else lambda _, result: told(result),
        )

    def _give_line(
        self,
        label: str,
        line: str,
        read: Callable[[str], tuple[str, AlertCommand]],
        *,
        suggested: bool = True,
    ) -> None:
        """Ask for a line and give the command that is read from it; a mistake keeps what was typed."""
        if self.queue() is None:
            return

        def answered(line: str) -> None:
            try:
                words, command = read(line)
            except ValueError as error:
                self._give_line(f"✗ {error}:", line, read, suggested=False)
            else:
                self.give(words, command)

        self.prompt(label, line, suggested=suggested, answered=answered)

    def _ask(self, action: str, what: str, command: AlertCommand) -> None:
        """Ask once: the key of ``action`` or y gives the command."""
        keys = self.supervisor.keymap[action]
        self.ask(what, keys, lambda: self.give(what, command))

    # What plays

    def action_alerts_open(self) -> None:
        """Show the queue."""
        if self.queue() is not None:
            self.supervisor.show_alerts()

    def action_alerts_pause(self) -> None:
        """Pause, or go on."""
        if self.supervisor.replay is not None:
            # There is no queue to pause in the past.
            self.supervisor.action_replay("play")
            return
        if (alerts := self.queue()) is not None:
            verb: AlertVerb = "resume" if alerts.mode in ("paused", "held") else "pause"
            self.give(f"{verb} the alerts", AlertCommand(verb=verb))

    def action_alerts_skip(self) -> None:
        """Take what plays off."""
        self.give("skip", AlertCommand(verb="skip"))

    def action_alerts_undo(self) -> None:
        """Take the last remove or clear back."""
        self.give("undo", AlertCommand(verb="undo"))

    def action_alerts_panic(self) -> None:
        """Take everything off and pause, asking first."""
        if (alerts := self.queue()) is None:
            return
        what = "take every alert off the overlays and pause"
        if not alerts.can_clear and alerts.delivers_to is not None:
            what = "pause, though the hub has nothing that takes off what plays"
        self._ask("alerts.panic", what, AlertCommand(verb="panic"))

    def action_alerts_hold(self) -> None:
        """Ask how long to hold."""
        self._give_line("hold the alerts for seconds:", "30", _read_hold)

    # What waits

    def action_alerts_clear(self) -> None:
        """Remove all that wait, asking first."""
        if (alerts := self.queue()) is None:
            return
        count = len(alerts.waiting)
        if not count:
            self.tell("no alert waits", "busy")
            return
        what = "remove the one alert that waits" if count == 1 else f"remove all {count} alerts that wait"
        self._ask("alerts.clear", what, AlertCommand(verb="clear"))

    def action_alerts_clear_type(self) -> None:
        """Ask for a type, and remove all of it that wait."""
        if self.queue() is not None:
            label = "clear the waiting alerts of type:"
            self.prompt(label, self.selected_type, suggested=True, answered=self.clear_type)

    def clear_type(self, type: str) -> None:
        """Remove all of ``type`` that wait, asking first."""
        type = type.strip()
        count = sum(alert.type == type for alert in self.alerts.waiting) if self.alerts else 0
        shown = displayable(type, 40)
        if not count:
            self.tell(f"no alert of type {shown} waits", "busy")
            return
        what = f"remove {counted(count, 'waiting alert')} of type {shown}"
        self._ask("alerts.clear_type", what, AlertCommand(verb="clear", type=type))

    # What comes

    def action_alerts_mute(self) -> None:
        """Ask which type to mute, and how long."""
        type = self.selected_type
        self._give_line("mute TYPE MINUTES, 0 ends it:", f"{type} 10", lambda line: _read_mute(line, type))

    def action_alerts_test(self) -> None:
        """Ask which test alerts to make."""
        type = self.selected_type
        self._give_line("test alert TYPE COUNT:", f"{type} 1", lambda line: _read_test(line, type))

    def test_alert(self, type: str) -> None:
        """Make one test alert."""
        self.give(f"test {type}", AlertCommand(verb="test", type=type))

    # What was

    def action_alerts_export(self) -> None:
        """Write the history to a file, as JSON lines."""
        self._start_export("jsonl", history.json_lines)

    def action_alerts_export_csv(self) -> None:
        """Write the history to a file, as CSV."""
        self._start_export("csv", history.csv_lines)

    def _start_export(self, ending: str, encode: _Encode) -> None:
        if self.queue() is not None:
            run_beside(
                self,
                partial(self._export_alerts, ending, encode),
                name="export",
                group="export",
                exclusive=True,
            )

    async def _export_alerts(self, ending: str, encode: _Encode) -> None:
        wanted = self.wanted_history
        entries: list[AlertSummary | SourceAway] = []
        before: str | None = None
        while len(entries) < MOST_EXPORTED:
            page = await self.supervisor.engine.alert_history(
                before=before, limit=PAGE, type=wanted.type, outcome=wanted.outcome, words=wanted.words
            )
            if isinstance(page, CommandResult):
                self.tell(f"✗ export: {page.message}", "bad")
                return
            entries += [entry for entry in page.alerts if wanted.passes(entry)]
            before = page.next_before
            if before is None:
                break
        if not entries:
            self.tell("✗ nothing to write: the history holds nothing of that", "busy")
            return
        moment = time.strftime("%Y%m%dT%H%M%S", time.localtime(self.supervisor.clock()))
        name = f"alerts-{moment}.{ending}"
        rest = "" if before is None else ", the newest: there are older ones"
        self.supervisor.run_writing(
            f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'} of the history{rest}",
            lambda: str(write_new(self.supervisor.options.folder, name, encode(entries))),
        )


def typable(type: str) -> str:
    """A type as it may stand in a line to type into; a usual one for one that no keyboard has."""
    return type if type == displayable(type, 40) else TYPES[0]


def _read_hold(line: str) -> tuple[str, AlertCommand]:
    seconds = _number(line.strip(), "a number of seconds, such as 30")
    if seconds <= 0:
        raise ValueError("expected more than 0 seconds")
    return f"hold for {seconds:g} s", AlertCommand(verb="hold", seconds=seconds)


def _read_mute(line: str, selected: str) -> tuple[str, AlertCommand]:
    """A type and minutes, or minutes alone for the selected type."""
    type, _, minutes = line.strip().rpartition(" ")
    expected = "a type and minutes, such as follow 10"
    number = _number(minutes, expected)
    if number < 0:
        raise ValueError(f"expected {expected}")
    type = type.strip() or selected
    return f"mute {type}", AlertCommand(verb="mute", type=type, seconds=60 * number)


def _read_test(line: str, selected: str) -> tuple[str, AlertCommand]:
    """A type and how many, or one of both."""
    type, _, count = line.strip().rpartition(" ")
    if not type and not count.isdigit():
        type, count = count, "1"
    type = type.strip() or (selected if count else "")
    if not type or not (count.isascii() and count.isdigit()):
        raise ValueError("expected a type and how many, such as follow 50")
    return f"test {type}", AlertCommand(verb="test", type=type, count=int(count[:9]))


def _number(text: str, expected: str) -> float:
    try:
        # Neither "nan" nor "1_0" is a number that a person means.
        return float(msgspec.json.decode(text, type=float))
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise ValueError(f"expected {expected}") from None
