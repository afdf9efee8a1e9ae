"""The control socket for a shell command: one request, one answer, no event loop.

Imports nothing heavy: a shell command has to be back before anybody notices that it was slow.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from tui.control.protocol import (
    MAX_ANSWER,
    SOCKET_NAME,
    UNREADABLE,
    Answer,
    ControlError,
    Missed,
    NoEngineError,
    Refusal,
    Result,
    StateEvent,
    Value,
    decode_answer,
    encode_request,
)
from tui.control.socket_file import is_trusted, peer_user

T = TypeVar("T")

_READ_SIZE = 256 * 1024


class RefusedError(ControlError):
    """The engine answered that it does not do it; the message is the engine's."""


class ControlClient:
    """A connection to the engine at ``path``; a context manager. Made as :func:`dial` does it.

    ``timeout`` is for connecting, and for each answer unless said otherwise.
    """

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._buffer = bytearray()
        self._numbers = itertools.count(1)
        self._socket = dial(path, timeout, waits=True)

    def value(self, method: str, kind: type[T], /, **parameters: Any) -> T:
        """Ask for a value and decode it as ``kind``.

        Raises:
            RefusedError: the engine refused.
            ControlError: no answer in time, or none that is understood.
        """
        answer = self._ask(method, parameters, self._timeout)
        if not isinstance(answer, Value):
            raise RefusedError(answer.message)
        try:
            return msgspec.json.decode(answer.value, type=kind)
        except UNREADABLE as error:
            raise ControlError(f"the engine's answer is not understood: {error}") from error

    def command(self, method: str, timeout: float | None = None, /, **parameters: Any) -> Result:
        """Give a command and wait ``timeout`` seconds for what came of it; raises what :meth:`value` does."""
        answer = self._ask(method, parameters, self._timeout if timeout is None else timeout)
        if isinstance(answer, Result):
            return answer
        words = answer.message if isinstance(answer, Refusal) else "the engine answered something else"
        raise RefusedError(words)

    def events(self) -> Iterator[StateEvent | Missed]:
        """What follows a ``watch``; waits without limit. Ends in a :class:`ControlError`."""
        while True:
            answer = self._read(None)
            if isinstance(answer, (StateEvent, Missed)):
                yield answer
            elif isinstance(answer, Refusal):
                raise RefusedError(answer.message)

    def close(self) -> None:
        self._socket.close()

    def _ask(self, method: str, parameters: dict[str, Any], timeout: float) -> Value | Result | Refusal:
        number = next(self._numbers)
        line = encode_request(number, method, parameters)
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(line)
        except TimeoutError:
            raise _silent(timeout) from None
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever closed the connection has said why: that is read below
        except OSError as error:
            raise ControlError(f"the engine cannot be asked: {error.strerror or error}") from error
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self._read(deadline)
            except TimeoutError:
                raise _silent(timeout) from None
            if isinstance(answer, (Value, Result)) and answer.id == number:
                return answer
            if isinstance(answer, Refusal) and answer.id in (None, number):
                return answer

    def _read(self, deadline: float | None) -> Answer:
        looked = 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            if looked > MAX_ANSWER:
                raise ControlError(f"the engine's answer is longer than {MAX_ANSWER} bytes")
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(_READ_SIZE)
            except TimeoutError:
                raise
            except OSError as error:
                raise ControlError(f"the engine went away: {error.strerror or error}") from error
            if not data:
                raise ControlError("the engine went away")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return decode_answer(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def dial(path: Path, timeout: float, *, waits: bool = False) -> socket.socket:
    """Connect to the engine at ``path``.

    Args:
        timeout: of the socket, from then on.
        waits: so long also for an engine to which more connect than it takes; else that fails at once.

    Raises:
        NoEngineError: that was not possible, or a stranger listens there; the message says why.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if waits:
            limit = struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connection.setblocking(waits)
        connection.connect(os.fspath(path))
        connection.settimeout(timeout)
        user = peer_user(connection)
    except OSError as error:
        connection.close()
        raise _no_engine(path, error) from error
    if not is_trusted(user):
        connection.close()
        raise NoEngineError(f"a process of another user (uid {user}) listens at {path}")
    return connection


def _no_engine(path: Path, error: OSError) -> NoEngineError:
    start = "start one with: overlay-supervisor run"
    where = path.parent if path.name == SOCKET_NAME else path
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return NoEngineError(f"no engine is running in {where}", start, absent=True)
    if isinstance(error, ConnectionRefusedError):
        short = f"no engine is running in {where} (its socket was left behind)"
        return NoEngineError(short, start, absent=True)
    if isinstance(error, PermissionError):
        return NoEngineError(f"no permission for {path}", "the engine runs as another user")
    if isinstance(error, (TimeoutError, BlockingIOError)):
        return NoEngineError(f"the engine at {path} does not answer")
    if error.errno in (errno.ENOTSOCK, errno.EPROTOTYPE):
        return NoEngineError(f"{path} is no control socket")
    return NoEngineError(f"{path}: {error.strerror or type(error).__name__}")


def _silent(timeout: float) -> ControlError:
    return ControlError(f"no answer from the engine within {timeout:g} s")
