"""The rows that wait for the disk, each in its latest state, and those who wait to be told of them."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from tui.alerts.store_file import AlertFile, Row, Wanted

_DROP_STEP = 1_000


class _Put(NamedTuple):
    """A put whose caller waits to be told."""

    number: int
    ids: frozenset[str]
    done: Callable[[], None]


class Backlog:
    """Bounded: beyond its bounds ended rows go, never open ones. For one thread at a time.

    Args:
        most: rows, and puts that wait to be told.
        most_bytes: of those rows' data.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self.rows: dict[str, Row] = {}
        """Those that are not known to be written, the latest put last."""
        self.dropped = 0
        """Rows lost: beyond the bounds, or not fit to be written."""
        self._bytes = 0
        self._open: dict[str, Row] = {}
        # Rows that the file may call open: their end must not be dropped, or they would be played again.
        self._open_in_file: set[str] = set()
        self._waiting: deque[_Put] = deque()
        self._puts = 0

    def __bool__(self) -> bool:
        """Whether anything is to be written or told."""
        return bool(self.rows or self._waiting)

    def put(self, rows: Collection[Row], done: Callable[[], None] | None) -> None:
        """As of :meth:`tui.alerts.store.AlertStore.put`."""
        self._puts += 1
        for row in rows:
            self._hold(row)
            if row.open:
                self._open[row.id] = row
            else:
                self._open.pop(row.id, None)
        if done:
            self._waiting.append(_Put(self._puts, frozenset(row.id for row in rows), done))
            if len(self._waiting) > self._most:
                self._waiting.popleft()
        if len(self.rows) > self._most or self._bytes > self._most_bytes:
            self._drop_ended()

    def take(self) -> tuple[list[Row], int]:
        """What is to be written now, and the number of the latest put that it holds."""
        # Before the attempt: one that fails may have succeeded all the same.
        self._open_in_file.update(row.id for row in self.rows.values() if row.open)
        return list(self.rows.values()), self._puts

    def written(self, rows: Iterable[Row], puts: int, refused: Iterable[str]) -> list[Callable[[], None]]:
        """What was taken is written, but for what was refused; those to be told of it."""
        for row in rows:
            if not row.open:
                self._open_in_file.discard(row.id)
            if self.rows.get(row.id) is row:
                self._let_go(row.id)
        self._forget(refused)
        noted = []
        while self._waiting and self._waiting[0].number <= puts:
            noted.append(self._waiting.popleft().done)
        return noted

    def opened(self, found: Iterable[Row]) -> list[Row]:
        """A file was opened: what is open is to be written to it, since it may be another one.

        Returns:
            Those of the rows that are ``found`` in it that nothing was put of since.
        """
        for row in self._open.values():
            if row.id not in self.rows:
                self._hold(row)
        new = [row for row in found if row.id not in self.rows]
        self._open.update((row.id, row) for row in new if row.open)
        self._open_in_file.update(row.id for row in new if row.open)
        return new

    def may_be_open(self, ids: set[str]) -> bool:
        """Whether each of these is open here, or its end is about to be written."""
        return ids <= self._open.keys() | self.rows.keys()

    def _hold(self, row: Row) -> None:
        self._let_go(row.id)
        self.rows[row.id] = row
        self._bytes += len(row.data)

    def _let_go(self, id: str) -> None:
        row = self.rows.pop(id, None)
        if row is not None:
            self._bytes -= len(row.data)

    def _drop_ended(self) -> None:
        # Many at once, since all rows, and all that wait to be told, are looked through.
        ended = (row.id for row in self.rows.values() if not row.open and row.id not in self._open_in_file)
        gone = list(itertools.islice(ended, min(_DROP_STEP, self._most // 10 + 1)))
        for id in gone:
            self._let_go(id)
        self._forget(gone)

    def _forget(self, ids: Iterable[str]) -> None:
        """These rows are lost: nobody is told that they are written."""
        lost = frozenset(ids)
        if lost:
            self.dropped += len(lost)
            self._waiting = deque(put for put in self._waiting if lost.isdisjoint(put.ids))


def ended(
    file: AlertFile, held: Mapping[str, Row], limit: int, before: tuple[float, str] | None, wanted: Wanted
) -> list[Row]:
    """Ended rows, written or held, newest first.

    Args:
        before: ``(changed_at, id)`` of the last row of the page before.
    """
    rows, place = list[Row](), before
    while len(rows) < limit and (found := file.history(limit, place, wanted)):
        rows += [row for row in found if row.id not in held]
        place = found[-1].changed_at, found[-1].id
    rows += [
        row
        for row in held.values()
        if not row.open and wanted.holds(row) and (before is None or (row.changed_at, row.id) < before)
    ]
    rows.sort(key=lambda row: (row.changed_at, row.id), reverse=True)
    return rows[: max(0, limit)]


def counted(file: AlertFile, held: Mapping[str, Row], since: float) -> dict[tuple[str, str], int]:
    """How many rows ended since then, written or held, by type and outcome ("" for none)."""
    counts = Counter(file.counts(since))
    for row in held.values():
        for state, number in ((file.find(row.id), -1), (row, 1)):
            if state is not None and not state.open and state.changed_at >= since:
                counts[state.type, state.outcome or ""] += number
    return {key: number for key, number in counts.items() if number}
