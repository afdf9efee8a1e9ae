"""What a screen may ask of the app that shows it: what was last read of the engine, and commands for it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from textual.dom import DOMNode
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker

from tui.app.keymap import Keymap, keymap
from tui.app.remembered import Remembered
from tui.app.terminal import UnattendedApp
from tui.channels.apart import apart
from tui.model.engine import Engine
from tui.model.incidents import IncidentSeverity
from tui.model.snapshot import CommandResult, ConnectionSnapshot, LogLine, Snapshot
from tui.replay.engine import ReplayEngine
from tui.replay.values import SPEEDS, Mark, Position
from tui.system.private_files import open_private
from widgets.lines import Tone

log = logging.getLogger(__name__)

COMMAND_SECONDS = 10.0
"""How long a command may take before its silence is told."""
LOG_LINES = 500
REMEMBER_SECONDS = 0.5
"""After a change of the arrangement: what is typed into the filter is not written letter by letter."""


@dataclass(frozen=True, kw_only=True)
class AppOptions:
    """What a face takes from the settings and from its last run."""

    theme: str | None = None
    """One of :data:`tui.app.app.THEMES`; it beats the remembered one. ``NO_COLOR`` beats both."""
    bell: bool = False
    """Ring once when the worst state becomes worse."""
    toast_from: IncidentSeverity | None = "warning"
    """The least severity of an incident that is told in the last row as it opens; None tells none."""
    bell_from: IncidentSeverity | None = None
    """The same for the bell."""
    refresh: float = 1.0
    """Seconds between repaints of what merely ticks."""
    keymap: Keymap = field(default_factory=lambda: keymap({}))
    """The keys of every action."""
    folder: Path | None = None
    """Where pictures and exports go; None for the working directory."""
    remembered: Remembered = field(default_factory=Remembered)
    """How the last face was left."""
    remember: Callable[[Remembered], None] | None = None
    """Keeps how this one is left; called in a thread, and may raise OSError."""
    notice: str | None = None
    """Told once at the start."""


class EngineApp(UnattendedApp, inherit_bindings=False):
    """An app that shows one engine.

    Attributes:
        attached: the engine lives elsewhere and goes on without this face.
        replay: the engine where it shows the past.
        clock: gives epoch seconds, of a replay those of its moment.
        snapshot: as it was last read.
        log_lines: the newest, oldest first; log_missed are those that were dropped unread.
        marks: what a replay's time line shows.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        options: AppOptions | None = None,
        attached: bool = False,
        replay: ReplayEngine | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.options = options or AppOptions()
        self.keymap = self.options.keymap
        self.clock = clock
        self.engine = engine
        self.attached = attached
        self.replay = replay
        self.marks: tuple[Mark, ...] = ()
        self.snapshot: Snapshot = engine.snapshot()
        self.log_lines: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.log_missed = 0
        self.remembered = self.options.remembered
        """How the face is arranged now."""
        self._remembering = threading.Lock()
        self._remember_timer: Timer | None = None

    def show_now(self) -> None:
        """Read the engine and show what changed."""
        raise NotImplementedError

    def note(self, text: str, tone: Tone = "plain") -> None:
        """Say something in the last row of the screen that is seen."""
        raise NotImplementedError

    @property
    def now(self) -> float:
        """Epoch seconds, whole ones: what merely ticks changes no more often."""
        return float(int(self.clock()))

    @property
    def position(self) -> Position | None:
        """Where a replay stands; None for the present."""
        return None if self.replay is None else self.replay.position()

    def connection(self, name: str) -> ConnectionSnapshot | None:
        return next((each for each in self.snapshot.connections if each.name == name), None)

    def open_screen(self, screen: Screen[None]) -> None:
        self.push_screen(screen)
        self.call_later(self.show_now)

    # Commands -----------------------------------------------------------------------------------

    def command(self, verb: str, name: str | None) -> None:
        """Connect, reconnect or disconnect ``name``, or all."""
        give: dict[str, Callable[[str | None], Awaitable[CommandResult]]] = {
            "connect": self.engine.connect,
            "reconnect": self.engine.reconnect,
            "disconnect": self.engine.disconnect,
        }
        self.run_command(f"{verb} {name or 'all'}", give[verb](name))

    def run_command(
        self,
        words: str,
        answer: Awaitable[CommandResult],
        noted: Callable[[CommandResult], None] | None = None,
    ) -> None:
        """Wait for the engine's answer beside everything else, tell it, and call ``noted`` with it."""

        async def run() -> None:
            try:
                result = await asyncio.wait_for(answer, COMMAND_SECONDS)
            except TimeoutError:
                result = CommandResult(ok=False, message=f"no answer after {COMMAND_SECONDS:.0f} s")
            if result.ok:
                self.note(result.message)
            else:
                self.note(f"✗ {words}: {result.message}", "bad")
            self.show_now()
            if noted is not None:
                noted(result)
            # The engine publishes what a command did within 20 ms.
            self.set_timer(0.04, self.show_now)

        self.note(f"{words} …")
        run_beside(self, run, words)

    def worker_failed(self, worker: Worker[object]) -> None:
        """Log and tell a failure that nobody foresaw; row 1 tells that of the engine itself."""
        log.error("worker %s failed", worker.name, exc_info=worker.error)
        if worker.name != "engine":
            self.note(f"✗ {worker.name}: {type(worker.error).__name__}: {worker.error}", "bad")

    def action_replay(self, verb: str, amount: float = 0.0) -> None:
        """Go to another moment of the replay, or let it play; where there is none that is said."""
        replay = self.replay
        if replay is None:
            self.note("✗ this is the present: overlay-supervisor replay shows the past", "busy")
            return
        position = replay.position()
        speed = position.speed
        faster = SPEEDS[(SPEEDS.index(speed) + 1) % len(SPEEDS)] if position.playing else speed
        what: dict[str, Callable[[], Awaitable[CommandResult]]] = {
            "play": lambda: replay.pause() if position.playing else replay.play(speed),
            "speed": lambda: replay.play(faster),
            "step": lambda: replay.step(int(amount)),
            "by": lambda: replay.seek(position.at + amount),
            "incident": replay.next_incident if amount > 0 else replay.previous_incident,
        }
        self.run_command("replay", what[verb]())

    # What goes out ------------------------------------------------------------------------------

    def copy(self, text: str, what: str) -> None:
        """Send ``text`` to the terminal's clipboard; whether it took it, no terminal says."""
        self.copy_to_clipboard(text)
        self.note(f"{what} sent to the terminal's clipboard")

    def export(self, what: str, name: str, ending: str, encode: Callable[[], bytes]) -> None:
        """Write a file of the present moment's name, encoded in a thread, and tell where it went."""
        moment = time.strftime("%Y%m%dT%H%M%S", time.localtime(self.clock()))

        def write() -> str:
            return str(_write_new(self.options.folder, f"{name}-{moment}.{ending}", encode()))

        async def run() -> None:
            try:
                path = await apart(write, write, what)
            except OSError as error:
                self.note(f"✗ {what}: {error.filename or ''}: {error.strerror}", "bad")
            else:
                self.note(f"{what}: {path}")

        run_beside(self, run, what)

    def remember(self, **changes: str | None) -> None:
        """Keep how the face is arranged for the next start."""
        remembered = msgspec.structs.replace(self.remembered, **changes)
        if remembered == self.remembered:
            return
        self.remembered = remembered
        if self._remember_timer is not None:
            self._remember_timer.stop()
        self._remember_timer = self.set_timer(REMEMBER_SECONDS, self._write_remembered)

    def _write_remembered(self) -> None:
        keep = self.options.remember
        if keep is None:
            return

        def write() -> None:
            # One after the other, and each the latest there is.
            with self._remembering:
                keep(self.remembered)

        async def run() -> None:
            try:
                await apart(write, write, "remember")
            except OSError as error:
                log.warning("the arrangement of the screen could not be kept: %s", error)

        run_beside(self, run, "remember")


def run_beside(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], name: str, *, exclusive: bool = False
) -> None:
    """Run ``work`` as a worker of ``node``; its failure is told, and ends nothing.

    A function, not a coroutine: one of a worker that never began, as the app ended, would be left unawaited.

    Args:
        exclusive: what else ``node`` runs under this name ends.
    """
    # Textual's types have such a function return Never.
    node.run_worker(work, name=name, group=name, exclusive=exclusive, exit_on_error=False)  # type: ignore[arg-type]


def _write_new(folder: Path | None, name: str, content: bytes) -> Path:
    """Write a new file, private to its owner, and return where it is.

    Args:
        folder: made if it is missing; None for the working directory.
        name: of the file; one that is there already is left alone, and a number added.

    Raises:
        OSError: it could not be written.
    """
    folder = folder or Path.cwd()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem, dot, ending = name.rpartition(".")
    for number in range(1, 1000):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{ending}")
        try:
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path
    raise FileExistsError(17, "a thousand files of that name", str(folder / name))
