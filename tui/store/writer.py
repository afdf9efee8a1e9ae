"""A thread that writes lines for callers who must never wait: for a pipe, a terminal or a disk."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

CAPACITY = 10_000
"""Lines that wait to be written; beyond it the oldest is dropped."""


class Sink(Protocol):
    """Where lines go. Only the writer's thread calls it, and it may block."""

    def write(self, data: bytes) -> None:
        """Write all of ``data``, which is one line with its line end, or raise OSError."""

    def close(self) -> None:
        """Give up what is held. Called once, after the last line."""


class DescriptorSink:
    """Writes to an open file descriptor, such as standard output, and leaves it open.

    ``sys.stdout`` is not used: at the interpreter's end its flush would wait for a reader for ever.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._line_is_cut = False

    def write(self, data: bytes) -> None:
        if self._line_is_cut:
            data = b"\n" + data
        rest = memoryview(data)
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except BlockingIOError:
                # Someone who shares the descriptor has made it non-blocking.
                select.select([], [self._descriptor], [])
                continue
            # Where a line broke off on a full disk, the next one must not be glued to it.
            self._line_is_cut = written < len(rest)
            rest = rest[written:]

    def close(self) -> None:
        """Nothing: the descriptor is not ours."""


class Writer:
    """A daemon thread with a bounded queue of lines in front of a sink.

    Args:
        note_dropped: makes the line that says that so many lines are missing, without a line end. It
            is written before the next line that gets through.
        on_broken: called once, in the writer's thread, when the reader of a pipe has gone.
        capacity: lines that may wait; beyond it the oldest is dropped and counted.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        note_dropped: Callable[[int], str],
        on_broken: Callable[[], None] | None = None,
        capacity: int = CAPACITY,
        name: str = "writer",
    ) -> None:
        self._sink = sink
        self._note_dropped = note_dropped
        self._on_broken = on_broken
        self._capacity = capacity
        self._lines: deque[str] = deque()
        # Held for the time of a deque operation only, never while something is written.
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._untold = 0
        self.broken = False
        """The reader of the pipe has gone; every further line is dropped."""
        self.dropped = 0
        """Lines lost since the start: from a full queue, in failed writes, after a broken pipe or the end."""
        self.last_error: OSError | None = None
        """The last write that failed; None once another succeeded."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hand over one line, without its line end. Never waits and never raises."""
        with self._changed:
            if self._closing or self.broken:
                self.dropped += 1
                return
            if len(self._lines) >= self._capacity:
                self._lines.popleft()
                self._lose(1)
            self._lines.append(line)
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Take no more lines and wait at most ``timeout`` seconds; whether all were written.

        If not, the thread is left behind; it holds no interpreter up.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive() and not self._untold

    def _lose(self, lines: int) -> None:
        self.dropped += lines
        self._untold += lines

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            line, untold = taken
            noted = not untold or self._put(self._note_dropped(untold))
            written = noted and self._put(line)
            with self._changed:
                if noted:
                    self._untold -= untold
                if not written:
                    self._lose(1)
                if self.broken:
                    self._lose(len(self._lines))
                    self._lines.clear()
        # No line follows that could tell of those missing.
        if self._untold and not self.broken and self._put(self._note_dropped(self._untold)):
            self._untold = 0
        self._sink.close()

    def _take(self) -> tuple[str, int] | None:
        """The next line and the number of those missing before it; None at the end."""
        with self._changed:
            while not self._lines:
                if self._closing:
                    return None
                self._changed.wait()
            return self._lines.popleft(), self._untold

    def _put(self, line: str) -> bool:
        try:
            # A lone surrogate, from a name that was no UTF-8, must not end the thread.
            self._sink.write(line.encode("utf-8", "backslashreplace") + b"\n")
        except OSError as error:
            self.last_error = error
            if isinstance(error, BrokenPipeError) and not self.broken:
                self.broken = True
                if self._on_broken:
                    self._on_broken()
            return False
        self.last_error = None
        return True
