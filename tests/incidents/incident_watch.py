"""Real links to an embedded hub, looked at as the engine looks, on a clock that a test moves.

What happens on the network takes its time, for which tests wait; how long it then lasts is the clock's.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.engine.conftest import ConnectionSettings
from tests.pace import PATIENCE
from tui.alerts.service import AlertService
from tui.channels.clock import SystemClock
from tui.connections.connection import SupervisedConnection
from tui.incidents.options import IncidentsOptions
from tui.incidents.timeline import ReadJournal
from tui.incidents.tracker import IncidentTracker
from tui.model.incidents import IncidentSnapshot, IncidentsSnapshot
from tui.model.snapshot import Snapshot
from tui.services.http_checks import HealthChecker
from tui.services.monitor import ServiceMonitor
from tui.services.options import ServicesOptions
from tui.store.event_log import ChangeLog
from tui.store.journal import Entry

LIMIT = PATIENCE


class MovedClock:
    """Both readings, moved by hand; the wall clock can be set beside."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.began = time.time()
        self.wall_offset = 0.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return self.began + self.passed + self.wall_offset


class Watch:
    """Connections, services and alerts that publish to a desk of incidents."""

    def __init__(
        self,
        options: IncidentsOptions,
        *connections: ConnectionSettings,
        services: ServicesOptions | None = None,
        checker: HealthChecker | None = None,
        read_journal: ReadJournal | None = None,
        keep: Callable[[Entry], None] | None = None,
        clock: Any = None,
    ) -> None:
        self.clock = clock or MovedClock()
        self._began = self.clock.time()
        self.kept: list[Entry] = []
        self._also_keep = keep
        self.changes = ChangeLog(keep=self._keep)
        self.connections = {
            each.name: SupervisedConnection(
                each,
                self.changes,
                SystemClock(),
                random.Random(1),
                changed=lambda name, change: None,
                stable=lambda stable: None,
            )
            for each in connections
        }
        self.services = ServiceMonitor(
            services or ServicesOptions(),
            lambda: self.connections,
            self.changes,
            self.clock,
            lambda: None,
            checker,
        )
        self.alerts: AlertService | None = None
        self.changed = 0
        self.component = IncidentTracker(
            options, lambda: self.connections, self.changes, self.clock, self._count, read_journal
        )
        self._sequence = 0

    def _keep(self, entry: Entry) -> None:
        self.kept.append(entry)
        if self._also_keep is not None:
            self._also_keep(entry)

    def _count(self) -> None:
        self.changed += 1

    def poll(self) -> IncidentsSnapshot:
        """Publish once."""
        self._sequence += 1
        self.services.poll()
        if self.alerts is not None:
            self.alerts.poll()
        self.component.poll(
            Snapshot(
                sequence=self._sequence,
                taken_at=self.clock.time(),
                started_at=self._began,
                connections=tuple(each.snapshot() for each in self.connections.values()),
                alerts=None if self.alerts is None else self.alerts.snapshot(),
                services=self.services.snapshot(),
            )
        )
        return self.component.snapshot()

    def wait(self, seconds: float) -> None:
        """Let time pass on the clock, looked at as the engine looks."""
        while seconds > 0:
            step = min(seconds, 1.0)
            self.clock.passed += step
            seconds -= step
            self.poll()

    @property
    def open(self) -> dict[tuple[str, str], IncidentSnapshot]:
        """What is open at a look now."""
        return {(each.rule, each.subject): each for each in self.poll().open}

    @property
    def lines(self) -> list[str]:
        """The lines of incidents."""
        return [entry.text for entry in self.kept if entry.kind == "incident"]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Look until something is so, while no time passes on the clock."""
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, (
                f"{what}: not within {LIMIT:g} s; open: {self.component.snapshot()}"
            )
            await asyncio.sleep(0.01)
            self.poll()

    async def opens(self, rule: str, subject: str, what: str = "") -> IncidentSnapshot:
        """Look until it is open."""
        await self.until(lambda: (rule, subject) in self.open, what or f"{rule} of {subject} is open")
        return self.open[(rule, subject)]

    async def reconnected(self, name: str, count: int) -> None:
        """Look until a link has come back so many times in all."""
        found = self.connections[name]
        await self.until(lambda: found.snapshot().metrics.total_reconnects == count, f"reconnect {count}")

    async def is_well(self) -> None:
        """Look until every link is stable and every topic joined."""

        def well() -> bool:
            found = [each.snapshot() for each in self.connections.values()]
            return all(
                each.details.stable and all(one.state == "joined" for one in each.channels) for each in found
            )

        await self.until(well, "all links stable, all topics joined")

    def resolves(self) -> IncidentSnapshot:
        """What has been resolved once a trouble is gone for long enough; nothing may be left open."""
        assert self.poll().open != ()
        self.wait(1.5)
        assert self.poll().open != (), "a trouble must be gone for two seconds"
        self.wait(1.0)
        assert self.poll().open == ()
        return self.poll().resolved[0]


@asynccontextmanager
async def watching(
    options: IncidentsOptions, *connections: ConnectionSettings, **others: Any
) -> AsyncIterator[Watch]:
    """A watch whose links are begun, and ended with the test."""
    watch = Watch(options, *connections, **others)
    watch.component.start()
    watch.services.start()
    for each in watch.connections.values():
        each.start()
    try:
        yield watch
    finally:
        watch.component.stop()
        watch.services.stop()
        if watch.alerts is not None:
            watch.alerts.stop()
        await asyncio.gather(*(each.retire() for each in watch.connections.values()))
