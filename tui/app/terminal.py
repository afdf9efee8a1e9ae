"""An app that outlives its terminal: stalled, lost, stopped, or ended by a signal.

Private parts of Textual are touched here and in ``typed.py`` alone; ``tests/terminal`` holds each of
them against a real terminal and fails when Textual moves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import selectors
import signal
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import RenderableType
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from tui.app import tty
from tui.app.typed import Sequences, Typed
from tui.system.ending import End
from tui.text.printable import ascii_only

log = logging.getLogger(__name__)

MOST_FRAMES_WAITING = 6
"""Frames that may wait for a terminal that does not read; Textual's queue holds 30 writes."""

_CATCH_UP = 0.25
"""Seconds between two looks at whether a stalled terminal reads again."""
_TICK = 0.1
"""Seconds between two looks at what was typed last."""
_SETTLED = 0.5
"""Seconds after the last key in which it may turn out to be a lone escape."""
_LAST_FRAMES = 0.5
"""Seconds that the end waits for the terminal to take what was drawn."""
_WATCH = 1.0
"""Seconds between two looks at whether the terminal is still there."""

_KEEP_TITLE, _GIVE_TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"


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
        self._output = tty.TerminalOutput()
        self._file = self._output  # type: ignore[assignment]  # all that its thread calls is there
        self.is_left_behind = False
        """The terminal has not taken what would have restored it."""
        self._wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waking = _WakingEvent(wake_writer)
        self.exit_event = self._waking

    def run_input_thread(self) -> None:
        """Read keys until the end. Sleeps while nothing is typed, where Textual's wakes ten times a second,
        and ends with the terminal, where Textual's would spin. A text that was pasted is one message."""
        sequences = Sequences()
        typed = Typed()
        decode = getincrementaldecoder("utf-8")("replace").decode
        quiet_since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                # A lone escape is told from the beginning of a sequence by the time that passes after it.
                settled = time.monotonic() - quiet_since > _SETTLED
                waits = sequences.is_in_text or not settled
                ready = selector.select(typed.wait or (_TICK if waits else None))
                data = b""
                if any(key.fd == self.fileno for key, _ in ready):
                    quiet_since = time.monotonic()
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError as error:
                        if not tty.is_in_front():
                            time.sleep(_TICK)
                            continue
                        log.info("the terminal cannot be read any more: %s", error)
                        return
                    if not data:
                        return
                now = time.monotonic()
                for message in typed.take(sequences.take(decode(data), now), now):
                    self.process_message(message)
        # Another thread may begin, and must sleep.
        os.read(self._wake_reader, 4096)

    def start_application_mode(self) -> None:
        self._utf8 = tty.is_utf8(os.environ)
        while self._writer_thread is None:
            # It stops the process and begins nothing where it was put in the background just now.
            super().start_application_mode()  # type: ignore[no-untyped-call]  # untyped in Textual
        tty.ignore_job_control()

    def stop_application_mode(self) -> None:
        """Leave the terminal as it was found. In the background its modes are somebody else's."""
        if not tty.is_in_front():
            self.attrs_before = None
        super().stop_application_mode()

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
        with contextlib.suppress(queue.Full):
            writer._queue.put_nowait(None)
            writer.join(timeout=_LAST_FRAMES)
        if writer.is_alive():
            log.debug("the terminal does not read: its writer is left behind")
            self.let_go()

    def let_go(self) -> None:
        """Draw no more. From any thread."""
        self._output.let_go()
        self.is_left_behind = True

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
        # Noted only, as every signal is. Stopping the process would stop every connection in it.
        pass

    def _sigcont_application(self, *_: object) -> None:
        # Whoever stopped the process did not leave application mode, so there is none to resume:
        # Textual would start a second input thread beside the first.
        pass

    def set_again(self) -> None:
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

    A stalled terminal costs frames, not time; a lost one ends the app; so does an end that is asked for, and
    neither waits behind the app's messages.
    """

    def __init__(self) -> None:
        # The filter that takes colours away is chosen in the constructor, before any theme is set,
        # and leaves the terminal's own colours in if it is told of them later.
        no_colour = "NO_COLOR" in os.environ
        super().__init__(driver_class=PatientDriver, ansi_color=True if no_colour else None)
        self.without_colour = no_colour
        self._frame_dropped = False
        self._title = ""
        self._end = End()
        self._is_leaving = False
        self._terminal_is_lost = False
        self._is_in_background = False

    async def run_to(self, end: End, *, mouse: bool = True, outlives_terminal: bool = False) -> int | None:
        """Run until the app is left, its terminal is lost, or an end is asked for; to be left is to ask.

        Whatever happens, the terminal is as it was found. What crashed the app is in :attr:`crash`.

        Args:
            outlives_terminal: SIGHUP tells of a lost terminal, and asks for no end.

        Returns:
            The exit status, :data:`tui.app.tty.HUNG_UP` for a lost terminal. None in the background, where no
            app may show itself.
        """
        self._end = end
        loop = asyncio.get_running_loop()
        saved = tty.SavedTerminal()
        end.restore = partial(self._restore, saved)
        showing = asyncio.create_task(self.run_async(mouse=mouse), name="face")

        def on_loop(call: Callable[[], object]) -> Callable[[], object]:
            return partial(loop.call_soon_threadsafe, call)

        def leave() -> None:
            # A task that is cancelled waits behind none of its messages, where what is posted would.
            if not self._is_leaving:
                self._is_leaving = True
                showing.cancel()

        def lose() -> None:
            self._terminal_is_lost = True
            if not outlives_terminal:
                end.ask(tty.HUNG_UP)
            leave()

        def go_on() -> None:
            if tty.is_in_front():
                self.call_later(self._set_again)
            else:
                self._is_in_background = True
                leave()

        def watch() -> None:
            if tty.is_lost(0):
                log.info("the terminal is gone")
                lose()
            elif not showing.done():
                loop.call_later(_WATCH, watch)

        loop.call_later(_WATCH, watch)
        with contextlib.ExitStack() as stack:
            stack.enter_context(end.telling(on_loop(leave)))
            stack.enter_context(end.on(signal.SIGCONT, on_loop(go_on)))
            stack.enter_context(
                end.on(signal.SIGTSTP, on_loop(partial(self.call_later, self.action_suspend_process)))
            )
            if outlives_terminal:
                stack.enter_context(end.on(signal.SIGHUP, on_loop(lose)))
            await asyncio.wait((showing,))
        end.restore = None
        if not showing.cancelled() and isinstance(error := showing.exception(), Exception):
            self._exception = self._exception or error
        driver = self._driver
        if self.crash is not None or (isinstance(driver, PatientDriver) and driver.is_left_behind):
            self._restore(saved)
        if end.status is not None:
            return end.status
        if self._is_in_background:
            return None
        return tty.HUNG_UP if self._terminal_is_lost else self.return_code or 0

    def exit(
        self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Leave the app, which asks for the end of the process."""
        self._is_leaving = True
        super().exit(result, return_code, message)
        self._end.ask(return_code)

    def _set_again(self) -> None:
        if isinstance(self._driver, PatientDriver):
            self._driver.set_again()

    def _restore(self, saved: tty.SavedTerminal) -> None:
        if isinstance(self._driver, PatientDriver):
            self._driver.let_go()
        saved.restore()

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
