"""What handlers and servers do wrong: all of it counted, little of it logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tui.channels.clock import Clock
from tui.channels.wire import DecodeError
from tui.text.secret_values import masked

log = logging.getLogger("tui.channels")

LOG_EVERY = 60.0
"""Seconds between two log lines of one kind: what happens once may happen ten thousand times a second."""


class Mistakes:
    """Counts those of one socket, whose ``host:port`` each line begins with."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._logged: dict[str, float] = {}
        self.handler_errors = 0
        self.undecodable = 0

    def handler_raised(self, topic: str, event: str, error: BaseException) -> None:
        """A handler raised: logged with topic, event and traceback."""
        self.handler_errors += 1
        if self._may_log("handler"):
            log.error(
                "%s: a handler of %s on %s raised (%d so far)",
                self._address,
                masked(event),
                masked(topic),
                self.handler_errors,
                exc_info=error,
            )

    def frame_failed(self, error: Exception) -> None:
        """A frame met a mistake of ours: counted as a handler's, and logged with its traceback."""
        self.handler_errors += 1
        if self._may_log("frame"):
            log.error("%s: a frame could not be dealt with", self._address, exc_info=error)

    def payload_undecodable(self, topic: str, event: str, error: DecodeError) -> None:
        """A frame or a payload does not decode: logged with topic and event, and none of its bytes."""
        self.undecodable += 1
        if self._may_log("undecodable"):
            log.warning(
                "%s: a frame does not decode: %s (topic %s, event %s, %d so far)",
                self._address,
                error,
                masked(topic),
                masked(event),
                self.undecodable,
            )

    def _may_log(self, kind: str) -> bool:
        now = self._clock.monotonic()
        last = self._logged.get(kind)
        if last is not None and now < last + LOG_EVERY:
            return False
        self._logged[kind] = now
        return True


class Callbacks:
    """Plain functions that are told of one thing. What one of them raises is counted and logged."""

    __slots__ = ("_all", "_mistakes")

    def __init__(self, mistakes: Mistakes) -> None:
        self._all: tuple[Callable[..., object], ...] = ()
        self._mistakes = mistakes

    def add(self, callback: Callable[..., object]) -> Callable[[], None]:
        """Tell it from now on; returns what ends that."""
        self._all += (callback,)

        def remove() -> None:
            kept = list(self._all)
            if callback in kept:
                kept.remove(callback)
            self._all = tuple(kept)

        return remove

    def call(self, *arguments: object) -> None:
        for callback in self._all:
            try:
                callback(*arguments)
            except Exception as error:  # noqa: BLE001 (counted and logged)
                self._mistakes.handler_raised("socket", getattr(callback, "__name__", "handler"), error)
