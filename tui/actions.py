"""The one registry of what a person can do: keys, footer, help and palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

Scope = Literal["everywhere", "connection", "dashboard"]
"""Where an action works: on every screen, on those that show a connection, on the dashboard alone."""


@dataclass(frozen=True)
class Action:
    """One thing that can be done."""

    id: str
    keys: tuple[str, ...]
    """The default keys in Textual's names; the first is the one that is shown."""
    shown: str
    """The keys as help writes them."""
    label: str
    """One or two words, for the footer."""
    help: str
    """What it does, as a sentence."""
    function: str
    """The name of the screen's or the app's ``action_`` method."""
    scope: Scope
    palette: str | None = None
    """How the palette calls it; None keeps it out."""
    hint: bool = False
    """Stands in the dashboard's footer."""


ACTIONS: tuple[Action, ...] = (
    Action("move.down", ("j", "down"), "j ↓", "down", "Move down.", "move_down", "connection"),
    Action("move.up", ("k", "up"), "k ↑", "up", "Move up.", "move_up", "connection"),
    Action(
        "move.page_down",
        ("pagedown",),
        "page ↓",
        "page down",
        "Move down by a page.",
        "page_down",
        "connection",
    ),
    Action("move.page_up", ("pageup",), "page ↑", "page up", "Move up by a page.", "page_up", "connection"),
    Action("move.first", ("g", "home"), "g", "first", "Move to the first line.", "move_first", "connection"),
    Action("move.last", ("G", "end"), "G", "last", "Move to the last line.", "move_last", "connection"),
    Action("pane.next", ("tab",), "tab", "next pane", "Go to the next pane.", "app.focus_next", "dashboard"),
    Action(
        "connection.reconnect",
        ("r",),
        "r",
        "reconnect",
        "Reconnect the selected connection now.",
        "reconnect",
        "connection",
        "reconnect the selected connection",
        hint=True,
    ),
    Action(
        "connection.details",
        ("enter",),
        "enter",
        "details",
        "Show everything known of the selected connection.",
        "details",
        "dashboard",
        "details of the selected connection",
        hint=True,
    ),
    Action(
        "list.filter",
        ("slash",),
        "/",
        "filter",
        "Filter by name, label, address, topic or state; esc ends it.",
        "filter",
        "dashboard",
        "filter the connections",
        hint=True,
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "^p :",
        "palette",
        "Find a command by its name.",
        "app.command_palette",
        "everywhere",
        hint=True,
    ),
    Action(
        "help",
        ("question_mark", "f1"),
        "? F1",
        "help",
        "Show the keys.",
        "app.help",
        "everywhere",
        "help: the keys",
        hint=True,
    ),
    Action(
        "list.order",
        ("o",),
        "o",
        "order",
        "Order the connections worst first, or by name.",
        "order",
        "dashboard",
        "order the connections: worst first, or by name",
    ),
    Action(
        "connection.connect",
        ("c",),
        "c",
        "connect",
        "Connect the selected connection, unless it is.",
        "connect",
        "connection",
        "connect the selected connection",
    ),
    Action(
        "all.connect",
        ("C",),
        "C",
        "connect all",
        "Connect every connection that is not connected.",
        "connect_all",
        "connection",
        "connect all connections",
    ),
    Action(
        "all.reconnect",
        ("R",),
        "R",
        "reconnect all",
        "Reconnect every connection; asks first.",
        "reconnect_all",
        "connection",
        "reconnect all connections",
    ),
    Action(
        "connection.disconnect",
        ("D",),
        "D",
        "disconnect",
        "Disconnect the selected connection until asked for; asks first.",
        "disconnect",
        "connection",
        "disconnect the selected connection",
    ),
    Action(
        "connection.metrics",
        ("m",),
        "m",
        "metrics",
        "Show getMetrics() of the selected connection.",
        "metrics",
        "connection",
        "metrics of the selected connection",
    ),
    Action(
        "connection.copy",
        ("y",),
        "y",
        "copy",
        "Send its metrics to the terminal's clipboard.",
        "copy_metrics",
        "connection",
        "copy the selected connection's metrics",
    ),
    Action(
        "connection.push",
        ("p",),
        "p",
        "push",
        "Push a message on a channel of the selected connection.",
        "push",
        "connection",
        "push a message on a channel",
    ),
    Action(
        "debug",
        ("b",),
        "b",
        "debug",
        "Show the indicator always, or only when something is wrong.",
        "app.toggle_debug",
        "everywhere",
        "debug indicator: show or hide",
    ),
    Action(
        "theme",
        (),
        "",
        "theme",
        "Choose dark, light or the terminal's own colours.",
        "app.change_theme",
        "everywhere",
        "theme",
    ),
    Action(
        "back", ("escape",), "esc", "back", "Leave: a question, a filter, a screen.", "back", "connection"
    ),
    Action(
        "quit",
        ("q", "ctrl+c"),
        "q ^c",
        "quit",
        "Quit; where that stops the connections, at the second press.",
        "app.ask_quit",
        "everywhere",
        "quit",
    ),
    Action(
        "detach",
        ("d",),
        "d",
        "detach",
        "Leave the engine running, where this screen is attached to one.",
        "app.detach",
        "everywhere",
        "detach from the engine",
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "^z",
        "suspend",
        "Says what suspending would stop, and does nothing.",
        "app.suspend_process",
        "everywhere",
    ),
)


def bindings(*scopes: Scope) -> list[BindingType]:
    """The key bindings of the actions in ``scopes``."""
    return [
        Binding(",".join(action.keys), action.function, action.label, id=action.id, show=False)
        for action in ACTIONS
        if action.scope in scopes and action.keys
    ]
