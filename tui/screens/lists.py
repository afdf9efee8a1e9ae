"""Screens with something to move in, and those that show a connection, which commands then mean."""

from __future__ import annotations

from tui.engine.api import ConnectionSnapshot
from tui.screens.alert_actions import AlertActionsScreen
from tui.screens.bindings import bindings
from widgets.lines import LineView

HISTORY_EVERY = 10.0
"""Seconds after which what is kept of a connection is asked for again: a share of the last 5 minutes moves by
3 points in that time."""


class ListScreen(AlertActionsScreen):
    """A screen with something to move in."""

    BINDINGS = bindings("list")

    @property
    def moved_pane(self) -> LineView:
        """The pane that the movement keys move."""
        raise NotImplementedError

    def action_move_down(self) -> None:
        """Move down."""
        self.moved_pane.move(1)

    def action_move_up(self) -> None:
        """Move up."""
        self.moved_pane.move(-1)

    def action_page_down(self) -> None:
        """Move down by what is seen."""
        self.moved_pane.move(max(1, self.moved_pane.size.height - 1))

    def action_page_up(self) -> None:
        """Move up by what is seen."""
        self.moved_pane.move(-max(1, self.moved_pane.size.height - 1))

    def action_move_first(self) -> None:
        """Move to the first line."""
        self.moved_pane.move_to_end(last=False)

    def action_move_last(self) -> None:
        """Move to the last line."""
        self.moved_pane.move_to_end(last=True)

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss()


class ConnectionScreen(ListScreen):
    """A screen that shows one connection, which commands then mean."""

    BINDINGS = bindings("connection")

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The connection that a command means."""
        raise NotImplementedError

    def refusal(self) -> str:
        """Why no connection can be commanded, where none is selected."""
        return "no connection is selected"

    def _selected_name(self) -> str | None:
        connection = self.selected
        if connection is None:
            self.tell(self.refusal(), "busy")
            return None
        return connection.name

    def action_connect(self) -> None:
        """Connect the selected connection."""
        if name := self._selected_name():
            self.supervisor.command("connect", name)

    def action_reconnect(self) -> None:
        """Reconnect the selected connection."""
        if name := self._selected_name():
            self.supervisor.command("reconnect", name)

    def action_disconnect(self) -> None:
        """Disconnect the selected connection, asking first."""
        if name := self._selected_name():
            self.supervisor.ask_command("disconnect", name)

    def action_connect_all(self) -> None:
        """Connect every connection."""
        self.supervisor.command("connect", None)

    def action_reconnect_all(self) -> None:
        """Reconnect every connection, asking first."""
        self.supervisor.ask_command("reconnect", None)

    def action_metrics(self) -> None:
        """Show the selected connection's metrics."""
        if name := self._selected_name():
            self.supervisor.show_metrics(name)

    def action_copy_metrics(self) -> None:
        """Send the selected connection's metrics to the terminal's clipboard."""
        if name := self._selected_name():
            self.supervisor.copy_metrics(name)

    def action_inspect(self) -> None:
        """Show the frames of the selected connection."""
        if name := self._selected_name():
            self.supervisor.inspect(name)

    def action_push(self) -> None:
        """Ask what to push on which topic."""
        connection = self.selected
        if connection is None:
            self.tell(self.refusal(), "busy")
            return
        topic = connection.channels[0].topic if connection.channels else "topic"
        self._ask_push(connection.name, "push topic event JSON:", f"{topic} ping {{}}")

    def _ask_push(self, name: str, label: str, line: str) -> None:
        def answered(line: str) -> None:
            mistake = self.supervisor.push_line(name, line)
            if mistake is not None:
                # What was typed is kept: one character is wrong, not all of it.
                self._ask_push(name, f"✗ {mistake}:", line)

        self.prompt(label, line, answered=answered)
