"""The queue's alerts on their way to the store and back, without the engine's loop waiting for a disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tui.alerts.alert import Alert, counted_as, encode
from tui.alerts.store import MOST_HELD, AlertStore, StoreError
from tui.alerts.store_file import Row, Wanted
from tui.alerts.summaries import by_type, summary
from tui.alerts.types import PersistedOrders
from tui.channels.clock import Clock
from tui.model.alerts import AlertOutcome, AlertPage, AlertSummary, SourceAway
from tui.model.snapshot import CommandResult

log = logging.getLogger("tui.alerts.service")

T = TypeVar("T")
Entry = TypeVar("Entry", AlertSummary, AlertSummary | SourceAway)

ANSWER_LIMIT = 1.0
"""Seconds for the store's word; then an alert is held in memory, and goes on."""
QUESTION_LIMIT = 3.0
"""Seconds for what a person asks of the store."""

LASTING = "(standing)"
"""The id and type of the row that holds what was ordered and lasts; no alert has it."""
AWAY_TYPE = "(away)"
"""The type of the rows that hold a time in which a source was away; no alert has it."""

_DAY = 86_400.0


class AlertPersistence:
    """Writes rows, and says which of them are not known to be written. On the engine's loop.

    Args:
        store: None keeps alerts in memory alone.
        on_loop: has something called on the engine's loop, from any thread.
    """

    def __init__(self, store: AlertStore | None, clock: Clock, on_loop: Callable[..., None]) -> None:
        self._store = store
        self._clock = clock
        self._on_loop = on_loop
        # The last write of each row that the store has not answered for.
        self._unwritten: dict[str, _Write] = {}
        # Those with something to be done behind them, in the order in which it must be done.
        self._awaited: deque[_Write] = deque()

    def restore(self, taken: Callable[[list[Alert], PersistedOrders], None]) -> None:
        """Call ``taken`` on the loop with what was stored and what had been ordered, once the store tells;
        without any if it cannot."""
        if self._store is not None:
            self._store.restored.add_done_callback(lambda rows: self._on_loop(self._restored, rows, taken))

    def _restored(
        self, rows: Future[list[Row]], taken: Callable[[list[Alert], PersistedOrders], None]
    ) -> None:
        lasting, alerts = PersistedOrders(), list[Alert]()
        if (error := rows.exception()) is not None:
            log.warning("nothing was restored: %s", error)
        for row in [] if error else rows.result():
            if row.id == LASTING:
                lasting = _lasting_in(row)
            elif (alert := _alert_in(row)) is not None:
                alerts.append(alert)
        taken(alerts, lasting)

    def keep_lasting(self, lasting: PersistedOrders) -> None:
        # For ever open, so that it is neither trimmed nor part of any history.
        data = msgspec.json.encode(lasting)
        self.put(Row(LASTING, True, LASTING, None, self._clock.time(), data))

    def put(self, row: Row) -> None:
        if self._store is not None:
            self._store.put([row])

    def write(self, alerts: Iterable[Alert], then: Callable[[], None] | None = None) -> None:
        """Have alerts stored together, and go on when they are, or when the store has not answered for
        :data:`ANSWER_LIMIT`; at once where it is known not to answer."""
        store = self._store
        rows = [self._row(alert) for alert in alerts]
        if store is None or not rows:
            if then is not None:
                then()
            return
        write = _Write(tuple(row.id for row in rows), self._clock.monotonic(), then)
        for id in write.ids:
            self._unwritten.pop(id, None)
            self._unwritten[id] = write
        while len(self._unwritten) > MOST_HELD:
            # Rows that the store has dropped, and of which it tells nobody.
            del self._unwritten[next(iter(self._unwritten))]
        trouble = not store.state.ok
        store.put(rows, lambda: self._on_loop(self._written, write))
        if then is not None:
            self._awaited.append(write)
        if trouble:
            self._go_on_to(write)
        elif then is not None:
            loop = asyncio.get_running_loop()
            write.timer = loop.call_later(ANSWER_LIMIT, self._go_on_to, write)

    async def all_written(self) -> bool:
        """Whether all that was put is on the disk; waits for it at most :data:`ANSWER_LIMIT`.

        True where no store is meant to keep anything.
        """
        store = self._store
        if store is None:
            return True
        if store.restored.done() and not store.state.ok:
            return False
        written = asyncio.get_running_loop().create_future()
        store.put([], lambda: self._on_loop(_note, written))
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                await written
        except TimeoutError:
            return False
        return True

    def _go_on_to(self, write: _Write) -> None:
        """Do what is behind a write, and before it what is behind the earlier ones.

        Else an alert might be taken off the overlays when the next one is shown there already.
        """
        if write.then is None:
            return
        while self._awaited:
            first = self._awaited.popleft()
            first.go_on()
            if first is write:
                return

    def _written(self, write: _Write) -> None:
        for id in write.ids:
            if self._unwritten.get(id) is write:
                del self._unwritten[id]
        self._go_on_to(write)

    def _row(self, alert: Alert) -> Row:
        return Row(
            id=alert.id,
            open=alert.state != "ended",
            type=counted_as(alert),
            outcome=alert.outcome,
            changed_at=alert.ended_at or self._clock.time(),
            data=encode(alert),
            terms=f"{alert.who} {alert.title} {alert.message}".casefold(),
        )

    def is_held(self, id: str) -> bool:
        """An alert is in memory only: the store has had its time, or is known not to answer."""
        write = self._unwritten.get(id)
        return write is not None and (self.fails or self._clock.monotonic() - write.since > ANSWER_LIMIT)

    def shown(self, entry: Entry) -> Entry:
        is_held = isinstance(entry, AlertSummary) and self.is_held(entry.id)
        return msgspec.structs.replace(entry, held=True) if is_held else entry

    @property
    def unwritten(self) -> bool:
        return bool(self._unwritten)

    @property
    def held(self) -> int:
        """How many alerts wait for a store that does not answer."""
        return len(self._unwritten) if self.fails else 0

    @property
    def fails(self) -> bool:
        return self._store is not None and not self._store.state.ok

    @property
    def trouble(self) -> str | None:
        """What is to be said of the store, without the number held; None while all is well, and where there
        is none."""
        state = None if self._store is None else self._store.state
        if state is None or (state.ok and state.message == "written"):
            return None
        dropped = f"; {state.dropped} dropped" if state.dropped else ""
        return f"{state.trouble}{dropped}" if state.trouble else state.message

    # What is asked of it

    async def find(self, id: str) -> Alert | CommandResult:
        """One alert, whether it is open or has ended."""
        nothing = CommandResult(ok=False, message=f"no alert {id}")
        if self._store is None:
            return nothing
        row = await _asked(self._store.find(id))
        if isinstance(row, CommandResult):
            return row
        return nothing if row is None else _alert_in(row) or nothing

    async def seek(self, id: str) -> Alert | None:
        """One alert, however long the store takes; None when there is none."""
        while self._store is not None:
            try:
                row = await asyncio.wrap_future(self._store.find(id))
            except StoreError as error:
                log.warning("alert %s is asked for again: %s", id, error)
                await asyncio.sleep(QUESTION_LIMIT)
            else:
                return None if row is None else _alert_in(row)
        return None

    async def history(
        self,
        before: str | None,
        limit: int,
        type: str | None,
        outcome: AlertOutcome | None,
        words: tuple[str, ...],
    ) -> AlertPage | CommandResult:
        """As of :class:`tui.model.engine.Engine`."""
        if self._store is None:
            return CommandResult(ok=False, message="no store keeps a history")
        moment, _, id = (before or "").partition(" ")
        try:
            cursor = (float(moment), id) if before else None
        except ValueError:
            return CommandResult(ok=False, message="this is no place in the history")
        limit = max(1, min(limit, 1000))
        wanted = Wanted(type, outcome, None, tuple(map(str.casefold, words)))
        rows = await _asked(self._store.history(limit, cursor, wanted))
        if isinstance(rows, CommandResult):
            return rows
        day = await _asked(self._store.counts(self._clock.time() - _DAY))
        if isinstance(day, CommandResult):
            return day
        entries = [self.shown(entry) for row in rows if (entry := _entry_in(row)) is not None]
        last = rows[-1] if len(rows) == limit else None
        return AlertPage(
            alerts=tuple(entries),
            next_before=None if last is None else f"{last.changed_at!r} {last.id}",
            counts=by_type({key: number for key, number in day.items() if key[1] != "away"}),
        )


async def _asked(question: Future[T]) -> T | CommandResult:
    try:
        async with asyncio.timeout(QUESTION_LIMIT):
            return await asyncio.wrap_future(question)
    except StoreError as error:
        return CommandResult(ok=False, message=f"the alerts' store: {error}")
    except TimeoutError:
        words = f"the alerts' store has not answered within {QUESTION_LIMIT:g} s"
        return CommandResult(ok=False, message=words)


def _note(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


@dataclass(slots=True, eq=False)
class _Write:
    """Rows on their way to the disk, and what is to be done when they are there."""

    ids: tuple[str, ...]
    since: float
    then: Callable[[], None] | None
    timer: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        then, self.then = self.then, None
        if then is not None:
            then()


def row_of_away(id: str, away: SourceAway) -> Row:
    """How the store keeps a time in which a source was away."""
    ended = away.since if away.until is None else away.until
    return Row(id, False, AWAY_TYPE, "away", ended, msgspec.json.encode(away))


def _entry_in(row: Row) -> AlertSummary | SourceAway | None:
    if row.type == AWAY_TYPE:
        return _read(row, SourceAway)
    alert = _read(row, Alert)
    return None if alert is None else summary(alert)


def _alert_in(row: Row) -> Alert | None:
    return None if row.type == AWAY_TYPE else _read(row, Alert)


def _read(row: Row, type: type[T]) -> T | None:
    try:
        return msgspec.json.decode(row.data, type=type)
    except ValueError as error:
        log.warning("alert %s in the store cannot be read: %s", row.id, error)
        return None


def _lasting_in(row: Row) -> PersistedOrders:
    try:
        return msgspec.json.decode(row.data, type=PersistedOrders)
    except msgspec.DecodeError as error:
        # What was stopped must not begin by itself.
        log.warning("whether the queue was paused, held or muted cannot be read, so it is paused: %s", error)
        return PersistedOrders(paused=True)
