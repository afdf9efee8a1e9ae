"""The task that owns a socket's connection: it decides whenever something happened or is due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tui.channels.clock import Clock

log = logging.getLogger("tui.channels")

LATE = 5.0
"""Seconds: who wakes this much too late was stopped or asleep, and judges nothing by the clock."""

_LONGEST_WAIT = 5.0  # the loop's own timers stand still while the machine sleeps: look at the clock


class Owner:
    """There is a task from :meth:`start` until there is nothing to wait for.

    Args:
        name: ``host:port``, for the log.
        decide: does what is due, and returns when to be called again; told whether it comes far too late.
        is_idle: nothing will ever be due.
        retry: seconds until the next try when that raised.
        ended: called when the task has ended.
    """

    __slots__ = ("_clock", "_decide", "_ended", "_is_idle", "_name", "_retry", "_task", "_wake")

    def __init__(
        self,
        name: str,
        clock: Clock,
        decide: Callable[[bool], float | None],
        *,
        is_idle: Callable[[], bool],
        retry: float,
        ended: Callable[[], None],
    ) -> None:
        self._name = name
        self._clock = clock
        self._decide = decide
        self._is_idle = is_idle
        self._retry = retry
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Have the task run."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"socket {self._name}")

    def wake(self) -> None:
        """Have it decide anew: something happened."""
        self._wake.set()

    async def _run(self) -> None:
        try:
            late = False
            while True:
                self._wake.clear()
                try:
                    deadline = self._decide(late)
                except Exception:
                    # A mistake of ours must not leave a socket that nothing wakes.
                    log.exception("%s: the socket's owner failed, going on", self._name)
                    deadline = self._clock.monotonic() + self._retry
                if deadline is None and self._is_idle():
                    return
                late = await self._wait(deadline)
        finally:
            self._task = None
            self._ended()

    async def _wait(self, deadline: float | None) -> bool:
        """Wait for ``deadline`` or for something to happen; True when it came far too late."""
        now = self._clock.monotonic()
        wait = _LONGEST_WAIT if deadline is None else min(deadline - now, _LONGEST_WAIT)
        if wait > 0:
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        else:
            await asyncio.sleep(0)
        return self._clock.monotonic() - now > max(wait, 0.0) + LATE
