"""Everything known of one service that others tell of, long values whole."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from tui.app import presenters
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.bindings import bindings
from tui.app.screens.connection_actions import ConnectionActions
from tui.model.engine import ServiceSnapshot, Snapshot
from widgets.lines import LinesPane
from widgets.text_line import TitleLine


class ServiceScreen(SupervisorScreen):
    """One service over the whole screen. Commands of connections say that it is not ours."""

    BINDINGS = bindings("connection")
    HINTS = ("move.down", "move.up", "incidents.open", "back")
    AUTO_FOCUS = "#details"

    def __init__(self, key: str) -> None:
        self._details = LinesPane(id="details")
        super().__init__(self._details)
        self._key = key
        self._title = TitleLine(id="selected")
        self.connection_actions = ConnectionActions(self, self._refuse)

    def body(self) -> Iterable[Widget]:
        """The name, everything else."""
        yield self._title
        yield self._details

    def _refuse(self) -> None:
        """Say why it cannot be commanded."""
        service = self._service
        self.note(f"{service.name if service else self._key} {presenters.NOT_OURS}", "busy")

    def action_connection(self, what: str) -> None:
        """Say that it is no connection of ours, or command all that are."""
        self.connection_actions.do(what)

    @property
    def _service(self) -> ServiceSnapshot | None:
        services = self.app.snapshot.services.services
        return next((service for service in services if service.key == self._key), None)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the service as it stands; one that is no longer told of as it was last."""
        super().show(snapshot, now)
        service = self._service
        if service is None:
            self._title.show(self._key, "no longer there", "busy")
            return
        self._title.show(service.name, presenters.service_note(service, now))
        self._details.set_lines(presenters.service_lines(service, snapshot, now, self.size.width - 1))
