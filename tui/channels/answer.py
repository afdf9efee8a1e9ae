"""Something begun at once whose end may be awaited, or not."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

import msgspec

from tui.channels.errors import ReplyError
from tui.channels.wire import DecodeError, Reply

T = TypeVar("T")


class Answer(Awaitable[T], Generic[T]):
    """What ``join``, ``push``, ``leave``, ``connect`` and ``disconnect`` return.

    What it stands for goes on whether it is awaited or not, and a failure that nobody awaits is
    no error. To stop waiting stops nothing else. Await it in one place: whoever cancels one wait
    for it cancels them all.
    """

    __slots__ = ("_error", "_future", "_value")

    def __init__(self) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._value: T | None = None
        self._error: Exception | None = None

    @property
    def done(self) -> bool:
        """It has ended, or nobody waits for it any more."""
        return self._future.done()

    def succeed(self, value: T) -> None:
        """End with ``value``; does nothing once done."""
        if not self._future.done():
            self._value = value
            self._future.set_result(None)

    def fail(self, error: Exception) -> None:
        """End with ``error``, raised where it is awaited; does nothing once done."""
        if not self._future.done():
            self._error = error
            self._future.set_result(None)

    def then(self, callback: Callable[[], object]) -> None:
        """Call back when it has ended, or when its only waiter was cancelled."""
        self._future.add_done_callback(lambda _: callback())

    def __await__(self) -> Generator[object, None, T]:
        yield from self._future.__await__()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set by succeed, which alone gets here


class Response(Answer[Any]):
    """What a server answers; await it for the response, which is decoded then, or ``reply()`` for both."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        """What is answered, in words, for errors."""

    def _wait(self) -> Generator[object, None, Reply]:
        reply: Reply = yield from super().__await__()
        return reply

    @types.coroutine
    def reply(self) -> Generator[object, None, Reply]:
        """The reply as it came: for whoever does not want the response built, whatever its size."""
        return (yield from self._wait())

    def __await__(self) -> Generator[object, None, Any]:
        reply = yield from self._wait()
        try:
            return reply.response
        except DecodeError as error:
            raise undecodable(self.what, error) from None


def undecodable(what: str, error: DecodeError) -> ReplyError:
    """The error for an answer that cannot be read."""
    return ReplyError(what, Reply("undecodable", msgspec.json.encode(str(error))))


def succeed(answers: list[Answer[T]], value: T) -> None:
    """End all of them with ``value``, and forget them."""
    while answers:
        answers.pop(0).succeed(value)


def fail(answers: list[Answer[T]], error: Exception) -> None:
    """End all of them with ``error``, and forget them."""
    while answers:
        answers.pop(0).fail(error)
