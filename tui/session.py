"""One run of the program: engine, log and face put together, and the end that nothing may hold up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tui.engine.connection import ConnectionSettings
from tui.engine.reports import JsonLines
from tui.engine.supervisor import STOP_LIMIT, Extras, Supervisor
from tui.store.journal import Journal
from tui.store.log_file import LogFile, LogLevel, open_log
from tui.store.writer import DescriptorSink, Writer

if TYPE_CHECKING:
    from tui.config import Settings

log = logging.getLogger("tui.session")

_CRASHES_ALLOWED = 3
_CRASH_WINDOW = 60.0
_FLUSH_LIMIT = 0.5
_END_MARGIN = 0.3  # for the engine's own clean-up after its limit


def run_headless(
    settings: Settings,
    *,
    state_folder: Path,
    report_interval: float,
    log_level: LogLevel,
) -> int:
    """Run without a face until a signal; prints JSON lines. Returns the exit status."""
    with _log(state_folder, log_level) as log_file, _journal(state_folder) as journal:
        return _headless(
            tuple(settings.connections.values()),
            log_file,
            journal=journal,
            report_interval=report_interval,
            debug=settings.debug,
        )


def run_face(settings: Settings, *, state_folder: Path, debug: bool, log_level: LogLevel) -> int:
    """Run with a face until it is quit or ended by a signal. Returns the exit status."""
    with _log(state_folder, log_level) as log_file, _journal(state_folder) as journal:
        supervisor = Supervisor(tuple(settings.connections.values()), debug=debug, journal=journal)
        return _with_face(supervisor, log_file)


def run_demo(*, headless: bool, duration: float | None, log_level: LogLevel, report_interval: float) -> int:
    """Run on embedded hubs with staged faults, in a state folder of its own. Returns the exit status.

    Args:
        duration: seconds after which it ends by itself; None for "when asked".
    """
    from tui.demo_host import DemoHost

    folder = Path(tempfile.mkdtemp(prefix="overlay-supervisor-demo-"))
    try:
        with _log(folder, log_level) as log_file, DemoHost() as host:
            if headless:
                return _headless(
                    host.connections(),
                    log_file,
                    report_interval=report_interval,
                    extras=host,
                    duration=duration,
                    began=host.supervise,
                )
            supervisor = Supervisor(host.connections(), extras=host)
            host.supervise(supervisor)
            return _with_face(supervisor, log_file, duration=duration)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _log(folder: Path, level: LogLevel) -> Iterator[LogFile]:
    log_file = open_log(folder, level)
    try:
        yield log_file
    finally:
        log_file.close(_FLUSH_LIMIT)


@contextlib.contextmanager
def _journal(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder)
    try:
        yield journal
    finally:
        journal.close(_FLUSH_LIMIT)


def _headless(
    connections: Sequence[ConnectionSettings],
    log_file: LogFile,
    *,
    journal: Journal | None = None,
    report_interval: float,
    debug: bool = False,
    extras: Extras | None = None,
    duration: float | None = None,
    began: Callable[[Supervisor], None] | None = None,
) -> int:
    writer = Writer(
        DescriptorSink(sys.stdout.fileno()),
        tell_dropped=lambda count: f'{{"type":"dropped","lines":{count}}}',
        # Whoever read our lines has gone; the connections have not.
        on_broken=lambda: log.warning("nobody reads standard output any more; going on without"),
        name="output writer",
    )
    supervisor = Supervisor(
        connections,
        debug=debug,
        extras=extras,
        reporter=JsonLines(writer.write),
        report_interval=report_interval,
        journal=journal,
    )
    if began is not None:
        began(supervisor)

    def end(number: int, frame: FrameType | None) -> None:
        log.info("ended by %s", signal.Signals(number).name)
        supervisor.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    thread = threading.Thread(target=_run_logged, args=(supervisor,), name="engine", daemon=True)
    thread.start()
    ended = supervisor.ended.wait(duration)
    failed = ended and not supervisor.stop_asked
    supervisor.stop()
    in_time = supervisor.ended.wait(STOP_LIMIT + _END_MARGIN)
    writer.close(_FLUSH_LIMIT)
    status = 1 if failed else 0
    if not in_time:
        _leave(log_file, status)
    return status


def _run_logged(supervisor: Supervisor) -> None:
    # The engine logs what ends it; a traceback on standard error would be the second telling.
    with contextlib.suppress(Exception):
        supervisor.run()


def _with_face(supervisor: Supervisor, log_file: LogFile, *, duration: float | None = None) -> int:
    engine = _EngineThread(supervisor)
    return asyncio.run(_faces(engine, log_file, duration))


class _EngineThread:
    """Has the engine run once, in the first face's worker; later faces' workers wait for its end."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._begun = threading.Lock()

    def work(self) -> None:
        """The body of a face's ``engine`` worker."""
        if self._begun.acquire(blocking=False):
            self.supervisor.run()
        else:
            self.supervisor.ended.wait()

    @property
    def begun(self) -> bool:
        """Somebody runs the engine, or has."""
        return self._begun.locked()


async def _faces(engine: _EngineThread, log_file: LogFile, duration: float | None) -> int:
    from tui.app import OverlaySupervisorApp
    from tui.terminal import SavedTerminal

    supervisor = engine.supervisor
    terminal = SavedTerminal()
    crashes: deque[float] = deque(maxlen=_CRASHES_ALLOWED)
    status = 1
    while True:
        app = OverlaySupervisorApp(supervisor, engine.work)
        end = None
        if duration is not None:
            end = asyncio.get_running_loop().call_later(duration, app.exit, None, 0)
        try:
            await app.run_async()
            error = app.crash
        except Exception as raised:  # noqa: BLE001 (logged below, and the terminal restored)
            error = raised
        if end is not None:
            end.cancel()
        if error is None:
            status = app.return_code or 0
            break
        terminal.restore()
        log.error("the screen crashed", exc_info=error)
        crashes.append(time.monotonic())
        if len(crashes) == _CRASHES_ALLOWED and crashes[-1] - crashes[0] < _CRASH_WINDOW:
            status = await _without_face(engine, log_file)
            break
    supervisor.stop()
    if engine.begun and not supervisor.ended.wait(STOP_LIMIT + _END_MARGIN):
        _leave(log_file, status)
    return status


async def _without_face(engine: _EngineThread, log_file: LogFile) -> int:
    """The connections go on without a screen until a signal comes; returns the exit status."""
    print(
        "overlay-supervisor: the screen crashed three times within a minute; the connections go on "
        f"without it.\nWhat happened is in {log_file.path}; stop with ^C, or: kill {os.getpid()}",
        file=sys.stderr,
    )
    if not engine.begun:
        threading.Thread(target=engine.work, name="engine", daemon=True).start()
    asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        if not asked.done():
            asked.set_result(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ask, number)
    while not engine.supervisor.ended.is_set() and not asked.done():
        await asyncio.wait((asked,), timeout=0.5)
    return asked.result() if asked.done() else 1


def _leave(log_file: LogFile, status: int) -> None:
    """End the process though a thread is stuck: the interpreter would wait for it for ever."""
    log.warning("a thread did not end in time; leaving without it")
    log_file.close(_FLUSH_LIMIT)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
