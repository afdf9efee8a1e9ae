"""What was recorded, read again: found by the headers of its blocks, however much of it is spoilt."""

from __future__ import annotations

import bisect
import os
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tui.private_files import open_to_read
from tui.store.recording import (
    FOLDER_NAME,
    HEADER_BYTES,
    MEMBER_START,
    SUFFIX,
    Header,
    unpack_header,
    unpack_lines,
)

_CHUNK = 1 << 20
_KEPT_BYTES = 16 * 1024 * 1024
_LATE_NAME = 120.0
"""Seconds: a slow disk may have a file begun that much after its first line."""


class Block(NamedTuple):
    """Where a block is. In the order of writing; the times of neighbours may overlap."""

    file: int
    """The file's place among those of the recording."""
    offset: int
    header: Header


class RecordedFile:
    """The index of one file, made from the headers alone.

    Attributes:
        blocks: in the order of the file.
        spoilt: bytes in which no block was found; a torn end among them.
    """

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self.spoilt = 0
        self._number = number
        self._indexed_to = 0
        self.end = 0.0
        """Epoch seconds, the latest of which it holds anything."""
        self._begins: list[float] = []

    def index(self) -> bool:
        """Find the blocks that were added since the last call; whether there were any.

        Raises:
            OSError: it cannot be read.
        """
        found = False
        descriptor = open_to_read(self.path)
        try:
            size = os.fstat(descriptor).st_size
            offset = self._indexed_to
            header = _header(descriptor, offset, size)
            while offset < size:
                if header is not None:
                    end = offset + header.length
                    following = _header(descriptor, end, size)
                    lost = following is None and end < size
                    # Where none follows, this one may lie about its length: the next is sought within it.
                    place = _next_member(descriptor, offset + 1, size) if lost else None
                    if place is None or place >= end:
                        self._take(Block(self._number, offset, header))
                        offset, header, found = end, following, True
                        continue
                else:
                    place = _next_member(descriptor, offset + 1, size)
                    if place is None:
                        # A torn end, or one that is just being written: it is looked at again.
                        break
                self.spoilt += place - offset
                offset, header = place, _header(descriptor, place, size)
            self._indexed_to = offset
            return found
        finally:
            os.close(descriptor)

    def _take(self, block: Block) -> None:
        self.blocks.append(block)
        self.end = max(self.end, block.header.end)
        # A clock that was set back must not put later blocks before earlier ones.
        begin = block.header.begin
        self._begins.append(max(self._begins[-1], begin) if self._begins else begin)

    def place(self, at: float) -> int:
        """The place of the last block that begins at or before ``at``; -1 when all begin later."""
        return bisect.bisect_right(self._begins, at) - 1

    def place_of(self, offset: int) -> int:
        """The place of the first block that begins at or after ``offset``."""
        return bisect.bisect_left(self.blocks, offset, key=lambda block: block.offset)

    def at_offset(self, offset: int) -> Block | None:
        """The block that begins there."""
        place = self.place_of(offset)
        if place < len(self.blocks) and self.blocks[place].offset == offset:
            return self.blocks[place]
        return None


def _header(descriptor: int, offset: int, size: int) -> Header | None:
    """The header of the block there; None when there is none, or none that ends within ``size``."""
    header = unpack_header(os.pread(descriptor, HEADER_BYTES, offset))
    return header if header is not None and offset + header.length <= size else None


def _next_member(descriptor: int, offset: int, size: int) -> int | None:
    while offset < size:
        chunk = os.pread(descriptor, _CHUNK, offset)
        place = chunk.find(MEMBER_START)
        while place >= 0:
            if _header(descriptor, offset + place, size) is not None:
                return offset + place
            place = chunk.find(MEMBER_START, place + 1)
        if len(chunk) < len(MEMBER_START):
            return None
        offset += len(chunk) - len(MEMBER_START) + 1
    return None


class Recorded:
    """A recording of one file or of a folder of them; files are read when they are needed, and not before.

    One that is still written may be read: :meth:`look` finds what was added. For one thread at a time.

    Args:
        path: a file, or a folder: the recording's own or the state folder.

    Raises:
        FileNotFoundError: there is no recording.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[RecordedFile] = []
        self._indexed: set[int] = set()
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._kept_bytes = 0
        self.unreadable = 0
        """Blocks that are spoilt inside, of those that were read."""
        self._unreadable: set[tuple[int, int]] = set()
        self.look()
        if not self._files:
            raise FileNotFoundError(2, "there is no recording", str(path))

    def look(self) -> bool:
        """Find what was written since the last look; whether there was anything.

        Raises:
            OSError: it cannot be read.
        """
        known = {each.path for each in self._files}
        new = [path for path in _paths(self._path) if path not in known]
        added = bool(self._files) and self._index(len(self._files) - 1, again=True)
        self._files += [RecordedFile(path, number) for number, path in enumerate(new, start=len(self._files))]
        return added or bool(new)

    def _index(self, number: int, *, again: bool = False) -> bool:
        if number in self._indexed and not again:
            return False
        try:
            found = self._files[number].index()
        except FileNotFoundError:
            # The oldest goes while its successor is written.
            self._indexed.add(number)
            return False
        self._indexed.add(number)
        return found

    def _file(self, number: int) -> RecordedFile:
        self._index(number)
        return self._files[number]

    @property
    def spoilt(self) -> int:
        """Bytes in which no block was found, of the files that were needed so far."""
        return sum(each.spoilt for each in self._files)

    def bounds(self) -> tuple[float, float] | None:
        """Epoch seconds of the first and of the last block; None when there is none."""
        first = next(self.forward(0, 0), None)
        last = next(self.backward(), None)
        if first is None or last is None:
            return None
        # A clock that was set back has the last one end before an earlier one.
        return first.header.begin, max(each.end for each in self._files if each.blocks)

    def holding(self, at: float) -> tuple[int, int]:
        """File and place of the last block that begins at or before ``at``; place -1 when none does."""
        for number in range(len(self._files) - 1, -1, -1):
            file = self._files[number]
            # By its name first: most files need not be opened.
            if number and _named_after(file.path, at):
                continue
            place = self._file(number).place(at)
            if place >= 0:
                return number, place
        return 0, -1

    def forward(self, file: int, place: int) -> Iterator[Block]:
        """The blocks from that place on."""
        for number in range(file, len(self._files)):
            blocks = self._file(number).blocks
            yield from blocks[max(0, place) :]
            place = 0

    def backward(self, file: int | None = None, place: int | None = None) -> Iterator[Block]:
        """The blocks from that place back; from the last one unless given."""
        start = len(self._files) - 1 if file is None else file
        for number in range(start, -1, -1):
            blocks = self._file(number).blocks
            last = len(blocks) - 1 if place is None else place
            for index in range(last, -1, -1):
                yield blocks[index]
            place = None

    def find(self, file: int, offset: int) -> Block | None:
        """The block that begins there."""
        return self._file(file).at_offset(offset) if 0 <= file < len(self._files) else None

    def place_of(self, block: Block) -> int:
        """The place of a block among those of its file."""
        return self._file(block.file).place_of(block.offset)

    def lines(self, block: Block) -> list[bytes]:
        """The lines of one block; none, and it is counted, when it is spoilt inside or gone."""
        key = (block.file, block.offset)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        try:
            lines = unpack_lines(_read(self._files[block.file].path, block.offset, block.header.length))
        except (ValueError, FileNotFoundError):
            self._unreadable.add(key)
            self.unreadable = len(self._unreadable)
            return []
        self._kept[key] = lines
        self._kept_bytes += sum(map(len, lines))
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= sum(map(len, oldest))
        return lines


def _read(path: Path, offset: int, length: int) -> bytes:
    descriptor = open_to_read(path)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def _paths(path: Path) -> list[Path]:
    if path.is_file():
        # What a person names may be a link.
        return [path.resolve()]
    inner = path / FOLDER_NAME
    return sorted((inner if inner.is_dir() else path).glob(f"*{SUFFIX}"))


def _named_after(path: Path, at: float) -> bool:
    """Whether the name says that the file was begun well after ``at``."""
    text = path.name.removesuffix(SUFFIX)
    try:
        begun = datetime.strptime(text, "%Y-%m-%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        # Renamed: it must be looked into.
        return False
    return begun > at + _LATE_NAME
