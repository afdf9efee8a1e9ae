"""What may never return, each in a daemon thread of its own: a disk, a name look-up, a large import.

The event loop's own pool has a few threads, all of which six dead disks can hold, and which the interpreter
waits for at its end. Here whoever asks for what is asked already waits for that, so that a thing that hangs
holds one thread however often it is asked for, and costs nobody but those who need it.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

MOST_THREADS = 1000
"""Things that may be under way at a time; one more is an error for who asks for it, and for nobody else."""

_asked: dict[Hashable, Future[Any]] = {}
_turn = threading.Lock()


async def apart(thing: Hashable, function: Callable[[], T], what: str) -> T:
    """What ``function`` returns or raises, called in a thread. Has no time limit of its own; cancelling it
    leaves the thread behind, for the next who asks.

    Args:
        thing: equal for those who can share one call.
        what: it is, for a person: ``secret file /x/y``; told by :class:`Awaited` while it is waited for.

    Raises:
        OSError: there is no thread for it now; ``strerror`` is safe to show. Also whatever it raises.
    """
    with awaiting(what):
        return await asyncio.wrap_future(_shared(thing, function, what))


def answered_within(limit: float, thing: Hashable, function: Callable[[], T], what: str) -> T:
    """The same for who has no event loop: blocks for at most ``limit`` seconds.

    Raises:
        TimeoutError: no answer by then.
        OSError: as of :func:`apart`.
    """
    return _shared(thing, function, what).result(limit)


def is_under_way(thing: Hashable) -> bool:
    """Whether a call for ``thing`` has not returned yet."""
    return thing in _asked


def _shared(thing: Hashable, function: Callable[[], T], what: str) -> Future[T]:
    with _turn:
        future = _asked.get(thing)
        if future is not None:
            return future
        if len(_asked) >= MOST_THREADS:
            raise OSError(errno.EAGAIN, f"{what}: not asked for, {MOST_THREADS} others do not answer")
        future = Future()
        # Whoever gives up must not cancel it for the others.
        future.set_running_or_notify_cancel()
        _asked[thing] = future

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            _asked.pop(thing)
            future.set_exception(error)
        else:
            # Before the answer is out, so that whoever asks after it is not given it once more.
            _asked.pop(thing)
            future.set_result(result)

    try:
        threading.Thread(target=run, name=what, daemon=True).start()
    except (RuntimeError, MemoryError) as failure:
        # The machine has no thread left for us. Those who share this one are told, and the next asks anew.
        _asked.pop(thing)
        error = OSError(errno.EAGAIN, f"{what}: no thread could be started")
        error.__cause__ = failure
        future.set_exception(error)
    return future


class Awaited:
    """Names what a task waits for, to whoever ends its wait.

    What was waited for stays named when the wait ends with an error.
    """

    def __init__(self) -> None:
        self.what: str | None = None
        """``auth_token: secret file /x/y``, say; None while it is nothing that has a name."""

    def by_this_task(self) -> None:
        """From now on, the task that calls this says what it waits for."""
        _noted.set(self)

    def message(self, limit: float, otherwise: str) -> str:
        """Why it was given up after ``limit`` seconds; ``otherwise`` where what hung has no name."""
        return (
            f"{self.what} did not answer for {limit:g} s" if self.what else f"{otherwise} within {limit:g} s"
        )


_noted: ContextVar[Awaited | None] = ContextVar("told", default=None)
_path: ContextVar[tuple[str, ...]] = ContextVar("path", default=())


@contextmanager
def awaiting(what: str) -> Iterator[None]:
    """Inside, this task waits for ``what``; within another such block it is a part of that."""
    around, noted = _path.get(), _noted.get()
    inside = (*around, what)
    token = _path.set(inside)
    if noted is not None:
        noted.what = ": ".join(inside)
    try:
        yield
    finally:
        _path.reset(token)
    if noted is not None:
        noted.what = ": ".join(around) or None
