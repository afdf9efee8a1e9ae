"""The dashboard: every connection at a glance, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tui import presenters
from tui.actions import ACTIONS
from tui.engine.api import ConnectionHistory, ConnectionSnapshot, Snapshot
from tui.remembered import Remembered
from tui.screens.base import ConnectionScreen
from tui.screens.bindings import bindings
from tui.screens.layout import BESIDE_WIDTH, Rows, share_rows
from widgets.change_log import ChangeLog
from widgets.channel_table import ChannelTable, channel_heading
from widgets.connection_list import ConnectionList, heading_line
from widgets.facts import FactList
from widgets.hint_line import Hint
from widgets.indicator import ConnectionIndicator
from widgets.lines import LineView
from widgets.text_line import HeadingLine, NoticeLine, TitleLine


class DashboardScreen(ConnectionScreen):
    """The list of connections above, the selected one in the middle, the last changes below."""

    BINDINGS = bindings("dashboard")
    AUTO_FOCUS = "#connections"

    def __init__(self, remembered: Remembered) -> None:
        super().__init__()
        self._notice = NoticeLine(id="notice")
        self._list_heading = HeadingLine(heading_line, id="list-heading")
        self._list = ConnectionList(id="connections")
        self._title = TitleLine(id="selected")
        self._indicator = ConnectionIndicator(id="indicator")
        self._facts = FactList(id="facts")
        self._channel_heading = HeadingLine(channel_heading, id="channel-heading")
        self._channels = ChannelTable(id="channels")
        self._beside = Vertical(self._channel_heading, self._channels, id="beside")
        self._panes = Horizontal(self._facts, self._beside, id="panes")
        self._log_title = TitleLine(id="log-title")
        self._log = ChangeLog(id="log")
        self._rows: Rows | None = None
        self._shown: list[ConnectionSnapshot] = []
        self._order: presenters.Order = "name" if remembered.order == "name" else "worst"
        self._wanted = remembered.filter or ""
        self._chosen: str | None = remembered.selection
        """The connection chosen by hand; None follows the worst."""
        self._history: ConnectionHistory | None = None
        self._history_of: tuple[object, ...] = ()

    def hints(self) -> tuple[Hint, ...]:
        """The few keys that matter most; help comes last and is never cut."""
        return self.hints_of(action.id for action in ACTIONS if action.hint)

    def body(self) -> Iterable[Widget]:
        """The parts, top to bottom; their heights are set by what there is to show."""
        yield Vertical(
            self._notice,
            self._list_heading,
            self._list,
            self._title,
            self._indicator,
            self._panes,
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
        self._ask_history(selected, now)
        history = self._history if self._history and self._history.name == selected.name else None
        self._title.show(selected.name, presenters.title_note(selected, now))
        self._indicator.show(presenters.indicator(selected, snapshot, now))
        self._facts.show(presenters.facts(selected, history, snapshot, now))
        self._channels.show(presenters.channel_rows(selected, snapshot, now))

    def _ask_history(self, selected: ConnectionSnapshot, now: float) -> None:
        """Ask for what is kept of ``selected``: at once when its state changed, else once a minute."""
        metrics = selected.metrics
        wanted = (
            selected.name,
            metrics.connection_state,
            metrics.successful_connects,
            selected.details.round_trip_p50 is None,
            int(now // 60),
        )
        if wanted == self._history_of:
            return
        self._history_of = wanted
        self.run_worker(
            self._read_history(selected.name),
            name="history",
            group="history",
            exclusive=True,
            exit_on_error=False,
        )

    async def _read_history(self, name: str) -> None:
        answer = await self.supervisor.engine.history(name)
        # An engine that is away has none to give; row 1 says so.
        self._history = answer if isinstance(answer, ConnectionHistory) else None
        if self._history is not None:
            self.supervisor.show_now()

    def _notice_text(self, snapshot: Snapshot) -> str | None:
        parts = [snapshot.notice] if snapshot.notice else []
        if self._wanted:
            parts.append(
                f"only {self._wanted!r}: {len(self._shown)} of {len(snapshot.connections)}, esc shows all"
            )
        return "   ".join(parts) or None

    def _share_rows(self, snapshot: Snapshot, selected: ConnectionSnapshot | None, now: float) -> None:
        indicator, panes = 0, 0
        if selected is not None:
            indicator = ConnectionIndicator.rows_of(presenters.indicator(selected, snapshot, now))
            panes = max(len(self._facts.lines), len(selected.channels) + 1)
        self._beside.display = self.size.width >= BESIDE_WIDTH
        rows = share_rows(
            self.size.height,
            connections=len(self._shown),
            panes=panes,
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
            (self._panes, rows.panes),
            (self._log_title, rows.log_title),
            (self._log, rows.log),
        ):
            widget.display = height > 0
            widget.styles.height = max(height, 1)

    def on_resize(self, event: events.Resize) -> None:
        """Share the rows out anew."""
        self.supervisor.show_now()

    # Doing --------------------------------------------------------------------------------------

    def on_cursor_list_moved(self, event: ConnectionList.Moved) -> None:
        """Keep the connection that was chosen, wherever its row goes."""
        self._choose(str(event.key))
        self._show_selected(self.selected, self.supervisor.snapshot, self.supervisor.now)
        self._share_rows(self.supervisor.snapshot, self.selected, self.supervisor.now)

    def on_cursor_list_opened(self, event: ConnectionList.Opened) -> None:
        """Show the details."""
        self.action_details()

    def _selected_name(self) -> str | None:
        # From the first command on, the selection no longer follows the worst: a second key must
        # not hit another connection than the first.
        self._choose(super()._selected_name() or self._chosen)
        return self._chosen if self.selected else None

    def _choose(self, name: str | None) -> None:
        self._chosen = name
        self.supervisor.remember(selection=name)

    def action_details(self) -> None:
        """Show everything known of the selected connection."""
        if name := self._selected_name():
            self.supervisor.show_details(name)

    def action_order(self) -> None:
        """Order worst first, or by name."""
        self._order = "name" if self._order == "worst" else "worst"
        self.supervisor.remember(order=self._order)
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
            self._choose(None)
            self.tell("the selection follows the worst connection")
            self.supervisor.show_now()

    def _filter(self, text: str) -> None:
        self._wanted = text.strip()
        self.supervisor.remember(filter=self._wanted)
        self.supervisor.show_now()

    def _end_filter(self) -> None:
        self._filter("")
