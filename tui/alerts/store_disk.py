"""Where the alerts' file lies: made with care, watched for what other programs do to it, kept aside when it
cannot be used, and what is in the way of it in words."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tui.system.private_files import NotOursError, check_private, open_private, private_folder

log = logging.getLogger(__name__)

_BUSY = 0.25
"""Seconds to wait for another program's lock before it is told."""
_ROOM_TO_OPEN = 64 * 1024


class UnusableError(Exception):
    """The file is no store of ours, or damaged; it must be kept aside."""


class MovedError(Exception):
    """The file is no longer under its name: what was written to it is lost."""


class Disk(Protocol):
    """Holds one database, as :class:`FileDisk` does; each of its methods may take as long as it likes."""

    def connect(self, now: float) -> sqlite3.Connection: ...

    def note(self) -> None: ...

    def changed(self) -> str | None: ...

    def moved(self) -> str | None: ...

    def close(self, connection: sqlite3.Connection, now: float) -> None: ...

    def exists(self) -> bool: ...

    def set_aside(self, now: float) -> str: ...

    def may_write(self) -> bool: ...

    def words_of(self, error: Exception) -> str: ...


Stat = tuple[int, int, int, int]
"""Device, inode, size and time of change in nanoseconds."""


class FileDisk:
    """The real one: a file with SQLite's own two beside it. The folder gets 0700, its files 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = _names(path)
        self._seen: list[Stat | None] = [None] * len(self._names)

    def __str__(self) -> str:
        return str(self._path)

    def connect(self, now: float) -> sqlite3.Connection:
        """Open the database, or an empty one where there is none.

        Args:
            now: epoch seconds, by which what must be kept aside is named. So in all that follows.

        Raises:
            NotOursError: others could read or write it.
            OSError, sqlite3.Error: it cannot be reached now.
        """
        self._prepare(now)
        self._seen = [None] * len(self._names)
        return sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None)

    def close(self, connection: sqlite3.Connection, now: float) -> None:
        """Close it; if it is no longer under its name, its write-ahead log is kept aside.

        Raises:
            OSError, sqlite3.Error: something of it is left.
        """
        file = _same(_stat_of(self._names[0]), self._seen[0])
        wal = _same(_stat_of(self._names[1]), self._seen[1])
        # SQLite leaves the log where it is if the file it belongs to has gone.
        connection.close()
        if wal and not file:
            self._keep_orphan(now)

    def note(self) -> None:
        """The database was used by us: what it looks like now is our own doing, unless another file took its
        place."""
        for place, name in enumerate(self._names):
            before, now = self._seen[place], _stat_of(name)
            if before is None or _same(before, now):
                self._seen[place] = now

    def changed(self) -> str | None:
        """What another program did to it since our last use of it, in words."""
        before, now = self._seen[0], _stat_of(self._path)
        if _same(now, before) and now != before:
            return "changed by another program"
        return self.moved()

    def moved(self) -> str | None:
        """Of this, what takes away all that was written."""
        for name, before in zip(self._names, self._seen, strict=True):
            now = _stat_of(name)
            if before is not None and now is None:
                return f"{name.name} was deleted"
            if before is not None and not _same(now, before):
                return f"{name.name} was replaced"
        return None

    def exists(self) -> bool:
        return self._path.exists()

    def may_write(self) -> bool:
        return os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)

    def set_aside(self, now: float) -> str:
        """Give the file and its write-ahead log a name that nothing else has, which is returned.

        Raises:
            OSError: they stay where they are.
        """
        kept = self._free_name("corrupt", now)
        # The log goes after the file: alone, the file could pass for a sound one that lost its last rows.
        os.rename(self._path, kept)
        _, wal, shared = self._names
        if wal.exists():
            os.rename(wal, _names(kept)[1])
        shared.unlink(missing_ok=True)
        return kept.name

    def words_of(self, error: Exception) -> str:
        """What is in the way, for a person."""
        if isinstance(error, NotOursError):
            return f"{self._path} {error.strerror}"
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        number = error.errno if isinstance(error, OSError) else 0
        if number == errno.ENOLCK:
            return str(error.args[1])
        if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT) or self._is_full(code):
            return FULL
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return "locked by another program"
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or number in (
            errno.EROFS,
            errno.EACCES,
            errno.EPERM,
        ):
            return f"read-only, or not ours: {self._path}"
        if code == sqlite3.SQLITE_IOERR or number == errno.EIO:
            return f"I/O error ({getattr(error, 'sqlite_errorname', 'EIO')})"
        return f"{str(error)[:200]}: {self._path} cannot be used"

    def _is_full(self, code: int) -> bool:
        # SQLite tells so only of what it writes, not of the files that it makes beside.
        if code not in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return False
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < _ROOM_TO_OPEN

    def _prepare(self, now: float) -> None:
        """Make the folder and an empty file where they are missing, and let nobody else read them.

        Never opens a file that SQLite may have open: to close it again would release SQLite's locks.
        """
        path = self._path
        private_folder(path.parent, may_be_link=True)
        # SQLite follows links.
        for name in (*self._names, path.with_name(path.name + "-journal")):
            check_private(name)
        found, wal = _stat_of(path), _stat_of(self._names[1])
        if (found is None or not found[2]) and wal is not None and wal[2]:
            # SQLite would delete it.
            self._keep_orphan(now)
        if found is None:
            os.close(open_private(path, os.O_RDWR | os.O_CREAT))
        for name in self._names:
            try:
                if name.exists() and name.stat().st_mode & 0o077:
                    name.chmod(0o600)
            except PermissionError as error:
                log.warning("others may read %s: %s", name, error)

    def _keep_orphan(self, now: float) -> None:
        """Take away a write-ahead log that lost its file: with another one, it would spoil that."""
        kept = self._free_name("orphan", now)
        os.rename(self._names[1], _names(kept)[1])
        log.warning("%s-wal has lost its file and is kept aside as %s-wal", self._path, kept.name)

    def _free_name(self, kind: str, now: float) -> Path:
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
        number, name = 1, self._path.with_name(f"{self._path.name}.{kind}-{stamp}")
        while any(os.path.lexists(one) for one in _names(name)):
            number += 1
            name = self._path.with_name(f"{self._path.name}.{kind}-{stamp}-{number}")
        return name


FULL = "disk full"


def _names(path: Path) -> tuple[Path, Path, Path]:
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _stat_of(path: Path) -> Stat | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _same(one: Stat | None, other: Stat | None) -> bool:
    return one is not None and other is not None and one[:2] == other[:2]
