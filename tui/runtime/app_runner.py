"""Faces on one engine: opened, opened anew after a crash, done without while there is none to be seen."""

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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.app import remembered, tty
from tui.app.keymap import Keymap
from tui.engine.supervisor import Supervisor
from tui.model.engine import Engine
from tui.store.log_file import LogFile
from tui.system.ending import LIMIT, End
from tui.system.output import PROGRAM, complain

if TYPE_CHECKING:
    from tui.app.app import OverlaySupervisorApp
    from tui.config.load import AppSettings
    from tui.replay.engine import ReplayEngine

log = logging.getLogger("tui.runtime.session")

_CRASHES_ALLOWED = 3
_CRASH_WINDOW = 60.0
_SWITCH_INTERVAL = 0.0005
_LOOK = 0.25
"""Seconds between two looks at whether a face can be seen."""


def load_face() -> None:
    """Import all that a face needs: a second or more of a busy machine, which no end should have to await."""
    import tui.app.app  # noqa: F401


@dataclass
class AppRunner:
    """Opens faces with the settings' keys and theme, arranged as the last one was left in ``folder``."""

    settings: AppSettings
    keys: Keymap
    folder: Path
    notice: str | None = None

    def open(
        self,
        engine: Engine,
        work: Callable[[], None] | None = None,
        *,
        attached: bool = False,
        replay: ReplayEngine | None = None,
    ) -> OverlaySupervisorApp:
        """A new face on ``engine``; the same one every time but for what was arranged meanwhile."""
        from tui.app.app import OverlaySupervisorApp
        from tui.app.commands import AppOptions

        notice, self.notice = self.notice, None
        options = AppOptions(
            theme=self.settings.theme,
            bell=self.settings.bell,
            refresh=self.settings.refresh,
            toast_from=self.settings.toast_from,
            bell_from=self.settings.bell_from,
            keymap=self.keys,
            folder=self.folder,
            remembered=remembered.read(self.folder),
            remember=partial(remembered.write, self.folder),
            notice=notice,
        )
        clock = time.time if replay is None else replay.now
        return OverlaySupervisorApp(
            engine, work, options=options, attached=attached, replay=replay, clock=clock
        )

    async def show(
        self, app: OverlaySupervisorApp, end: End, *, outlives_terminal: bool = False
    ) -> int | None:
        """Run a face as of :meth:`tui.app.terminal.UnattendedApp.run_to`, and keep how it was left."""
        before = app.remembered
        status = await app.run_to(end, mouse=self.settings.mouse, outlives_terminal=outlives_terminal)
        if app.remembered != before:
            try:
                remembered.write(self.folder, app.remembered)
            except OSError as error:
                log.warning("the arrangement of the screen could not be kept: %s", error)
        return status


def run_engine(
    supervisor: Supervisor,
    face: AppRunner | None,
    log_file: LogFile,
    end: End,
    *,
    duration: float | None = None,
    on_hangup: Callable[[], object] | None = None,
) -> int:
    """Run the engine, with a face wherever one can be seen, until its end. Returns the exit status.

    Args:
        face: None runs without one.
        duration: seconds after which it ends by itself.
        on_hangup: called at SIGHUP while there is no face; the connections outlive the terminal. None for a
            run that ends with it.
    """
    engine = _EngineThread(supervisor)
    hang_up = contextlib.nullcontext() if on_hangup is None else end.on(signal.SIGHUP, on_hangup)
    with end.telling(supervisor.stop), hang_up:
        if face is None:
            engine.begin()
            ended = supervisor.ended.wait(duration)
            end.ask(1 if ended and not supervisor.stop_asked else 0)
            status = end.status or 0
        else:
            # The engine's thread gives the interpreter up at each read and then waits for the face's turn to
            # end: with 5 ms a turn, 99 of 100 of its delays were below 33 ms while the face did its worst,
            # with 0.5 ms 9.
            sys.setswitchinterval(_SWITCH_INTERVAL)
            status = asyncio.run(_faces(engine, face, log_file, end, duration, on_hangup is not None))
            end.ask(status)
        if engine.begun:
            supervisor.ended.wait(LIMIT)
    if end.message is not None:
        log.info(end.message)
    return status


def run_beside(face: AppRunner, open_face: Callable[[], OverlaySupervisorApp], end: End) -> int:
    """Show what runs by itself, wherever a face can be seen, until it is left. Returns the exit status."""

    async def faces() -> int:
        while await _in_front(end):
            app = open_face()
            status = await face.show(app, end)
            if app.crash is not None:
                complain(PROGRAM, f"the screen crashed: {type(app.crash).__name__}")
                return 1
            if status is not None:
                return status
        return end.status or 0

    load_face()
    end.lasts()
    return asyncio.run(faces())


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

    def begin(self) -> None:
        """Have it run without a face, if it does not run yet."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._run, name="engine", daemon=True).start()

    def _run(self) -> None:
        # The engine logs what ends it; a traceback on standard error would be the second telling.
        with contextlib.suppress(Exception):
            self.supervisor.run()

    @property
    def begun(self) -> bool:
        return self._begun.locked()


async def _faces(
    engine: _EngineThread,
    face: AppRunner,
    log_file: LogFile,
    end: End,
    duration: float | None,
    outlives_terminal: bool,
) -> int:
    supervisor = engine.supervisor
    crashes: deque[float] = deque(maxlen=_CRASHES_ALLOWED)
    if duration is not None:
        asyncio.get_running_loop().call_later(duration, end.ask, 0)
    while await _in_front(end, engine.begin):
        app = face.open(supervisor, engine.work)
        status = await face.show(app, end, outlives_terminal=outlives_terminal)
        if app.crash is not None and not end.is_asked:
            log.error("the screen crashed", exc_info=app.crash)
            crashes.append(time.monotonic())
            if len(crashes) < _CRASHES_ALLOWED or crashes[-1] - crashes[0] >= _CRASH_WINDOW:
                continue
            complain(
                PROGRAM,
                "the screen crashed three times within a minute; the connections go on without it",
                f"a new screen: overlay-supervisor attach; what happened is in {log_file.path}; "
                f"stop with ^C, or: kill {os.getpid()}",
            )
        elif status == tty.HUNG_UP and outlives_terminal:
            log.info("the connections go on without a screen; a new one: overlay-supervisor attach")
            supervisor.note("the terminal is gone; the connections go on without a screen")
        elif status is not None:
            return status
        else:
            continue
        engine.begin()
        await _until(supervisor.ended.is_set, end)
        break
    # An engine that ended unasked has failed.
    return 1 if end.status is None else end.status


async def _in_front(end: End, begin: Callable[[], None] | None = None) -> bool:
    """Wait until a face can be seen; False when an end is asked for before.

    Where it must wait, what runs without a face is to ``begin``.
    """
    if not tty.is_in_front() and not end.is_asked:
        tty.ignore_job_control()
        complain(PROGRAM, "in the background; fg shows the screen")
        if begin is not None:
            begin()
    return await _until(tty.is_in_front, end)


async def _until(condition: Callable[[], bool], end: End) -> bool:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    with end.telling(lambda: loop.call_soon_threadsafe(asked.set)):
        while not asked.is_set():
            if condition():
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), _LOOK)
    return False
