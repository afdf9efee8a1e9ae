"""Who takes the steps of something that uses a disk: a thread, or whatever has a clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Protocol

log = logging.getLogger(__name__)

Steps = Iterator[float | None]
"""Yields None where the disk is used next, or the moment until which nothing is to be done, on
:meth:`Worker.monotonic`; ends when all is done."""


class Worker(Protocol):
    """Takes steps one after another, each in its time."""

    def start(self, steps: Steps) -> None:
        """Take them from now on. Once."""

    def wake(self) -> None:
        """There is something to be done now. In any thread; never waits."""

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds for the last step; whether none is left, or none was begun."""

    @property
    def broke(self) -> bool:
        """The steps were begun and are taken no more."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class WorkerThread:
    """A daemon thread, which holds no interpreter up."""

    def __init__(self, name: str) -> None:
        self._woken = threading.Event()
        self._name = name
        self._thread: threading.Thread | None = None

    def start(self, steps: Steps) -> None:
        self._thread = threading.Thread(target=self._run, args=(steps,), name=self._name, daemon=True)
        self._thread.start()

    def _run(self, steps: Steps) -> None:
        try:
            for at in steps:
                if at is not None:
                    self._woken.wait(max(0.0, at - time.monotonic()))
                    # Not after the look at what there is to do, or what comes in between is missed.
                    self._woken.clear()
        except Exception:
            log.exception("the %s has stopped", self._name)

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float) -> bool:
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    @property
    def broke(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    monotonic = staticmethod(time.monotonic)
