"""Everything that the engine runs beside its connections: the alert queue, the services, the incidents."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from tui.alerts.options import AlertOptions
from tui.channels.clock import Clock
from tui.engine.alert_sources import Connections
from tui.engine.alerts import AlertDesk
from tui.engine.changes import ChangeLog
from tui.engine.http_health import HealthChecker
from tui.engine.incident_desk import IncidentDesk
from tui.engine.incident_timeline import ReadJournal
from tui.engine.services import ServiceDesk
from tui.engine.snapshot import Snapshot
from tui.settings.watch_values import IncidentsOptions, ServicesOptions
from tui.store.alert_store import AlertStore


@dataclass(frozen=True, kw_only=True)
class DeskOptions:
    """What the settings say of them."""

    alerts: AlertOptions | None = None
    """None for no alert queue."""
    services: ServicesOptions = field(default_factory=ServicesOptions)
    incidents: IncidentsOptions = field(default_factory=IncidentsOptions)


class Desks:
    """Driven by the supervisor, on the engine's loop."""

    def __init__(
        self,
        options: DeskOptions,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        chance: random.Random,
        *,
        alert_store: AlertStore | None,
        read_journal: ReadJournal | None,
        other: Callable[[], str | None],
        soon: Callable[[], None],
        soon_for_alerts: Callable[[], None],
    ) -> None:
        self.alerts: AlertDesk | None = None
        if options.alerts is not None:
            self.alerts = AlertDesk(
                options.alerts,
                connections,
                changes,
                clock,
                random.Random(chance.random()),
                store=alert_store,
                other=other,
                asked_at=lambda connection, topic: self.services.asked_at(connection, topic),
                changed=soon_for_alerts,
            )
        checker = HealthChecker(clock, random.Random(chance.random()))
        self.services = ServiceDesk(options.services, connections, changes, clock, soon, checker)
        self.services.our_names = _our_names(options)
        self.incidents = IncidentDesk(options.incidents, connections, changes, clock, soon, read_journal)

    def start(self) -> None:
        """Begin, before the connections do: nothing that they bring is missed."""
        if self.alerts is not None:
            self.alerts.start()
        self.services.start()
        self.incidents.start()

    def stop(self) -> None:
        """End, before the connections do."""
        if self.alerts is not None:
            self.alerts.stop()
        self.services.stop()
        self.incidents.stop()

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds, back where they are negative."""
        if self.alerts is not None:
            self.alerts.clock_was_set(step)
        self.incidents.clock_was_set(step)

    def look(self) -> None:
        """Notice what nobody tells; at each publication."""
        if self.alerts is not None:
            self.alerts.look()
        self.services.look()

    def judge(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with the incidents that it shows."""
        self.incidents.look(snapshot)
        return msgspec.structs.replace(snapshot, incidents=self.incidents.snapshot())

    def configure(self, options: DeskOptions) -> list[str]:
        """Take other settings, or the connections of others; what came of it beside, in words."""
        told = []
        self.services.our_names = _our_names(options)
        self.services.configure(options.services)
        self.incidents.configure(options.incidents)
        if self.alerts is not None and options.alerts is not None:
            told += self.alerts.configure(options.alerts)
        elif self.alerts is not None:
            self.alerts.attach()
        # Its store is opened at the start of the program.
        if (self.alerts is None) != (options.alerts is None):
            told.append("[alerts] comes or goes at the next start")
        return told


def _our_names(options: DeskOptions) -> frozenset[str]:
    delivery = None if options.alerts is None else options.alerts.delivery
    return frozenset() if delivery is None else delivery.our_names
