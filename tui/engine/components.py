"""Everything that the engine runs beside its connections: the alert queue, the services, the incidents."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from tui.alerts.options import AlertOptions
from tui.alerts.service import AlertService
from tui.alerts.store import AlertStore
from tui.channels.clock import Clock
from tui.connections.subscriptions import Connections
from tui.engine.loop import Pace
from tui.incidents.options import IncidentsOptions
from tui.incidents.timeline import ReadJournal
from tui.incidents.tracker import IncidentTracker
from tui.model.snapshot import Snapshot
from tui.services.http_checks import HealthChecker
from tui.services.monitor import ServiceMonitor
from tui.services.options import ServicesOptions
from tui.store.event_log import ChangeLog


@dataclass(frozen=True, kw_only=True)
class ComponentOptions:
    alerts: AlertOptions | None = None
    """None for no alert queue."""
    services: ServicesOptions = field(default_factory=ServicesOptions)
    incidents: IncidentsOptions = field(default_factory=IncidentsOptions)


class Components:
    """Driven by the supervisor, on the engine's loop."""

    def __init__(
        self,
        options: ComponentOptions,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        random_source: random.Random,
        *,
        alert_store: AlertStore | None,
        read_journal: ReadJournal | None,
        other: Callable[[], str | None],
        pace: Pace,
    ) -> None:
        self.alerts: AlertService | None = None
        if options.alerts is not None:
            self.alerts = AlertService(
                options.alerts,
                connections,
                changes,
                clock,
                random.Random(random_source.random()),
                store=alert_store,
                other=other,
                asked_at=lambda connection, topic: self.services.asked_at(connection, topic),
                changed=pace.soon_for_alerts,
            )
        checker = HealthChecker(clock, random.Random(random_source.random()))
        self.services = ServiceMonitor(options.services, connections, changes, clock, pace.soon, checker)
        self.services.our_names = _our_names(options)
        self.incidents = IncidentTracker(
            options.incidents, connections, changes, clock, pace.soon, read_journal
        )

    def start(self) -> None:
        """Begin, before the connections do: nothing that they bring is missed."""
        if self.alerts is not None:
            self.alerts.start()
        self.services.start()
        self.incidents.start()

    def stop(self) -> None:
        if self.alerts is not None:
            self.alerts.stop()
        self.services.stop()
        self.incidents.stop()

    def clock_was_set(self, step: float) -> None:
        if self.alerts is not None:
            self.alerts.clock_was_set(step)
        self.incidents.clock_was_set(step)

    def poll(self) -> None:
        """Notice what nobody tells; at each publication."""
        if self.alerts is not None:
            self.alerts.poll()
        self.services.poll()

    def judge(self, snapshot: Snapshot) -> Snapshot:
        self.incidents.poll(snapshot)
        return msgspec.structs.replace(snapshot, incidents=self.incidents.snapshot())

    def configure(self, options: ComponentOptions) -> list[str]:
        """Take other settings, or the connections of others; what came of it beside, in words."""
        noted = []
        self.services.our_names = _our_names(options)
        self.services.configure(options.services)
        self.incidents.configure(options.incidents)
        if self.alerts is not None and options.alerts is not None:
            noted += self.alerts.configure(options.alerts)
        elif self.alerts is not None:
            self.alerts.attach()
        # Its store is opened at the start of the program.
        if (self.alerts is None) != (options.alerts is None):
            noted.append("[alerts] comes or goes at the next start")
        return noted


def _our_names(options: ComponentOptions) -> frozenset[str]:
    delivery = None if options.alerts is None else options.alerts.delivery
    return frozenset() if delivery is None else delivery.our_names
