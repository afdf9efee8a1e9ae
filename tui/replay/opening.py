"""Opens a replay on the journal of a state folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tui.channels.clock import Clock, SystemClock
from tui.replay.engine import ReplayEngine
from tui.replay.from_journal import JournalSource
from tui.replay.source import Source
from tui.store.journal import ALIVE_EVERY
from tui.store.journal import FOLDER_NAME as JOURNAL


class ReplayError(Exception):
    """There is nothing to replay, or it cannot be read; the message is for a person."""


When = float | Callable[[float], float] | None
"""Epoch seconds, or what tells them when it is given the end of what there is; None for before the end."""


def open_replay(path: Path, when: When = None, *, clock: Clock | None = None) -> ReplayEngine:
    """A replay that stands at a moment, not started.

    Args:
        path: a state folder, or its journal.
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
    if not path.is_dir():
        raise FileNotFoundError(2, "there is no such folder")
    folder = path.parent if path.name == JOURNAL and not (path / JOURNAL).is_dir() else path
    if not (folder / JOURNAL).is_dir():
        raise FileNotFoundError(2, "it holds no journal")
    source = JournalSource(folder, now)
    return source, _moment(when, source.bounds()[1])


def _moment(when: When, end: float) -> float | None:
    # A program that runs says so each minute: its end is the present.
    return when(end + ALIVE_EVERY) if callable(when) else when
