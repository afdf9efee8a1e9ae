"""What the alerts' store said was written, held against what stands on the disk."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.world import EngineHost, World
from tui.alerts.store_file import Row


class DiskTruth:
    """Looks at the disk whenever an engine is gone, and at the end."""

    def __init__(self, world: World, find: Callable[[str, str, str], None]) -> None:
        self._world = world
        self._find = find
        self._engine: EngineHost | None = None
        self._puts: dict[str, list[int]] = {}
        """Of each row, what it held from one put to the next."""
        self._noted: dict[str, int] = {}
        """By its place among those, the latest that was said to be written."""

    def put(self, rows: tuple[Row, ...]) -> Callable[[], None]:
        """Rows are on their way; what is to be called when it is said that they are there."""
        places = {}
        for row in rows:
            puts = self._puts.setdefault(row.id, [])
            places[row.id] = len(puts)
            puts.append(hash(row.data))

        def tell() -> None:
            for id, place in places.items():
                self._noted[id] = max(place, self._noted.get(id, 0))

        return tell

    def forget(self, ids: set[str]) -> None:
        """These come no more."""
        for id in ids:
            self._puts.pop(id, None)
            self._noted.pop(id, None)

    def poll(self, *, is_over: bool = False) -> None:
        """From time to time."""
        engine = self._world.engine
        if engine is not self._engine or is_over:
            self._engine = engine
            self._judge()

    def _judge(self) -> None:
        found = {str(id): hash(data) for id, data in self._world.disk.read("SELECT id, data FROM alerts")}
        for id, place in self._noted.items():
            # It may be one that was put later, of which nobody was told any more.
            if found.get(id) not in self._puts[id][place:]:
                words = "is gone" if id not in found else "is there as it was before"
                self._find("written, and gone", f"{id} {words}", id)
