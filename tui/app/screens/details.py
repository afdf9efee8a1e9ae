"""Everything known of one connection, or of one service that others tell of, long values whole."""

from __future__ import annotations

from tui.app.presenters import dashboard, details, replay, services, status
from tui.app.screens.base import SupervisorScreen, bindings
from tui.app.screens.connection_actions import ConnectionActions, ReadHistory
from tui.model.services import ServiceSnapshot
from tui.model.snapshot import ConnectionHistory, ConnectionSnapshot, Snapshot
from tui.replay.values import Position
from widgets.facts import Fact, fact_lines
from widgets.indicator import ConnectionIndicator
from widgets.lines import Line, LinesPane, Span
from widgets.untrusted import displayable


class DetailsScreen(SupervisorScreen):
    """One connection over the whole screen."""

    BINDINGS = bindings("connection")
    HINTS = ("connection.reconnect", "connection.inspect", "connection.push", "connection.metrics", "back")
    AUTO_FOCUS = "#details"

    def __init__(self, name: str) -> None:
        self._details = LinesPane(id="details")
        super().__init__(self._details)
        self._connection_name = name
        self._indicator = ConnectionIndicator(id="indicator")
        self.parts = (self._title, self._indicator, self._details)
        self.connection_actions = ConnectionActions(self, self._pointed_at)
        self._history = ReadHistory(self)

    @property
    def selected(self) -> ConnectionSnapshot | None:
        return self.app.connection(self._connection_name)

    def _pointed_at(self) -> ConnectionSnapshot | None:
        connection = self.selected
        if connection is None:
            self.note(f"{displayable(self._connection_name, 60)} is no longer there", "busy")
        return connection

    def action_connection(self, what: str) -> None:
        self.connection_actions.do(what)

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        connection = self.selected
        if connection is None:
            self._title.show(self._connection_name, "no longer there")
            self._indicator.display = False
            why = " It was taken out of the settings, or the engine is another one."
            self._details.set_lines(((Span(why, "dim"),),))
            return
        value = status.indicator(connection, snapshot, now)
        rows = ConnectionIndicator.rows_of(value)
        self._title.show(connection.name, dashboard.title_note(connection, now))
        self._indicator.show(value)
        self._indicator.display = rows > 0
        self._indicator.styles.height = max(rows, 1)
        history = self._history.of(connection.name, now, connection.metrics)
        position = self.app.position
        self._details.set_lines(_lines(connection, history, snapshot, now, position))


class ServiceScreen(SupervisorScreen):
    """One service over the whole screen. Commands of connections say that it is not ours."""

    BINDINGS = bindings("connection")
    HINTS = ("move.down", "move.up", "incidents.open", "back")
    AUTO_FOCUS = "#details"

    def __init__(self, key: str) -> None:
        self._details = LinesPane(id="details")
        super().__init__(self._details)
        self._key = key
        self.connection_actions = ConnectionActions(self, self._refuse)

    def _refuse(self) -> None:
        service = self._service
        self.note(f"{service.name if service else self._key} {services.NOT_OURS}", "busy")

    def action_connection(self, what: str) -> None:
        self.connection_actions.do(what)

    @property
    def _service(self) -> ServiceSnapshot | None:
        known = self.app.snapshot.services.services
        return next((service for service in known if service.key == self._key), None)

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        service = self._service
        if service is None:
            self._title.show(self._key, "no longer there", "busy")
            return
        self._title.show(service.name, services.service_note(service, now))
        self._details.set_lines(services.service_lines(service, snapshot, now, self.size.width - 1))


def _lines(
    connection: ConnectionSnapshot,
    history: ConnectionHistory | None,
    snapshot: Snapshot,
    now: float,
    position: Position | None,
) -> list[Line]:
    blank: Line = ()
    lines: list[Line] = []
    for title, columns, rows in (
        ("HEALTH", (22, 17, 30), details.health(connection, snapshot, now)),
        ("STATE", (40, 29), details.state_details(connection, now)),
        ("HEARTBEAT", (10, 10, 10, 10, 30), details.heartbeat(connection, snapshot, now)),
        ("TRAFFIC", (27, 25, 17), details.traffic(connection, snapshot, now)),
    ):
        known = [replay.known_facts(row, position) for row in rows]
        lines += [*fact_lines(title, columns, known, aligned=title in ("HEALTH", "STATE")), blank]
    for channel, row in zip(
        connection.channels, dashboard.channel_rows(connection, snapshot, now), strict=True
    ):
        lines.append(
            (Span(f" {row.symbol} ", row.tone), Span(f"{row.topic} ", "strong"), Span(row.state, row.tone))
        )
        lines += fact_lines("", (20, 20, 20), [replay.known_facts(details.channel_counts(channel), position)])
        if channel.reason:
            lines += fact_lines("", (60,), [[Fact("why", channel.reason)]])
        lines += fact_lines("", (60,), [[Fact("last", row.last, row.last_tone)]])
        lines.append(blank)
    if history is not None:
        lines += [(Span(" STATES, the newest first", "heading"),), *details.state_lines(history, now), blank]
        lines += [(Span(" SETTINGS IN FORCE", "heading"),), *details.setting_lines(history.settings)]
    return lines
