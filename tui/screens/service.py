"""Everything known of one service that others tell of, long values whole."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.widget import Widget

from tui import presenters
from tui.engine.api import ConnectionSnapshot, ServiceSnapshot, Snapshot
from tui.screens.details import LinesPane
from tui.screens.lists import ConnectionScreen
from widgets.hint_line import Hint
from widgets.lines import LineView
from widgets.text_line import TitleLine


class ServiceScreen(ConnectionScreen):
    """One service over the whole screen. Commands of connections say that it is not ours."""

    AUTO_FOCUS = "#details"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._title = TitleLine(id="selected")
        self._details = LinesPane(id="details")

    def hints(self) -> tuple[Hint, ...]:
        """The keys that work here."""
        return self.hints_of(("move.down", "move.up", "incidents.open", "back"))

    def body(self) -> Iterable[Widget]:
        """The name, everything else."""
        yield self._title
        yield self._details

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """No connection of ours."""
        return None

    def refusal(self) -> str:
        """Why it cannot be commanded."""
        service = self._service
        return f"{service.name if service else self._key} {presenters.NOT_OURS}"

    @property
    def _service(self) -> ServiceSnapshot | None:
        services = self.supervisor.snapshot.services.services
        return next((service for service in services if service.key == self._key), None)

    @property
    def moved_pane(self) -> LineView:
        """The one pane there is."""
        return self._details

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show the service as it stands; one that is no longer told of as it was last."""
        super().show(snapshot, now)
        service = self._service
        if service is None:
            self._title.show(self._key, "no longer there", "busy")
            return
        self._title.show(service.name, presenters.service_note(service, now))
        self._details.set_lines(presenters.service_lines(service, snapshot, now, self.size.width - 1))

    def on_resize(self, event: events.Resize) -> None:
        """Fold long values anew."""
        super().on_resize(event)
        self.supervisor.show_now()
