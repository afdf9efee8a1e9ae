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
_RETRY = 1.0  # seconds after a mistake of ours


class Owner:
    """There is a task from :meth:`start` until there is nothing to wait for.

    Args:
        decide: does what is due, and returns when to be called again: infinite for when something happens,
            None for never. It is told whether it comes far too late.
        ended: called when the task has ended.
    """

    def __init__(
        self, name: str, clock: Clock, decide: Callable[[bool], float | None], ended: Callable[[], None]
    ) -> None:
        self._name = name
        self._clock = clock
        self._decide = decide
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.wake = self._wake.set

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"socket {self._name}")

    async def _run(self) -> None:
        try:
            late = False
            while True:
                self._wake.clear()
                try:
                    deadline = self._decide(late)
                except Exception:
                    # It must not leave a socket that nothing wakes.
                    log.exception("%s: the socket's owner failed, going on", self._name)
                    deadline = self._clock.monotonic() + _RETRY
                if deadline is None:
                    return
                late = await self._wait(deadline)
        finally:
            self._task = None
            self._ended()

    async def _wait(self, deadline: float) -> bool:
        """Wait for ``deadline`` or for something to happen; True when it came far too late."""
        now = self._clock.monotonic()
        wait = min(deadline - now, _LONGEST_WAIT)
        if wait > 0:
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        else:
            await asyncio.sleep(0)
        return self._clock.monotonic() - now > max(wait, 0.0) + LATE
