"""A recording: lines in compressed blocks, in files that are bounded, written by a thread.

A file is a gzip file of many members, as gzip allows: ``zcat`` reads it. Each member is one block of JSON
lines, and says in its header how long it is, of which time, and what kinds of lines it holds, so that a
reader finds its way by the headers alone. A torn or spoilt block costs that block and no other.
"""

from __future__ import annotations

import enum
import errno
import logging
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from tui.private_files import anything_goes, open_private, private_folder

log = logging.getLogger(__name__)

FOLDER_NAME = "recording"
SUFFIX = ".jsonl.gz"
FILE_BYTES = 64_000_000
"""Of one file; it ends at the next beginning (a line that :attr:`Holds.BEGINNING` marks) after that."""
FILE_SECONDS = 3600.0
"""Of one file, likewise."""
KEPT_BYTES = 1_000_000_000
"""Of all files; the oldest go first, the one that is written never."""
WAITING_BYTES = 32 * 1024 * 1024
"""Lines that wait for the disk; what comes when it is full is dropped and counted."""
FLUSH_EVERY = 0.5
"""Seconds after which a block is written, however small. A crash costs what came since the last one."""
BLOCK_BYTES = 256 * 1024
"""Of lines, before compression; the last line of a block may pass it."""
BLOCK_LINES = 8192
LINE_BYTES = 8 * 1024 * 1024
"""A longer line is dropped and counted. A reader takes no block of more than this and the block's bytes."""

_PRUNE_EVERY = 8_000_000
_LEVEL = 6
_ID = b"OV"
_VERSION = 1
# gzip's own header with an extra field, which is: identifier, length, then what _INDEX packs, then its CRC.
_MAGIC = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"
_INDEX = struct.Struct("<IddHIH")
_EXTRA = struct.pack("<H2sH", 4 + _INDEX.size + 4, _ID, _INDEX.size + 4)
MEMBER_START = _MAGIC + _EXTRA
"""How each block begins; a reader that is lost looks for it."""
HEADER_BYTES = len(MEMBER_START) + _INDEX.size + 4
_TRAILER = struct.Struct("<II")

SYNC = os.fdatasync if hasattr(os, "fdatasync") else os.fsync


class Holds(enum.IntFlag):
    """What a line is, and what a block has at least one of."""

    NOTHING = 0
    BEGINNING = 1
    """It needs nothing that came before: a reader may begin here."""
    SNAPSHOT = 2
    TOLD = 4
    """A line of the log of changes."""
    FRAME = 8
    PAST = 16
    """What is kept of a connection's past."""
    ERROR = 32
    INCIDENT = 64
    """An incident began."""
    LOSS = 128
    """Something is missing here."""


class Header(NamedTuple):
    """What a block says of itself."""

    length: int
    """Bytes of the whole member."""
    begin: float
    """Epoch seconds of its first line."""
    end: float
    holds: Holds
    lines: int


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="lost"):
    """The line that says that others are missing before it."""

    timestamp: float
    lines: int
    because: str


def pack(lines: list[bytes], begin: float, end: float, holds: Holds) -> bytes:
    """One block: a gzip member of ``lines``, which have no line ends."""
    data = b"".join(line + b"\n" for line in lines)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(data) + compressor.flush()
    length = HEADER_BYTES + len(body) + _TRAILER.size
    index = _INDEX.pack(length, begin, end, holds, len(lines), _VERSION)
    start = MEMBER_START + index + struct.pack("<I", zlib.crc32(index))
    return start + body + _TRAILER.pack(zlib.crc32(data), len(data) & 0xFFFFFFFF)


def unpack_header(data: bytes) -> Header | None:
    """The header that ``data`` begins with; None when that is none, or one of another version."""
    if len(data) < HEADER_BYTES or not data.startswith(MEMBER_START):
        return None
    index = data[len(MEMBER_START) : HEADER_BYTES - 4]
    if struct.unpack_from("<I", data, HEADER_BYTES - 4)[0] != zlib.crc32(index):
        return None
    length, begin, end, holds, lines, version = _INDEX.unpack(index)
    if version != _VERSION or length < HEADER_BYTES + _TRAILER.size:
        return None
    return Header(length, begin, end, Holds(holds), lines)


def unpack_lines(member: bytes) -> list[bytes]:
    """The lines of a whole block, without line ends.

    Raises:
        ValueError: it is spoilt, or its lines are more than a writer puts in one.
    """
    if len(member) < HEADER_BYTES + _TRAILER.size:
        raise ValueError("it is not whole")
    most = LINE_BYTES + BLOCK_BYTES + BLOCK_LINES
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = decompressor.decompress(member[HEADER_BYTES : -_TRAILER.size], most)
    except zlib.error as error:
        raise ValueError(f"it cannot be decompressed: {error}") from None
    check, length = _TRAILER.unpack(member[-_TRAILER.size :])
    if not decompressor.eof or length != len(data) or check != zlib.crc32(data):
        raise ValueError("its checksum is wrong")
    return data.split(b"\n")[:-1]


class RecordingFiles:
    """Where blocks go: files named for the time at which they begin, the oldest removed. It may block.

    Args:
        folder: made when it is missing, mode 0700; the files have 0600.
        now: epoch seconds, by which files are named and aged.
        sync: puts what was written on the disk itself.
        require: raises OSError while nothing may be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        file_bytes: int = FILE_BYTES,
        file_seconds: float = FILE_SECONDS,
        kept_bytes: int = KEPT_BYTES,
        now: Callable[[], float] = time.time,
        sync: Callable[[int], None] = SYNC,
        require: Callable[[], None] = anything_goes,
    ) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._file_seconds = file_seconds
        self._kept_bytes = kept_bytes
        self._now = now
        self._sync = sync
        self._require = require
        self._descriptor: int | None = None
        self._path = folder
        self._opened_at = 0.0
        self._size = 0
        self._unpruned = 0

    def write(self, block: bytes, *, beginning: bool) -> None:
        """Append one block and have the disk keep it; a beginning may go into a new file.

        Raises:
            OSError: it is not, or not wholly, written; the next one opens a new file.
        """
        try:
            self._require()
        except OSError:
            self.close()
            raise
        if self._descriptor is not None and self._is_over(beginning):
            self.close()
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, block)
            if written < len(block):
                os.ftruncate(self._descriptor, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += written
            self._sync(self._descriptor)
        except OSError:
            self.close()
            raise
        self._unpruned += len(block)
        if self._unpruned >= min(_PRUNE_EVERY, self._file_bytes):
            self._prune()

    def _is_over(self, beginning: bool) -> bool:
        assert self._descriptor is not None
        if not os.fstat(self._descriptor).st_nlink:
            # Somebody deleted it: what is written to a file without a name is lost.
            return True
        if self._size >= 2 * self._file_bytes:
            return True
        full = self._size >= self._file_bytes
        return beginning and (full or not 0 <= self._now() - self._opened_at < self._file_seconds)

    def _open(self) -> None:
        private_folder(self._folder)
        self._opened_at = self._now()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        # Never the file of an earlier run: its end may be torn.
        for number in range(1000):
            path = self._folder / f"{_name(self._opened_at + number / 1000)}{SUFFIX}"
            try:
                self._descriptor = open_private(path, flags)
            except FileExistsError:
                continue
            self._path, self._size = path, 0
            self._prune()
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._folder))

    def _prune(self) -> None:
        self._unpruned = 0
        total = 0
        for path in sorted(self._folder.glob(f"*{SUFFIX}"), reverse=True):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # somebody else removed it
            if path != self._path and total > self._kept_bytes:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; a later block opens another. An empty one is removed."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)
        if not self._size:
            self._path.unlink(missing_ok=True)


def _name(timestamp: float) -> str:
    moment = datetime.fromtimestamp(timestamp, UTC)
    return f"{moment:%Y-%m-%dT%H%M%S}.{moment.microsecond // 1000:03}Z"


class _Waiting(NamedTuple):
    timestamp: float
    line: bytes
    holds: Holds
    missing: int = 0
    """Lines that this one says are missing."""


def _lost(timestamp: float, lines: int, because: str) -> _Waiting:
    line = msgspec.json.encode(Lost(timestamp=timestamp, lines=lines, because=because))
    return _Waiting(timestamp, line, Holds.LOSS, lines)


class Recording:
    """Takes lines from any thread and never waits for the disk.

    Args:
        files: where the blocks go; only the recording's thread calls it, and it may block.
        waiting_bytes: of lines that may wait for the disk.
        flush_every: seconds after which a block is written, however small.
    """

    def __init__(
        self,
        files: RecordingFiles,
        *,
        waiting_bytes: int = WAITING_BYTES,
        flush_every: float = FLUSH_EVERY,
    ) -> None:
        self._files = files
        self._waiting_bytes = waiting_bytes
        self._flush_every = flush_every
        self._lines: deque[_Waiting] = deque()
        self._bytes = 0
        # Held for the time of deque operations only, never while something is written.
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._refused = 0
        """Lines that were not taken since the last that was."""
        self._unwritten = 0
        """Lines that the disk did not take since the last block that it took."""
        self._because = ""
        self.dropped = 0
        """Lines lost since the start: no room to wait, too long, not written, or after the end."""
        self.last_error: OSError | None = None
        """The last write that failed; None once another succeeded."""
        self._thread = threading.Thread(target=self._run, name="recording writer", daemon=True)
        self._thread.start()

    def add(self, timestamp: float, line: bytes, holds: Holds) -> bool:
        """Hand over one JSON line, without its line end; False when it was dropped. Never waits."""
        with self._changed:
            if self._closing:
                self.dropped += 1
                return False
            too_long = len(line) > LINE_BYTES
            if too_long or self._bytes + len(line) > self._waiting_bytes:
                self.dropped += 1
                self._refused += 1
                self._because = "a line was too long" if too_long else "the disk was too slow"
                return False
            if self._refused:
                self._append(_lost(timestamp, self._refused, self._because))
                self._refused = 0
            self._append(_Waiting(timestamp, line, holds))
            return True

    def _append(self, waiting: _Waiting) -> None:
        self._lines.append(waiting)
        self._bytes += len(waiting.line)
        if len(self._lines) == 1 or self._is_full():
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Take no more and wait at most ``timeout`` seconds for the disk; whether all was written.

        If not, the thread is left behind; it holds no interpreter up.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._unwritten

    def _is_full(self) -> bool:
        return self._bytes >= BLOCK_BYTES or len(self._lines) >= BLOCK_LINES

    # The thread

    def _run(self) -> None:
        while taken := self._take():
            self._put(taken)
        self._files.close()

    def _take(self) -> list[_Waiting]:
        """The lines of the next block, once it is due; none at the end."""
        with self._changed:
            while not self._lines and not self._closing:
                self._changed.wait()
            due = time.monotonic() + self._flush_every
            while not self._closing and not self._is_full():
                left = due - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._closing and self._refused:
                self._append(_lost(time.time(), self._refused, self._because))
                self._refused = 0
            taken: list[_Waiting] = []
            size = 0
            while self._lines and size < BLOCK_BYTES and len(taken) < BLOCK_LINES:
                if taken and self._lines[0].holds & Holds.BEGINNING:
                    # What a reader may begin with begins a block, and so may begin a file.
                    break
                taken.append(self._lines.popleft())
                size += len(taken[-1].line)
            self._bytes -= size
            return taken

    def _put(self, taken: list[_Waiting]) -> None:
        beginning = bool(taken[0].holds & Holds.BEGINNING)
        if self._unwritten:
            taken.insert(0, _lost(taken[0].timestamp, self._unwritten, _words(self.last_error)))
        holds = Holds.NOTHING
        for each in taken:
            holds |= each.holds
        times = [each.timestamp for each in taken]
        try:
            block = pack([each.line for each in taken], min(times), max(times), holds)
            self._files.write(block, beginning=beginning)
        except OSError as error:
            if self.last_error is None:
                log.error("the recording cannot be written: %s", error.strerror)
            lost = sum(1 for each in taken if not each.missing)
            self.dropped += lost
            # One that told of others is lost with them; the next tells of all.
            self._unwritten = lost + sum(each.missing for each in taken)
            self.last_error = error
            return
        if self.last_error is not None:
            log.info("the recording is written again")
        self.last_error = None
        self._unwritten = 0


def _words(error: OSError | None) -> str:
    return str(error.strerror) if error is not None else ""
