"""The end of a process: noted from signals or asked for by itself, and sure within a limit.

A signal's number goes from the system's own handler into a pipe, whatever any thread does meanwhile; a thread
that waits for nothing else reads it there. It tells those who can end by themselves, and when their time is
over it flushes what can be flushed and leaves, whichever thread, disk, name or terminal is stuck.

Imports nothing heavy, and nothing later on: an import could wait for a disk that is stuck.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    import logging

LIMIT = 1.5
"""Seconds from the first word of an end in which everything may end by itself."""
FLUSH_LIMIT = 0.2
"""Seconds after that for what is still to be written."""

_LAST_WORDS = 0.05
_ENDING = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT, signal.SIGUSR1),
    *(signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU, signal.SIGIO),
)
"""All that end a process which does not note them, but for its own faults."""
_NOTED = (*_ENDING, signal.SIGCONT)


class Closing(Protocol):
    """What holds something that is still to be written."""

    def close(self, timeout: float) -> bool:
        """Write what is left, waiting at most ``timeout`` seconds; whether all is written."""


def carry_out(main: Callable[[End], int]) -> NoReturn:
    """Run a whole program: the one way in and the one way out of every command.

    The interpreter's own end is left out. It waits for threads, for a pipe that nobody reads, and no longer
    notes signals.
    """
    open_what_is_closed()
    end = End(has_screen="--headless" not in sys.argv)
    end.take_signals()
    try:
        status = main(end)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 (told as the interpreter would tell it)
        sys.excepthook(*sys.exc_info())
        status = 1
    end.leave(status)


class End:
    """How a process ends.

    At first any signal that ends it does so at once: nothing has begun. After :meth:`lasts` an end is asked
    for, and comes within :data:`LIMIT` and :data:`FLUSH_LIMIT`.

    Args:
        has_screen: a signal n gives the status 128 + n; else it is the regular end of a service, 0.
    """

    def __init__(self, *, has_screen: bool = True) -> None:
        self.closing: Sequence[Closing] = ()
        """What is to be flushed when there is no time left for anything else."""
        self.restore: Callable[[], None] | None = None
        """Gives the terminal back as it was found; called in a thread of its own."""
        self.status: int | None = None
        """The exit status that was asked for; None until an end is. The first one holds."""
        self.message: str | None = None
        """What asked for it, for the log."""
        self._has_screen = has_screen
        self._log: logging.Logger | None = None
        self._deadline: float | None = None
        # Held for moments only; no handler of a signal takes it.
        self._turn = threading.Lock()
        self._noted: list[Callable[[], object]] = []
        self._handlers: dict[int, Callable[[], object]] = {}
        self._wake: int | None = None
        self._ignored: set[int] = set()

    @property
    def is_asked(self) -> bool:
        """Nothing new should begin any more."""
        return self.status is not None

    def take_signals(self) -> None:
        """From now on signals are noted. Once, in the main thread; they are never given back."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(writing, False)
        watch = threading.Thread(target=self._watch, args=(reading,), name="end", daemon=True)
        try:
            watch.start()
        except RuntimeError:
            # The machine has no thread left. What cannot start one will not last either.
            os.close(reading)
            os.close(writing)
            return
        self._wake = writing
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _NOTED:
            # What nohup keeps away ends nothing; who has another use for it is told all the same.
            if signal.getsignal(number) is signal.SIG_IGN:
                self._ignored.add(number)
            # The system's own handler has put its number into the pipe already.
            signal.signal(number, lambda *_: None)

    def lasts(self) -> None:
        """From now on things are opened that must be closed: an end gets the time to come by itself."""
        import logging

        self._log = logging.getLogger("tui.runtime.session")

    def ask(self, status: int, words: str | None = None) -> None:
        """End with this status, now. From any thread; what was asked first holds."""
        with self._turn:
            if self.status is not None:
                return
            self.status, self.message = status, words
            self._deadline = time.monotonic() + LIMIT
        if self._wake is None:
            self._note()
        else:
            with contextlib.suppress(BlockingIOError):  # full: it wakes all the same
                os.write(self._wake, b"\0")

    @contextlib.contextmanager
    def telling(self, ask: Callable[[], object]) -> Iterator[None]:
        """Have ``ask`` called, once, when an end is asked for; at once if it was. It must not wait."""
        with self._turn:
            self._noted.append(ask)
            is_late = self.is_asked
        if is_late:
            self._note()
        try:
            yield
        finally:
            with self._turn, contextlib.suppress(ValueError):
                self._noted.remove(ask)

    @contextlib.contextmanager
    def on(self, number: signal.Signals, call: Callable[[], object]) -> Iterator[None]:
        """Have ``call`` called for each signal of this number, in place of an end. It must not wait."""
        before = self._handlers.get(number)
        self._handlers[number] = call
        try:
            yield
        finally:
            if before is None:
                del self._handlers[number]
            else:
                self._handlers[number] = before

    def leave(self, status: int) -> NoReturn:
        """End the process, with what is printed flushed. Waits for a slow reader only where nothing lasts."""
        if self._log is not None:
            self.ask(status)
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:
                    stream.flush()
            except (OSError, ValueError):
                status = status or 1
        os._exit(status)

    # The thread that waits for nothing else

    def _watch(self, reading: int) -> None:
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        while True:
            left = None
            if self._deadline is not None and (left := self._deadline - time.monotonic()) <= 0:
                self._leave_the_rest()
            if poll.poll(None if left is None else left * 1000):
                for number in os.read(reading, 4096):
                    self._take(number)

    def _take(self, number: int) -> None:
        # Others may take theirs back meanwhile.
        if (call := self._handlers.get(number)) is not None:
            if not self.is_asked:
                self._call(call)
        elif number in _ENDING and number not in self._ignored:
            status = 128 + number if self._has_screen else 0
            if self._log is None:
                os._exit(status)
            self.ask(status, f"ended by {signal.Signals(number).name}")
        if self.is_asked:
            self._note()

    def _note(self) -> None:
        while True:
            with self._turn:
                if not self._noted:
                    return
                ask = self._noted.pop()
            self._call(ask)

    def _call(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (whoever is told may be gone; nothing may stop this thread)
            _beside(partial(self._say, f"an end could not be told: {type(error).__name__}: {error}"))

    def _leave_the_rest(self) -> NoReturn:
        """Whatever is stuck is left behind: the interpreter would wait for it for ever."""
        deadline = time.monotonic() + FLUSH_LIMIT
        names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
        last_words = _beside(partial(self._say, f"not ended within {LIMIT:g} s, leaving behind: {names}"))
        restoring = _beside(*([self.restore] if self.restore is not None else []))
        _join(last_words, time.monotonic() + _LAST_WORDS)
        flushing = _beside(*(partial(each.close, FLUSH_LIMIT) for each in self.closing))
        _join([*restoring, *flushing], deadline)
        os._exit(self.status or 0)

    def _say(self, words: str) -> None:
        if self._log is not None:
            self._log.warning(words)


def open_what_is_closed() -> None:
    """Give each closed one of the first three descriptors to what cannot be written: the next pipe, file or
    connection would take its place, and be printed into."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _beside(*calls: Callable[[], object]) -> list[threading.Thread]:
    """Call each in a thread of its own, so that none holds up another."""
    started = []
    for call in calls:
        thread = threading.Thread(target=call, name="last words", daemon=True)
        # Where the machine has no thread left it is not done.
        with contextlib.suppress(RuntimeError):
            thread.start()
            started.append(thread)
    return started


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
