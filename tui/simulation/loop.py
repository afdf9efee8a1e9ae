"""Hours in milliseconds: an event loop on virtual time, and clocks tied to it."""

from __future__ import annotations

import asyncio
import heapq
import random
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

from tui.channels.loop_delay import LoopDelay

EPOCH = 1_800_000_000.0

PROCESS: ContextVar[str] = ContextVar("process", default="")
"""Of which process of the world a callback is; what it begins is of the same one."""

_WAKE_UP = 1e-6  # no system wakes anyone early; a little late is what a real one does
_LATE = 0.02  # the most of it where chance decides
_SPIN = 200_000  # turns of the loop in which no time passes: somebody waits by running in a circle


class DeadlockError(AssertionError):
    """Somebody waits, no timer is set and nothing can happen."""


class SpinningError(AssertionError):
    """The loop turns and turns and time stands still."""


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Args:
        random_source: decides how late a turn of the loop is, and in which order that is done which is due
            in it; None for none of both.
    """

    # What is due, and what is set, stands in two private fields of asyncio's own loop; both have been there
    # since its beginning.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, random_source: random.Random | None = None) -> None:
        super().__init__()
        self.now = 1_000.0
        self.watched: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        """Conditions, looked at whenever all is done that can be done now, and who awaits them."""
        self.delay = LoopDelay(self.time)
        """Is told of its turns."""
        self._random_source = random_source
        self._turns = 0
        self._suspended: dict[str, list[asyncio.Handle]] = {}
        self._slept: dict[str, float] = {}
        self._selector = self

    def time(self) -> float:
        """The loop's own clock, as the process that asks has it: it stands still while its machine sleeps."""
        return self.now - self._slept.get(PROCESS.get(), 0.0) if self._slept else self.now

    def call_at(  # type: ignore[override]  # the arguments' types that it names are typeshed's own
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop's, by the clock of the process that the callback is of."""
        process = PROCESS.get() if context is None else context.get(PROCESS, "")
        return super().call_at(when + self._slept.get(process, 0.0), callback, *args, context=context)

    def select(self, timeout: float | None) -> list[Any]:
        self.delay.end_turn()
        try:
            return self._select(timeout)
        finally:
            self.delay.begin_turn()

    def _select(self, timeout: float | None) -> list[Any]:
        if timeout != 0 and self._arrived():
            return []
        if timeout is None:
            raise DeadlockError("everybody waits for something that cannot happen")
        if timeout > 0:
            self.now = max(self.now, self._scheduled[0].when()) + _WAKE_UP
            self._turns = 0
            if self._random_source is not None:
                # Mostly next to nothing.
                self.now += _LATE * self._random_source.random() ** 8
                self._take_due(self._random_source)
        else:
            self._turns += 1
            if self._turns > _SPIN:
                raise SpinningError("the loop turns without end and no time passes")
        if self._suspended:
            self._put_aside()
        return []

    def _take_due(self, random_source: random.Random) -> None:
        due = list[asyncio.Handle]()
        while self._scheduled and self._scheduled[0].when() <= self.now:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]  # private, as told above
            due.append(handle)
        random_source.shuffle(due)
        self._ready.extend(due)

    def _arrived(self) -> bool:
        watched, self.watched = self.watched, []
        for condition, future in watched:
            if not future.done() and condition():
                future.set_result(None)
            elif not future.done():
                self.watched.append((condition, future))
        return len(self.watched) < len(watched)

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        return [handle for handle in self._scheduled if not handle.cancelled()]

    # Processes that do not run

    def suspend(self, process: str) -> None:
        """Nothing of that process is called from the next turn on."""
        aside = self._suspended.setdefault(process, [])
        for handle in [each for each in self._scheduled if _process_of(each) == process]:
            self._scheduled.remove(handle)
            handle._scheduled = False  # type: ignore[attr-defined]  # private, as told above
            aside.append(handle)
        heapq.heapify(self._scheduled)

    def resume(self, process: str, slept: float = 0.0) -> None:
        """It goes on. What was due meanwhile is due now; after ``slept`` seconds in which the loop's own
        clock stood still for it, so much later."""
        if slept:
            self._slept[process] = self._slept.get(process, 0.0) + slept
        for handle in self._suspended.pop(process, ()):
            if handle.cancelled():
                continue
            if isinstance(handle, asyncio.TimerHandle):
                handle._when += slept  # type: ignore[attr-defined]  # private, as told above
                handle._scheduled = True  # type: ignore[attr-defined]  # private, as told above
                heapq.heappush(self._scheduled, handle)
            else:
                self._ready.append(handle)

    def _put_aside(self) -> None:
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            aside = self._suspended.get(_process_of(handle))
            if aside is None:
                self._ready.append(handle)
            else:
                aside.append(handle)


def _process_of(handle: asyncio.Handle) -> str:
    process: str = handle._context.get(PROCESS, "")  # type: ignore[attr-defined]  # private, as told above
    return process


class VirtualClock:
    """A machine's clock on a virtual loop; it can be made to jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.slept = 0.0
        self.wall_offset = 0.0

    def monotonic(self) -> float:
        return self._loop.now + self.slept

    def time(self) -> float:
        return EPOCH + self._loop.now + self.slept + self.wall_offset
