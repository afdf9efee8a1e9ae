"""The user's command, run for incidents: apart from the engine, bounded in number, time and output."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Literal, NamedTuple

import msgspec

from tui.channels.clock import Clock
from tui.incidents.options import IncidentsOptions
from tui.model.incidents import RANKS, IncidentSnapshot, LineSeverity
from tui.text.formats import counted
from tui.text.json_text import json_text
from tui.text.printable import printable

log = logging.getLogger("tui.connections.trouble")

MOST_UNDER_WAY = 4
"""Commands that run at the same time."""
MOST_WAITING = 100
"""Calls that wait for their turn; one more is left out."""
KILL_AFTER = 2.0
"""Seconds from SIGTERM to SIGKILL."""
MOST_OUTPUT = 2048
"""Bytes of a command's output that go to the program's log; the rest is thrown away."""

Event = Literal["opened", "reopened", "resolved"]

_MINUTE = 60.0
_LOOK_EVERY = 0.05
_AT_ONCE = 64 * 1024
_MOST_WORDS = 200


def message(event: Event, incident: IncidentSnapshot) -> bytes:
    """What a command reads: one line of JSON, ``event`` and every field of the incident, null ones too."""
    return json_text({"event": event, **msgspec.structs.asdict(incident)}).encode() + b"\n"


class _Call(NamedTuple):
    command: tuple[str, ...]
    timeout: float
    text: bytes


class IncidentCommand:
    """Runs the command of the settings in threads of its own; nothing here waits for it.

    It is run without a shell, in a session and process group of its own, with the environment of this
    program as it is, secrets in it included. What it prints, standard error too, goes to the program's log,
    its beginning at least. One that has not ended in its time gets SIGTERM and, :data:`KILL_AFTER` later,
    SIGKILL, with everything that it started in its group.

    All methods are to be called on the engine's loop.

    Args:
        note: takes a line for the log of changes: once for each trouble, and once when it is over.
        on_loop: calls back on the engine's loop, from any thread.
    """

    def __init__(
        self,
        options: IncidentsOptions,
        clock: Clock,
        note: Callable[[str, LineSeverity], None],
        on_loop: Callable[[Callable[[], None]], None],
    ) -> None:
        self._options = options
        self._clock = clock
        self._note = note
        self._on_loop = on_loop
        self._run_at: deque[float] = deque()
        self._untold = 0
        self._noted_at = float("-inf")
        self._turn = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._threads = 0
        self._processes: set[_Process] = set()
        self._is_stopped = False
        self.trouble: str | None = None
        """What is wrong with the command, in words; None while nothing is."""
        self.dropped = 0
        """Calls left out: beyond the settings' number a minute, or beyond :data:`MOST_WAITING`."""

    def configure(self, options: IncidentsOptions) -> None:
        """Take these settings from now on; another command's troubles are not this one's."""
        if options.command != self._options.command:
            self.trouble = None
        self._options = options

    def run(self, event: Event, incident: IncidentSnapshot) -> None:
        """Run the command, soon, if there is one and the incident is severe enough."""
        options = self._options
        if not options.command or self._is_stopped:
            return
        if RANKS[incident.severity] < RANKS[options.command_from]:
            return
        now = self._clock.monotonic()
        while self._run_at and now - self._run_at[0] >= _MINUTE:
            self._run_at.popleft()
        call = _Call(options.command, options.command_timeout, message(event, incident))
        if len(self._run_at) >= options.command_per_minute or not self._wait(call):
            self.dropped += 1
            self._untold += 1
            self.poll()
            return
        self._run_at.append(now)

    def poll(self) -> None:
        """Tell what was left out, at most once a minute."""
        now = self._clock.monotonic()
        if self._untold and now - self._noted_at >= _MINUTE:
            count, self._untold, self._noted_at = self._untold, 0, now
            most = self._options.command_per_minute
            why = f"more than {most} within a minute, or too many at once"
            self._note(f"{counted(count, 'call')} of the command for incidents left out: {why}", "warning")

    def stop(self) -> None:
        """Run no more. What is under way gets SIGTERM; a program that ignores it may outlive this one."""
        with self._turn:
            self._is_stopped = True
            left_out = len(self._waiting)
            self._waiting.clear()
            processes = list(self._processes)
        if left_out:
            log.warning("the engine stops: %d calls of the command for incidents were not made", left_out)
        for process in processes:
            process.signal(signal.SIGTERM)

    def _wait(self, call: _Call) -> bool:
        """Queue a call; False when there is no room."""
        with self._turn:
            if len(self._waiting) >= MOST_WAITING:
                return False
            self._waiting.append(call)
            if self._threads == MOST_UNDER_WAY:
                return True
            self._threads += 1
        # A daemon: a program that hangs in the system must not hold up the end of this one.
        thread = threading.Thread(target=self._work, name="incident command", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # The machine has no thread left for us, which the engine outlives.
            log.error("the command for incidents: %s", error)
            with self._turn:
                self._threads -= 1
                # Others that run may have taken it by now.
                if call in self._waiting:
                    self._waiting.remove(call)
                    return False
        return True

    def _work(self) -> None:
        while True:
            with self._turn:
                if self._is_stopped or not self._waiting:
                    self._threads -= 1
                    return
                call = self._waiting.popleft()
            try:
                trouble = self._carry_out(call)
            except Exception as error:
                log.exception("the command for incidents could not be followed")
                trouble = f"{call.command[0]}: {type(error).__name__}, see the log"
            self._on_loop(functools.partial(self._ended, call.command, trouble))

    def _carry_out(self, call: _Call) -> str | None:
        name = call.command[0]
        try:
            process = _Process(call)
        except OSError as error:
            return f"{name} cannot be started: {error.strerror or type(error).__name__}"
        except ValueError:
            # Its message would hold an argument, which may be a secret.
            return f"{name} cannot be started: an argument holds a null character"
        with self._turn:
            self._processes.add(process)
            is_late = self._is_stopped
        if is_late:
            process.signal(signal.SIGTERM)
        try:
            trouble = process.follow()
        finally:
            with self._turn:
                self._processes.discard(process)
        if process.output or trouble is not None:
            level = logging.INFO if trouble is None else logging.WARNING
            output = process.output.decode(errors="replace")
            more = ", and more" if process.is_cut else ""
            log.log(
                level, "the command for incidents: %s; it printed %r%s", trouble or "ended well", output, more
            )
        return None if trouble is None else f"{name}: {trouble}"

    def _ended(self, command: tuple[str, ...], trouble: str | None) -> None:
        if self._is_stopped or command != self._options.command:
            return
        before, self.trouble = self.trouble, None if trouble is None else printable(trouble, _MOST_WORDS)
        if before is None and self.trouble is not None:
            self._note(f"the command for incidents: {self.trouble}", "error")
        elif before is not None and self.trouble is None:
            self._note("the command for incidents works again", "info")


class _Process:
    """One run of the command.

    Raises:
        OSError: it cannot be started.
        ValueError: an argument holds a null character.
    """

    def __init__(self, call: _Call) -> None:
        self.output = b""
        """The beginning of what it printed."""
        self.is_cut = False
        """It printed more than that."""
        self._timeout = call.timeout
        self._unread = memoryview(call.text)
        self._flood = 0
        self._turn = threading.Lock()
        self._is_reaped = False
        # A session of its own: it cannot read from, or draw on, the terminal of the face.
        self._process = subprocess.Popen(
            call.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its group, while it is known to be its. From any thread."""
        with self._turn:
            if not self._is_reaped:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)
                    # One that is stopped would only hear of it when somebody had it go on.
                    os.killpg(self._process.pid, signal.SIGCONT)

    def follow(self) -> str | None:
        """Wait for its end, in its time; what was wrong, in words."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        # The time of a real process is real, whatever clock the engine has.
        deadline = time.monotonic() + self._timeout
        with process.stdin, process.stdout, selectors.DefaultSelector() as pipes:
            os.set_blocking(process.stdin.fileno(), False)
            os.set_blocking(process.stdout.fileno(), False)
            pipes.register(process.stdin, selectors.EVENT_WRITE, (process.stdin, self._write))
            pipes.register(process.stdout, selectors.EVENT_READ, (process.stdout, self._read))
            while not self._has_ended():
                if time.monotonic() >= deadline:
                    return self._kill(pipes)
                self._exchange(pipes)
            self._read(process.stdout)
        status = process.returncode
        if status > 0:
            return f"exit status {status}"
        return f"ended by signal {-status}" if status else None

    def _has_ended(self) -> bool:
        with self._turn:
            self._is_reaped = self._process.poll() is not None
            return self._is_reaped

    def _kill(self, pipes: selectors.BaseSelector) -> str:
        had_output = self._has_output(pipes)
        self.signal(signal.SIGTERM)
        # As long as nobody asks for its status, its number belongs to it and SIGKILL meets nobody else. When
        # all that had its output are gone, there is nothing left to wait for.
        grace = time.monotonic() + KILL_AFTER
        while time.monotonic() < grace and (self._has_output(pipes) or not had_output):
            self._exchange(pipes)
        self.signal(signal.SIGKILL)
        patience = time.monotonic() + KILL_AFTER
        while not self._has_ended():
            if time.monotonic() >= patience:
                return f"no end within {self._timeout:g} s, and it cannot be killed"
            time.sleep(_LOOK_EVERY / 10)
        return f"no end within {self._timeout:g} s, killed"

    def _has_output(self, pipes: selectors.BaseSelector) -> bool:
        """Somebody may still print."""
        return any(key.fileobj is self._process.stdout for key in pipes.get_map().values())

    def _exchange(self, pipes: selectors.BaseSelector) -> None:
        if not pipes.get_map():
            time.sleep(_LOOK_EVERY)
        for key, _ in pipes.select(_LOOK_EVERY):
            pipe, exchange = key.data
            if not exchange(pipe):
                pipes.unregister(pipe)
                pipe.close()

    def _write(self, pipe: IO[bytes]) -> bool:
        """Write what is left of the incident; False when that was all."""
        try:
            self._unread = self._unread[os.write(pipe.fileno(), self._unread) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            log.debug("the command for incidents does not read its standard input")
            return False
        return bool(self._unread)

    def _read(self, pipe: IO[bytes]) -> bool:
        """Read what was printed; False when that was all."""
        if pipe.closed:
            return False
        try:
            data = os.read(pipe.fileno(), _AT_ONCE)
        except BlockingIOError:
            return True
        room = MOST_OUTPUT - len(self.output)
        self.is_cut |= len(data) > room
        self.output += data[:room]
        self._flood += len(data)
        if self._flood > _AT_ONCE:
            # Who prints without end is made to wait, and not listened to with all of a processor.
            self._flood = 0
            time.sleep(_LOOK_EVERY)
        return bool(data)
