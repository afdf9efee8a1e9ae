"""The alerts' rows, kept in SQLite by a worker of their own: the callers never wait for the disk, and what
was said to be written survives ``kill -9``.

What a row's ``data`` holds is no concern of this module.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui.alerts.store_backlog import Backlog, counted, ended
from tui.alerts.store_disk import Disk, FileDisk, MovedError, UnusableError
from tui.alerts.store_file import EVERY, UNFIT, AlertFile, Row, Wanted
from tui.store.age_limit import DAY, AgeLimit
from tui.store.worker import Steps, Worker, WorkerThread
from tui.system.private_files import anything_goes

log = logging.getLogger(__name__)

FILE_NAME = "alerts.sqlite"
KEPT_DAYS = 30.0
KEPT_ROWS = 10_000
SEEN_WINDOW = 600.0
"""Seconds back from the present whose rows are restored, so that an event seen before the end is known."""

MOST_HELD = 100_000
"""Ids that wait to be written, and puts that wait to be told. Beyond it ended rows go, never open ones."""
MOST_HELD_BYTES = 64 * 1024 * 1024
"""Of those rows, likewise."""
MOST_QUESTIONS = 1_000
"""Questions that wait for an answer; one more is refused."""
STALLED_AFTER = 1.0
"""Seconds after which a disk that has not answered is told."""

_RETRIES = (0.1, 2.0)
"""Seconds before the first new attempt, and at most; doubled from one to the next."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at whether the file is still there."""
_TRIM_EVERY = 60.0
_TRIM_STEP = 200
"""Rows removed at once: a few milliseconds of work."""
_ANSWERS_A_TURN = 16

T = TypeVar("T")


class StoreState(msgspec.Struct, frozen=True):
    """How the store is."""

    ok: bool
    """The last attempt to reach the file succeeded, and none hangs."""
    message: str
    """For a person."""
    held: int
    """Rows in memory that are not known to be written."""
    dropped: int = 0
    """Rows lost since the start: beyond the bound, put after the end, or not fit to be written."""
    trouble: str = ""
    """What is in the way, without the numbers; empty when nothing is."""


class StoreError(Exception):
    """A question has no answer; says why."""


class AlertStore:
    """Writes rows, and answers questions about those that are written, in the steps of a worker.

    All that waits is written in one transaction, so rows put together become visible together, or with
    later states of theirs. What cannot be written stays in memory and is tried again, for ever.

    Args:
        disk: where the file lies; its folder is made when it is missing.
        kept_days, kept_rows: ended rows older than that, or more than that, are removed.
        seen_window: seconds; see :data:`SEEN_WINDOW`.
        now: epoch seconds.
        lived: as of :class:`tui.store.age_limit.AgeLimit`.
        require: raises OSError while nothing may be written.
        worker: a thread, unless it is given.
    """

    def __init__(
        self,
        disk: Path | Disk,
        *,
        kept_days: float = KEPT_DAYS,
        kept_rows: int = KEPT_ROWS,
        seen_window: float = SEEN_WINDOW,
        now: Callable[[], float] = time.time,
        lived: Callable[[], float] | None = None,
        require: Callable[[], None] = anything_goes,
        worker: Worker | None = None,
    ) -> None:
        self._disk = FileDisk(disk) if isinstance(disk, Path) else disk
        self._worker = worker or WorkerThread("alert store")
        self._age = AgeLimit("alert is", kept_days * DAY, now, lived)
        self._kept_rows = kept_rows
        self._seen_window = seen_window
        self._now = now
        self._require = require
        self.restored: Future[list[Row]] = Future()
        """All open rows and those that ended lately, once the file could be read; without rows that
        were put before that. StoreError if the store was closed first."""

        # Held for the time of a dictionary operation only, never while the disk is used.
        self._lock = threading.Lock()
        self._backlog = Backlog(MOST_HELD, MOST_HELD_BYTES)
        self._questions: deque[tuple[Future[Any], Callable[[AlertFile, dict[str, Row]], Any]]] = deque()
        self._late = 0
        self._closing_at: float | None = None

        self._file: AlertFile | None = None
        self._was_read = False
        self._was_changed = False
        self._trouble: str | None = "not opened yet"
        self._notice: str | None = None
        self._logged: str | None = None
        self._busy_since: float | None = None
        self._retry_at = self._look_at = self._trim_at = 0.0
        self._delay = _RETRIES[0]
        self._written_since_trim = 0

    # What callers use, in any thread.

    def start(self) -> None:
        self._worker.start(self._steps())

    def put(self, rows: Iterable[Row], done: Callable[[], None] | None = None) -> None:
        """Have these rows written, together. Never waits for the disk and never raises.

        Args:
            done: called by the worker when these rows, or later states of theirs, are on disk.
                Never called if one of them was dropped, or if more than :data:`MOST_HELD` wait.
                Without rows: called when all that was put before is on disk.
        """
        rows = tuple(rows)
        with self._lock:
            if self._closing_at is None:
                self._backlog.put(rows, done)
            else:
                self._late += len(rows)
        self._worker.wake()

    def history(
        self, limit: int, before: tuple[float, str] | None = None, wanted: Wanted = EVERY
    ) -> Future[list[Row]]:
        """As of :func:`tui.alerts.store_backlog.ended`; at most :data:`MOST_ASKED` rows.

        Returns:
            StoreError in it says why there is no answer. So with every question.
        """
        return self._ask(lambda file, held: ended(file, held, limit, before, wanted))

    def counts(self, since: float) -> Future[dict[tuple[str, str], int]]:
        """As of :func:`tui.alerts.store_backlog.counted`."""
        return self._ask(lambda file, held: counted(file, held, since))

    def find(self, id: str) -> Future[Row | None]:
        """The latest state of one row, written or not."""
        return self._ask(lambda file, held: held.get(id) or file.find(id))

    @property
    def state(self) -> StoreState:
        held, dropped = len(self._backlog.rows), self._backlog.dropped + self._late
        trouble, since, length = self._trouble, self._busy_since, ""
        if since is not None and (stalled := self._worker.monotonic() - since) >= STALLED_AFTER:
            trouble, length = "the disk has not answered", f" for {stalled:.0f} s"
        if self._closing_at is None and self._worker.broke:
            trouble = "stopped by a mistake of ours, which the log tells"
        words = self._notice or "written"
        if trouble is not None:
            words = f"{trouble}{length}; {held} held in memory"
        if dropped:
            words += f"; {dropped} dropped"
        return StoreState(trouble is None, words, held, dropped, trouble or "")

    def close(self, timeout: float) -> bool:
        """Take no more rows, and wait at most ``timeout`` seconds until all are written.

        Returns:
            Whether all were written. If not, the worker may be left behind, waiting for the disk.
        """
        with self._lock:
            now = self._worker.monotonic()
            self._closing_at = now + timeout
            # A last attempt, though the next was not due in time.
            self._retry_at = min(self._retry_at, now)
        self._worker.wake()
        ended = self._worker.wait(timeout)
        with self._lock:
            left = [future for future, _ in self._questions]
            self._questions.clear()
            if not self._was_read:
                self._was_read = True
                left.append(self.restored)
        for future in left:
            if future.set_running_or_notify_cancel():
                future.set_exception(StoreError("the store was closed"))
        return ended and not self._backlog.rows

    def _ask(self, question: Callable[[AlertFile, dict[str, Row]], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            refusal = None
            if self._closing_at is not None:
                refusal = "the store was closed"
            elif len(self._questions) >= MOST_QUESTIONS:
                refusal = f"more than {MOST_QUESTIONS} questions wait; ask again later"
            else:
                self._questions.append((future, question))
        if refusal:
            future.set_exception(StoreError(refusal))
        self._worker.wake()
        return future

    # The worker's steps.

    def _steps(self) -> Steps:
        while (at := self._due()) is not None:
            if at > self._worker.monotonic():
                yield at
            else:
                yield from self._turn()
        yield None
        self._leave_file()

    def _due(self) -> float | None:
        """When there is something to do; None at the end."""
        with self._lock:
            wanted, closing_at = bool(self._backlog), self._closing_at
            if closing_at is not None and (not wanted or self._worker.monotonic() >= closing_at):
                return None
            if self._questions:
                return 0.0
            is_well = self._trouble is None and not wanted
            at = min(self._look_at, self._trim_at) if is_well else self._retry_at
            return at if closing_at is None else min(at, closing_at)

    def _turn(self) -> Steps:
        # Only what was asked before the rows are taken: an answer holds all that was put before it.
        asked = min(len(self._questions), _ANSWERS_A_TURN)
        if self._worker.monotonic() >= self._retry_at:
            yield from self._use(self._reach_and_write)
        for _ in range(asked):
            yield from self._use(self._answer)
        if self._file is not None and self._trouble is None and self._trim_is_due():
            yield from self._use(self._trim)
        self._note()

    def _use(self, work: Callable[[], Steps]) -> Steps:
        """Do what uses the disk, and say what is in its way."""
        self._busy_since = self._worker.monotonic()
        try:
            yield from work()
        except UnusableError as error:
            self._keep_aside(str(error))
        except MovedError as error:
            self._lose(str(error))
            self._try_again(str(error))
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        except Exception as error:
            log.exception("a mistake in the alert store")
            self._fail(error)
        finally:
            self._busy_since = None

    def _reach_and_write(self) -> Steps:
        yield None
        self._look_at = self._worker.monotonic() + _LOOK_EVERY
        self._require()
        if self._file is not None and (changed := self._disk.changed()):
            self._lose(changed)
        if self._file is None:
            self._open_file()
        with self._lock:
            rows, puts = self._backlog.take()
        if self._backlog:
            yield None
            self._write(rows, puts)
        else:
            self._be_well()

    def _lose(self, why: str) -> None:
        log.warning("%s: %s", self._disk, why)
        self._leave_file()
        self._was_changed = True
        if not self._disk.exists():
            self._notice = f"{why}; a new file was begun"

    def _open_file(self) -> None:
        now = self._now()
        file = AlertFile(self._disk, now)
        try:
            found = [] if self._was_read else file.restored(now - self._seen_window)
            with self._lock:
                is_ours = self._backlog.may_be_open(file.open_ids())
            if self._was_read and self._was_changed and not is_ours:
                # An older copy of ours, or another's: what it calls open would be played at the next start.
                raise UnusableError("another program put a file here in which ended alerts are open")
        except BaseException:
            file.close(now)
            raise
        self._age.start(file.newest())
        self._file, self._was_changed = file, False
        with self._lock:
            found = self._backlog.opened(found)
            first, self._was_read = not self._was_read, True
        if first and self.restored.set_running_or_notify_cancel():
            # Whoever is told of it must not find the store in trouble still.
            self._trouble = None
            self.restored.set_result(found)

    def _write(self, rows: list[Row], puts: int) -> None:
        assert self._file is not None
        refused = self._file.write(rows) if rows else []
        self._written_since_trim += len(rows)
        with self._lock:
            done = self._backlog.written(rows, puts, refused)
        # Whoever is told that it is written must not find it in trouble still.
        self._be_well()
        for note in done:
            try:
                note()
            except Exception:
                log.exception("a caller of the alert store could not be told")

    def _be_well(self) -> None:
        self._trouble = self._busy_since = None
        self._retry_at, self._delay = 0.0, _RETRIES[0]

    def _answer(self) -> Steps:
        yield None
        with self._lock:
            # The end may have taken them.
            if not self._questions:
                return
            future, question = self._questions.popleft()
            held = dict(self._backlog.rows)
        if not future.set_running_or_notify_cancel():
            return
        file = self._file
        if file is None:
            future.set_exception(StoreError(self.state.message))
            return
        try:
            result = question(file, held)
        except UNFIT as error:
            future.set_exception(StoreError(f"no answer: {error}"))
        except Exception as error:
            future.set_exception(StoreError(self._disk.words_of(error)))
            raise
        else:
            future.set_result(result)

    def _trim_is_due(self) -> bool:
        return self._worker.monotonic() >= self._trim_at or self._written_since_trim >= _TRIM_STEP

    def _trim(self) -> Steps:
        yield None
        assert self._file is not None
        self._trim_at, self._written_since_trim = self._worker.monotonic() + _TRIM_EVERY, 0
        if self._file.trim(self._age.before(), self._kept_rows, _TRIM_STEP) == _TRIM_STEP:
            self._trim_at = 0.0

    def _fail(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._keep_aside("corrupt")
            return
        if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL):
            self._leave_file()
        self._try_again(self._disk.words_of(error))

    def _keep_aside(self, why: str) -> None:
        self._leave_file()
        try:
            kept = self._disk.set_aside(self._now())
        except OSError as error:
            self._try_again(f"{why}, and cannot be kept aside ({self._disk.words_of(error)})")
            return
        self._notice = f"{why}; kept aside as {kept}; a new file was begun"
        self._try_again(f"{why}; kept aside as {kept}")

    def _try_again(self, trouble: str) -> None:
        self._trouble = trouble
        self._retry_at = self._worker.monotonic() + self._delay
        self._delay = min(2 * self._delay, _RETRIES[1])

    def _leave_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close(self._now())
            except (sqlite3.Error, OSError) as error:
                log.warning("closing %s: %s", self._disk, error)

    def _note(self) -> None:
        if self._trouble != self._logged:
            level = logging.INFO if self._trouble is None else logging.WARNING
            log.log(level, "%s: %s", self._disk, self.state.message)
            self._logged = self._trouble
