"""The dashboard: every connection at a glance, and one of them in full."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.containers import Container, Vertical

from tui.app.keymap import shown
from tui.app.presenters import dashboard, list_filter, services, status
from tui.app.presenters.alerts import on_air, pane_note, pane_rows
from tui.app.presenters.incidents import incidents_note
from tui.app.presenters.replay import FROM_JOURNAL, known_facts, known_queue, known_row
from tui.app.remembered import Remembered
from tui.app.screens.base import SupervisorScreen, bindings
from tui.app.screens.connection_actions import ConnectionActions, ReadHistory
from tui.app.screens.details import DetailsScreen, ServiceScreen
from tui.app.screens.layout import BESIDE_WIDTH, FACTS_WIDTH, Rows, share_rows
from tui.model.services import ServiceSnapshot
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text import formats
from widgets.alert_list import AlertPane
from widgets.change_log import ChangeLog
from widgets.channel_table import ChannelTable, channel_heading
from widgets.connection_list import heading_line
from widgets.facts import FactList
from widgets.indicator import ConnectionIndicator
from widgets.lines import Line, LinesPane, LineView, Span
from widgets.on_air import OnAir
from widgets.text_line import Divider, HeadingLine, TitleLine
from widgets.untrusted import cut_to, displayable
from widgets.watch_list import Reported, WatchList

_HINTS = ("connection.reconnect", "connection.details", "list.filter", "palette", "help")
_HINTS_OF_REPLAY = (
    *("alerts.pause", "replay.back", "replay.forward", "replay.incident", "replay.jump", "replay.speed"),
    *("connection.details", "help"),
)
_HINTS_WITH_ALERTS = (
    *("alerts.pause", "alerts.skip", "alerts.panic", "connection.reconnect", "palette", "alerts.open"),
    *("connection.details", "list.filter", "help"),
)
"""The few keys that matter most; help comes last and is never cut."""
_UNWELL = ("failed", "reconnecting", "connecting")
_REPORTED = "reported: "
"""Before the key of a service, where the selection is remembered."""


class DashboardScreen(SupervisorScreen):
    """All that is watched above, the selected one in the middle, the last changes below."""

    BINDINGS = bindings("connection", "dashboard")
    AUTO_FOCUS = "#connections"

    def __init__(self, remembered: Remembered) -> None:
        self._list = WatchList(self._cursor_moved, self.action_details, id="connections")
        super().__init__(self._list)
        self._on_air = OnAir(id="on-air")
        self._list_heading = HeadingLine(heading_line, spare=WatchList.SPARE, id="list-heading")
        self._indicator = ConnectionIndicator(id="indicator")
        self._facts = FactList(id="facts")
        self._beside_heading = HeadingLine(channel_heading, spare=1, id="channel-heading")
        self._channels = ChannelTable(id="channels")
        self._figures = LinesPane(id="service-figures")
        self._beside = Vertical(Divider(), self._beside_heading, self._channels, self._figures, id="beside")
        self._alerts_title = TitleLine(id="alerts-title")
        self._alerts = AlertPane(id="alerts")
        self._alerts_beside = Vertical(Divider(), self._alerts_title, self._alerts, id="alerts-beside")
        self._panes = Container(self._facts, self._alerts_beside, self._beside, id="panes")
        self._log_title = TitleLine(id="log-title")
        self._log = ChangeLog(id="log")
        self._by_height = (
            *(self._on_air, self._notice, self._list_heading, self._list, self._title, self._indicator),
            *(self._panes, self._log_title, self._log),
        )
        """The parts, top to bottom; their heights are set by what there is to show."""
        self.parts = (Vertical(*self._by_height, id="parts"),)
        self._rows: Rows | None = None
        self._shown: list[ConnectionSnapshot] = []
        self._services: list[ServiceSnapshot] = []
        self._order: status.Order = "name" if remembered.order == "name" else "worst"
        self._wanted = remembered.filter or ""
        self._chosen: str | Reported | None = _key_remembered(remembered.selection)
        """The connection or service chosen by hand; None follows the worst."""
        self.connection_actions = ConnectionActions(self, self._pointed_at)
        self._history = ReadHistory(self)

    def hints(self) -> Sequence[str]:
        if self.app.replay is not None:
            return _HINTS_OF_REPLAY
        return _HINTS if self.app.snapshot.alerts is None else _HINTS_WITH_ALERTS

    @property
    def watched(self) -> ConnectionSnapshot | ServiceSnapshot | None:
        """The chosen connection or service; else the worst of ours, or of others where ours are well."""
        everything: tuple[ConnectionSnapshot | ServiceSnapshot, ...] = (*self._shown, *self._services)
        for each in everything:
            if _key_of(each) == self._chosen:
                return each
        return services.worth_a_look(self._shown, self._services, self._order)

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The connection that commands mean."""
        watched = self.watched
        return watched if isinstance(watched, ConnectionSnapshot) else None

    @property
    def moved_pane(self) -> LineView:
        return self.focused if isinstance(self.focused, LineView) else self._list

    # Showing ------------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        position = self.app.position
        self.count_down(snapshot, now)
        wanted = self._wanted
        found = [each for each in snapshot.connections if list_filter.matches(each, wanted, snapshot)]
        self._shown = status.in_order(found, self._order)
        reported = [each for each in snapshot.services.services if list_filter.service_matches(each, wanted)]
        self._services = services.services_in_order(reported, self._order)
        selected = self.watched
        self._list.show(
            [
                known_row(dashboard.connection_row(connection, snapshot, now), position)
                for connection in self._shown
            ],
            _key_of(selected) if selected else None,
            services.service_rows(self._services, snapshot, now),
        )
        self._list_heading.use(self._list.heading)
        self._notice.show(self._notice_text(snapshot))
        self._show_selected(selected, snapshot, now)
        self._show_alerts(snapshot, now)
        missed = self.app.log_missed
        older = Span(f"{missed} older ones not held" if missed else "", "dim")
        note = incidents_note(snapshot.incidents, shown(self.app.keymap["incidents.open"][:1])) or older
        self._log_title.show("changes", *note)
        self._log.show(dashboard.log_entries(self.app.log_lines, now))
        self._share_rows(snapshot, selected, now)

    def count_down(self, snapshot: Snapshot, now: float) -> None:
        known = known_queue(snapshot, self.app.position)
        if (value := on_air(known, now)) is not None:
            self._on_air.show(value)

    def _show_alerts(self, snapshot: Snapshot, now: float) -> None:
        if (alerts := snapshot.alerts) is not None:
            self._alerts_title.show("alerts", pane_note(alerts, now))
            self._alerts.show(pane_rows(alerts, now))

    def _show_selected(
        self, selected: ConnectionSnapshot | ServiceSnapshot | None, snapshot: Snapshot, now: float
    ) -> None:
        if selected is None:
            anything = snapshot.connections or snapshot.services.services
            self._title.show("nothing matches" if anything else "no connections")
            # What was shown is of a row that is not seen any more.
            self._facts.show(())
            self._channels.show(())
            self._figures.set_lines(())
            return
        reported = isinstance(selected, ServiceSnapshot)
        self._beside_heading.use(_figures_heading if reported else channel_heading)
        self._channels.display, self._figures.display = not reported, reported
        if isinstance(selected, ServiceSnapshot):
            self._show_service(selected, snapshot, now)
            return
        metrics, without = selected.metrics, selected.details.round_trip_p50 is None
        state = (metrics.connection_state, metrics.successful_connects, without)
        history = self._history.of(selected.name, now, *state)
        self._title.show(selected.name, dashboard.title_note(selected, now))
        self._indicator.show(status.indicator(selected, snapshot, now))
        facts = dashboard.facts(selected, history, snapshot, now)
        self._facts.show(known_facts(facts, self.app.position))
        self._channels.show(dashboard.channel_rows(selected, snapshot, now))

    def _show_service(self, service: ServiceSnapshot, snapshot: Snapshot, now: float) -> None:
        self._title.show(service.name, services.service_note(service, now))
        facts = services.service_facts(service, snapshot, now)
        if self._figures_are_beside(snapshot):
            self._figures.set_lines(services.figure_list(service))
        else:
            facts = (*facts, *services.service_figures(service))
        self._facts.show(facts)

    def _figures_are_beside(self, snapshot: Snapshot) -> bool:
        return snapshot.alerts is None and self.size.width >= BESIDE_WIDTH

    def _notice_text(self, snapshot: Snapshot) -> str | None:
        parts = [snapshot.notice] if snapshot.notice else []
        if (position := self.app.position) is not None:
            # The time line says the rest.
            parts = [FROM_JOURNAL] if position.not_known else []
        if self._wanted:
            found = len(self._shown) + len(self._services)
            total = len(snapshot.connections) + len(snapshot.services.services)
            wanted = cut_to(displayable(self._wanted, 200), 24)
            # Before what stands here all the time; it may be cut.
            parts.insert(0, f"only {wanted!r}: {found} of {total}, esc shows all")
        parts = [*snapshot.persistence.troubles, *parts]
        if snapshot.services.left_out:
            parts.append(f"{snapshot.services.left_out:,} services more than are held")
        if (late := formats.loop_late(snapshot.loop_delay_seconds)) is not None:
            parts.append(late)
        return "   ".join(parts) or None

    def _share_rows(
        self, snapshot: Snapshot, selected: ConnectionSnapshot | ServiceSnapshot | None, now: float
    ) -> None:
        indicator, panes, channels, more_panes, more_channels = 0, 0, 0, 0, 0
        wide = self.size.width >= BESIDE_WIDTH
        with_alerts = snapshot.alerts is not None and wide
        nothing_beside = isinstance(selected, ServiceSnapshot) and not self._figures.lines
        narrow_facts = not with_alerts and not nothing_beside and self.size.width >= 2 * FACTS_WIDTH
        if selected is not None:
            panes = len(self._facts.lines)
        if isinstance(selected, ConnectionSnapshot):
            indicator = ConnectionIndicator.rows_of(status.indicator(selected, snapshot, now))
            channels = len(selected.channels) + 1
            if with_alerts or wide:
                taken = 0 if with_alerts else FACTS_WIDTH + 1 if narrow_facts else self.size.width // 2 + 1
                more_channels = self._channels.lines_wanted(self.size.width - taken) + 1 - channels
        elif selected is not None and wide and not with_alerts:
            channels = len(self._figures.lines) + 1
        if with_alerts:
            # A history that is longer than this is read on its own screen, unless rows would be empty.
            alerts = len(self._alerts.lines) + 1
            panes = max(panes, min(alerts, self.size.height // 3))
            more_panes = max(0, alerts - panes)
        else:
            more_channels = max(0, channels + more_channels - max(panes, channels))
            panes, channels = max(panes, channels), 0
        rows = share_rows(
            self.size.height - (self.app.replay is not None),
            connections=len(self._list.lines),
            unwell=sum(each.metrics.connection_state in _UNWELL for each in self._shown),
            panes=panes,
            indicator=indicator,
            details=selected is not None or with_alerts,
            notice=self._notice_text(snapshot) is not None,
            on_air=snapshot.alerts is not None,
            channels=channels,
            log=len(self._log.lines),
            more_panes=more_panes,
            more_channels=more_channels,
        )
        self._alerts_beside.display = with_alerts
        self._beside.display = rows.channels > 0 if with_alerts else wide and not nothing_beside
        self._panes.set_class(with_alerts, "with-alerts")
        self._facts.set_class(narrow_facts, "narrow")
        if rows == self._rows:
            return
        self._rows = rows
        self._panes.styles.grid_rows = f"{max(rows.panes, 1)} {max(rows.channels, 1)}"
        heights = (
            *(rows.on_air, rows.notice, rows.list_heading, rows.connections, rows.title, rows.indicator),
            *(rows.panes + rows.channels, rows.log_title, rows.log),
        )
        for widget, height in zip(self._by_height, heights, strict=True):
            widget.display = height > 0
            widget.styles.height = max(height, 1)

    # Doing --------------------------------------------------------------------------------------

    def _cursor_moved(self, key: Hashable) -> None:
        """Keep what was chosen, wherever its row goes."""
        self._choose(key if isinstance(key, Reported) else str(key))
        self._show_selected(self.watched, self.app.snapshot, self.app.now)
        self._share_rows(self.app.snapshot, self.watched, self.app.now)

    def on_watch_list_scrolled(self, event: WatchList.Scrolled) -> None:
        self._list_heading.use(self._list.heading)

    def _pointed_at(self) -> ConnectionSnapshot | None:
        """The selected connection; where there is none, it is said why it cannot be commanded."""
        # From the first command on, the selection no longer follows the worst: a second key must
        # not hit another connection than the first.
        watched = self.watched
        if watched is None:
            self.note("no connection is selected", "busy")
            return None
        self._choose(_key_of(watched))
        if isinstance(watched, ConnectionSnapshot):
            return watched
        self.note(f"{watched.name} {services.NOT_OURS}", "busy")
        return None

    def action_connection(self, what: str) -> None:
        self.connection_actions.do(what)

    def _choose(self, key: str | Reported | None) -> None:
        self._chosen = key
        self.app.remember(selection=f"{_REPORTED}{key.key}" if isinstance(key, Reported) else key)

    def action_details(self) -> None:
        watched = self.watched
        if isinstance(watched, ServiceSnapshot):
            self._choose(_key_of(watched))
            self.app.open_screen(ServiceScreen(watched.key))
        elif (connection := self._pointed_at()) is not None:
            self.app.open_screen(DetailsScreen(connection.name))

    def action_order(self) -> None:
        self._order = "name" if self._order == "worst" else "worst"
        self.app.remember(order=self._order)
        self.note("ordered by name" if self._order == "name" else "ordered worst first")
        self.app.show_now()

    def action_filter(self) -> None:
        self.last_row.ask_filter(self._wanted, self._filter)

    def action_back(self) -> None:
        """End the filter; then follow the worst connection again."""
        if self._wanted:
            self._filter("")
        elif self._chosen:
            self._choose(None)
            self.note("the selection follows the worst connection")
            self.app.show_now()

    def _filter(self, text: str) -> None:
        self._wanted = text.strip()
        self.app.remember(filter=self._wanted)
        self.app.show_now()


def _key_of(watched: ConnectionSnapshot | ServiceSnapshot) -> str | Reported:
    return watched.name if isinstance(watched, ConnectionSnapshot) else Reported(watched.key)


def _key_remembered(selection: str | None) -> str | Reported | None:
    if selection is None or not selection.startswith(_REPORTED):
        return selection
    return Reported(selection.removeprefix(_REPORTED))


def _figures_heading(width: int) -> Line:
    return (Span(" FIGURES", "heading"),)
