"""Programs that are watched from outside: their processor time, their memory, and what they write."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.bench.face_screen import Screen
from tests.bench.processes import ROOT

Size = tuple[int, int]
"""Columns and rows."""

MEGABYTE = 1_000_000

_END_LIMIT = 5.0
_SAME_PAINT = 0.03
"""Seconds of silence that part one paint from the next."""

_PR_SET_PDEATHSIG = 1
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


class BenchError(Exception):
    """A program under test did not do what the benchmark rests on."""


class Program:
    """A process in a session of its own, ended with the context, and with this process at the latest."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.command = list(command)
        self._environment = _environment(folder)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, without a terminal; what it prints is thrown away."""
        self._spawn(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _spawn(self, **streams: Any) -> None:
        terminal = "stderr" in streams

        def begin() -> None:
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if _LIBRARY is not None:
                _LIBRARY.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        self._process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self._environment,
            start_new_session=True,
            preexec_fn=begin,
            **streams,
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Once started."""
        assert self._process is not None
        return self._process

    def processor_seconds(self) -> float:
        """Processor time of all its threads since its start.

        Raises:
            BenchError: it has ended.
        """
        pid = self.process.pid
        try:
            if sys.platform == "linux":
                # In nanoseconds: psutil's hundredths are too coarse for a few thousandths of a core.
                return time.clock_gettime((~pid << 3) | 2)
            times = psutil.Process(pid).cpu_times()
        except (OSError, psutil.Error) as error:
            raise BenchError(f"{self.command}: ended with status {self.process.poll()}") from error
        return float(times.user + times.system)

    def megabytes(self) -> float:
        """Its resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / MEGABYTE

    async def end(self) -> None:
        """Ask it to end, wait, and kill it with all it started if it does not."""
        process = self._process
        if process is None:
            return
        try:
            process.terminate()
            deadline = time.monotonic() + _END_LIMIT
            while process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.end()


@dataclass
class Paint:
    """What was written at one time."""

    begun: float
    ended: float
    size: int
    rows: set[int]
    """Rows of which a cell changed; empty when all was as before."""


class Terminal(Program):
    """A program on a pseudo-terminal that is always read.

    Args:
        look: whether to keep what its screen shows; without it bytes are merely counted.
    """

    def __init__(self, command: Sequence[str], folder: Path, size: Size, *, look: bool = True) -> None:
        super().__init__(command, folder)
        self._size = size
        self.screen = Screen(*size) if look else None
        self.received = 0
        self.paints: list[Paint] = []
        self.watch: Callable[[float], None] | None = None
        """Called with the time, by :func:`time.perf_counter`, at which bytes came that were painted now."""
        self.began = 0.0
        self._master = -1
        self._hung_up = asyncio.Event()

    def start(self) -> None:
        """Start it on its terminal."""
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        _set_size(slave, self._size)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self.began = time.perf_counter()
        try:
            self._spawn(stdin=slave, stdout=slave, stderr=slave)
        finally:
            os.close(slave)

    def type(self, keys: str) -> float:
        """Type; returns when."""
        at = time.perf_counter()
        os.write(self._master, keys.encode())
        return at

    def resize(self, size: Size) -> None:
        """Give the terminal another size; its program is told as by any terminal."""
        _set_size(self._master, size)

    async def until(self, condition: Callable[[Screen], bool], what: str, limit: float = 30.0) -> float:
        """Wait for the screen; returns when the bytes that made it so were there.

        Raises:
            BenchError: not within ``limit`` seconds, or the program ended.
        """
        screen = self.screen
        assert screen is not None
        if condition(screen):
            return time.perf_counter()
        reached: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def look(at: float) -> None:
            if not reached.done() and condition(screen):
                reached.set_result(at)

        self.watch = look
        try:
            ended = asyncio.create_task(self._hung_up.wait())
            await asyncio.wait((reached, ended), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
        finally:
            self.watch = None
        if reached.done():
            return reached.result()
        how = "the program ended" if self._hung_up.is_set() else f"not within {limit:g} s"
        shown = "\n".join(screen.text(row).rstrip() for row in range(screen.height))
        raise BenchError(f"{what}: {how}; the screen shows\n{shown}")

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
            self._hung_up.set()
            return
        at = time.perf_counter()
        self.received += len(data)
        if self.screen is None:
            return
        rows = self.screen.feed(data)
        last = self.paints[-1] if self.paints else None
        if last is not None and at - last.ended < _SAME_PAINT:
            last.ended = at
            last.size += len(data)
            last.rows |= rows
        else:
            self.paints.append(Paint(at, at, len(data), rows))
        if self.watch is not None:
            self.watch(at)

    async def end(self) -> None:
        """End the program, then hang up."""
        try:
            await super().end()
        finally:
            if self._master >= 0:
                asyncio.get_running_loop().remove_reader(self._master)
                os.close(self._master)
                self._master = -1


class Place:
    """A folder for the time of a benchmark, with settings for so many links on one hub.

    Args:
        defaults: more lines of ``[defaults]``.
        more: lines after all others.
    """

    def __init__(
        self,
        url: str,
        topics: Sequence[Sequence[str]],
        preset: str = "live",
        *,
        defaults: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> None:
        self._url, self._topics, self._preset = url, topics, preset
        self._defaults, self._more = defaults, more
        self.links = len(topics)
        self.channels = sum(map(len, topics))
        """Of all links."""
        self._states = 0

    def __enter__(self) -> Self:
        # Short: a Unix socket's path has 107 bytes at the most.
        self.folder = Path(tempfile.mkdtemp(prefix="os-bench-"))
        lines = ["[defaults]", f'preset = "{self._preset}"', 'proxy = "none"', *self._defaults]
        for number, topics in enumerate(self._topics):
            named = ", ".join(f'"{topic}"' for topic in topics)
            lines += [f"[connections.{link_name(number)}]", f'url = "{self._url}"', f"topics = [{named}]"]
        self.settings.write_text("\n".join([*lines, *self._more]) + "\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "config.toml"

    @property
    def state(self) -> Path:
        """The state folder of the program that was made last."""
        return self.folder / f"state{self._states}"

    def _run(self, module: Sequence[str], *arguments: str) -> list[str]:
        self._states += 1
        command = [sys.executable, "-m", *module, "run", "--config", str(self.settings)]
        return [*command, "--state", str(self.state), *arguments]

    def measured(self, module: str, file: Path, size: Size) -> Terminal:
        """The whole program as ``module`` runs it, which writes what it measured to ``file`` at the end."""
        return Terminal(self._run((module, str(file))), self.folder, size)

    def face(self, size: Size, *, look: bool = True, lateness: Path | None = None) -> Terminal:
        """The whole program, in a new state folder."""
        return Terminal(self._run(_module(lateness)), self.folder, size, look=look)

    def engine(self, *, lateness: Path | None = None) -> Program:
        """The engine alone, with the same settings in a new state folder."""
        headless = ("--headless", "--report-interval", "3600")
        return Program(self._run(_module(lateness), *headless), self.folder)


def link_name(number: int) -> str:
    """As the list shows it; by name is by number."""
    return f"link_{number:03}"


def _module(lateness: Path | None) -> tuple[str, ...]:
    return ("tui.cli.main",) if lateness is None else ("tests.bench.face_program", str(lateness))


def _set_size(descriptor: int, size: Size) -> None:
    width, height = size
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def _environment(folder: Path) -> dict[str, str]:
    """A plain terminal of many colours, and nobody's own settings."""
    mine = ("OVERLAY_SUPERVISOR_", "TEXTUAL", "XDG_", "LC_", "PYTHON")
    others = {"NO_COLOR", "COLUMNS", "LINES", "TMUX", "TERM_PROGRAM"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return {name: value for name, value in kept.items() if name not in others} | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
    }
