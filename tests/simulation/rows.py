"""A disk in memory, and the alerts' store of one engine on it."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from tui.simulation.network import Network
from tui.store.alert_file import EVERY, Row, Wanted
from tui.store.alert_store import StoreState

COMMIT = (0.001, 0.03)


class Disk:
    """What is committed, whichever engine wrote it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rows: dict[str, Row] = {}
        self.is_stalled = False


class Rows:
    """Has the methods of :class:`tui.store.alert_store.AlertStore` that an engine calls."""

    def __init__(self, disk: Disk, seen_window: float, now: Callable[[], float]) -> None:
        self._disk = disk
        self._context = contextvars.copy_context()
        self._held: dict[str, Row] = {}
        self._waiting: list[tuple[frozenset[str], Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._busy_since: float | None = None
        self._is_unplugged = False
        self.restored: Future[list[Row]] = Future()
        since = now() - seen_window
        found = [row for row in disk.rows.values() if row.open or row.changed_at >= since]
        self._later(lambda: self.restored.set_result(found))

    def _later(self, callback: Callable[[], object]) -> None:
        network = self._disk.network
        network.call_at(network.loop.now + network.delay(), self._unless_unplugged, callback)

    def _unless_unplugged(self, callback: Callable[[], object]) -> None:
        if not self._is_unplugged:
            self._disk.network.loop.call_soon(callback, context=self._context)

    def unplug(self) -> None:
        """Its process was killed: what is not committed is gone."""
        self._is_unplugged = True

    def put(self, rows: Iterable[Row], done: Callable[[], None] | None = None) -> None:
        rows = tuple(rows)
        for row in rows:
            self._held.pop(row.id, None)
            self._held[row.id] = row
        if done:
            self._waiting.append((frozenset(row.id for row in rows), done))
        if self._timer is None:
            network = self._disk.network
            self._busy_since = network.loop.now
            self._timer = network.call_at(network.loop.now + network.delay(), self._commit)

    def _commit(self) -> None:
        if self._is_unplugged:
            return
        if self._disk.is_stalled:
            network = self._disk.network
            self._timer = network.call_at(network.loop.now + 0.5, self._commit)
            return
        self._timer = self._busy_since = None
        self._disk.rows.update(self._held)
        self._held.clear()
        waiting, self._waiting = self._waiting, []
        for _, done in waiting:
            self._unless_unplugged(done)

    @property
    def state(self) -> StoreState:
        since, now = self._busy_since, self._disk.network.loop.now
        if since is not None and now - since >= 1.0:
            words = f"the disk has not answered for {now - since:.0f} s"
            return StoreState(False, f"{words}; {len(self._held)} held in memory", len(self._held), 0, words)
        return StoreState(True, "written", len(self._held))

    def known(self) -> dict[str, Row]:
        """All, written or not."""
        return {**self._disk.rows, **self._held}

    def find(self, id: str) -> Future[Row | None]:
        future: Future[Row | None] = Future()
        self._later(lambda: future.set_result(self.known().get(id)))
        return future

    def history(
        self, limit: int, before: tuple[float, str] | None = None, wanted: Wanted = EVERY
    ) -> Future[list[Row]]:
        future: Future[list[Row]] = Future()
        rows = [row for row in self.known().values() if not row.open and wanted.holds(row)]
        rows = [row for row in rows if before is None or (row.changed_at, row.id) < before]
        rows.sort(key=lambda row: (row.changed_at, row.id), reverse=True)
        self._later(lambda: future.set_result(rows[:limit]))
        return future

    def counts(self, since: float) -> Future[dict[tuple[str, str], int]]:
        future: Future[dict[tuple[str, str], int]] = Future()
        found = Counter(
            (row.type, row.outcome or "")
            for row in self.known().values()
            if not row.open and row.changed_at >= since
        )
        self._later(lambda: future.set_result(dict(found)))
        return future
