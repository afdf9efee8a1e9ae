"""A disk in memory that holds the alerts' database, and stalls, is full, and outlives whoever used it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from tui.alerts.store_disk import FULL
from tui.simulation.loop import VirtualLoop
from tui.store.worker import Steps

LATENCY = 0.002
"""Seconds that each use of the disk takes while it is well."""

_NO_LIMIT = 0xFFFFFFFE


class SimulatedDisk:
    """A :class:`tui.alerts.store_disk.Disk` that holds what was committed, as SQLite itself writes it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._connection: sqlite3.Connection | None = None
        self._content = b""
        self._stalled_until = 0.0
        self._is_full = False

    def __str__(self) -> str:
        return "the simulated disk"

    # What goes wrong with it

    def stall(self, seconds: float) -> None:
        """It answers nobody for so long; who waits already waits on."""
        self._stalled_until = max(self._stalled_until, self._loop.now + seconds)

    def fill(self, full: bool) -> None:
        """It takes nothing more than it has pages for, or has room again."""
        self._is_full = full
        if self._connection is not None:
            self._limit(self._connection)

    def lose_user(self) -> None:
        """Whoever used it was killed: what was not committed is gone."""
        if self._connection is not None:
            self._keep(self._connection)

    @property
    def answers_at(self) -> float:
        """When what is asked of it now is done, on the loop's time."""
        return max(self._loop.now + LATENCY, self._stalled_until)

    @property
    def answers(self) -> bool:
        return self._loop.now >= self._stalled_until

    @property
    def is_well(self) -> bool:
        return self.answers and not self._is_full

    def read(self, question: str) -> list[tuple[object, ...]]:
        """What stands on it, by a question in SQL, whoever uses it."""
        if self._connection is not None:
            return self._connection.execute(question).fetchall()
        with closing(self._opened()) as connection:
            return connection.execute(question).fetchall() if self._content else []

    # As of Disk

    def connect(self, now: float) -> sqlite3.Connection:
        assert self._connection is None, "two use the file"
        self._connection = self._opened()
        self._limit(self._connection)
        return self._connection

    def close(self, connection: sqlite3.Connection, now: float) -> None:
        if connection is self._connection:
            self._keep(connection)
        connection.close()

    def note(self) -> None:
        pass

    def changed(self) -> str | None:
        return None

    def moved(self) -> str | None:
        return None

    def exists(self) -> bool:
        return True

    def set_aside(self, now: float) -> str:
        raise AssertionError("there is nothing wrong with what is on this disk")

    def may_write(self) -> bool:
        return True

    def words_of(self, error: Exception) -> str:
        return FULL if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL else str(error)

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        if self._content:
            connection.deserialize(self._content)
        return connection

    def _keep(self, connection: sqlite3.Connection) -> None:
        connection.rollback()
        # A database without any page has no content yet.
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        self._content = connection.serialize() if pages else b""
        self._connection = None
        connection.close()

    def _limit(self, connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(1, pages) if self._is_full else _NO_LIMIT}")


class LoopWorker:
    """A :class:`tui.store.worker.Worker` without a thread: takes each step on a loop, as the disk answers."""

    def __init__(self, loop: VirtualLoop, disk: SimulatedDisk) -> None:
        self._loop = loop
        self._disk = disk
        self._steps: Steps | None = None
        self._is_at_disk = False
        self._timer: asyncio.Handle | None = None
        self.broke = False

    def start(self, steps: Steps) -> None:
        self._steps = steps
        self._plan(0.0)

    def wake(self) -> None:
        if self._steps is not None and not self.broke and not self._is_at_disk:
            self._plan(0.0)

    def wait(self, timeout: float) -> bool:
        """Take at once what a disk that answers within ``timeout`` lets be done; no time passes here."""
        while self._steps is not None and not self.broke:
            if self._disk.answers_at > self._loop.now + timeout or not self._step(self._steps):
                break
        return self._steps is None or self.broke

    def monotonic(self) -> float:
        return self._loop.time()

    def kill(self) -> None:
        """It goes with the process that it belonged to, whatever it was about to do."""
        self._steps = None
        if self._timer is not None:
            self._timer.cancel()
        self._disk.lose_user()

    def _plan(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self._go_on)

    def _wait_for_disk(self) -> None:
        self._plan(self._disk.answers_at - self._loop.now)

    def _go_on(self) -> None:
        if self._is_at_disk and not self._disk.answers:
            self._wait_for_disk()
        elif self._steps is not None:
            self._step(self._steps)

    def _step(self, steps: Steps) -> bool:
        """Take one; whether there is another, which needs the disk and no time."""
        self._is_at_disk = False
        try:
            at = next(steps)
        except BaseException as end:
            self.broke = True
            if isinstance(end, StopIteration):
                return False
            raise
        self._is_at_disk = at is None
        if at is None:
            self._wait_for_disk()
        else:
            self._plan(at - self._loop.time())
        return self._is_at_disk
