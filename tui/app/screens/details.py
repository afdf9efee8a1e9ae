"""Everything known of one connection, long values whole."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from tui.app import presenters
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.bindings import bindings
from tui.app.screens.connection_actions import ConnectionActions, ReadHistory
from tui.app.screens.layout import HEALTH_COLUMNS, HEARTBEAT_COLUMNS, TRAFFIC_COLUMNS
from tui.model.engine import ConnectionHistory, ConnectionSnapshot, Snapshot
from tui.replay.controls import Position
from widgets.facts import Fact, fact_lines
from widgets.indicator import ConnectionIndicator
from widgets.lines import Line, LinesPane, Span
from widgets.text_line import TitleLine
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
        self._title = TitleLine(id="selected")
        self._indicator = ConnectionIndicator(id="indicator")
        self.connection_actions = ConnectionActions(self, self._pointed_at)
        self._history = ReadHistory(self)

    def body(self) -> Iterable[Widget]:
        """The name, the indicator, everything else."""
        yield self._title
        yield self._indicator
        yield self._details

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The connection that is shown."""
        return self.app.connection(self._connection_name)

    def _pointed_at(self) -> ConnectionSnapshot | None:
        connection = self.selected
        if connection is None:
            self.note(f"{displayable(self._connection_name, 60)} is no longer there", "busy")
        return connection

    def action_connection(self, what: str) -> None:
        """Do with the connection what :class:`ConnectionActions` can."""
        self.connection_actions.do(what)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the connection as it stands."""
        super().show(snapshot, now)
        connection = self.selected
        if connection is None:
            self._title.show(self._connection_name, "no longer there")
            self._indicator.display = False
            why = " It was taken out of the settings, or the engine is another one."
            self._details.set_lines(((Span(why, "dim"),),))
            return
        value = presenters.indicator(connection, snapshot, now)
        rows = ConnectionIndicator.rows_of(value)
        self._title.show(connection.name, presenters.title_note(connection, now))
        self._indicator.show(value)
        self._indicator.display = rows > 0
        self._indicator.styles.height = max(rows, 1)
        history = self._history.of(connection.name, now, connection.metrics)
        position = self.app.position
        self._details.set_lines(_lines(connection, history, snapshot, now, position))


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
        ("HEALTH", HEALTH_COLUMNS, presenters.health(connection, snapshot, now)),
        ("STATE", (40, 29), presenters.state_details(connection, now)),
        ("HEARTBEAT", HEARTBEAT_COLUMNS, presenters.heartbeat(connection, snapshot, now)),
        ("TRAFFIC", TRAFFIC_COLUMNS, presenters.traffic(connection, snapshot, now)),
    ):
        known = [presenters.known_facts(row, position) for row in rows]
        lines += [*fact_lines(title, columns, known, aligned=title in ("HEALTH", "STATE")), blank]
    for channel, row in zip(
        connection.channels, presenters.channel_rows(connection, snapshot, now), strict=True
    ):
        lines.append(
            (Span(f" {row.symbol} ", row.tone), Span(f"{row.topic} ", "strong"), Span(row.state, row.tone))
        )
        lines += fact_lines(
            "", (20, 20, 20), [presenters.known_facts(presenters.channel_counts(channel), position)]
        )
        if channel.reason:
            lines += fact_lines("", (60,), [[Fact("why", channel.reason)]])
        lines += fact_lines("", (60,), [[Fact("last", row.last, row.last_tone)]])
        lines.append(blank)
    if history is not None:
        lines += [
            (Span(" STATES, the newest first", "heading"),),
            *presenters.state_lines(history, now),
            blank,
        ]
        lines += [(Span(" SETTINGS IN FORCE", "heading"),), *presenters.setting_lines(history.settings)]
    return lines
