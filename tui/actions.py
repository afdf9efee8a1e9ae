"""The one registry of what a person can do: keys, footer, help and palette are made from it.

Knows nothing of Textual, so that the keys of the settings can be checked before anything is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["everywhere", "list", "connection", "dashboard", "inspector"]
"""Where an action works: on every screen, where there is a list to move in, where a connection is
selected, on one screen alone."""

SCREENS: tuple[frozenset[Scope], ...] = (
    frozenset(("everywhere", "list", "connection", "dashboard")),
    frozenset(("everywhere", "list", "connection")),
    frozenset(("everywhere", "list", "inspector")),
)
"""The scopes that meet on a screen: there a key can do one thing only."""


@dataclass(frozen=True)
class Action:
    """One thing that can be done."""

    id: str
    keys: tuple[str, ...]
    """The default keys in Textual's names; the first is the one that is shown."""
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
    Action("move.down", ("j", "down"), "down", "Move down.", "move_down", "list"),
    Action("move.up", ("k", "up"), "up", "Move up.", "move_up", "list"),
    Action("move.page_down", ("pagedown",), "page down", "Move down by a page.", "page_down", "list"),
    Action("move.page_up", ("pageup",), "page up", "Move up by a page.", "page_up", "list"),
    Action("move.first", ("g", "home"), "first", "Move to the first line.", "move_first", "list"),
    Action("move.last", ("G", "end"), "last", "Move to the last line.", "move_last", "list"),
    Action("pane.next", ("tab",), "next pane", "Go to the next pane.", "app.focus_next", "dashboard"),
    Action(
        "connection.reconnect",
        ("r",),
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
        "palette",
        "Find a command by its name.",
        "app.command_palette",
        "everywhere",
        hint=True,
    ),
    Action(
        "help",
        ("question_mark", "f1"),
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
        "order",
        "Order the connections worst first, or by name.",
        "order",
        "dashboard",
        "order the connections: worst first, or by name",
    ),
    Action(
        "connection.connect",
        ("c",),
        "connect",
        "Connect the selected connection, unless it is.",
        "connect",
        "connection",
        "connect the selected connection",
    ),
    Action(
        "all.connect",
        ("C",),
        "connect all",
        "Connect every connection that is not connected.",
        "connect_all",
        "connection",
        "connect all connections",
    ),
    Action(
        "all.reconnect",
        ("R",),
        "reconnect all",
        "Reconnect every connection; asks first.",
        "reconnect_all",
        "connection",
        "reconnect all connections",
    ),
    Action(
        "connection.disconnect",
        ("D",),
        "disconnect",
        "Disconnect the selected connection until asked for; asks first.",
        "disconnect",
        "connection",
        "disconnect the selected connection",
    ),
    Action(
        "connection.metrics",
        ("m",),
        "metrics",
        "Show getMetrics() of the selected connection.",
        "metrics",
        "connection",
        "metrics of the selected connection",
    ),
    Action(
        "connection.copy",
        ("y",),
        "copy",
        "Send its metrics to the terminal's clipboard.",
        "copy_metrics",
        "connection",
        "copy the selected connection's metrics",
    ),
    Action(
        "connection.push",
        ("p",),
        "push",
        "Push a message on a channel of the selected connection.",
        "push",
        "connection",
        "push a message on a channel",
    ),
    Action(
        "debug",
        ("b",),
        "debug",
        "Show the indicator always, or only when something is wrong.",
        "app.toggle_debug",
        "everywhere",
        "debug indicator: show or hide",
    ),
    Action(
        "theme",
        (),
        "theme",
        "Choose dark, light or the terminal's own colours.",
        "app.choose_theme",
        "everywhere",
        "theme",
    ),
    Action("back", ("escape",), "back", "Leave: a question, a filter, a screen.", "back", "list"),
    Action(
        "quit",
        ("q", "ctrl+c"),
        "quit",
        "Quit; where that stops the connections, at the second press.",
        "app.ask_quit",
        "everywhere",
        "quit",
    ),
    Action(
        "detach",
        ("d",),
        "detach",
        "Leave the engine running, where this screen is attached to one.",
        "app.detach",
        "everywhere",
        "detach from the engine",
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "suspend",
        "Says what suspending would stop, and does nothing.",
        "app.suspend_process",
        "everywhere",
    ),
    Action(
        "connection.inspect",
        ("i",),
        "inspect",
        "Show the frames of the selected connection, in and out.",
        "inspect",
        "connection",
        "inspect the frames of the selected connection",
    ),
    Action(
        "inspector.freeze",
        ("f",),
        "freeze",
        "Let the list stand still; it counts what comes.",
        "freeze",
        "inspector",
    ),
    Action(
        "inspector.filter",
        ("slash",),
        "filter",
        "Filter: words, topic:..., event:...; esc ends it.",
        "filter",
        "inspector",
    ),
    Action(
        "inspector.direction",
        ("t",),
        "in or out",
        "Show both directions, only in, only out.",
        "direction",
        "inspector",
    ),
    Action(
        "inspector.open",
        ("enter",),
        "payload",
        "Show the selected frame with its payload.",
        "open",
        "inspector",
    ),
    Action(
        "inspector.export",
        ("w",),
        "export",
        "Write the frames that are shown to a file, as JSON lines.",
        "export",
        "inspector",
    ),
    Action(
        "inspector.copy",
        ("y",),
        "copy",
        "Send the selected frame's payload to the terminal's clipboard.",
        "copy",
        "inspector",
    ),
    Action(
        "screenshot",
        (),
        "screenshot",
        "Write a picture of the screen to a file, as SVG.",
        "app.picture",
        "everywhere",
        "screenshot: write a picture of the screen",
    ),
    Action(
        "refresh.faster",
        ("plus",),
        "faster",
        "Repaint what merely ticks twice as often.",
        "app.refresh_rate(0.5)",
        "everywhere",
        "refresh twice as often",
    ),
    Action(
        "refresh.slower",
        ("minus",),
        "slower",
        "Repaint what merely ticks half as often.",
        "app.refresh_rate(2)",
        "everywhere",
        "refresh half as often",
    ),
)
