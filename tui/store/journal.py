"""What happened, kept for two weeks: one JSON line an event, one file a day, all of it bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tui.model.events import Event, LinesLeftOut, MinuteFigures, RunStarted, RunStopped
from tui.model.incidents import LineSeverity
from tui.model.snapshot import LineKind, LogLine
from tui.store.age_limit import DAY, AgeLimit
from tui.store.appending import AppendedFile
from tui.store.writer import Writer
from tui.system.private_files import anything_goes, open_to_read, private_folder
from tui.text.formats import counted
from tui.text.json_text import json_text

FOLDER_NAME = "journal"
KEPT_DAYS = 14
KEPT_BYTES = 50_000_000
"""Of all files; the day's own may pass it by the megabyte after which it is looked at again."""
ALIVE_EVERY = 60.0
"""Seconds between two marks that say that the program runs; the precision of a gap after a crash."""

_PRUNE_EVERY_BYTES = 1_000_000

LAST_MOMENT = 253_402_000_000.0
"""Epoch seconds in the last days that a calendar has; of a line with a later moment nothing is believed."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="format", tag=2):
    """One event.

    Attributes:
        timestamp: epoch seconds.
        kind: ``engine`` for starts and stops, ``alive`` for the marks in between, ``missing`` for
            lines that a slow disk cost.
        text: for people alone; empty where it is no news. May hold text from the network.
        subject: the key of the service that it is about.
        event: the same for the program.
    """

    timestamp: Annotated[float, msgspec.Meta(ge=0.0, le=LAST_MOMENT)]
    kind: LineKind
    text: str
    connection: str | None = None
    severity: LineSeverity = "info"
    subject: str | None = None
    event: Event | None = None


def line_of(entry: Entry, cursor: int) -> LogLine:
    return LogLine(
        cursor=cursor,
        timestamp=entry.timestamp,
        connection=entry.connection,
        text=entry.text,
        severity=entry.severity,
        kind=entry.kind,
        subject=entry.subject,
    )


WHY = {
    "stopped": "it had been stopped",
    "killed": "it was killed, or the machine went",
    "stood still": "it stood still: asleep, held, or its disk did not answer",
}
"""Of a gap: why there is one, for people."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the program was not running, or at least could not write."""

    since: float
    until: float
    because: Literal["stopped", "killed", "stood still"]
    lasts: bool = False
    """It is not over yet."""


class _OtherEntry(msgspec.Struct, tag_field="format", tag=1):
    """A line of a version whose entries had words alone."""


# Of two, so that the format must be there.
_decode_any = msgspec.json.Decoder(Entry | _OtherEntry).decode


def _decode(line: bytes) -> Entry:
    """Raises msgspec.DecodeError for what is none, or of an older version."""
    entry = _decode_any(line)
    if isinstance(entry, Entry):
        return entry
    raise msgspec.DecodeError("of an older version")


class DayFiles:
    """A writer's sink: a file a day (UTC), the oldest removed by age and by size.

    Args:
        folder: made when it is missing, mode 0700; the files have 0600.
        now: epoch seconds, by which files are named and aged.
        lived: as of :class:`tui.store.age_limit.AgeLimit`.
        require: raises OSError while nothing may be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        require: Callable[[], None] = anything_goes,
        kept_days: int = KEPT_DAYS,
        kept_bytes: int = KEPT_BYTES,
        now: Callable[[], float] = time.time,
        lived: Callable[[], float] | None = None,
    ) -> None:
        self._folder = folder
        self._file = AppendedFile(require)
        self._age = AgeLimit("day of the journal is", kept_days * DAY, now, lived)
        self._kept_bytes = kept_bytes
        self._now = now
        self._day = ""
        self._unpruned = 0

    def write(self, data: bytes) -> None:
        """Append one line to the day's file; after an OSError the next line opens it anew."""
        self._file.check()
        day = _day(self._now())
        if self._file.size is None or day != self._day:
            self._open(day)
        self._file.append(data)
        self._unpruned += len(data)
        if self._unpruned >= _PRUNE_EVERY_BYTES:
            self._prune()

    def _open(self, day: str) -> None:
        private_folder(self._folder)
        self._age.start(max(map(_end_of, self._folder.glob("*.jsonl")), default=None))
        self._file.open(self._folder / f"{day}.jsonl")
        self._day = day
        self._prune()

    def _prune(self) -> None:
        self._unpruned = 0
        oldest = _day(max(0.0, self._age.before()))
        total = 0
        for path in sorted(self._folder.glob("*.jsonl"), reverse=True):
            total += path.stat().st_size
            # Today's file is kept whatever its size: what happened last is what is asked for.
            if path.stem != self._day and (path.stem < oldest or total > self._kept_bytes):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._file.close()


class Journal:
    """Takes events from any thread and never waits for the disk; ``folder`` is the state folder."""

    def __init__(
        self,
        folder: Path,
        *,
        now: Callable[[], float] = time.time,
        require: Callable[[], None] = anything_goes,
    ) -> None:
        self._folder = folder
        self._now = now
        self._writer = Writer(
            DayFiles(folder / FOLDER_NAME, now=now, require=require),
            note_dropped=self._missing,
            name="journal writer",
        )

    def _missing(self, count: int) -> str:
        return json_text(
            Entry(timestamp=self._now(), kind="missing", text=f"{count} events are missing here")
        )

    def add(self, entry: Entry) -> None:
        """Keep one event. Never waits and never raises."""
        self._writer.write(json_text(entry))

    def entries(self, since: float, until: float) -> Iterator[Entry | Gap]:
        """What is on disk of that time, as :func:`read` tells it; waits for the disk."""
        return read(self._folder, since=since, until=until)

    @property
    def trouble(self) -> str | None:
        error = self._writer.last_error
        return None if error is None else f"not written: {error.strerror}"

    @property
    def lost(self) -> int:
        return self._writer.dropped

    def alive(self, figures: MinuteFigures | None = None) -> None:
        """Say that the program runs, and its figures; call it every :data:`ALIVE_EVERY` seconds."""
        self.add(Entry(timestamp=self._now(), kind="alive", text="", event=figures))

    def close(self, timeout: float) -> bool:
        return self._writer.close(timeout)


def _end_of(path: Path) -> float:
    """The end of the day that a file is of; 0 for one that is named otherwise."""
    try:
        return datetime.strptime(path.stem, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() + DAY
    except ValueError:
        return 0.0


def _day(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")


def read(
    folder: Path,
    *,
    since: float = 0.0,
    until: float = float("inf"),
    connection: str | None = None,
    now: float | None = None,
) -> Iterator[Entry | Gap]:
    """The events of a time, oldest first, and the gaps between runs of the program.

    Args:
        folder: the state folder.
        since, until: epoch seconds.
        connection: only this one's events, and those of the engine itself.
        now: the present, up to which a gap that still lasts is told; None to leave that out.

    Raises:
        OSError: a file cannot be read.
    """
    last: Entry | None = None
    paths = sorted((folder / FOLDER_NAME).glob("*.jsonl"))
    # A gap may have begun long before the time that was asked for: with the last file before it.
    before = [path for path in paths if path.stem < _day(min(max(0.0, since), LAST_MOMENT))]
    for path in paths[max(0, len(before) - 1) :]:
        for entry in _entries(path):
            if entry.timestamp > until:
                continue  # a clock that was set back may bring earlier ones yet
            if last is not None and entry.timestamp >= since:
                gap = _gap(last, entry.timestamp, started=isinstance(entry.event, RunStarted))
                if gap is not None:
                    yield gap
            last = entry
            shown = (entry.kind != "alive" or entry.event is not None) and connection in (
                None,
                entry.connection,
            )
            if entry.timestamp >= since and (shown or entry.kind in ("engine", "missing")):
                yield entry
    if last is not None and now is not None:
        gap = _gap(last, now, started=False)
        if gap is not None:
            yield msgspec.structs.replace(gap, lasts=True)


def _gap(last: Entry, until: float, *, started: bool) -> Gap | None:
    """The time without the program between an entry and what came next, if there was one."""
    if isinstance(last.event, RunStopped):
        return Gap(since=last.timestamp, until=until, because="stopped")
    if started:
        return Gap(since=last.timestamp, until=until, because="killed")
    if until - last.timestamp > 2.5 * ALIVE_EVERY:
        return Gap(since=last.timestamp, until=until, because="stood still")
    return None


def _entries(path: Path) -> Iterator[Entry]:
    left_out = 0
    with open(open_to_read(path), "rb") as lines:
        for line in lines:
            try:
                entry = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                left_out += 1
                continue
            if left_out:
                yield _left_out(left_out, entry.timestamp)
                left_out = 0
            yield entry
    if left_out:
        yield _left_out(left_out, path.stat().st_mtime)


def _left_out(count: int, timestamp: float) -> Entry:
    text = f"{counted(count, 'line')} left out: of an older version, or half written as the machine crashed"
    return Entry(timestamp=timestamp, kind="missing", text=text, event=LinesLeftOut(count=count))


def parse_since(text: str, now: float, last: float | None = None) -> float:
    """Epoch seconds of ``90s``, ``30m``, ``2h``, ``3d``, ``21:14``, ``2026-11-22`` or ``2026-11-22T21:14``.

    A time of day is the last one that has passed, in the machine's zone, as are dates.

    Args:
        last: the end of what is looked at, before which a time of day is sought.

    Raises:
        ValueError: none of these.
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if unit in units and number.replace(".", "", 1).isdigit():
        return now - float(number) * units[unit]
    passed = now if last is None else min(now, last)
    try:
        clock = datetime.strptime(text, "%H:%M" if text.count(":") == 1 else "%H:%M:%S")
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.astimezone()).timestamp()
    # Without a zone, so that each day has its own: a fixed one is an hour off beyond a change of the clocks.
    here = datetime.fromtimestamp(passed)
    moment = here.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    if moment.timestamp() > passed:
        moment -= timedelta(days=1)
    return moment.timestamp()
