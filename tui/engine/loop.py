"""The engine's loop: as other threads reach it, and when it publishes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tui.model.snapshot import CommandResult

log = logging.getLogger("tui.engine")

T = TypeVar("T")

PUBLISH_EVERY = 0.25
"""Seconds between two snapshots when nothing but the traffic moves."""

PUBLISH_SOON = 0.02
"""Seconds from a change of state or a command to its snapshot; all changes of that time in one."""

PUBLISH_ALERTS = 0.1
"""Seconds in which all changes of the alert queue make one publication; those by command are told at once."""


class EngineLoop:
    """The loop that the engine runs on, for those in other threads."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stopping = asyncio.Event()
        self.stop_asked = threading.Event()

    def begin(self) -> None:
        self._loop = asyncio.get_running_loop()

    def end(self) -> None:
        self._loop = None

    def stop(self) -> None:
        self.stop_asked.set()
        self.post(self.stopping.set)

    def post(self, callback: Callable[[], object]) -> None:
        """Call on the engine's loop, while there is one. From any thread."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(callback)
            except RuntimeError:
                log.debug("the engine's loop had ended already")

    async def call(self, coroutine: Coroutine[Any, Any, T | CommandResult]) -> T | CommandResult:
        """Run on the engine's loop, and answer on the caller's; without an engine the answer says so."""
        loop = self._loop
        if loop is not None:
            try:
                future = asyncio.run_coroutine_threadsafe(coroutine, loop)
            except RuntimeError:
                log.debug("the engine's loop had ended already")
            else:
                try:
                    return await asyncio.wrap_future(future)
                except asyncio.CancelledError:
                    # The engine's end cancels what it was asked; whoever cancels us is obeyed.
                    task = asyncio.current_task()
                    if not self.stop_asked.is_set() or (task is not None and task.cancelling()):
                        raise
                    return CommandResult(ok=False, message="the engine stopped")
        coroutine.close()
        return CommandResult(ok=False, message="the engine is not running")


class Pace:
    """When the next snapshot is due. On the engine's loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = asyncio.Event()
        self._alerts_due: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Before this nothing is due: there is no snapshot that it could replace."""
        self._loop = asyncio.get_running_loop()

    def soon(self) -> None:
        if self._loop is not None:
            self._due.set()

    def soon_for_alerts(self) -> None:
        """There is news of the alert queue: hundreds of events a second make ten publications."""
        if self._alerts_due is None and self._loop is not None:
            self._alerts_due = self._loop.call_later(PUBLISH_ALERTS, self._alerts_changed)

    def _alerts_changed(self) -> None:
        self._alerts_due = None
        self.soon()

    async def wait(self) -> None:
        try:
            async with asyncio.timeout(PUBLISH_EVERY):
                await self._due.wait()
        except TimeoutError:
            pass  # nothing special happened: the regular snapshot
        else:
            await asyncio.sleep(PUBLISH_SOON)
        self._due.clear()
