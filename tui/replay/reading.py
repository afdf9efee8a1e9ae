"""Reads a recording forward: puts together what was shown from what changed."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from tui.engine.api import LogLine, Snapshot
from tui.replay.differences import DifferenceError, applied
from tui.replay.records import Changed, Told, Whole, decode, decode_value, starts
from tui.replay.source import LINES_HELD
from tui.store.recorded import Block, Recorded

FILE_FACTOR = 10**13
OFFSET_FACTOR = 10**4
"""Of the numbers in a cursor: more than a file has bytes, times more than a block has lines."""

_SHOWN = (starts("whole"), starts("changed"), starts("told"))


def lines_of(recorded: Recorded, block: Block, kinds: tuple[bytes, ...]) -> list[tuple[int, bytes]]:
    """The lines of a block that start so, each with its place in it."""
    return [(index, line) for index, line in enumerate(recorded.lines(block)) if line.startswith(kinds)]


def cursor_of(block: Block, index: int) -> int:
    """Where a line stands, as one number that grows through the recording; never 0, which is before all."""
    return block.file * FILE_FACTOR + block.offset * OFFSET_FACTOR + index + 1


class Reading:
    """Stands somewhere in a recording, with what was shown there; goes forward."""

    def __init__(self, recorded: Recorded, begin: Block | None) -> None:
        self._recorded = recorded
        self.at = begin.header.begin if begin is not None else 0.0
        self.lines: deque[LogLine] = deque(maxlen=LINES_HELD)
        self.problem: str | None = None
        """Why nothing is known though something is recorded, in words."""
        self._document: Any = None
        self._number = 0
        self._taken_at = 0.0
        self._snapshot: Snapshot | None = None
        self._block = begin
        self._index = 0

    @property
    def is_nowhere(self) -> bool:
        """There was nothing to begin with."""
        return self._block is None

    def read_to(self, at: float) -> None:
        """Take in all that was shown up to ``at``."""
        self.at = max(self.at, at)
        if self._block is None:
            return
        place = self._recorded.place_of(self._block)
        for block in self._recorded.forward(self._block.file, place):
            if block != self._block:
                if block.header.begin > at:
                    return
                self._block, self._index = block, 0
            for index, line in lines_of(self._recorded, block, _SHOWN):
                if index < self._index:
                    continue
                record = decode(line)
                if isinstance(record, (Whole, Changed, Told)) and record.timestamp > at:
                    self._index = index
                    return
                self._take(record, cursor_of(block, index))
                self._index = index + 1

    def _take(self, record: object, cursor: int) -> None:
        if isinstance(record, Told) and not record.missed:
            self.lines.append(record.line(cursor))
        elif isinstance(record, Whole):
            self._put(record, decode_value(record.snapshot))
        elif isinstance(record, Changed):
            if self._document is None or record.number != self._number + 1:
                self._lose(record, "what was shown is not on record until the next whole snapshot")
                return
            try:
                self._put(record, applied(self._document, decode_value(record.changes)))
            except DifferenceError as error:
                self._lose(record, f"the recording is spoilt: {error}")

    def _put(self, record: Whole | Changed, document: Any) -> None:
        if document is not self._document:
            self._snapshot = None
        self._document, self._number, self._taken_at = document, record.number, record.timestamp
        self.problem = None

    def _lose(self, record: Changed, why: str) -> None:
        self._document = self._snapshot = None
        self.problem = why

    def snapshot(self) -> Snapshot | None:
        """What was shown last, as it was published; None when that is not known."""
        if self._document is None:
            return None
        if self._snapshot is None:
            try:
                self._snapshot = msgspec.convert(self._document, Snapshot)
            except msgspec.ValidationError as error:
                self.problem = f"the recording is of another version: {error}"
                return None
        taken_at = self._taken_at
        return msgspec.structs.replace(
            self._snapshot,
            taken_at=taken_at,
            connections=tuple(
                msgspec.structs.replace(
                    each,
                    details=msgspec.structs.replace(
                        each.details, time_in_state=max(0.0, taken_at - each.details.time_in_state)
                    ),
                )
                for each in self._snapshot.connections
            ),
        )
