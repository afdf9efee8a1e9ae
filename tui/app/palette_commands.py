"""What the palette offers on a screen, in the order in which it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NamedTuple

import msgspec
from textual.actions import parse
from textual.screen import Screen

from tui.app.actions import ACTIONS
from tui.app.commands import EngineApp
from tui.app.presenters.alert_history import types_of
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.connection_actions import ask_command, show_metrics
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.details import DetailsScreen
from tui.app.screens.text import MetricsScreen
from tui.model.engine import ConnectionSnapshot, ExtraCommand
from tui.text.formats import time_of_day
from widgets.untrusted import displayable

_VERBS = ("connect", "reconnect", "disconnect")


class PaletteCommand(NamedTuple):
    """One line of the palette."""

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
        f"debug: getMetrics {name}", "Its nine metrics as JSON.", partial(_of, app, name, show_metrics)
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
    metrics = {connection.name: connection.metrics.to_camel() for connection in app.snapshot.connections}
    text = msgspec.json.format(msgspec.json.encode(metrics), indent=2).decode()
    read_at = time_of_day(app.snapshot.taken_at, app.clock())
    app.open_screen(MetricsScreen("all", read_at, text))


def _show_all_states(app: EngineApp) -> None:
    states = (f"{each.name} {each.metrics.connection_state}" for each in app.snapshot.connections)
    app.note("getState(): " + ", ".join(states))
