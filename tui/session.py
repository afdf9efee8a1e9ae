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
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tui import remembered
from tui.control.feed import StateFeed
from tui.control.lock import StateLock, StateLockedError
from tui.control.protocol import SOCKET_NAME, ControlError
from tui.control.server import ControlServer
from tui.engine.api import CommandResult, Engine
from tui.engine.reports import JsonLines, Reporters
from tui.engine.supervisor import STOP_LIMIT, Supervisor
from tui.keymap import Keymap
from tui.store.journal import Journal
from tui.store.log_file import LogFile, LogLevel, open_log
from tui.store.writer import DescriptorSink, Writer

if TYPE_CHECKING:
    from tui.app import OverlaySupervisorApp
    from tui.config import FaceSettings, Settings

log = logging.getLogger("tui.session")

HUNG_UP = 128 + signal.SIGHUP
"""The status of a face whose terminal went away."""
_CRASHES_ALLOWED = 3
_CRASH_WINDOW = 60.0
_FLUSH_LIMIT = 0.5
_END_MARGIN = 0.3  # for the engine's own clean-up after its limit


class Place(NamedTuple):
    """Where a run keeps its things and is reached."""

    state_folder: Path
    socket: Path
    log_level: LogLevel


class Unstartable(Exception):  # noqa: N818 (what the run is)
    """The run cannot begin; the message is for a person."""


def run_headless(read_settings: Callable[[], Settings], place: Place, report_interval: float) -> int:
    """Run without a face until SIGTERM or SIGINT; prints JSON lines. Returns the exit status.

    SIGHUP, as ``ctl reload``, reads the settings anew.

    Args:
        read_settings: reads the settings in force, at the start and at each reload.

    Raises:
        Unstartable: another engine runs in the state folder, or the control socket cannot be opened.
        SettingsError: the settings cannot be used.
    """
    settings = read_settings()
    with (
        _lock(place.state_folder),
        _log(place.state_folder, place.log_level) as log_file,
        _journal(place.state_folder) as journal,
        _output() as output,
    ):
        feed = StateFeed()
        supervisor = Supervisor(
            tuple(settings.connections.values()),
            debug=settings.debug,
            in_force=settings.sources,
            reporter=Reporters(JsonLines(output.write), feed),
            report_interval=report_interval,
            journal=journal,
        )
        reload = _Reloader(supervisor, read_settings)
        with _reached(supervisor, feed, place, log_file, reload):
            return _headless(supervisor, (output, journal, log_file), hang_up=reload.in_background)


def run_face(read_settings: Callable[[], Settings], place: Place, keys: Keymap) -> int:
    """Run with a face until it is quit or ended by a signal. Returns the exit status.

    With ``on_hangup = "keep"`` the connections go on without a face when the terminal goes away.

    Raises:
        Unstartable, SettingsError: as of :func:`run_headless`.
    """
    settings = read_settings()
    with (
        _lock(place.state_folder),
        _log(place.state_folder, place.log_level) as log_file,
        _journal(place.state_folder) as journal,
    ):
        feed = StateFeed()
        supervisor = Supervisor(
            tuple(settings.connections.values()),
            debug=settings.debug,
            in_force=settings.sources,
            reporter=feed,
            journal=journal,
        )
        reload = _Reloader(supervisor, read_settings)
        with _reached(supervisor, feed, place, log_file, reload):
            face = Face(settings.face, keys, place.state_folder)
            hang_up = reload.in_background if settings.face.on_hangup == "keep" else None
            return _with_face(supervisor, face, log_file, (journal, log_file), on_hangup=hang_up)


def run_attached(place: Place, settings: FaceSettings, keys: Keymap, notice: str | None) -> int:
    """Open a face on a running engine until it is detached or ended by a signal. Returns the exit status.

    Args:
        notice: told on the screen at the start.

    Raises:
        Unstartable: no engine answers.
    """
    from tui.control.client import ControlClient
    from tui.control.remote import RemoteEngine

    try:
        with ControlClient(place.socket):
            pass
    except ControlError as error:
        raise Unstartable(str(error)) from None
    engine = RemoteEngine(place.socket)
    engine.start(wait=2.0)
    try:
        face = Face(settings, keys, place.state_folder, notice)
        app = face.open(engine, attached=True)
        asyncio.run(face.show(app))
        if app.crash is not None:
            print(f"overlay-supervisor: the screen crashed: {type(app.crash).__name__}", file=sys.stderr)
        return app.return_code or 0
    finally:
        engine.close()


def run_demo(
    *,
    headless: bool,
    duration: float | None,
    log_level: LogLevel,
    report_interval: float,
    settings: FaceSettings,
    keys: Keymap,
) -> int:
    """Run on embedded hubs with staged faults, in a state folder of its own. Returns the exit status.

    Args:
        duration: seconds after which it ends by itself; None for "when asked".
    """
    from tui.demo_host import DemoHost

    folder = Path(tempfile.mkdtemp(prefix="overlay-supervisor-demo-"))
    place = Place(folder, folder / SOCKET_NAME, log_level)
    try:
        with _log(folder, log_level) as log_file, DemoHost() as host, _output() as output:
            feed = StateFeed()
            reporter = Reporters(JsonLines(output.write), feed) if headless else feed
            supervisor = Supervisor(
                host.connections(), extras=host, reporter=reporter, report_interval=report_interval
            )
            host.supervise(supervisor)
            with _reached(supervisor, feed, place, log_file, None):
                if headless:
                    return _headless(supervisor, (output, log_file), duration=duration)
                face = Face(settings, keys, folder)
                return _with_face(supervisor, face, log_file, (log_file,), duration=duration)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Face:
    """Opens faces alike: with the settings' keys and theme, arranged as the last one was left.

    Args:
        folder: where the arrangement is kept, and where pictures and exports go.
        notice: told on the first screen.
    """

    def __init__(self, settings: FaceSettings, keys: Keymap, folder: Path, notice: str | None = None) -> None:
        self._settings = settings
        self._keys = keys
        self._folder = folder
        self._notice = notice

    def open(
        self, engine: Engine, work: Callable[[], None] | None = None, *, attached: bool = False
    ) -> OverlaySupervisorApp:
        """A new face on ``engine``; the same one every time but for what was arranged meanwhile."""
        from tui.app import FaceOptions, OverlaySupervisorApp

        notice, self._notice = self._notice, None
        options = FaceOptions(
            theme=self._settings.theme,
            bell=self._settings.bell,
            refresh=self._settings.refresh,
            keymap=self._keys,
            folder=self._folder,
            remembered=remembered.read(self._folder),
            remember=self._remember,
            notice=notice,
        )
        return OverlaySupervisorApp(engine, work, options=options, attached=attached)

    async def show(self, app: OverlaySupervisorApp) -> None:
        """Run a face to its end, and keep how it was left."""
        before = app.remembered
        await app.run_async(mouse=self._settings.mouse)
        if app.remembered != before:
            try:
                self._remember(app.remembered)
            except OSError as error:
                log.warning("the arrangement of the screen could not be kept: %s", error)

    def _remember(self, arrangement: remembered.Remembered) -> None:
        remembered.write(self._folder, arrangement)


class _Reloader:
    """Reads the settings anew and has the engine take them, one reload at a time."""

    def __init__(self, supervisor: Supervisor, read_settings: Callable[[], Settings]) -> None:
        self._supervisor = supervisor
        self._read_settings = read_settings
        self._turn = threading.Lock()
        self._waiting = threading.Lock()

    def __call__(self) -> CommandResult:
        """Reload; settings that cannot be used change nothing, and the answer says why."""
        from tui.config import SettingsError

        with self._turn:
            try:
                settings = self._read_settings()
            except SettingsError as error:
                message = f"nothing was changed: {'; '.join(error.lines)}"
                log.error("reload: %s", message)
                return CommandResult(ok=False, message=message)
            if not settings.connections:
                why = (
                    "there is no settings file"
                    if settings.file is None
                    else "the settings hold no connection"
                )
                return CommandResult(ok=False, message=f"nothing was changed: {why}")
            return asyncio.run(self._take(settings))

    async def _take(self, settings: Settings) -> CommandResult:
        result = await self._supervisor.apply(tuple(settings.connections.values()), settings.sources)
        if settings.debug == self._supervisor.snapshot().debug:
            return result
        shown = await self._supervisor.set_debug(settings.debug)
        return CommandResult(ok=result.ok, message=f"{result.message}; {shown.message}")

    def in_background(self) -> None:
        """Reload without waiting for it; while one waits for its turn, another is not needed."""
        if self._waiting.acquire(blocking=False):
            threading.Thread(target=self._in_turn, name="reload", daemon=True).start()

    def _in_turn(self) -> None:
        try:
            with self._turn:
                self._waiting.release()
            self()
        except Exception:
            log.exception("the settings could not be reloaded")


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    try:
        with StateLock(folder):
            yield
    except StateLockedError as error:
        raise Unstartable(str(error)) from None
    except OSError as error:
        raise Unstartable(f"state folder {folder}: {error.strerror}; name another with --state") from None


@contextlib.contextmanager
def _reached(
    supervisor: Supervisor,
    feed: StateFeed,
    place: Place,
    log_file: LogFile,
    reload: Callable[[], CommandResult] | None,
) -> Iterator[None]:
    """The control socket, for as long as the engine runs."""
    server = ControlServer(
        supervisor,
        place.socket,
        state_folder=place.state_folder,
        log_path=log_file.path,
        feed=feed,
        reload=reload,
    )
    try:
        server.start()
    except ControlError as error:
        if not isinstance(error.__cause__, OSError):
            raise Unstartable(str(error)) from None
        # A full disk, say: the connections matter more than who may ask for them.
        print(f"overlay-supervisor: {error}; going on without", file=sys.stderr)
    try:
        yield
    finally:
        server.close(_FLUSH_LIMIT)


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


@contextlib.contextmanager
def _output() -> Iterator[Writer]:
    """Standard output, written by a thread."""
    writer = Writer(
        DescriptorSink(sys.stdout.fileno() if sys.stdout is not None else os.open(os.devnull, os.O_WRONLY)),
        tell_dropped=lambda count: f'{{"type":"dropped","lines":{count}}}',
        # Whoever read our lines has gone; the connections have not.
        on_broken=lambda: log.warning("nobody reads standard output any more; going on without"),
        name="output writer",
    )
    try:
        yield writer
    finally:
        writer.close(_FLUSH_LIMIT)


class _Closing(Protocol):
    def close(self, timeout: float) -> bool: ...


def _headless(
    supervisor: Supervisor,
    closing: Sequence[_Closing],
    *,
    duration: float | None = None,
    hang_up: Callable[[], None] | None = None,
) -> int:
    def end(number: int, frame: FrameType | None) -> None:
        log.info("ended by %s", signal.Signals(number).name)
        supervisor.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, end if hang_up is None else lambda number, frame: hang_up())
    thread = threading.Thread(target=_run_logged, args=(supervisor,), name="engine", daemon=True)
    thread.start()
    ended = supervisor.ended.wait(duration)
    failed = ended and not supervisor.stop_asked
    supervisor.stop()
    status = 1 if failed else 0
    if not supervisor.ended.wait(STOP_LIMIT + _END_MARGIN):
        _leave(closing, status)
    return status


def _run_logged(supervisor: Supervisor) -> None:
    # The engine logs what ends it; a traceback on standard error would be the second telling.
    with contextlib.suppress(Exception):
        supervisor.run()


def _with_face(
    supervisor: Supervisor,
    face: Face,
    log_file: LogFile,
    closing: Sequence[_Closing],
    *,
    duration: float | None = None,
    on_hangup: Callable[[], None] | None = None,
) -> int:
    engine = _EngineThread(supervisor)
    return asyncio.run(_faces(engine, face, log_file, closing, duration, on_hangup))


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


async def _faces(
    engine: _EngineThread,
    face: Face,
    log_file: LogFile,
    closing: Sequence[_Closing],
    duration: float | None,
    on_hangup: Callable[[], None] | None,
) -> int:
    from tui.terminal import SavedTerminal

    supervisor = engine.supervisor
    terminal = SavedTerminal()
    crashes: deque[float] = deque(maxlen=_CRASHES_ALLOWED)
    status = 1
    while True:
        app = face.open(supervisor, engine.work)
        end = None
        if duration is not None:
            end = asyncio.get_running_loop().call_later(duration, app.exit, None, 0)
        try:
            await face.show(app)
            error = app.crash
        except Exception as raised:  # noqa: BLE001 (logged below, and the terminal restored)
            error = raised
        if end is not None:
            end.cancel()
        if error is None:
            status = app.return_code or 0
            if status == HUNG_UP and on_hangup is not None:
                log.info("the connections go on without a screen; a new one: overlay-supervisor attach")
                supervisor.note("the terminal is gone; the connections go on without a screen")
                status = await _without_face(engine, on_hangup)
            break
        terminal.restore()
        log.error("the screen crashed", exc_info=error)
        crashes.append(time.monotonic())
        if len(crashes) == _CRASHES_ALLOWED and crashes[-1] - crashes[0] < _CRASH_WINDOW:
            print(
                "overlay-supervisor: the screen crashed three times within a minute; the connections go on "
                f"without it.\nA new screen: overlay-supervisor attach. What happened is in {log_file.path}; "
                f"stop with ^C, or: kill {os.getpid()}",
                file=sys.stderr,
            )
            status = await _without_face(engine)
            break
    supervisor.stop()
    if engine.begun and not supervisor.ended.wait(STOP_LIMIT + _END_MARGIN):
        _leave(closing, status)
    return status


async def _without_face(engine: _EngineThread, on_hangup: Callable[[], None] | None = None) -> int:
    """The connections go on without a screen until a signal comes; returns the exit status.

    Args:
        on_hangup: called at SIGHUP, which ends the run otherwise.
    """
    if not engine.begun:
        threading.Thread(target=engine.work, name="engine", daemon=True).start()
    asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        if not asked.done():
            asked.set_result(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ask, number)
    if on_hangup is not None:
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    while not engine.supervisor.ended.is_set() and not asked.done():
        await asyncio.wait((asked,), timeout=0.5)
    return asked.result() if asked.done() else 1


def _leave(closing: Sequence[_Closing], status: int) -> None:
    """End the process though a thread is stuck: the interpreter would wait for it for ever."""
    log.warning("a thread did not end in time; leaving without it")
    for each in closing:
        each.close(_FLUSH_LIMIT)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
