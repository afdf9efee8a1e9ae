"""The command palette: what can be done now, found by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NamedTuple

from textual import events, on
from textual.actions import parse
from textual.app import ComposeResult
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.markup import escape
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Input, LoadingIndicator

from tui.app.actions import ACTIONS
from tui.app.commands import EngineApp
from tui.app.presenters.alert_history import types_of
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.connection_actions import ask_command, show_metrics, show_metrics_of
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.details import DetailsScreen
from tui.model.snapshot import ConnectionSnapshot, ExtraCommand
from widgets.prompt import TypeAhead, paste
from widgets.untrusted import displayable

_VERBS = ("connect", "reconnect", "disconnect")
_MOST_QUERY = 200
"""Characters; each is looked for in each command."""


# What it offers, in the order in which it does ------------------------------------------------------


class PaletteCommand(NamedTuple):
    title: str
    help: str
    run: Callable[[], Awaitable[None] | None]


def palette_commands(app: EngineApp, screen: Screen[object]) -> Iterable[PaletteCommand]:
    """The old console's debug helpers for the selected connection and for all; the actions; the
    helpers for every other connection; the engine's extras."""
    selected = screen.selected if isinstance(screen, DashboardScreen | DetailsScreen) else None
    if selected is not None:
        yield from _debug_helpers(app, selected)
    yield PaletteCommand(
        "debug: getMetrics all", "The metrics of all as JSON.", partial(_show_all_metrics, app)
    )
    yield PaletteCommand("debug: getState all", "The states of all.", partial(_show_all_states, app))
    yield from _verbs(app, None)
    for action in ACTIONS:
        target, name, _ = parse(action.function)
        if action.palette is not None and (target == "app" or hasattr(screen, f"action_{name}")):
            yield PaletteCommand(action.palette, action.help, _doing(app, action.function))
    if isinstance(screen, SupervisorScreen) and app.snapshot.alerts is not None:
        for type in types_of(app.snapshot.alerts):
            yield PaletteCommand(
                f"alerts: test {displayable(type, 40)}",
                "Make one test alert of this type.",
                partial(screen.alert_actions.test_alert, type),
            )
    for connection in app.snapshot.connections:
        if selected is None or connection.name != selected.name:
            yield from _debug_helpers(app, connection)
    for extra in app.engine.extra_commands():
        yield PaletteCommand(
            displayable(extra.label, 80), displayable(extra.help, 200), partial(_run_extra, app, extra)
        )


def _debug_helpers(app: EngineApp, connection: ConnectionSnapshot) -> Iterable[PaletteCommand]:
    name = connection.name
    yield PaletteCommand(
        f"debug: getMetrics {name}", "Its nine metrics as JSON.", partial(_of, app, name, show_metrics_of)
    )
    yield PaletteCommand(f"debug: getState {name}", "Its state.", partial(_of, app, name, _show_state))
    yield from _verbs(app, name)


def _verbs(app: EngineApp, name: str | None) -> Iterable[PaletteCommand]:
    for verb in _VERBS:
        yield PaletteCommand(
            f"debug: {verb} {name or 'all'}",
            f"{verb.capitalize()} {name or 'every connection'} now.",
            partial(_command, app, verb, name),
        )


def _of(app: EngineApp, name: str, do: Callable[[EngineApp, ConnectionSnapshot], None]) -> None:
    # As it is by now; the palette may have been open for long.
    if (connection := app.connection(name)) is not None:
        do(app, connection)


def _command(app: EngineApp, verb: str, name: str | None) -> None:
    if isinstance(app.screen, SupervisorScreen):
        ask_command(app.screen, verb, name)
    else:
        app.command(verb, name)


def _doing(app: EngineApp, function: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        await app.run_action(function, default_namespace=app.screen)

    return do


def _run_extra(app: EngineApp, extra: ExtraCommand) -> None:
    app.run_command(extra.label, app.engine.run_extra(extra.id))


def _show_state(app: EngineApp, connection: ConnectionSnapshot) -> None:
    app.note(f"{connection.name}.getState(): {connection.metrics.connection_state!r}")


def _show_all_metrics(app: EngineApp) -> None:
    show_metrics(app, "all", {each.name: each.metrics.to_camel() for each in app.snapshot.connections})


def _show_all_states(app: EngineApp) -> None:
    states = (f"{each.name} {each.metrics.connection_state}" for each in app.snapshot.connections)
    app.note("getState(): " + ", ".join(states))


# How it is shown ------------------------------------------------------------------------------------


class PaletteProvider(Provider):
    """Offers the app's commands in their own order, where Textual's would sort them by name.

    A title may hold text from outside, such as the type of an alert; Textual takes a plain text for markup.
    """

    def _commands(self) -> Iterable[PaletteCommand]:
        app = self.app
        return palette_commands(app, self.screen) if isinstance(app, EngineApp) else ()

    async def discover(self) -> Hits:
        for command in self._commands():
            yield DiscoveryHit(Content(command.title), command.run, command.title, escape(command.help))

    async def search(self, query: str) -> Hits:
        """What matches, the best first: the letters in their order, or every word somewhere."""
        fuzzy = FuzzySearch()
        style = self.match_style or Style(reverse=True)
        for command in self._commands():
            title = command.title
            whole = fuzzy.match(query, title)
            words = [fuzzy.match(word, title) for word in query.split()]
            found = [whole] if whole[0] > 0 or not all(score > 0 for score, _ in words) else words
            score = sum(score for score, _ in found) / max(1, len(found))
            if score > 0:
                offsets = {
                    offset for _, offsets in found for offset in offsets if not title[offset].isspace()
                }
                shown = Content(title)
                for offset in sorted(offsets):
                    shown = shown.stylize(style, offset, offset + 1)
                yield Hit(score, shown, command.run, title, escape(command.help))


class _Commands(CommandList):
    """The commands. Textual leaves reverse video out of the styles of options."""

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        if any(self.get_component_styles(name).text_style.reverse for name in component_classes):
            style += Style(reverse=True)
        return style


class _Query(CommandInput):
    """The line to type into."""

    def on_paste(self, event: events.Paste) -> None:
        """Take what there is room for."""
        event.stop()
        event.prevent_default()
        paste(self, event.text)


class Palette(CommandPalette):
    """Textual's palette, with a sign before its line that every terminal draws in as many columns."""

    def __init__(self) -> None:
        super().__init__(id="--command-palette")
        self._line = _Query(placeholder="Search for commands…", select_on_focus=False, max_length=_MOST_QUERY)
        self._type_ahead = TypeAhead(self._line)
        self.take = self._type_ahead.take

    def compose(self) -> ComposeResult:
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield self._line
            with Vertical(id="--results"):
                yield _Commands()
                yield LoadingIndicator()

    def on_key(self, event: events.Key) -> None:
        """Note a key that came by here, and so not from the screen below."""
        self._type_ahead.passed_on = event

    def on_mount(self) -> None:
        """Take the emoji away."""
        self.query_one(SearchIcon).icon = ">"
        self._type_ahead.begin()

    @on(Input.Submitted)
    async def search_first(self) -> None:
        """Let the search for what is typed end before enter takes the first hit.

        Textual takes it from the list as it stands, which is that of an earlier letter when one types
        fast or the machine is busy: another command than the one asked for. Its own handler comes after
        this one.
        """
        searches = [search for search in self.workers if search.node is self and not search.is_cancelled]
        # Textual takes no workers for all of the app's, most of which never end.
        if searches:
            await self.workers.wait_for_complete(searches)
