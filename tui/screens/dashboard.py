"""The dashboard: every connection at a glance, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Vertical
from textual.widget import Widget

from tui import presenters
from tui.actions import ACTIONS, bindings
from tui.engine.api import ConnectionSnapshot, Snapshot
from tui.screens.base import ConnectionScreen
from tui.screens.layout import HEALTH_COLUMNS, HEARTBEAT_COLUMNS, TRAFFIC_COLUMNS, Rows, share_rows
from widgets.change_log import ChangeLog
from widgets.channel_table import ChannelTable, channel_heading
from widgets.connection_list import ConnectionList, heading_line
from widgets.facts import FactPane
from widgets.hint_line import Hint
from widgets.indicator import ConnectionIndicator
from widgets.lines import LineView
from widgets.text_line import HeadingLine, NoticeLine, TitleLine


class DashboardScreen(ConnectionScreen):
    """The list of connections above, the selected one in the middle, the last changes below."""

    BINDINGS = bindings("dashboard")
    AUTO_FOCUS = "#connections"

    def __init__(self) -> None:
        super().__init__()
        self._notice = NoticeLine(id="notice")
        self._list_heading = HeadingLine(heading_line, id="list-heading")
        self._list = ConnectionList(id="connections")
        self._title = TitleLine(id="selected")
        self._indicator = ConnectionIndicator(id="indicator")
        self._health = FactPane("HEALTH", HEALTH_COLUMNS, aligned=True, id="health")
        self._heartbeat = FactPane("HEARTBEAT", HEARTBEAT_COLUMNS, id="heartbeat")
        self._traffic = FactPane("TRAFFIC", TRAFFIC_COLUMNS, id="traffic")
        self._channel_heading = HeadingLine(channel_heading, id="channel-heading")
        self._channels = ChannelTable(id="channels")
        self._log_title = TitleLine(id="log-title")
        self._log = ChangeLog(id="log")
        self._rows: Rows | None = None
        self._shown: list[ConnectionSnapshot] = []
        self._order: presenters.Order = "worst"
        self._wanted = ""
        self._chosen: str | None = None
        """The connection chosen by hand; None follows the worst."""

    def hints(self) -> tuple[Hint, ...]:
        """The few keys that matter most; help comes last and is never cut."""
        return tuple(Hint(action.shown, action.label) for action in ACTIONS if action.hint)

    def body(self) -> Iterable[Widget]:
        """The parts, top to bottom; their heights are set by what there is to show."""
        yield Vertical(
            self._notice,
            self._list_heading,
            self._list,
            self._title,
            self._indicator,
            self._health,
            self._heartbeat,
            self._traffic,
            self._channel_heading,
            self._channels,
            self._log_title,
            self._log,
            id="parts",
        )

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The chosen connection, or the first of the list."""
        for connection in self._shown:
            if connection.name == self._chosen:
                return connection
        return self._shown[0] if self._shown else None

    @property
    def moved_pane(self) -> LineView:
        """The focused pane, else the list."""
        return self.focused if isinstance(self.focused, LineView) else self._list

    # Showing ------------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show a snapshot."""
        super().show(snapshot, now)
        found = [
            connection
            for connection in snapshot.connections
            if not self._wanted or presenters.matches(connection, self._wanted, snapshot)
        ]
        self._shown = presenters.in_order(found, self._order)
        selected = self.selected
        rows = [presenters.connection_row(connection, snapshot, now) for connection in self._shown]
        self._list.show(rows, selected.name if selected else None)
        self._notice.show(self._notice_text(snapshot))
        self._show_selected(selected, snapshot, now)
        entries = presenters.log_entries(self.supervisor.log_lines, now)
        missed = self.supervisor.log_missed
        self._log_title.show("changes", f"{missed} older ones not held" if missed else "")
        self._log.show(entries)
        self._share_rows(snapshot, selected, now)

    def _show_selected(self, selected: ConnectionSnapshot | None, snapshot: Snapshot, now: float) -> None:
        if selected is None:
            self._title.show("nothing matches" if snapshot.connections else "no connections")
            return
        self._title.show(selected.name, presenters.title_note(selected, now))
        self._indicator.show(presenters.indicator(selected, snapshot, now))
        self._health.show(presenters.health(selected, snapshot, now))
        self._heartbeat.show(presenters.heartbeat(selected, snapshot, now))
        self._traffic.show(presenters.traffic(selected, snapshot, now))
        self._channels.show(presenters.channel_rows(selected, snapshot, now))

    def _notice_text(self, snapshot: Snapshot) -> str | None:
        parts = [snapshot.notice] if snapshot.notice else []
        if self._wanted:
            parts.append(
                f"only {self._wanted!r}: {len(self._shown)} of {len(snapshot.connections)}, esc shows all"
            )
        return "   ".join(parts) or None

    def _share_rows(self, snapshot: Snapshot, selected: ConnectionSnapshot | None, now: float) -> None:
        indicator = 0
        if selected is not None:
            indicator = ConnectionIndicator.rows_of(presenters.indicator(selected, snapshot, now))
        rows = share_rows(
            self.size.height,
            connections=len(self._shown),
            channels=len(selected.channels) if selected else 0,
            indicator=indicator,
            details=selected is not None,
            notice=self._notice_text(snapshot) is not None,
        )
        if rows == self._rows:
            return
        self._rows = rows
        for widget, height in (
            (self._notice, rows.notice),
            (self._list_heading, rows.list_heading),
            (self._list, rows.connections),
            (self._title, rows.title),
            (self._indicator, rows.indicator),
            (self._health, rows.health),
            (self._heartbeat, rows.heartbeat),
            (self._traffic, rows.traffic),
            (self._channel_heading, rows.channel_heading),
            (self._channels, rows.channels),
            (self._log_title, rows.log_title),
            (self._log, rows.log),
        ):
            widget.display = height > 0
            widget.styles.height = max(height, 1)

    def on_resize(self, event: events.Resize) -> None:
        """Share the rows out anew."""
        self.supervisor.show_now()

    # Doing --------------------------------------------------------------------------------------

    def on_connection_list_moved(self, event: ConnectionList.Moved) -> None:
        """Keep the connection that was chosen, wherever its row goes."""
        self._chosen = event.name
        self.supervisor.show_now()

    def on_connection_list_opened(self, event: ConnectionList.Opened) -> None:
        """Show the details."""
        self.action_details()

    def _selected_name(self) -> str | None:
        # From the first command on, the selection no longer follows the worst: a second key must
        # not hit another connection than the first.
        self._chosen = super()._selected_name() or self._chosen
        return self._chosen if self.selected else None

    def action_details(self) -> None:
        """Show everything known of the selected connection."""
        if name := self._selected_name():
            self.supervisor.show_details(name)

    def action_order(self) -> None:
        """Order worst first, or by name."""
        self._order = "name" if self._order == "worst" else "worst"
        self.tell("ordered by name" if self._order == "name" else "ordered worst first")
        self.supervisor.show_now()

    def action_filter(self) -> None:
        """Ask for the text to filter by."""
        self.prompt("/", self._wanted, answered=self._filter, changed=self._filter, left=self._end_filter)

    def action_back(self) -> None:
        """End the filter; then follow the worst connection again."""
        if self._wanted:
            self._end_filter()
        elif self._chosen:
            self._chosen = None
            self.tell("the selection follows the worst connection")
            self.supervisor.show_now()

    def _filter(self, text: str) -> None:
        self._wanted = text.strip()
        self.supervisor.show_now()

    def _end_filter(self) -> None:
        self._filter("")
