"""Faces on one engine: opened, opened anew after a crash, done without; and the end that nothing holds up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tui import remembered
from tui.engine.api import Engine
from tui.engine.supervisor import STOP_LIMIT, Supervisor
from tui.keymap import Keymap
from tui.resources import FLUSH_LIMIT
from tui.store.log_file import LogFile

if TYPE_CHECKING:
    from tui.app import OverlaySupervisorApp
    from tui.config import FaceSettings
    from tui.replay.controls import Replay

log = logging.getLogger("tui.session")

HUNG_UP = 128 + signal.SIGHUP
"""The status of a face whose terminal went away."""
END_MARGIN = 0.3
"""Seconds for the engine's own clean-up after its limit."""

_CRASHES_ALLOWED = 3
_CRASH_WINDOW = 60.0
_SWITCH_INTERVAL = 0.0005


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
        self,
        engine: Engine,
        work: Callable[[], None] | None = None,
        *,
        attached: bool = False,
        replay: Replay | None = None,
    ) -> OverlaySupervisorApp:
        """A new face on ``engine``; the same one every time but for what was arranged meanwhile."""
        from tui.app import FaceOptions, OverlaySupervisorApp

        notice, self._notice = self._notice, None
        options = FaceOptions(
            theme=self._settings.theme,
            bell=self._settings.bell,
            refresh=self._settings.refresh,
            toast_from=self._settings.toast_from,
            bell_from=self._settings.bell_from,
            keymap=self._keys,
            folder=self._folder,
            remembered=remembered.read(self._folder),
            remember=self._remember,
            notice=notice,
        )
        if replay is not None:
            return OverlaySupervisorApp(replay, options=options, replay=replay, clock=replay.now)
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


class Closing(Protocol):
    def close(self, timeout: float) -> bool: ...


def each_of(*closing: Closing | None) -> tuple[Closing, ...]:
    return tuple(each for each in closing if each is not None)


def run_with_face(
    supervisor: Supervisor,
    face: Face,
    log_file: LogFile,
    closing: Sequence[Closing],
    *,
    duration: float | None = None,
    on_hangup: Callable[[], None] | None = None,
) -> int:
    # The engine's thread gives the interpreter up at each read and then waits for the face's turn to end:
    # with 5 ms a turn, 99 of 100 of its delays were below 33 ms while the face did its worst, with 0.5 ms 9.
    sys.setswitchinterval(_SWITCH_INTERVAL)
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
    closing: Sequence[Closing],
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
    if engine.begun and not supervisor.ended.wait(STOP_LIMIT + END_MARGIN):
        leave(closing, status)
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


def leave(closing: Sequence[Closing], status: int) -> None:
    """End the process though a thread is stuck: the interpreter would wait for it for ever."""
    log.warning("a thread did not end in time; leaving without it")
    for each in closing:
        each.close(FLUSH_LIMIT)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
