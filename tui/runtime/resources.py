"""What a run opens at its start and closes at its end, each as a context of its own."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tui.alerts.options import AlertOptions
from tui.alerts.store import FILE_NAME as ALERTS_FILE
from tui.alerts.store import AlertStore
from tui.control.feed import StateFeed
from tui.control.lock import FolderHold, StateLock, StateLockedError
from tui.control.protocol import ControlError
from tui.control.server import ControlServer
from tui.engine.supervisor import Supervisor
from tui.model.figures import spent_minutes
from tui.model.snapshot import CommandResult
from tui.store.age_limit import DAY
from tui.store.journal import Entry, Journal
from tui.store.log_file import LogFile, LogLevel
from tui.store.writer import DescriptorSink, Writer
from tui.system.ending import Closing
from tui.system.output import PROGRAM, complain
from tui.system.private_files import NotOursError

if TYPE_CHECKING:
    from tui.metrics.options import MetricsOptions
    from tui.metrics.server import MetricsServer

log = logging.getLogger("tui.runtime.session")

FLUSH_LIMIT = 0.5
"""Seconds that the end waits for each writer."""


_BROKEN_DISK = (
    *(errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ENOLCK, errno.ESTALE, errno.ETIMEDOUT),  # one of a network
)


class RunPaths(NamedTuple):
    """Where a run keeps its things and is reached."""

    state_folder: Path
    socket: Path
    log_level: LogLevel


class StartupError(Exception):
    """The run cannot begin; the message is for a person, ``status`` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def state_lock(folder: Path, *, headless: bool = False) -> Iterator[FolderHold]:
    """The lock of the state folder; on a disk that is broken the run goes on without, and tries again.

    Args:
        headless: what changes later is told on standard error, which is no screen of ours.

    Raises:
        StartupError: another engine holds it, or this is no folder for us.
    """
    lock = StateLock(folder)
    try:
        trouble = _trouble_to_take(lock)
    except StartupError:
        lock.release()
        raise
    if trouble is not None:
        # The connections matter more than what is kept of them; the screen says what is not.
        words = f"state folder {trouble}; going on, and keeping nothing on disk until it can be written"
        complain(PROGRAM, words)
    hold = FolderHold(lock, trouble, partial(complain, PROGRAM) if headless else None)
    hold.start()
    try:
        yield hold
    finally:
        hold.close()


def _trouble_to_take(lock: StateLock) -> str | None:
    try:
        lock.acquire()
    except StateLockedError as error:
        raise StartupError(str(error)) from None
    except NotOursError as error:
        what = lock.path if error.is_file else f"state folder {lock.folder}"
        raise StartupError(f"{what} {error.strerror}; name another folder with --state", 2) from None
    except OSError as error:
        words = f"{lock.folder}: {error.strerror}"
        folder = lock.folder
        is_read_only = error.errno == errno.EACCES and folder.is_dir() and not os.access(folder, os.W_OK)
        if error.errno not in _BROKEN_DISK and not is_read_only:
            raise StartupError(f"state folder {words}; name another with --state") from None
        return words
    return None


_C = TypeVar("_C", bound=Closing)


@contextlib.contextmanager
def flushed(opened: _C) -> Iterator[_C]:
    """Something that is open for as long as the run lasts, and has :data:`FLUSH_LIMIT` to close."""
    try:
        yield opened
    finally:
        opened.close(FLUSH_LIMIT)


def metrics_server(supervisor: Supervisor, options: MetricsOptions) -> MetricsServer:
    """The OpenMetrics endpoint; off unless the settings give it a port."""
    from tui.metrics.server import MetricsError, MetricsServer

    server = MetricsServer(supervisor)
    try:
        server.apply(options)
    except MetricsError as error:
        # The connections matter more than who may measure them.
        _go_on_without(supervisor, str(error))
    return server


def control_socket(
    supervisor: Supervisor,
    feed: StateFeed,
    place: RunPaths,
    log_file: LogFile,
    reload: Callable[[], CommandResult] | None,
) -> ControlServer:
    server = ControlServer(
        supervisor,
        place.socket,
        state_folder=place.state_folder,
        log_path=log_file.path,
        feed=feed,
        reload=reload,
        note=supervisor.warn,
    )
    try:
        server.start()
        trouble = server.trouble
    except ControlError as error:
        if not isinstance(error.__cause__, OSError):
            raise StartupError(str(error)) from None
        trouble = str(error)
    if trouble is not None:
        # A full disk, say: the connections matter more than who may ask for them.
        _go_on_without(supervisor, trouble)
    return server


def _go_on_without(supervisor: Supervisor, trouble: str) -> None:
    supervisor.warn(f"{trouble}; going on without")
    complain(PROGRAM, f"{trouble}; going on without")


def restore_past(supervisor: Supervisor, journal: Journal) -> None:
    """Give an engine what the journal has of the last day's minutes, from a thread: a disk may not answer."""
    now = time.time()

    def read() -> None:
        try:
            entries = journal.entries(now - DAY, now)
            spent = spent_minutes(entry.event for entry in entries if isinstance(entry, Entry))
        except OSError as error:
            log.warning("the minutes of the last day: the journal cannot be read: %s", error.strerror)
            return
        supervisor.started.wait()
        supervisor.restore(spent)

    try:
        threading.Thread(target=read, name="journal reader", daemon=True).start()
    except RuntimeError as error:
        log.warning("the minutes of the last day are not read: %s", error)


@contextlib.contextmanager
def alert_store_in(
    folder: Path, options: AlertOptions | None, hold: FolderHold
) -> Iterator[AlertStore | None]:
    """Where the alerts are kept, if a queue is set up."""
    if options is None:
        yield None
        return
    store = AlertStore(
        folder / ALERTS_FILE,
        kept_days=options.kept_days,
        kept_rows=options.kept_count,
        seen_window=options.same_id_window,
        require=hold.require,
    )
    store.start()
    try:
        yield store
    finally:
        if not store.close(FLUSH_LIMIT):
            log.warning("alerts: %s", store.state.message)


def standard_output() -> Writer:
    return Writer(
        DescriptorSink(sys.stdout.fileno() if sys.stdout is not None else os.open(os.devnull, os.O_WRONLY)),
        note_dropped=lambda count: f'{{"type":"dropped","lines":{count}}}',
        # Whoever read our lines has gone; the connections have not.
        on_broken=lambda: log.warning("nobody reads standard output any more; going on without"),
        name="output writer",
    )
