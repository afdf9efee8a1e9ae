"""A program on a pseudo-terminal of its own, whose other end a test reads, ignores or closes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.pace import PATIENCE

ROOT = Path(__file__).parents[2]


class RealTerminal:
    """Runs a module of Python, ``tests.terminal.program`` unless named, on a pseudo-terminal of 80x24."""

    def __init__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        module: str = "tests.terminal.program",
    ) -> None:
        self._module = module
        self.output = bytearray()
        self._reading = threading.Event()
        self._reading.set()
        self._closed = False
        values = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        values.pop("NO_COLOR", None)
        values |= environment or {}
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes_before = termios.tcgetattr(slave)
        self._slave = slave
        self.pid = os.fork()
        if self.pid == 0:
            self._become_program(slave, arguments, values)
        self.process = psutil.Process(self.pid)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def _become_program(self, slave: int, arguments: tuple[str, ...], values: dict[str, str]) -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(slave, descriptor)
        os.closerange(3, 256)
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", self._module, *arguments], values)

    def __enter__(self) -> RealTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            self.process.kill()
            os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Hang up, as a terminal that was closed does."""
        if not self._closed:
            self._closed = True
            self._reading.set()
            self._reader.join(2)
            os.close(self.master)
            os.close(self._slave)

    def pause_reading(self) -> None:
        """Stall: the program's output is no longer taken."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Take the output again."""
        self._reading.set()

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.master, text.encode())

    def wait_for(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for a condition, with a limit."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, bytes(self.output[-2000:])
            time.sleep(0.02)

    def wait_for_output(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until the program wrote ``text``."""
        self.wait_for(lambda: text.encode() in self.output, seconds)

    def wait_for_quiet(self, seconds: float = 30.0) -> None:
        """Wait until the program sleeps: for the fifth of a second it has used next to no processor time."""
        used = -1.0

        def is_quiet() -> bool:
            nonlocal used
            before, used = used, sum(self.process.cpu_times()[:2])
            time.sleep(0.2)
            return used - before < 0.02

        self.wait_for(is_quiet, seconds)

    def exit_code(self, seconds: float = 10.0) -> int:
        """Wait for the program's end and return its code; negative for a signal that killed it."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "the program did not end: " + repr(bytes(self.output[-500:]))
            time.sleep(0.02)

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size, as dragging its window does."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def modes(self) -> list[Any]:
        """The terminal's modes as they are now."""
        return termios.tcgetattr(self._slave)

    def _read(self) -> None:
        while not self._closed:
            self._reading.wait()
            if self._reading.is_set() and select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    return  # hung up
