"""What can be done with the connection that a screen shows, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tui.app.commands import EngineApp, run_beside
from tui.app.presenters import details
from tui.app.presenters.frames import pretty
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.inspector import InspectorScreen
from tui.app.screens.text import MetricsScreen, TextScreen
from tui.app.typed_lines import PushLine, read_push
from tui.model.snapshot import CommandResult, ConnectionHistory, ConnectionSnapshot
from tui.text.formats import time_of_day
from widgets.lines import Span

HISTORY_EVERY = 10.0
"""Seconds after which what is kept of a connection is asked for again: a share of the last 5 minutes moves by
3 points in that time."""


class ConnectionActions:
    """Commands for a connection of ``screen``.

    Args:
        selected: the connection that is meant; where there is none, it says why.
    """

    def __init__(self, screen: SupervisorScreen, selected: Callable[[], ConnectionSnapshot | None]) -> None:
        self._screen = screen
        self._selected = selected
        self._of_one: dict[str, Callable[[ConnectionSnapshot], None]] = {
            "metrics": lambda connection: show_metrics_of(self._screen.app, connection),
            "copy_metrics": self._copy_metrics,
            "inspect": lambda connection: self._screen.app.open_screen(InspectorScreen(connection.name)),
            "push": self._push,
        }

    def do(self, what: str) -> None:
        """Do ``connection.what`` of :data:`tui.app.actions.ACTIONS`; ``connect_all`` means every one."""
        verb, _, scope = what.partition("_")
        if scope == "all":
            ask_command(self._screen, verb, None)
        elif (connection := self._selected()) is None:
            return
        elif what in self._of_one:
            self._of_one[what](connection)
        else:
            ask_command(self._screen, verb, connection.name)

    def _copy_metrics(self, connection: ConnectionSnapshot) -> None:
        self._screen.app.copy(
            details.indented(connection.metrics.to_camel()), f"metrics of {connection.name}"
        )

    def _push(self, connection: ConnectionSnapshot) -> None:
        app, name = self._screen.app, connection.name
        topic = connection.channels[0].topic if connection.channels else "topic"

        def give(push: PushLine) -> None:
            words = f"push {push.event} on {push.topic}"
            answer = app.engine.push(name, push.topic, push.event, push.payload)
            app.run_command(words, answer, lambda result: self._show_reply(words, result))

        self._screen.last_row.ask_line("push topic event JSON:", f"{topic} ping {{}}", read_push, give)

    def _show_reply(self, words: str, result: CommandResult) -> None:
        """Show a reply that is too long for the last row on a screen of its own."""
        app = self._screen.app
        if (
            result.ok
            and len(result.message) > app.size.width - 2
            and isinstance(app.screen, SupervisorScreen)
        ):
            lines = [(Span(f" {line}"),) for line in pretty(result.message)]
            app.open_screen(TextScreen("reply", words, lines, result.message))


class ReadHistory:
    """What the engine keeps of the connection that ``screen`` shows, as it was last read."""

    def __init__(self, screen: SupervisorScreen) -> None:
        self._screen = screen
        self._value: ConnectionHistory | None = None
        self._read_for: tuple[object, ...] = ()

    def of(self, name: str, now: float, *state: object) -> ConnectionHistory | None:
        """What is known of ``name``; read anew at once when its ``state`` changed, else by and by."""
        wanted = (name, int(now // HISTORY_EVERY), *state)
        if wanted != self._read_for:
            self._read_for = wanted
            work = partial(self._read, name)
            run_beside(self._screen, work, "history", exclusive=True)
        return self._value if self._value is not None and self._value.name == name else None

    async def _read(self, name: str) -> None:
        answer = await self._screen.app.engine.history(name)
        # An engine that is away has none to give; row 1 says so.
        self._value = answer if isinstance(answer, ConnectionHistory) else None
        if self._value is not None:
            self._screen.app.show_now()


def ask_command(screen: SupervisorScreen, verb: str, name: str | None) -> None:
    """Give a command for ``name`` or for all, asking once before what stops one, or all of them."""
    app = screen.app
    if verb == "connect" or (verb == "reconnect" and name is not None):
        app.command(verb, name)
        return
    count = len(app.snapshot.connections)
    what = name or ("the one connection" if count == 1 else f"all {count} connections")
    keys = app.keymap.get(f"all.{verb}" if name is None else "", app.keymap[f"connection.{verb}"])
    screen.last_row.ask(f"{verb} {what}", keys, lambda: app.command(verb, name))


def show_metrics_of(app: EngineApp, connection: ConnectionSnapshot) -> None:
    """Show ``getMetrics()`` of a connection."""
    show_metrics(app, connection.name, connection.metrics.to_camel())


def show_metrics(app: EngineApp, name: str, metrics: dict[str, Any]) -> None:
    """Show what ``getMetrics()`` of ``name`` answers now."""
    read_at = time_of_day(app.snapshot.taken_at, app.clock())
    app.open_screen(MetricsScreen(name, read_at, details.indented(metrics)))
