"""The alerts' rows in SQLite, written durably; where its file lies is the disk's concern."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from tui.alerts.store_disk import Disk, MovedError, UnusableError

log = logging.getLogger(__name__)

MOST_ASKED = 1_000
"""Rows of one answer."""

_VERSION = 2
_WAL_KEPT = 4 * 1024 * 1024
_CACHE = 256  # KiB of pages; SQLite's own 2 MB would fill for hours, and the system has them all the same

_TABLE = """CREATE TABLE alerts (
    id TEXT PRIMARY KEY NOT NULL,
    open INTEGER NOT NULL,
    type TEXT NOT NULL,
    outcome TEXT,
    changed_at REAL NOT NULL,
    data BLOB NOT NULL,
    terms TEXT NOT NULL
)"""

T = TypeVar("T")


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One alert, as far as the store has to know it."""

    id: str
    open: bool
    """Waiting or playing; such a row is never trimmed and never dropped."""
    type: str
    outcome: str | None
    changed_at: float
    """Epoch seconds, by which rows are ordered and ended ones aged."""
    data: bytes
    """The whole record, opaque."""
    terms: str = ""
    """What it can be found by, without upper case."""


class Wanted(msgspec.Struct, frozen=True):
    """Which ended rows are meant."""

    type: str | None = None
    outcome: str | None = None
    since: float | None = None
    """Epoch seconds, that moment included."""
    terms: tuple[str, ...] = ()
    """Each in the row's type, outcome or terms; without upper case."""

    def holds(self, row: Row) -> bool:
        text = f"{row.type.lower()} {row.outcome or ''} {row.terms}"
        return (
            self.type in (None, row.type)
            and self.outcome in (None, row.outcome)
            and (self.since is None or row.changed_at >= self.since)
            and all(word in text for word in self.terms)
        )


EVERY = Wanted()


_NAMES = ", ".join(Row.__struct_fields__)
_PUT = (
    f"INSERT INTO alerts ({_NAMES}) VALUES ({', '.join('?' * len(Row.__struct_fields__))}) "
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in Row.__struct_fields__ if name != "id")
)
_ASK = f"SELECT {_NAMES} FROM alerts"


class AlertFile:
    """The SQLite file, used by the store's thread alone.

    Whatever raises ``sqlite3.Error`` or OSError left the rows as they were, or wrote all of them.

    Args:
        now: epoch seconds, by which a file kept aside is named.
    """

    def __init__(self, disk: Disk, now: float) -> None:
        """Open it, or begin it where there is none.

        Raises:
            OSError, sqlite3.Error: it cannot be reached now.
            UnusableError: it is no file of ours, or damaged.
        """
        self._disk = disk
        self._connection = disk.connect(now)
        try:
            self._begin()
        except BaseException as error:
            self.close(now)
            if _is_the_files_own_fault(error, disk):
                raise UnusableError("corrupt") from error
            raise
        disk.note()

    def _begin(self) -> None:
        connection = self._connection
        # What another program has put into a text must not make it unreadable.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        new = version == 0 and not tables
        columns = [column[1] for column in connection.execute("PRAGMA table_info(alerts)")]
        if version > _VERSION:
            raise UnusableError(f"written by a newer version (format {version})")
        if not new and (version != _VERSION or columns != list(Row.__struct_fields__)):
            raise UnusableError("not an alert store")
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL the same as FULL: synced at each commit. Where WAL is not to be had, the journal's
        # removal is synced as well, without which a commit could be undone by a loss of power.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        connection.execute("BEGIN IMMEDIATE")
        if new:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("CREATE INDEX IF NOT EXISTS alerts_open ON alerts (id) WHERE open = 1")
        connection.execute(
            "CREATE INDEX IF NOT EXISTS alerts_ended ON alerts (changed_at, id, type, outcome) WHERE open = 0"
        )
        connection.execute("COMMIT")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise UnusableError("corrupt")

    def close(self, now: float) -> None:
        self._disk.close(self._connection, now)

    def write(self, rows: Iterable[Row]) -> list[str]:
        """Write all of them in one transaction, durably.

        Returns:
            The ids of rows that SQLite does not take, which are left out.

        Raises:
            MovedError: they are lost.
            UnusableError: they are not written, and never will be to this file.
            sqlite3.Error: they are not written.
        """
        values = [_values(row) for row in rows]
        refused: list[str] = []
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            try:
                self._connection.executemany(_PUT, values)
            except UNFIT as error:
                # One row that cannot be written must not hold up all others for ever.
                log.error("an alert cannot be written: %s", error)
                self._roll_back()
                self._connection.execute("BEGIN IMMEDIATE")
                refused = self._write_one_by_one(values)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if _is_the_files_own_fault(error, self._disk):
                raise UnusableError("corrupt") from error
            raise
        if moved := self._disk.moved():
            raise MovedError(moved)
        self._disk.note()
        return refused

    def _write_one_by_one(self, values: list[tuple[Any, ...]]) -> list[str]:
        refused = []
        for one in values:
            try:
                self._connection.execute(_PUT, one)
            except UNFIT as error:
                log.error("alert %r is left out: %s", one[0], error)
                refused.append(one[0])
        return refused

    def _roll_back(self) -> None:
        # A full disk has already undone it.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def restored(self, since: float) -> list[Row]:
        """All open rows, then those that ended ``since``, the oldest first."""
        open_ones = self._rows(f"{_ASK} WHERE open = 1 ORDER BY changed_at, id", ())
        ended = self._rows(f"{_ASK} WHERE open = 0 AND changed_at >= ? ORDER BY changed_at, id", (since,))
        return open_ones + ended

    def newest(self) -> float | None:
        """When the row that ended last did; None for no such row."""
        found = self._connection.execute("SELECT MAX(changed_at) FROM alerts WHERE open = 0").fetchone()[0]
        return found if isinstance(found, float) else None

    def open_ids(self) -> set[str]:
        return {id for (id,) in self._connection.execute("SELECT id FROM alerts WHERE open = 1")}

    def history(self, limit: int, before: tuple[float, str] | None, wanted: Wanted) -> list[Row]:
        """As of :meth:`tui.alerts.store.AlertStore.history`, of the rows that are written."""
        conditions, values = ["open = 0"], list[Any]()
        for condition, value in (
            ("type = ?", _text(wanted.type)),
            ("outcome = ?", _text(wanted.outcome)),
            ("changed_at >= ?", wanted.since),
            *(
                ("instr(lower(type) || ' ' || coalesce(outcome, '') || ' ' || terms, ?)", _text(word))
                for word in wanted.terms
            ),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if before is not None:
            conditions.append("(changed_at, id) < (?, ?)")
            values.extend(before)
        values.append(min(max(limit, 0), MOST_ASKED))
        where = " AND ".join(conditions)
        return self._rows(f"{_ASK} WHERE {where} ORDER BY changed_at DESC, id DESC LIMIT ?", values)

    def counts(self, since: float) -> dict[tuple[str, str], int]:
        counted = self._connection.execute(
            "SELECT type, outcome, COUNT(*) FROM alerts WHERE open = 0 AND changed_at >= ? "
            "GROUP BY type, outcome",
            (since,),
        )
        return {(type_, outcome or ""): number for type_, outcome, number in counted}

    def find(self, id: str) -> Row | None:
        return next(iter(self._rows(f"{_ASK} WHERE id = ?", (_text(id),))), None)

    def trim(self, before: float, kept_rows: int, step: int) -> int:
        """Remove at most ``step`` ended rows that are too old or too many; the number removed."""
        connection = self._connection
        last_kept = connection.execute(
            "SELECT changed_at, id FROM alerts WHERE open = 0 "
            "ORDER BY changed_at DESC, id DESC LIMIT 1 OFFSET ?",
            (kept_rows,),
        ).fetchone()
        removed = connection.execute(
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE open = 0 "
            "AND (changed_at < ? OR (changed_at, id) <= (?, ?)) ORDER BY changed_at, id LIMIT ?)",
            (before, *(last_kept or (None, None)), step),
        ).rowcount
        self._disk.note()
        return removed

    def _rows(self, question: str, values: Iterable[Any]) -> list[Row]:
        rows = []
        for found in self._connection.execute(question, tuple(values)):
            try:
                rows.append(msgspec.convert((found[0], bool(found[1]), *found[2:]), Row))
            except msgspec.ValidationError as error:
                log.warning("alert %r in %s is left out: %s", found[0], self._disk, error)
        return rows


UNFIT = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What Python's or SQLite's side says of values that it does not take."""


def _values(row: Row) -> tuple[Any, ...]:
    # SQLite takes what is no number for nothing at all.
    moment = row.changed_at if row.changed_at == row.changed_at else 0.0
    return tuple(map(_text, astuple(replace(row, changed_at=moment))))


def _text(text: T) -> T | str:
    # A lone surrogate, which JSON can hold, is no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


def _is_the_files_own_fault(error: BaseException, disk: Disk) -> bool:
    """Whether trying again is of no use, beside what SQLite itself calls corrupt."""
    if isinstance(error, UnicodeDecodeError):
        # Names of columns, as Python reads them.
        return True
    code = getattr(error, "sqlite_errorcode", 0)
    # A file in a format that SQLite may only read is told like one that may not be written.
    return code == sqlite3.SQLITE_ERROR or (code == sqlite3.SQLITE_READONLY and disk.may_write())
