"""The one registry of what a person can do: keys, footer, help and palette are made from it.

Knows nothing of Textual, so that the keys of the settings can be checked before anything is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["everywhere", "list", "connection", "dashboard", "inspector", "alerts", "incidents"]
"""Where an action works: on every screen, where there is a list to move in, where a connection is
selected, on one screen alone."""

SCREENS: tuple[frozenset[Scope], ...] = (
    frozenset(("everywhere", "list", "connection", "dashboard")),
    frozenset(("everywhere", "list", "connection")),
    frozenset(("everywhere", "list", "inspector")),
    frozenset(("everywhere", "list", "alerts")),
    frozenset(("everywhere", "list", "incidents")),
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
    """The screen's or the app's action, as Textual writes it."""
    scope: Scope
    palette: str | None = None
    """How the palette calls it; None keeps it out."""


# A table: one line for each action, however long it is.
# fmt: off
ACTIONS: tuple[Action, ...] = (
    Action("move.down", ("j", "down"), "down", "Move down.", "move(1)", "list"),
    Action("move.up", ("k", "up"), "up", "Move up.", "move(-1)", "list"),
    Action("move.page_down", ("pagedown",), "page down", "Move down by a page.", "move_page(1)", "list"),
    Action("move.page_up", ("pageup",), "page up", "Move up by a page.", "move_page(-1)", "list"),
    Action("move.first", ("g", "home"), "first", "Move to the first line.", "move_to_end(False)", "list"),
    Action("move.last", ("G", "end"), "last", "Move to the last line.", "move_to_end(True)", "list"),
    Action("pane.next", ("tab",), "next pane", "Go to the next pane.", "app.focus_next", "dashboard"),
    Action("connection.reconnect", ("r",), "reconnect", "Reconnect the selected connection now.", "connection('reconnect')", "connection", "reconnect the selected connection"),
    Action("connection.details", ("enter",), "details", "Show everything known of the selected connection or service.", "details", "dashboard", "details of the selected connection or service"),
    Action("list.filter", ("slash",), "filter", "Filter by name, topic, state, host:..., env:... and more; esc ends it.", "filter", "dashboard", "filter the connections and services"),
    Action("palette", ("ctrl+p", "colon"), "palette", "Find a command by its name.", "app.command_palette", "everywhere"),
    Action("help", ("question_mark", "f1"), "help", "Show the keys.", "app.help", "everywhere", "help: the keys"),
    Action("list.order", ("o",), "order", "Order connections and services worst first, or by name.", "order", "dashboard", "order connections and services: worst first, or by name"),
    Action("connection.connect", ("c",), "connect", "Connect the selected connection, unless it is.", "connection('connect')", "connection", "connect the selected connection"),
    Action("all.connect", ("C",), "connect all", "Connect every connection that is not connected.", "connection('connect_all')", "connection", "connect all connections"),
    Action("all.reconnect", ("R",), "reconnect all", "Reconnect every connection; asks first.", "connection('reconnect_all')", "connection", "reconnect all connections"),
    Action("connection.disconnect", ("D",), "disconnect", "Disconnect the selected connection until asked for; asks first.", "connection('disconnect')", "connection", "disconnect the selected connection"),
    Action("connection.metrics", ("m",), "metrics", "Show getMetrics() of the selected connection.", "connection('metrics')", "connection", "metrics of the selected connection"),
    Action("connection.copy", ("y",), "copy", "Send its metrics to the terminal's clipboard.", "connection('copy_metrics')", "connection", "copy the selected connection's metrics"),
    Action("connection.push", ("p",), "push", "Push a message on a channel of the selected connection.", "connection('push')", "connection", "push a message on a channel"),
    Action("debug", ("b",), "debug", "Show the indicator always, or only when something is wrong.", "app.toggle_debug", "everywhere", "debug indicator: show or hide"),
    Action("theme", (), "theme", "Choose dark, light or the terminal's own colours.", "app.choose_theme", "everywhere", "theme"),
    Action("back", ("escape",), "back", "Leave: a question, a filter, a screen.", "back", "list"),
    Action("quit", ("q", "ctrl+c"), "quit", "Quit; where that stops the connections, at the second press.", "app.ask_quit", "everywhere", "quit"),
    Action("detach", ("d",), "detach", "Leave the engine running, where this screen is attached to one.", "app.detach", "everywhere", "detach from the engine"),
    Action("suspend", ("ctrl+z",), "suspend", "Says what suspending would stop, and does nothing.", "app.suspend_process", "everywhere"),
    Action("connection.inspect", ("i",), "inspect", "Show the frames of the selected connection, in and out.", "connection('inspect')", "connection", "inspect the frames of the selected connection"),
    Action("inspector.freeze", ("f",), "freeze", "Let the list stand still; it counts what comes.", "freeze", "inspector"),
    Action("inspector.filter", ("slash",), "filter", "Filter: words, topic:..., event:...; esc ends it.", "filter", "inspector"),
    Action("inspector.direction", ("t",), "in or out", "Show both directions, only in, only out.", "direction", "inspector"),
    Action("inspector.open", ("enter",), "payload", "Show the selected frame with its payload.", "open", "inspector"),
    Action("inspector.export", ("w",), "export", "Write the frames that are shown to a file, as JSON lines.", "export", "inspector"),
    Action("inspector.copy", ("y",), "copy", "Send the selected frame's payload to the terminal's clipboard.", "copy", "inspector"),
    Action("screenshot", (), "screenshot", "Write a picture of the screen to a file, as SVG.", "app.picture", "everywhere", "screenshot: write a picture of the screen"),
    Action("refresh.faster", ("plus",), "faster", "Repaint what merely ticks twice as often.", "app.refresh_rate(0.5)", "everywhere", "refresh twice as often"),
    Action("refresh.slower", ("minus",), "slower", "Repaint what merely ticks half as often.", "app.refresh_rate(2)", "everywhere", "refresh half as often"),
    Action("alerts.pause", ("space",), "pause", "Pause the alert queue, or let it go on.", "alerts('pause')", "everywhere", "alerts: pause or resume"),
    Action("alerts.skip", ("s",), "skip", "Take the alert that plays off; the next one follows.", "alerts('skip')", "everywhere", "alerts: skip what plays"),
    Action("alerts.undo", ("u",), "undo", "Put back what was last removed or cleared.", "alerts('undo')", "everywhere", "alerts: undo the last remove or clear"),
    Action("alerts.panic", ("X",), "panic", "Take every alert off the overlays and pause; asks first.", "alerts('panic')", "everywhere", "alerts: panic, take all off and pause"),
    Action("alerts.open", ("a",), "alerts", "Show the alert queue, its history and its figures.", "app.show_alerts", "everywhere", "alerts: the queue and its history"),
    Action("alerts.details", ("enter",), "details", "Show the selected alert with its payload.", "alert_details", "alerts", "alerts: details of the selected"),
    Action("alerts.remove", ("x",), "remove", "Remove the selected alert.", "remove_alert", "alerts", "alerts: remove the selected"),
    Action("alerts.up", ("K",), "earlier", "Move the selected alert up.", "move_alert(-1)", "alerts", "alerts: move the selected up"),
    Action("alerts.down", ("J",), "later", "Move the selected alert down.", "move_alert(1)", "alerts", "alerts: move the selected down"),
    Action("alerts.requeue", ("r",), "requeue", "Put the selected alert, which has ended, into the queue again.", "requeue_alert", "alerts", "alerts: requeue the selected"),
    Action("alerts.filter", ("slash",), "filter", "Filter by type, outcome, or words of who and what; esc ends it.", "alert_filter", "alerts", "alerts: filter by type or outcome"),
    Action("alerts.figures", ("tab",), "counts", "Show the counts, mutes, overlays and warnings, or the alerts again.", "figures", "alerts", "alerts: counts, mutes, overlays, warnings"),
    Action("alerts.hold", ("h",), "hold", "Hold the queue for some seconds.", "alerts('hold')", "alerts", "alerts: hold for some seconds"),
    Action("alerts.clear", ("C",), "clear", "Remove every alert that waits; asks first.", "alerts('clear')", "alerts", "alerts: clear all that wait"),
    Action("alerts.clear_type", ("c",), "clear type", "Remove every waiting alert of the selected one's type; asks first.", "alerts('clear_type')", "alerts", "alerts: clear one type"),
    Action("alerts.mute", ("m",), "mute", "Mute a type for some minutes.", "alerts('mute')", "alerts", "alerts: mute a type for some minutes"),
    Action("alerts.test", ("t",), "test", "Make test alerts of a type.", "alerts('test')", "alerts", "alerts: test alert"),
    Action("alerts.export", ("w",), "export", "Write the history that is shown to a file, as JSON lines.", "alerts('export')", "alerts", "alerts: export the history as JSON lines"),
    Action("alerts.export_csv", ("W",), "export CSV", "Write the history that is shown to a file, as CSV.", "alerts('export_csv')", "alerts", "alerts: export the history as CSV"),
    Action("incidents.open", ("exclamation_mark",), "incidents", "Show what is wrong now, since when, and what happened before it.", "app.incidents", "everywhere", "incidents: what is wrong now, and what was"),
    Action("incidents.timeline", ("enter",), "timeline", "Show what happened before and during the selected incident.", "timeline", "incidents", "incidents: timeline of the selected"),
    Action("incidents.acknowledge", ("A",), "acknowledge", "Acknowledge the incident: nobody is to be told of it again.", "acknowledge", "incidents", "incidents: acknowledge"),
    Action("replay.play", (), "play", "Let the replay play, or pause it; the key that pauses alerts does it too.", "app.replay('play')", "everywhere", "replay: play or pause"),
    Action("replay.speed", ("asterisk",), "speed", "Play the replay faster: 1, 10 or 60 s in a second.", "app.replay('speed')", "everywhere", "replay: other speed"),
    Action("replay.back", ("less_than_sign",), "back", "Go to the line of the log before.", "app.replay('step', -1)", "everywhere", "replay: the line of the log before"),
    Action("replay.forward", ("greater_than_sign",), "forward", "Go to the next line of the log.", "app.replay('step', 1)", "everywhere", "replay: the next line of the log"),
    Action("replay.earlier", ("left_square_bracket",), "earlier", "Go back by a minute.", "app.replay('by', -60)", "everywhere", "replay: a minute back"),
    Action("replay.later", ("right_square_bracket",), "later", "Go on by a minute.", "app.replay('by', 60)", "everywhere", "replay: a minute on"),
    Action("replay.incident_before", ("left_parenthesis",), "incident before", "Go to where the incident before began.", "app.replay('incident', -1)", "everywhere", "replay: the incident before"),
    Action("replay.incident", ("right_parenthesis",), "next incident", "Go to where the next incident began.", "app.replay('incident', 1)", "everywhere", "replay: the next incident"),
    Action("replay.jump", ("at",), "go to", "Go to a time: 21:14, 21:14:05, -5m.", "app.replay_jump", "everywhere", "replay: go to a time"),
)
# fmt: on
