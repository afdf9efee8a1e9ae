"""One run of the program: engine, log and face put together, and the end that nothing may hold up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tui.app.keymap import Keymap
from tui.control.feed import StateFeed
from tui.control.protocol import SOCKET_NAME, ControlError, check_length
from tui.engine.components import ComponentOptions
from tui.engine.reporters import JsonLines, Reporter
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import CommandResult
from tui.runtime.app_runner import AppRunner, load_face, run_beside, run_engine
from tui.runtime.resources import (
    RunPaths,
    StartupError,
    alert_store_in,
    control_socket,
    flushed,
    metrics_server,
    restore_past,
    standard_output,
    state_lock,
)
from tui.store.journal import Journal
from tui.store.log_file import LogFile, LogLevel
from tui.store.writer import Writer
from tui.system.ending import End

if TYPE_CHECKING:
    from tui.config.load import AppSettings, Settings
    from tui.demo.dialect import DialectName
    from tui.metrics.server import MetricsServer
    from tui.replay.engine import When

log = logging.getLogger("tui.runtime.session")


def run(
    read_settings: Callable[[], Settings],
    place: RunPaths,
    keys: Keymap | None,
    end: End,
    *,
    report_interval: float = 10.0,
) -> int:
    """Run until it is quit or ended by a signal. Returns the exit status.

    SIGHUP, as ``ctl reload``, reads the settings anew; of a face whose terminal goes away only with
    ``on_hangup = "keep"``: then the connections go on without it.

    Args:
        read_settings: reads the settings in force, at the start and at each reload.
        keys: of the face; None runs without one and prints JSON lines.
        report_interval: seconds between two metrics lines.

    Raises:
        StartupError: another engine runs in the state folder, or the control socket cannot be opened.
        SettingsError: the settings cannot be used.
    """
    settings, folder = read_settings(), place.state_folder
    if keys is not None:
        load_face()
    end.lasts()
    with (
        state_lock(folder, headless=keys is None) as hold,
        flushed(LogFile(folder, place.log_level, hold.require)) as log_file,
        flushed(Journal(folder, require=hold.require)) as journal,
        alert_store_in(folder, settings.alerts, hold) as alert_store,
        _json_lines(headless=keys is None) as output,
    ):
        feed = StateFeed()
        supervisor = Supervisor(
            tuple(settings.connections.values()),
            debug=settings.debug,
            effective=settings.sources,
            reporters=_reporters(output, feed),
            keep_frames=settings.journal.frames,
            report_interval=report_interval,
            journal=journal,
            components=_components(settings),
            alert_store=alert_store,
            folder=hold,
        )
        restore_past(supervisor, journal)
        with flushed(metrics_server(supervisor, settings.metrics)) as metrics:
            reload = _Reloader(supervisor, settings.debug, read_settings, metrics)
            with flushed(control_socket(supervisor, feed, place, log_file, reload)):
                end.closing = [each for each in (output, journal, alert_store, log_file) if each is not None]
                face = None if keys is None else AppRunner(settings.app, keys, folder)
                is_kept = face is None or settings.app.on_hangup == "keep"
                hang_up = reload.in_background if is_kept else None
                return run_engine(supervisor, face, log_file, end, on_hangup=hang_up)


def run_attached(place: RunPaths, settings: AppSettings, keys: Keymap, notice: str | None, end: End) -> int:
    """Open a face on a running engine until it is detached or ended by a signal. Returns the exit status.

    Raises:
        StartupError: no engine answers.
    """
    from tui.control.client import ControlClient
    from tui.control.remote import RemoteEngine

    try:
        with ControlClient(place.socket):
            pass
    except ControlError as error:
        raise StartupError(str(error)) from None
    engine = RemoteEngine(place.socket)
    engine.start(wait=2.0)
    try:
        face = AppRunner(settings, keys, place.state_folder, notice)
        return run_beside(face, lambda: face.open(engine, attached=True), end)
    finally:
        engine.close()


def run_replay(
    path: Path,
    when: When,
    folder: Path,
    settings: AppSettings,
    keys: Keymap,
    notice: str | None,
    end: End,
) -> int:
    """Open a face on a journal, or on that of a state folder; connects nothing. Returns the exit status.

    Args:
        when: the moment that it begins with; None for an hour before the end.

    Raises:
        ReplayError: there is nothing to replay.
    """
    from tui.replay.engine import open_replay

    replay = open_replay(path, when)
    replay.start()
    try:
        face = AppRunner(settings, keys, folder, notice)
        return run_beside(face, lambda: face.open(replay, replay=replay), end)
    finally:
        replay.close()


def run_demo(
    *,
    headless: bool,
    duration: float | None,
    log_level: LogLevel,
    report_interval: float,
    settings: AppSettings,
    keys: Keymap,
    end: End,
    dialect: DialectName,
    state_folder: Path | None = None,
    staged: bool = True,
) -> int:
    """Run on embedded hubs with staged faults; raises as :func:`run` does. Returns the exit status.

    Args:
        duration: seconds after which it ends by itself; None for "when asked".
        state_folder: where its alerts are kept for the next time; None for one that goes with the run.
        staged: faults happen by themselves; else only when they are asked for.
    """
    from tui.runtime.demo_host import DemoHost

    if not headless:
        load_face()
    end.lasts()
    folder = state_folder or _folder_of_its_own()
    place = RunPaths(folder, folder / SOCKET_NAME, log_level)
    with (
        flushed(_Temporary(folder)) if state_folder is None else contextlib.nullcontext() as temporary,
        state_lock(folder, headless=headless) as hold,
        flushed(LogFile(folder, log_level, hold.require)) as log_file,
        DemoHost(dialect, staged=staged) as host,
        _json_lines(headless=headless) as output,
        alert_store_in(folder, alerts := host.alerts(folder), hold) as alert_store,
    ):
        feed = StateFeed()
        supervisor = Supervisor(
            host.connections(),
            plugin_commands=host,
            reporters=_reporters(output, feed),
            report_interval=report_interval,
            components=ComponentOptions(alerts=alerts, services=host.services()),
            alert_store=alert_store,
            folder=hold,
        )
        host.supervise(supervisor)
        closing = (output, alert_store, log_file, temporary)
        end.closing = [each for each in closing if each is not None]
        with flushed(control_socket(supervisor, feed, place, log_file, None)):
            face = None if headless else AppRunner(settings, keys, folder)
            return run_engine(supervisor, face, log_file, end, duration=duration)


def _folder_of_its_own() -> Path:
    """A temporary folder, where the usual place is too deep for a control socket nearer to the root."""
    prefix = "overlay-supervisor-demo-"
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        check_length(folder / SOCKET_NAME)
    except ControlError:
        with contextlib.suppress(OSError):  # then it goes without a socket
            nearer = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
            folder.rmdir()
            return nearer
    return folder


class _Temporary:
    """A folder that goes with the run, also where the run is not waited for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def close(self, timeout: float) -> bool:
        shutil.rmtree(self._folder, ignore_errors=True)
        return True


def _json_lines(*, headless: bool) -> contextlib.AbstractContextManager[Writer | None]:
    return flushed(standard_output()) if headless else contextlib.nullcontext()


def _reporters(output: Writer | None, feed: StateFeed) -> list[Reporter]:
    return [feed] if output is None else [JsonLines(output.write), feed]


def _components(settings: Settings) -> ComponentOptions:
    return ComponentOptions(alerts=settings.alerts, services=settings.services, incidents=settings.incidents)


@dataclass(eq=False)
class _Reloader:
    """Reads the settings anew and has the engine take them, one reload at a time."""

    supervisor: Supervisor
    debug: bool
    read_settings: Callable[[], Settings]
    metrics: MetricsServer
    turn: threading.Lock = field(default_factory=threading.Lock)
    waiting: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> CommandResult:
        """Reload; settings that cannot be used change nothing, and the answer says why."""
        from tui.config.load import SettingsError

        with self.turn:
            try:
                settings = self.read_settings()
            except SettingsError as error:
                message = f"nothing was changed: {'; '.join(error.lines)}"
                log.error("reload: %s", message)
                return CommandResult(ok=False, message=message)
            if not settings.connections:
                no_file, no_connection = "there is no settings file", "the settings hold no connection"
                why = no_file if settings.file is None else no_connection
                return CommandResult(ok=False, message=f"nothing was changed: {why}")
            return self._take_metrics(settings, asyncio.run(self._take(settings)))

    async def _take(self, settings: Settings) -> CommandResult:
        result = await self.supervisor.apply(
            tuple(settings.connections.values()), settings.sources, _components(settings)
        )
        if settings.debug == self.debug:
            return result  # what a person switched meanwhile stays
        self.debug = settings.debug
        shown = await self.supervisor.set_debug(settings.debug)
        return CommandResult(ok=result.ok, message=f"{result.message}; {shown.message}")

    def _take_metrics(self, settings: Settings, result: CommandResult) -> CommandResult:
        from tui.metrics.server import MetricsError

        try:
            words = self.metrics.apply(settings.metrics)
        except MetricsError as error:
            return CommandResult(ok=False, message=f"{result.message}; {error}")
        return CommandResult(ok=result.ok, message=f"{result.message}; {words}") if words else result

    def in_background(self) -> None:
        """Reload without waiting for it; while one waits for its turn, another is not needed."""
        if self.waiting.acquire(blocking=False):
            try:
                threading.Thread(target=self._in_turn, name="reload", daemon=True).start()
            except RuntimeError:
                # The machine has no thread left for us: the next signal asks anew.
                self.waiting.release()
                raise

    def _in_turn(self) -> None:
        try:
            with self.turn:
                self.waiting.release()
            self()
        except Exception:
            log.exception("the settings could not be reloaded")
