"""What was on the screen, from a recording."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tui.engine.api import (
    CommandResult,
    ConnectionHistory,
    Frame,
    FrameContent,
    FramePage,
    LogLine,
)
from tui.replay.controls import Mark, MarkKind
from tui.replay.reading import FILE_FACTOR, OFFSET_FACTOR, Reading, cursor_of, lines_of
from tui.replay.records import (
    Changed,
    IncidentBegan,
    Past,
    RecordedFrame,
    Told,
    Whole,
    decode,
    encode,
    starts,
)
from tui.replay.source import (
    LINES_HELD,
    SILENT_AFTER,
    Event,
    Shown,
    SourceKind,
    moment,
    thinned,
)
from tui.store.recorded import Block, Recorded
from tui.store.recording import Holds

LINES_BACK = 3600.0
"""Seconds before a moment in which lines of the log are looked for."""
FRAMES_BACK = 300.0
"""Seconds before a moment in which a connection's frames are looked for."""
PAST_BACK = 300.0
"""Seconds before a moment in which a connection's past is looked for: it is recorded every 30 s."""

_READ_ON = 60.0
"""Seconds forward that are read on from where the reading stands; further on a whole snapshot is sought."""
_LANDS_WITHIN = 2.0
_PREVIEW_LIMIT = 200
_OVERLAP = 60.0
"""Seconds by which the times of neighbouring blocks may overlap: lines are older than their block's look."""

_WHOLE, _CHANGED, _TOLD = starts("whole"), starts("changed"), starts("told")
_FRAME, _PAST, _INCIDENT = starts("frame"), starts("past"), starts("incident")


class RecordingSource:
    """Implements :class:`tui.replay.source.Source`.

    Args:
        path: as of :class:`tui.store.recorded.Recorded`, whose errors it raises.
    """

    kind: SourceKind = "recording"

    def __init__(self, path: Path) -> None:
        self._recorded = Recorded(path)
        if self._recorded.bounds() is None:
            raise FileNotFoundError(2, "the recording holds nothing that can be read", str(path))
        self._reading: Reading | None = None

    @property
    def spoilt(self) -> str | None:
        """How much of what was needed so far could not be read, in words; None for nothing."""
        blocks, spoilt = self._recorded.unreadable, self._recorded.spoilt
        parts = [f"{blocks} blocks" if blocks else "", f"{spoilt:,} bytes" if spoilt else ""]
        words = " and ".join(filter(None, parts))
        return f"{words} of the recording cannot be read" if words else None

    def bounds(self) -> tuple[float, float]:
        """As of :class:`tui.replay.source.Source`; what was written meanwhile is in it."""
        self._recorded.look()
        bounds = self._recorded.bounds()
        return (0.0, 0.0) if bounds is None else bounds

    def first_shown(self) -> float:
        """As of :class:`tui.replay.source.Source`."""
        for block in self._recorded.forward(0, 0):
            if block.header.holds & Holds.BEGINNING:
                for _, line in lines_of(self._recorded, block, (_WHOLE,)):
                    record = decode(line)
                    if isinstance(record, Whole):
                        return record.timestamp
        return self.bounds()[0]

    def shown(self, at: float) -> Shown:
        """As of :class:`tui.replay.source.Source`."""
        reading = self._reading
        if reading is None or reading.is_nowhere or not reading.at <= at <= reading.at + _READ_ON:
            reading = self._reading = self._begin_reading(at)
        reading.read_to(at)
        snapshot = reading.snapshot()
        if snapshot is None:
            return Shown(None, reading.problem or self._nothing_yet(at))
        if at - snapshot.taken_at > SILENT_AFTER and snapshot.stopped is None:
            return Shown(snapshot, reading.problem or self._missing(snapshot.taken_at, at))
        return Shown(snapshot)

    def _nothing_yet(self, at: float) -> str:
        begin = self.bounds()[0]
        if at < begin:
            return f"nothing is recorded before {moment(begin)}"
        return "what was shown is not on record until the next whole snapshot"

    def _missing(self, last: float, at: float) -> str:
        resumes = self.resumes(at)
        verb = "is recorded" if self.spoilt is None else "can be read"
        if resumes is None:
            return f"nothing {verb} after {moment(last)}"
        return f"nothing {verb} from {moment(last)} to {moment(resumes)}"

    def _begin_reading(self, at: float) -> Reading:
        """Stand at the last whole snapshot before ``at``, the lines before it held."""
        file, place = self._recorded.holding(at)
        begin: Block | None = None
        if place >= 0:
            for block in self._recorded.backward(file, place):
                if block.header.holds & Holds.BEGINNING and self._begins_before(block, at):
                    begin = block
                    break
        reading = Reading(self._recorded, begin)
        if begin is not None:
            reading.lines.extendleft(self._lines_before(begin, at))
        return reading

    def _begins_before(self, block: Block, at: float) -> bool:
        for _, line in lines_of(self._recorded, block, (_WHOLE,)):
            record = decode(line)
            return isinstance(record, Whole) and record.timestamp <= at
        return False

    def _lines_before(self, begin: Block, at: float) -> Iterator[LogLine]:
        """The lines of the log in front of a block, the latest first."""
        found = 0
        for block in self._recorded.backward(begin.file, self._recorded.place_of(begin) - 1):
            if found >= LINES_HELD or block.header.end < at - LINES_BACK:
                return
            if block.header.holds & Holds.TOLD:
                for index, line in reversed(lines_of(self._recorded, block, (_TOLD,))):
                    record = decode(line)
                    if isinstance(record, Told) and not record.missed:
                        found += 1
                        yield record.line(cursor_of(block, index))

    def lines(self) -> tuple[LogLine, ...]:
        """As of :class:`tui.replay.source.Source`."""
        return () if self._reading is None else tuple(self._reading.lines)

    # Frames and pasts

    def frames(self, name: str, after: int, limit: int, at: float) -> FramePage | CommandResult:
        """As of :class:`tui.replay.source.Source`; what is older than :data:`FRAMES_BACK` is not shown."""
        wanted = b'"connection":%b,' % encode(name)
        found: list[Frame] = []
        missed = 0
        latest = 0
        for block in self._back_from(at, FRAMES_BACK):
            if not block.header.holds & Holds.FRAME:
                continue
            if cursor_of(block, block.header.lines) <= after:
                break
            for index, line in reversed(lines_of(self._recorded, block, (_FRAME,))):
                cursor = cursor_of(block, index)
                if cursor <= after:
                    break
                if wanted not in line[:1000] or not isinstance(record := decode(line), RecordedFrame):
                    continue
                if record.timestamp > at or record.connection != name:
                    continue
                latest = latest or cursor
                if len(found) < limit:
                    found.append(_frame(record, cursor))
                else:
                    missed += 1
            if len(found) >= limit and not after:
                break
        if not latest:
            last = self._recorded_frame(after)
            # Time went back: a cursor that does too has whoever asks forget what came later.
            latest = 0 if last is not None and last.timestamp > at else after
        return FramePage(frames=tuple(reversed(found)), next_cursor=latest, missed=missed if after else 0)

    def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        """As of :class:`tui.replay.source.Source`."""
        record = self._recorded_frame(cursor)
        if record is None or record.connection != name:
            return CommandResult(ok=False, message="the frame is not in the recording")
        return FrameContent(frame=_frame(record, cursor), payload=record.payload, cut=record.cut)

    def _recorded_frame(self, cursor: int) -> RecordedFrame | None:
        file, rest = divmod(cursor, FILE_FACTOR)
        offset, number = divmod(rest, OFFSET_FACTOR)
        block = self._recorded.find(file, offset)
        lines = [] if block is None else self._recorded.lines(block)
        record = decode(lines[number - 1]) if 1 <= number <= len(lines) else None
        return record if isinstance(record, RecordedFrame) else None

    def history(self, name: str, at: float) -> ConnectionHistory | CommandResult:
        """As of :class:`tui.replay.source.Source`: as it was when it was last recorded, up to 30 s before."""
        for block in self._back_from(at, PAST_BACK):
            if not block.header.holds & Holds.PAST:
                continue
            for _, line in reversed(lines_of(self._recorded, block, (_PAST,))):
                record = decode(line)
                if isinstance(record, Past) and record.timestamp <= at and record.history.name == name:
                    return record.history
        return CommandResult(ok=False, message=f"the recording holds no past of {name} at that time")

    def _back_from(self, at: float, seconds: float) -> Iterator[Block]:
        file, place = self._recorded.holding(at)
        if place < 0:
            return
        for block in self._recorded.backward(file, place):
            if block.header.end < at - seconds:
                return
            yield block

    # The time line

    def event(self, at: float, beyond: int | None, *, forward: bool, incidents: bool) -> Event | None:
        """As of :class:`tui.replay.source.Source`."""
        wanted = Holds.INCIDENT if incidents else Holds.TOLD
        kinds = (_INCIDENT,) if incidents else (_TOLD,)
        file, place = self._recorded.holding(at if forward else at + _OVERLAP)
        if place < 0:
            if not forward:
                return None
            file, place = 0, 0
        recorded = self._recorded
        blocks = recorded.forward(*self._earlier(file, place)) if forward else recorded.backward(file, place)
        for block in blocks:
            if not block.header.holds & wanted:
                continue
            lines = lines_of(recorded, block, kinds)
            for index, line in lines if forward else reversed(lines):
                record = decode(line)
                order = cursor_of(block, index)
                if not isinstance(record, (Told, IncidentBegan)) or (
                    isinstance(record, Told) and record.missed
                ):
                    continue
                if beyond is not None:
                    reached = order > beyond if forward else order < beyond
                else:
                    reached = record.timestamp > at if forward else record.timestamp < at
                if reached:
                    return Event(
                        record.timestamp,
                        _words(record),
                        order,
                        self._lands(block, record.timestamp),
                        isinstance(record, IncidentBegan),
                    )
        return None

    @staticmethod
    def _earlier(file: int, place: int) -> tuple[int, int]:
        """Lines are a little older than what was written just before them."""
        return file, max(0, place - 2)

    def _lands(self, block: Block, timestamp: float) -> float:
        """When the first snapshot of that moment or a later one was taken; soon after it, or at it."""
        file = block.file
        place = self._recorded.place_of(block)
        for each in self._recorded.forward(*self._earlier(file, place)):
            if each.header.begin > timestamp + _LANDS_WITHIN:
                break
            for _, line in lines_of(self._recorded, each, (_WHOLE, _CHANGED)):
                record = decode(line)
                if isinstance(record, (Whole, Changed)) and record.timestamp >= timestamp:
                    return record.timestamp if record.timestamp <= timestamp + _LANDS_WITHIN else timestamp
        return timestamp

    def marks(self, begin: float, end: float, most: int) -> tuple[Mark, ...]:
        """As of :class:`tui.replay.source.Source`, from the headers alone."""
        file, place = self._recorded.holding(begin)
        headers = []
        for block in self._recorded.forward(file, max(0, place)):
            if block.header.begin > end:
                break
            headers.append(block.header)
        found: list[Mark] = []
        kinds: tuple[tuple[Holds, MarkKind], ...] = (
            (Holds.INCIDENT, "incident"),
            (Holds.ERROR, "error"),
            (Holds.LOSS, "loss"),
        )
        for header in headers:
            if header.end >= begin:
                found += [
                    Mark(header.begin, header.end, kind) for holds, kind in kinds if header.holds & holds
                ]
        for before, after in pairwise(headers):
            if after.begin - before.end > SILENT_AFTER:
                found.append(Mark(before.end, after.begin, "gap"))
        found.sort()
        return thinned(found, end - begin, most)

    def resumes(self, at: float) -> float | None:
        """As of :class:`tui.replay.source.Source`."""
        file, place = self._recorded.holding(at)
        for block in self._recorded.forward(file, max(0, place)):
            if block.header.begin > at:
                return block.header.begin
        return None


def _frame(record: RecordedFrame, cursor: int) -> Frame:
    return Frame(
        cursor=cursor,
        timestamp=record.timestamp,
        direction=record.direction,
        topic=record.topic,
        event=record.event,
        ref=record.ref,
        join_ref=record.join_ref,
        size=record.size,
        binary=record.binary,
        preview=record.payload[:_PREVIEW_LIMIT],
    )


def _words(record: Told | IncidentBegan) -> str:
    if isinstance(record, IncidentBegan):
        return f"incident: {record.subject}: {record.words}"
    return f"{record.connection} {record.text}" if record.connection else record.text
