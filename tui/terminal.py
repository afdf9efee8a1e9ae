"""An app that outlives its terminal: stalled, lost, stopped, or ended by a signal.

The one place that touches private parts of Textual; ``tests/terminal`` holds each of them against a
real terminal and fails when Textual moves them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import select
import selectors
import signal
import termios
import threading
import time
from codecs import getincrementaldecoder
from typing import Any

from rich.console import RenderableType
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from tui import tty
from tui.plain_text import ascii_only

log = logging.getLogger(__name__)

MOST_FRAMES_WAITING = 6
"""Frames that may wait for a terminal that does not read; Textual's queue holds 30 writes."""

_CATCH_UP = 0.25
"""Seconds between two looks at whether a stalled terminal reads again."""
_TICK = 0.1
"""Seconds between two looks at what was typed last."""
_SETTLED = 0.5
"""Seconds after the last key in which it may turn out to be a lone escape."""

_LOST = select.POLLHUP | select.POLLERR | select.POLLNVAL
_RESTORE = (
    "\x1b[<u"  # keyboard protocol
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?2048l"  # paste, focus, resize reports
    "\x1b[?7h\x1b[?1047l\x1b[?25h"  # line wrap, main screen (the cursor where it is), cursor
)
_KEEP_TITLE, _GIVE_TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"


def terminal_is_lost(descriptor: int) -> bool:
    """Whether nobody will ever type here again: hung up, failed, or closed."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(events & _LOST for _, events in poll.poll(0))


class SavedTerminal:
    """The terminal's modes as they were, for an end that Textual does not see."""

    def __init__(self) -> None:
        """Keep the modes of stdin, if it is a terminal."""
        self._descriptor = 0
        self._modes: list[Any] | None = None
        if tty.is_there():
            self._modes = termios.tcgetattr(self._descriptor)

    def restore(self) -> None:
        """Leave the main screen, a cursor and the modes behind. Harmless when all is well already.

        Never blocks: what a stalled terminal does not take at once is left out.
        """
        if self._modes is None or terminal_is_lost(self._descriptor):
            return
        # Without flushing: waiting for output to drain would wait for a stalled terminal.
        termios.tcsetattr(self._descriptor, termios.TCSANOW, self._modes)
        if select.select([], [2], [], 0)[1]:
            os.write(2, _RESTORE.encode())


class _WakingEvent(threading.Event):
    """Wakes the input thread when it is set."""

    def __init__(self, wake: int) -> None:
        super().__init__()
        self._wake: int | None = wake

    def set(self) -> None:
        super().set()
        if self._wake is not None:
            os.write(self._wake, b"!")

    def close(self) -> None:
        """Wake nobody any more: the descriptor may become somebody else's."""
        if self._wake is not None:
            os.close(self._wake)
            self._wake = None


class PatientDriver(LinuxDriver):
    """Textual's driver, made never to wait for the terminal and never to stop the process."""

    _utf8 = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waking = _WakingEvent(wake_writer)
        self.exit_event = self._waking

    def run_input_thread(self) -> None:
        """Read keys until the end. Sleeps while nothing is typed, where Textual's wakes ten times a second,
        and ends with the terminal, where Textual's would spin."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        quiet_since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                # A lone escape is told from the beginning of a sequence by the time that passes after it.
                settled = time.monotonic() - quiet_since > _SETTLED
                ready = selector.select(None if settled else _TICK)
                if any(key.fd == self.fileno for key, _ in ready):
                    quiet_since = time.monotonic()
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError as error:
                        log.info("the terminal cannot be read any more: %s", error)
                        return
                    if not data:
                        return
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        # Another thread may begin, and must sleep.
        os.read(self._wake_reader, 4096)

    def start_application_mode(self) -> None:
        """Find out what the terminal can be sent, then begin."""
        self._utf8 = tty.is_utf8(os.environ)
        super().start_application_mode()  # type: ignore[no-untyped-call]  # untyped in Textual

    @property
    def waiting_writes(self) -> int:
        """How many writes the terminal has not taken yet."""
        return self._writer_thread._queue.qsize() if self._writer_thread else 0

    def write(self, data: str) -> None:
        """Hand ``data`` to the writer thread; drop it when the terminal is far behind or gone.

        Each write is whole escape sequences, so that one left out garbles nothing.
        """
        writer = self._writer_thread
        if writer is None or not writer.is_alive():
            return
        if not self._utf8:
            data = ascii_only(data)
        try:
            writer._queue.put_nowait(data)
        except queue.Full:
            log.debug("the terminal does not read: %d characters dropped", len(data))

    def close(self) -> None:
        """End the writer thread, which a stalled terminal may hold for ever: it is a daemon."""
        self._waking.close()
        os.close(self._wake_reader)
        writer = self._writer_thread
        if writer is None:
            return
        self.write(_GIVE_TITLE_BACK)
        try:
            writer._queue.put_nowait(None)
        except queue.Full:
            log.debug("the terminal does not read: its writer is left behind")
            return
        writer.join(timeout=1.0)

    def _get_terminal_size(self) -> tuple[int, int]:
        # Textual believes COLUMNS and LINES first, which some shells export and nobody updates.
        for descriptor in (self.fileno, 2):
            try:
                width, height = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if width and height:
                return width, height
        return super()._get_terminal_size()

    def _sigtstp_application(self, *_: object) -> None:
        # Stopping the process would stop every connection in it.
        self._app.call_later(self._app.action_suspend_process)

    def _sigcont_application(self, *_: object) -> None:
        # Whoever stopped the process did not leave application mode, so there is none to resume:
        # Textual would start a second input thread beside the first.
        self._app.call_later(self._set_again)

    def _set_again(self) -> None:
        """Take the terminal back from a shell that had it in between."""
        attributes = termios.tcgetattr(self.fileno) if os.isatty(self.fileno) else None
        if attributes is not None:
            attributes[0] = self._patch_iflag(attributes[0])
            attributes[3] = self._patch_lflag(attributes[3])
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
        self.write("\x1b[?1049h\x1b[?25l\x1b[?7l")
        self._app.screen.refresh()


class UnattendedApp(App[int]):
    """An app that may be left alone for weeks.

    A stalled terminal costs frames, not time; a lost one ends the app with 129; SIGTERM, SIGHUP and
    SIGINT end it with 128 + n, terminal restored.
    """

    def __init__(self) -> None:
        # The filter that takes colours away is chosen in the constructor, before any theme is set,
        # and leaves the terminal's own colours in if it is told of them later.
        no_colour = "NO_COLOR" in os.environ
        super().__init__(driver_class=PatientDriver, ansi_color=True if no_colour else None)
        self.without_colour = no_colour
        self._frame_dropped = False
        self._title = ""

    def on_mount(self) -> None:
        """Take the signals and watch the terminal."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._end_by_signal, number)
        self.set_interval(1.0, self._watch_terminal)

    def on_unmount(self) -> None:
        """Give the signals back."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.remove_signal_handler(number)

    def show_title(self, title: str) -> None:
        """Set the terminal's title; an unchanged one is not sent."""
        if title == self._title or self._driver is None or self.is_headless:
            return
        keep = "" if self._title else _KEEP_TITLE
        self._title = title
        self._driver.write(f"{keep}\x1b]2;{title}\x07")

    @property
    def crash(self) -> BaseException | None:
        """What ended the app against its will, for the caller to log; None when nothing did."""
        return self._exception

    def _fatal_error(self) -> None:
        # Textual would print every local variable to the terminal, tokens included. The traceback is
        # the caller's to log: it is in ``crash``.
        self._close_messages_no_wait()

    def _end_by_signal(self, number: signal.Signals) -> None:
        log.info("ended by %s", number.name)
        self.exit(return_code=128 + number)

    def _watch_terminal(self) -> None:
        driver = self._driver
        if isinstance(driver, PatientDriver) and terminal_is_lost(driver.fileno):
            log.info("the terminal is gone")
            self.exit(return_code=128 + signal.SIGHUP)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self._driver
        if isinstance(driver, PatientDriver) and driver.waiting_writes > MOST_FRAMES_WAITING:
            if not self._frame_dropped:
                self._frame_dropped = True
                self.set_timer(_CATCH_UP, self._catch_up)
            return
        super()._display(screen, renderable)

    def _catch_up(self) -> None:
        """Paint everything once a terminal that had stalled reads again."""
        driver = self._driver
        if isinstance(driver, PatientDriver) and driver.waiting_writes:
            self.set_timer(_CATCH_UP, self._catch_up)
            return
        self._frame_dropped = False
        self.screen.refresh()
