"""Opens a replay on whatever a person names: a recording's file or folder, or a state folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tui.channels.clock import Clock, SystemClock
from tui.replay.engine import BEFORE_THE_END, ReplayEngine
from tui.replay.from_journal import JournalSource
from tui.replay.from_recording import RecordingSource
from tui.replay.source import Source
from tui.store.journal import ALIVE_EVERY, last_moment
from tui.store.journal import FOLDER_NAME as JOURNAL
from tui.store.recording import FOLDER_NAME as RECORDING
from tui.store.recording import SUFFIX


class ReplayError(Exception):
    """There is nothing to replay, or it cannot be read; the message is for a person."""


When = float | Callable[[float], float] | None
"""Epoch seconds, or what tells them when it is given the end of what there is; None for before the end."""


def open_replay(path: Path, when: When = None, *, clock: Clock | None = None) -> ReplayEngine:
    """A replay that stands at a moment, not started.

    Of a state folder it takes the recording if there is one of that time, else the journal; where no time
    is named, whichever goes on for longer.

    Args:
        path: a recording's file or folder, or a state folder.
        when: None for an hour before the end.

    Raises:
        ReplayError: there is nothing to replay, or it cannot be read.
    """
    clock = clock or SystemClock()
    try:
        source, at = _source(path, when, clock.time())
        return ReplayEngine(source, at, clock=clock)
    except FileNotFoundError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None


def _source(path: Path, when: When, now: float) -> tuple[Source, float | None]:
    source = _only_source(path, now)
    if source is not None:
        return source, _moment(when, source.bounds()[1])
    try:
        recording = RecordingSource(path)
    except FileNotFoundError:
        # Nothing of it can be read.
        journal = JournalSource(path, now)
        return journal, _moment(when, journal.bounds()[1])
    begin, end = recording.bounds()
    journal_end = last_moment(path) or end
    at = _moment(when, max(end, journal_end))
    if at is None:
        # It begins an hour before the end: the recording tells more of that hour, if anything at all.
        return recording if journal_end - end < BEFORE_THE_END else JournalSource(path, now), None
    if begin <= at <= end and recording.shown(at).missing is None:
        return recording, at
    journal = JournalSource(path, now)
    away = _distance(at, *journal.bounds())
    # Where neither holds it, the nearer; at their common beginning and end the recording tells more.
    nearer = away + ALIVE_EVERY < _distance(at, begin, end)
    return (journal if not away or nearer else recording), at


def _moment(when: When, end: float) -> float | None:
    # A program that runs says so each minute: its end is the present.
    return when(end + ALIVE_EVERY) if callable(when) else when


def _distance(at: float, begin: float, end: float) -> float:
    return max(begin - at, at - end, 0.0)


def _only_source(path: Path, now: float) -> Source | None:
    """What there is, where it is one thing; None for a recording and a journal."""
    if path.is_file():
        return RecordingSource(path)
    if not path.is_dir():
        raise FileNotFoundError(2, "there is no such file or folder")
    if path.name == JOURNAL and not (path / JOURNAL).is_dir():
        return JournalSource(path.parent, now)
    recorded = any(path.glob(f"*{SUFFIX}")) or any((path / RECORDING).glob(f"*{SUFFIX}"))
    has_journal = (path / JOURNAL).is_dir()
    if not recorded and not has_journal:
        raise FileNotFoundError(2, "it holds neither a recording nor a journal")
    if not recorded:
        return JournalSource(path, now)
    return None if has_journal else RecordingSource(path)
