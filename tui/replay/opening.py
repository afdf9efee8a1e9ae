"""Opens a replay on whatever a person names: a recording's file or folder, or a state folder."""

from __future__ import annotations

from pathlib import Path

from tui.channels.clock import Clock, SystemClock
from tui.replay.engine import ReplayEngine
from tui.replay.from_journal import JournalSource
from tui.replay.from_recording import RecordingSource
from tui.replay.source import Source
from tui.store.journal import FOLDER_NAME as JOURNAL
from tui.store.recording import FOLDER_NAME as RECORDING
from tui.store.recording import SUFFIX


class ReplayError(Exception):
    """There is nothing to replay, or it cannot be read; the message is for a person."""


def open_replay(path: Path, at: float | None = None, *, clock: Clock | None = None) -> ReplayEngine:
    """A replay that stands at ``at``, not started.

    Of a state folder it takes the recording if there is one of that time, else the journal.

    Args:
        path: a recording's file or folder, or a state folder.
        at: epoch seconds; None for an hour before the end.

    Raises:
        ReplayError: there is nothing to replay, or it cannot be read.
    """
    clock = clock or SystemClock()
    try:
        return ReplayEngine(_source(path, at, clock.time()), at, clock=clock)
    except FileNotFoundError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None


def _source(path: Path, at: float | None, now: float) -> Source:
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
    if not has_journal:
        return RecordingSource(path)
    try:
        recording = RecordingSource(path)
    except FileNotFoundError:
        # Nothing of it can be read.
        return JournalSource(path, now)
    if at is None or recording.shown(at).missing is None:
        return recording
    begin, end = (journal := JournalSource(path, now)).bounds()
    return journal if begin <= at <= end else recording
