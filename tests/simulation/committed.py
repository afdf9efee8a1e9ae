"""What the alerts' store said was written, held against what stands on the disk."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable

from tests.simulation.world import EngineHost, World
from tui.alerts.store_file import Row


class DiskTruth:
    """Looks at the disk whenever an engine is gone, and at the end."""

    def __init__(self, world: World, find: Callable[[str, str, str], None]) -> None:
        self._world = world
        self._find = find
        self._engine: EngineHost | None = None
        self._numbers = itertools.count()
        self._puts: dict[str, deque[tuple[int, int]]] = {}
        """Of each row that somebody waits for: the puts that may stand on the disk, the oldest first, each
        with its number and what it held."""
        self._written: set[str] = set()
        """Rows of which one of those puts must stand there."""

    def put(self, rows: tuple[Row, ...], *, is_awaited: bool) -> Callable[[], None]:
        """Rows are on their way; what is to be called when it is said that they are there."""
        number = next(self._numbers)
        for row in rows:
            if is_awaited or row.id in self._puts:
                self._puts.setdefault(row.id, deque()).append((number, hash(row.data)))

        def on_written() -> None:
            for row in rows:
                puts = self._puts.get(row.id)
                if puts is None:
                    continue
                self._written.add(row.id)
                while puts[0][0] < number:
                    puts.popleft()

        return on_written

    def forget(self, ids: set[str]) -> None:
        """These come no more."""
        for id in ids:
            self._puts.pop(id, None)
            self._written.discard(id)

    def poll(self, *, is_over: bool = False) -> None:
        """From time to time."""
        engine = self._world.engine
        if engine is not self._engine or is_over:
            self._engine = engine
            self._judge()

    def _judge(self) -> None:
        found = {str(id): hash(data) for id, data in self._world.disk.read("SELECT id, data FROM alerts")}
        for id in self._written:
            # It may be one that was put later, of which nobody was told any more.
            if found.get(id) not in [content for _, content in self._puts[id]]:
                words = "is gone" if id not in found else "is there as it was before"
                self._find("written, and gone", f"{id} {words}", id)
